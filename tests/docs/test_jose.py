"""A vault outlives this package: `jose` of Debian opens it with the commands of docs/format.md."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from interpal.vault import KdfParameters, Vault
from interpal.vault.format.key_slots import derive_key, normalise_passphrase, parse_slot
from tests.debian import need

if TYPE_CHECKING:
    from pathlib import Path

RECORDS: dict[str, dict[str, Any]] = {
    "maple_ink": {"session_cookie": "7f3k", "auth_token": None, "n": 1.5},
    "zażółć@example.org": {"cookies": {"a": "b"}, "deep": [{"x": [1, 2]}]},
}


@pytest.fixture(autouse=True)
def _jose() -> None:
    need("jose")


def jose(*arguments: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["jose", *arguments], cwd=folder, capture_output=True, check=False)


def records_by_jose(folder: Path, key: bytes) -> Any:
    """The records of `my.json`, opened with the key-encryption key *key* and no code of ours."""
    k = base64.urlsafe_b64encode(key).decode().rstrip("=")
    (folder / "key.jwk").write_text(json.dumps({"kty": "oct", "alg": "A256KW", "k": k}))
    path = ["-Og", "protected", "-yOg", "vault", "-Og", "slots", "-g", "0", "-Su-"]
    slot = jose("fmt", "-j", "my.json", *path, folder=folder).stdout
    (folder / "slot.jwe").write_bytes(slot.rstrip(b"\n"))
    opened = jose("jwe", "dec", "-i", "slot.jwe", "-k", "key.jwk", "-O", "vault.jwk", folder=folder)
    if opened.returncode:
        return None
    content = jose("jwe", "dec", "-i", "my.json", "-k", "vault.jwk", folder=folder)
    return json.loads(content.stdout)["records"] if content.returncode == 0 else None


def test_jose_opens_a_vault_with_a_raw_key(tmp_path: Path) -> None:
    key = os.urandom(32)
    with Vault.open(tmp_path / "my.json", key=key, create=True) as vault:
        vault.update(RECORDS)
    assert records_by_jose(tmp_path, key) == RECORDS


def test_jose_opens_a_vault_with_a_passphrase(tmp_path: Path) -> None:
    with Vault.open(
        tmp_path / "my.json", passphrase="Zażółć", create=True, kdf=KdfParameters.LOW_MEMORY
    ) as vault:
        vault.update(RECORDS)
        slot = parse_slot(vault.slots[0].text)
    assert slot.salt is not None
    assert slot.kdf is not None
    key = derive_key(normalise_passphrase("Zażółć"), slot.salt, slot.kdf)
    assert records_by_jose(tmp_path, key.reveal()) == RECORDS


def test_jose_refuses_another_key_and_changed_bytes(tmp_path: Path) -> None:
    key = os.urandom(32)
    with Vault.open(tmp_path / "my.json", key=key, create=True) as vault:
        vault.update(RECORDS)
    assert records_by_jose(tmp_path, os.urandom(32)) is None
    content = json.loads((tmp_path / "my.json").read_text())
    first = content["ciphertext"][0]
    content["ciphertext"] = ("B" if first == "A" else "A") + content["ciphertext"][1:]
    (tmp_path / "my.json").write_text(json.dumps(content))
    assert records_by_jose(tmp_path, key) is None

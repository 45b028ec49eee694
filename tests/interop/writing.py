"""This package reads what the libraries have written."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from interpal.vault import Vault
from tests.docs.markdown import ROOT, blocks
from tests.interop import jose
from tests.interop.libraries import Refused
from tests.interop.reading import ATTEMPTS, BIG, FEW, KEY, PASSPHRASE, RECORDS, derived

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.interop.libraries import Library

SALT = jose.encode(bytes(range(16)))
KDF = {"name": "argon2id", "v": 19, "m": 19456, "t": 2, "p": 1, "salt": SALT}
_SCHEMA = """
    PRAGMA journal_mode = WAL;
    PRAGMA application_id = 0x69706C76;
    PRAGMA user_version = 1;
"""


class Seal(Protocol):
    """Makes a JWE, and as part of a file the text of its flattened form."""

    def __call__(self, header: dict[str, Any], plaintext: str, key: bytes, /) -> str: ...


Ways = dict[str, tuple[Seal, Seal]]


def row(library: Library) -> list[str]:
    """The cells of one library. Raises where we do not open what it has written."""

    def asking(do: str) -> Seal:
        def make(header: dict[str, Any], plaintext: str, key: bytes, /) -> str:
            answer: str = library.ask(do, header=header, plaintext=plaintext, key=key)
            return answer

        return make

    plain, chosen = asking("seal_as_it_is"), asking("seal_jwe")
    slots: Ways = {"yes": (plain, own), "set": (chosen, own)}
    contents: Ways = {
        "yes": (own, asking("seal_flattened")),
        "split": (own, splitting(plain)),
        "split, set": (own, splitting(chosen)),
    }
    both: Ways = {
        "yes": (plain, asking("seal_flattened")),
        "split": (plain, splitting(plain)),
        "split, set": (chosen, splitting(chosen)),
    }
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "vault.json")

        def cell(ways: Ways, making: Callable[[Seal, Seal], None]) -> str:
            for label, (slot, content) in ways.items():
                try:
                    making(slot, content)
                except Refused:
                    continue
                return label
            return "no"

        def file(records: dict[str, Any], *secrets: dict[str, Any]) -> Callable[..., None]:
            def making(slot: Seal, content: Seal) -> None:
                path.write_text(vault_of(records, secrets, slot, content))
                path.chmod(0o600)
                for secret in secrets:
                    check_opens(str(path), records, secret)

            return making

        def database(slot: Seal, content: Seal) -> None:
            fleet = Path(name, "fleet.db")
            fleet.unlink(missing_ok=True)
            fill(fleet, slot, content)
            check_opens(f"sqlite:{fleet}", RECORDS, BY_KEY)

        return [
            cell(slots, file(FEW, BY_KEY)),
            cell(slots, file(FEW, BY_PASSPHRASE)),
            cell(contents, file(FEW, BY_KEY)),
            cell(both, file(FEW, BY_PASSPHRASE, BY_KEY)),
            cell(contents, file(BIG, BY_KEY)),
            cell(both, database),
        ]


BY_KEY: dict[str, Any] = {"key": KEY}
BY_PASSPHRASE: dict[str, Any] = {"passphrase": PASSPHRASE}


def own(header: dict[str, Any], plaintext: str, key: bytes, /) -> str:
    """What the library under test does not make: compact as a slot, flattened as a file."""
    made = jose.seal(header, plaintext, key)
    return jose.split(made) if header.get("typ") == "interpal-vault" else made


def splitting(seal: Seal) -> Seal:
    """What *seal* makes, as the five members of a file."""

    def make(header: dict[str, Any], plaintext: str, key: bytes, /) -> str:
        return jose.split(seal(header, plaintext, key))

    return make


class _Keys:
    def __init__(self) -> None:
        self.vault_key = os.urandom(32)
        self.vault_id = os.urandom(16)

    def root(self, payload: Any, secrets: tuple[Any, ...], slot: Seal, content: Seal) -> str:
        jwk = {"kty": "oct", "alg": "A256KW", "k": jose.encode(self.vault_key)}
        slots = []
        for number, secret in enumerate(secrets):
            header: dict[str, Any] = {**jose.ALGORITHMS, "cty": "jwk+json"}
            header["kid"] = f"slot-{number}"
            header |= {"vid": jose.encode(self.vault_id), "iat": 1795332844}
            key = KEY
            if secret is BY_PASSPHRASE:
                header["kdf"] = KDF
                key = _derived()
            slots.append(slot(header, json.dumps(jwk), key))
        vault = {
            "version": 1,
            "id": jose.encode(self.vault_id),
            "generation": 1,
            "created_at": 1795332844,
            "updated_at": 1795332901,
            "commitment": jose.encode(jose.tag_of(self.vault_key, "commitment", self.vault_id)),
            "slots": slots,
        }
        outer = {"typ": "interpal-vault", **jose.ALGORITHMS, "cty": "json", "vault": vault}
        return content(outer, json.dumps(payload, ensure_ascii=False), self.vault_key)


def _derived() -> bytes:
    # `derived` reads the numbers of the slot of a file.
    inner = jose.seal({**jose.ALGORITHMS, "kdf": KDF}, "", KEY)
    return derived(jose.split(jose.seal({"vault": {"slots": [inner]}}, "", KEY)), 0)


def vault_of(
    records: dict[str, Any], secrets: tuple[dict[str, Any], ...], slot: Seal, content: Seal
) -> str:
    """The text of a vault with these records, and a slot for each secret."""
    payload = {"records": records, "attempts": ATTEMPTS, "salt": SALT}
    return _Keys().root(payload, secrets, slot, content)


def fill(path: Path, slot: Seal, content: Seal) -> None:
    """A database with RECORDS (docs/format.md section 7)."""
    keys = _Keys()
    root = keys.root({"records": {}, "attempts": ATTEMPTS}, (BY_KEY,), slot, content)
    rows = []
    for name, record in RECORDS.items():
        tag = jose.tag_of(keys.vault_key, "name", name.encode())
        vault = {
            "version": 1,
            "id": jose.encode(keys.vault_id),
            "name": jose.encode(tag),
            "generation": 1,
        }
        header = {"typ": "interpal-record", **jose.ALGORITHMS, "vault": vault}
        sealed = slot(header, json.dumps({"records": {name: record}}), keys.vault_key)
        rows.append((keys.vault_id, tag, 1, None, sealed.encode()))
    path.touch(mode=0o600)
    link = sqlite3.connect(path)
    try:
        link.executescript(_SCHEMA)
        for statement in documented_tables():
            link.execute(statement)
        values = ("root", keys.vault_id, root.encode())
        link.execute("INSERT INTO root (name, vault_id, data) VALUES (?, ?, ?)", values)
        link.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?)", rows)
        link.commit()
    finally:
        link.close()


def documented_tables() -> list[str]:
    """The statements of docs/format.md that make the tables."""
    page = blocks((ROOT / "docs/format.md").read_text())
    text = next(block.text for block in page if block.language == "sql")
    return [statement.strip() for statement in text.split(";") if statement.strip()]


def check_opens(url: str, records: dict[str, Any], secret: dict[str, Any]) -> None:
    """The vault opens to what was put in, and can be saved."""
    with Vault.open(url, **secret) as vault:
        assert dict(vault) == records
        assert vault.attempts == ATTEMPTS
        vault["new"] = {"n": 1}
        del vault["new"]

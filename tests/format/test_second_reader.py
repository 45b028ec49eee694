"""A reader that was written from docs/format.md alone, examples/readers, gives the same answers.

It knows nothing of this package. Where the two differ, the document or one of them is wrong.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from interpal.vault import KdfParameters, Vault
from tests.format.opening import load_vectors
from tests.interop.install import NODE, npm_ci

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
READER = ROOT / "examples/readers"
HARNESS = Path(__file__).with_name("second_reader.mjs")
PACKAGES = ROOT / "build/second-reader"

VECTORS = load_vectors()
KEY = bytes(range(32))
PASSPHRASE = "corr\u00e9ct horse"
RECORDS: dict[str, dict[str, Any]] = {
    "maple_ink": {"session_cookie": "7f3k", "n": 2**53, "f": 1e16, "t": '\u00e9\U0001f41f"\n'},
    "pedro_k": {"cookies": {"__proto__": "x"}, "none": None, "list": [True, -0.5, []]},
}

Answer = dict[str, Any]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the reader, and the packages that its lock file pins."""
    npm_ci(READER, PACKAGES)
    folder = tmp_path_factory.mktemp("reader")
    for path in (*READER.glob("*.mjs"), HARNESS):
        shutil.copy(path, folder)
    (folder / "node_modules").symlink_to(PACKAGES / "node_modules")
    return folder


def opened(reader: Path, vaults: dict[str, dict[str, Any]]) -> dict[str, Answer]:
    """What the reader gives for vaults in the form of the vectors, all in one process."""
    done = subprocess.run(
        [NODE, reader / HARNESS.name],
        input=json.dumps(vaults),
        capture_output=True,
        text=True,
        check=True,
    )
    answers: dict[str, Answer] = json.loads(done.stdout)
    assert answers.keys() == vaults.keys()
    return answers


@pytest.fixture(scope="module")
def answers(reader: Path) -> dict[str, Answer]:
    return opened(reader, VECTORS)


@pytest.mark.parametrize("name", VECTORS)
def test_both_readers_give_what_the_vector_expects(name: str, answers: dict[str, Answer]) -> None:
    expected, answer = VECTORS[name]["expect"], answers[name]
    if "error" in expected:
        assert answer.get("error") == expected["error"], answer
    else:
        assert "error" not in answer, answer
        assert {member: answer[member] for member in expected} == expected


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A vault with a slot for a key and one for a passphrase, as this package writes it."""
    path = tmp_path / "fresh.json"
    with Vault.open(path, key=KEY, create=True) as vault:
        vault.add_slot(passphrase=PASSPHRASE, kdf=KdfParameters.INSECURE_FOR_TESTS, kid="laptop")
        for name, record in RECORDS.items():
            vault[name] = record
    return path


def test_it_opens_a_vault_of_this_package_by_either_secret(reader: Path, fresh: Path) -> None:
    file = fresh.read_text()
    secrets = {"key": base64.urlsafe_b64encode(KEY).decode().rstrip("="), "passphrase": PASSPHRASE}
    vaults: dict[str, dict[str, Any]]
    vaults = {kind: {"file": file, kind: secret} for kind, secret in secrets.items()}
    vaults["wrong"] = {"file": file, "passphrase": "another"}
    answers = opened(reader, vaults)
    assert answers["key"]["records"] == answers["passphrase"]["records"] == RECORDS
    assert answers["wrong"]["error"] == "wrong-key"


@pytest.fixture
def run(reader: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line, with these variables and no other secret."""

    def run(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        clean = {k: value for k, value in os.environ.items() if not k.startswith("INTERPALS_")}
        return subprocess.run(
            [NODE, reader / "read.mjs", *words],
            env={**clean, **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_its_command_line_takes_the_secret_from_the_environment_or_a_file(
    run: Callable[..., subprocess.CompletedProcess[str]], fresh: Path, tmp_path: Path
) -> None:
    encoded = base64.urlsafe_b64encode(KEY).decode().rstrip("=")
    (tmp_path / "my.key").write_text(encoded + "\n")
    (tmp_path / "passphrase").write_text(PASSPHRASE + "\n")
    for variables in (
        {"INTERPALS_VAULT_KEY": encoded},
        {"INTERPALS_VAULT_KEY_FILE": "my.key"},
        {"INTERPALS_VAULT_PASSPHRASE": PASSPHRASE},
        {"INTERPALS_VAULT_PASSPHRASE_FILE": "passphrase"},
    ):
        done = run(fresh, **variables)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == RECORDS


def test_its_command_line_shows_the_header_without_a_secret(
    run: Callable[..., subprocess.CompletedProcess[str]], fresh: Path
) -> None:
    shown = json.loads(run("--header", fresh).stdout)
    assert shown["version"] == 1
    assert [slot.get("kdf", {}).get("name") for slot in shown["slots"]] == [None, "argon2id"]
    assert shown["slots"][1]["kid"] == "laptop"


def test_its_command_line_says_in_one_line_why_it_refuses(
    run: Callable[..., subprocess.CompletedProcess[str]], fresh: Path, tmp_path: Path
) -> None:
    other = base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=")
    (tmp_path / "not-a-vault.json").write_text("{}")
    for path, variables, beginning in (
        (fresh, {"INTERPALS_VAULT_KEY": other}, "wrong-key: "),
        (tmp_path / "not-a-vault.json", {"INTERPALS_VAULT_KEY": other}, "format: "),
        (fresh, {}, "set one of INTERPALS_VAULT_KEY, "),
        (fresh, {"INTERPALS_VAULT_KEY": "short"}, "a key is 32 bytes"),
    ):
        done = run(path, **variables)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(beginning)
        assert done.stderr.count("\n") == 1

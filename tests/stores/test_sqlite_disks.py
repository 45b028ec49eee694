"""An SQLite vault on disks that take nothing: what can be read is read, and the reason is told."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interpal.vault.stores.sqlite.store import SqliteStore
from tests.files import STRANGER, in_child, in_mount
from tests.stores.contract import ID

if TYPE_CHECKING:
    from collections.abc import Iterator

MAKE = """
import os, subprocess, sys
from interpal.exceptions import VaultError
from interpal.vault import Vault
folder = sys.argv[1] + "/v"
path = folder + "/vault.db"
def opened(**more):
    return Vault.open("sqlite:" + path, key=bytes(32), **more)
def told(use):
    try:
        return use()
    except VaultError as error:
        return f"{type(error).__name__} {getattr(error, 'errno', None)}: {error}"
os.mkdir(folder, 0o700)
with opened(create=True) as vault:
    vault["maple"] = {"n": 1}
def read():
    with opened() as vault:
        return dict(vault["maple"])
def write():
    with opened() as vault:
        vault["maple"] = {"n": "x" * 50_000}
"""

FULL = (
    MAKE
    + """
with open(folder + "/filler", "wb", buffering=0) as filler:
    try:
        while True:
            filler.write(b"x" * 1024)
    except OSError:
        pass
print(read())
print(told(write))
print(read())
os.remove(folder + "/filler")
print(told(write), sorted(os.listdir(folder)))
"""
)

READ_ONLY = (
    MAKE
    + """
subprocess.run(["mount", "-o", "remount,ro", sys.argv[1]], check=True)
print(read())
print(told(write))
print(told(lambda: opened(create=True)["maple"]["n"]))
"""
)

LOG_ONLY = (
    MAKE
    + """
if not os.fork():
    vault = opened()
    vault["maple"] = {"n": 2}
    os._exit(0)
os.wait()
os.remove(path + "-shm")
subprocess.run(["mount", "-o", "remount,ro", sys.argv[1]], check=True)
print(told(read))
subprocess.run(["mount", "-o", "remount,rw", sys.argv[1]], check=True)
print(told(read))
"""
)


def on_tmpfs(script: str, point: Path) -> list[str]:
    return in_mount(f"mount -t tmpfs -o size=600k none {point}", script, str(point)).splitlines()


def test_a_full_disk_can_be_read_and_is_named(tmp_path: Path) -> None:
    before, refused, after, saved = on_tmpfs(FULL, tmp_path)
    assert before == after == "{'n': 1}"
    assert refused.startswith("VaultIOError 28: ")
    assert "Free some space on that disk" in refused
    assert saved == "None ['vault.db', 'vault.db.locks']"


def test_a_closed_database_on_a_read_only_disk_can_be_read(tmp_path: Path) -> None:
    read, refused, made = on_tmpfs(READ_ONLY, tmp_path)
    assert read == "{'n': 1}"
    assert refused.startswith("VaultIOError 30: ")
    assert "The file system is read-only" in refused
    assert made == "1"


def test_a_log_that_cannot_be_read_in_there_is_not_passed_over(tmp_path: Path) -> None:
    read, after = on_tmpfs(LOG_ONLY, tmp_path)
    assert read.startswith("VaultIOError 30: ")
    assert after == "{'n': 2}"


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user can reach, as pytest's own is not."""
    path = Path(tempfile.mkdtemp(prefix="interpal-disks-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def test_a_database_in_a_folder_that_cannot_be_written_is_read_and_the_folder_named(
    public: Path,
) -> None:
    folder = public / "v"
    folder.mkdir()
    os.chown(folder, STRANGER, STRANGER)

    def write(number: int) -> None:
        store = SqliteStore(folder / "vault.db")
        with store.write_lock(1) as writer:
            writer.save(b"%d" % number, vault_id=ID)
        store.close()

    def read() -> bytes:
        stored = SqliteStore(folder / "vault.db").load()
        assert stored is not None
        return stored.reveal()

    assert in_child(lambda: write(1), uid=STRANGER) == "None"
    folder.chmod(0o500)
    assert in_child(read, uid=STRANGER) == "b'1'"
    said = in_child(lambda: write(2), uid=STRANGER)
    assert said.startswith("VaultPermissionError")
    assert f"cannot make files in the folder {folder} (owner {STRANGER}, mode 0500)" in said
    assert f"chmod u+rwx {folder}" in said

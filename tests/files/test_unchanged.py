"""A file that has not changed is not read again; one that has is, however it was done."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from interpal.vault import Vault
from interpal.vault.files import private_files
from interpal.vault.stores.file import FileStore
from tests.vault import KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def settled(tmp_path: Path) -> Path:
    """A vault that was saved some seconds ago."""
    path = tmp_path / "vault.json"
    with Vault.open(path, key=KEY, create=True) as vault:
        vault["a"] = {"n": 1}
    time.sleep(2.3)
    return path


def replace(path: Path) -> None:
    data = path.read_bytes()
    other = path.with_name("other")
    other.write_bytes(data)
    other.chmod(0o600)
    os.replace(other, path)


def write_in_place(path: Path) -> None:
    data = path.read_bytes()
    with path.open("r+b") as file:
        file.write(data)


def put_the_times_back(path: Path) -> None:
    found = path.stat()
    write_in_place(path)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def test_what_was_saved_a_moment_ago_cannot_be_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_files, "_SETTLED_NS", 3600 * 10**9)  # how long a moment may be
    path = tmp_path / "vault.json"
    with Vault.open(path, key=KEY, create=True):
        stored = FileStore(path).load()
    assert stored is not None
    assert stored.version is None


def test_an_unchanged_file_is_read_once(settled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Vault.open(settled, key=KEY) as vault:
        monkeypatch.setattr(FileStore, "load", None)
        assert dict(vault["a"]) == {"n": 1}


@pytest.mark.parametrize(
    "change",
    [replace, write_in_place, put_the_times_back, lambda path: path.chmod(0o640), os.unlink],
    ids=["replace", "write", "times", "mode", "remove"],
)
def test_a_changed_file_is_seen(settled: Path, change: Callable[[Path], None]) -> None:
    store = FileStore(settled)
    stored = store.load()
    assert stored is not None
    assert store.is_still(stored.version)
    change(settled)
    assert not store.is_still(stored.version)


def test_what_another_saves_is_read(settled: Path) -> None:
    with Vault.open(settled, key=KEY) as one, Vault.open(settled, key=KEY) as other:
        for number in range(20):
            other["a"] = {"n": number}
            assert dict(one["a"]) == {"n": number}

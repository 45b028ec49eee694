"""The SQLite store: the contract."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import count
from typing import TYPE_CHECKING

import pytest

from interpal.vault import Vault
from interpal.vault.stores.sqlite.store import SqliteStore
from tests.files import background
from tests.stores.records import RecordContract
from tests.vault import KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_copy_by_vacuum_into_works_as_it_is(tmp_path: Path) -> None:
    original, copy = tmp_path / "vault.db", tmp_path / "copy.db"
    with Vault.open(f"sqlite:{original}", key=KEY, create=True) as vault:
        vault.update({"a": {"n": 1}, "b": {"n": 2}})
    with closing(sqlite3.connect(original)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    copy.chmod(0o600)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    with Vault.open(f"sqlite:{copy}", key=KEY) as one, Vault.open(f"sqlite:{copy}", key=KEY) as two:
        one["a"] = {"n": 3}
        assert dict(two["a"]) == {"n": 3}
        with two.transaction() as records:
            records["b"]["n"] = 4
        assert dict(one["b"]) == {"n": 4}
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_log_that_others_take_away_and_make_again_is_not_said_to_be_closed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "vault.db"
    Vault.open(f"sqlite:{path}", key=KEY, create=True).close()

    def use() -> None:
        for number in count():
            with Vault.open(f"sqlite:{path}", key=KEY) as vault:
                vault["a"] = {"n": number}

    store = SqliteStore(path)
    with background(use), background(use):
        # Before, one in a thousand failed.
        for _ in range(4000):
            store.check_writable()


class TestSqliteStore(RecordContract):
    folder: Path

    @pytest.fixture
    def make(self, tmp_path: Path) -> Callable[[], SqliteStore]:
        self.folder = tmp_path
        return lambda: SqliteStore(tmp_path / "vault.db")

    def everything(self) -> bytes:
        files = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        assert any(path.name.endswith("-wal") for path in files)
        return b"".join(path.read_bytes() + path.name.encode() for path in files)

"""The SQLite store: the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interpal.vault.stores.sqlite.store import SqliteStore
from tests.stores.records import RecordContract

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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

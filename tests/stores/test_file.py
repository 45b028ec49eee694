"""The file store keeps the part of the contract that concerns it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interpal.vault.stores.base import keeps_records
from interpal.vault.stores.file import FileStore
from tests.stores.contract import StoreContract

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class TestFileStore(StoreContract):
    @pytest.fixture
    def make(self, tmp_path: Path) -> Callable[[], FileStore]:
        return lambda: FileStore(tmp_path / "vault.json")

    def test_it_keeps_no_records_apart(self, tmp_path: Path) -> None:
        assert not keeps_records(FileStore(tmp_path / "vault.json"))

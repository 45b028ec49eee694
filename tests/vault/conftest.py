from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures import derivations, nobody, redis_server
from tests.vault.places import Place, place_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["derivations", "nobody", "path", "place", "redis_server"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the vault of a test is that is about files."""
    return tmp_path / "vault.json"


@pytest.fixture(params=["file", "sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a vault may be, nothing there yet."""
    return place_of(request, tmp_path)

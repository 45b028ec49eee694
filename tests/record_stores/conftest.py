"""The two places that a store of separate records may have, each with a vault of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures import derivations, driver, nobody, redis_server, site
from tests.vault.places import Place, place_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["derivations", "driver", "nobody", "place", "redis_server", "site"]


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a vault may be, nothing there yet."""
    return place_of(request, tmp_path)

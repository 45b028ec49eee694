"""The fixtures that the tests of the clients share; a folder's `conftest.py` takes them over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interpal.sandbox import Sandbox
from tests.helpers import ACCOUNTS, AsyncDriver, Driver, Place, SyncDriver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["driver", "place", "site"]


@pytest.fixture
def site() -> Iterator[Sandbox]:
    """A running sandbox with two named accounts and one e-mail address."""
    with Sandbox(ACCOUNTS) as sandbox:
        yield sandbox


@pytest.fixture
def place(tmp_path: Path, site: Sandbox) -> Place:
    return Place(tmp_path / "place", site)


@pytest.fixture(params=[SyncDriver, AsyncDriver], ids=["sync", "async"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """Both clients, one after the other."""
    driver: Driver = request.param()
    yield driver
    driver.end()

"""The two places that a store of separate records may have, each with a vault of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from interpal.sandbox import Sandbox
from tests.helpers import ACCOUNTS, AsyncDriver, Driver, SyncDriver
from tests.record_stores import Place, RedisPlace, SqlitePlace
from tests.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def nobody(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here sees the key, the variables or the configuration of the user who runs it."""
    for name in list(os.environ):
        if name.startswith("INTERPALS_") or name == "CREDENTIALS_DIRECTORY":
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis") / "records") as server:
        yield server


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a vault may be, nothing there yet."""
    if request.param == "sqlite":
        return SqlitePlace(tmp_path)
    return RedisPlace(request.getfixturevalue("redis_server"))


@pytest.fixture
def site() -> Iterator[Sandbox]:
    """A running sandbox."""
    with Sandbox(ACCOUNTS) as sandbox:
        yield sandbox


@pytest.fixture(params=[SyncDriver, AsyncDriver], ids=["sync", "async"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """Both clients, one after the other."""
    driver: Driver = request.param()
    yield driver
    driver.end()

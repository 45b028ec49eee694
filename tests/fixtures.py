"""The fixtures that several folders share; a folder's `conftest.py` takes over those it needs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from interpal.sandbox import Sandbox
from interpal.transport import origin
from interpal.vault.format import key_slots
from interpal.vault.keys import unlock
from tests.helpers import ACCOUNTS, AsyncDriver, Driver, Place, SyncDriver
from tests.redis_server import RedisServer
from tests.vault import Counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["derivations", "driver", "nobody", "place", "real_site", "redis_server", "site"]


@pytest.fixture
def site() -> Iterator[Sandbox]:
    """A running sandbox with two named accounts and one e-mail address."""
    with Sandbox(ACCOUNTS) as sandbox:
        yield sandbox


@pytest.fixture
def place(tmp_path: Path, site: Sandbox) -> Place:
    return Place(tmp_path / "place", site)


@pytest.fixture
def real_site(site: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The sandbox in the place of the one site that interpal 1.x knew: files of it belong there."""
    monkeypatch.setattr(origin, "DEFAULT_BASE_URL", site.base_url)
    return site


@pytest.fixture(params=[SyncDriver, AsyncDriver], ids=["sync", "async"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """Both clients, one after the other."""
    driver: Driver = request.param()
    yield driver
    driver.end()


@pytest.fixture(autouse=True)
def nobody(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here sees the key, the variables or the configuration of the user who runs it."""
    for name in list(os.environ):
        if name.startswith(("INTERPALS_", "SESSION_VAULT_")) or name == "CREDENTIALS_DIRECTORY":
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis") / "records") as server:
        yield server


@pytest.fixture
def derivations(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """How often a passphrase was derived."""
    counted = Counted(key_slots.derive_key)
    monkeypatch.setattr(unlock, "derive_key", counted)
    return counted

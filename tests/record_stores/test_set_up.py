"""A Redis server that takes no changes is told before it costs a login, at each start."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import VaultError
from tests.helpers import ACCOUNTS, export_of, fresh_session
from tests.redis_server import COMMANDS, USER
from tests.vault import KEY
from tests.vault.places import RedisPlace

if TYPE_CHECKING:
    from collections.abc import Generator

    from interpal.sandbox import Sandbox
    from tests.helpers import Driver
    from tests.redis_server import RedisServer

MISTAKES = {
    "a user who may only read": (
        ("ACL", "SETUSER", USER, "-set", "-hset", "-sadd", "-del"),
        "the commands that docs/scaling.md lists",
    ),
    "a user without one command": (
        ("ACL", "SETUSER", USER, "-sadd"),
        "the commands that docs/scaling.md lists",
    ),
    "a replica": (("REPLICAOF", "127.0.0.1", "1"), "use the address of the primary"),
}


@pytest.fixture
def place(redis_server: RedisServer) -> RedisPlace:
    return RedisPlace(redis_server)


@pytest.fixture(params=MISTAKES)
def mistake(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def set_up_wrong(place: RedisPlace, mistake: str) -> Generator[str, None, None]:
    """The server with a mistake; what the remedy says."""
    command, remedy = MISTAKES[mistake]
    with place.server.admin() as admin:
        admin.execute_command(*command)
        try:
            yield remedy
        finally:
            admin.execute_command("REPLICAOF", "NO", "ONE")
            admin.execute_command("ACL", "SETUSER", USER, *COMMANDS.split())


def settings(place: RedisPlace, site: Sandbox, **changes: Any) -> dict[str, Any]:
    chosen = {
        "username": "maple_ink",
        "password": ACCOUNTS["maple_ink"],
        "auto_login": True,
        "persist_session": True,
        "store": place.url,
        "vault_key": KEY,
        "base_url": site.base_url,
        "revalidate_after": 0,
        **changes,
    }
    return {name: value for name, value in chosen.items() if value is not None}


def attempts(site: Sandbox) -> int:
    return sum(site.stats()["login_attempts"].values())


def started(driver: Driver, place: RedisPlace, site: Sandbox, **changes: Any) -> None:
    """A client that has made its first call."""
    client = driver.open(**settings(place, site, **changes))
    assert driver.run(client, "get_self")["username"] == "maple_ink"
    driver.close(client)


@pytest.mark.parametrize("saved", ["nothing", "ended", "ended and trusted"])
def test_a_server_that_takes_no_changes_is_told_before_a_login(
    driver: Driver, place: RedisPlace, site: Sandbox, mistake: str, saved: str
) -> None:
    if saved != "nothing":
        started(driver, place, site)
        site.invalidate()
    before, keys = attempts(site), sorted(place.names())
    trusted = 3600 if saved == "ended and trusted" else 0
    with set_up_wrong(place, mistake) as remedy:
        for _ in range(3):
            with pytest.raises(VaultError, match=remedy):
                started(driver, place, site, revalidate_after=trusted)
        assert sorted(place.names()) == keys
    assert attempts(site) == before
    started(driver, place, site)


def test_a_living_session_on_a_replica_is_used(
    driver: Driver, place: RedisPlace, site: Sandbox
) -> None:
    started(driver, place, site)
    with set_up_wrong(place, "a replica"):
        started(driver, place, site)
        started(driver, place, site, revalidate_after=3600)
    assert attempts(site) == 1


def test_a_session_is_not_imported_where_no_changes_are_taken(
    driver: Driver, place: RedisPlace, site: Sandbox, mistake: str
) -> None:
    client = driver.open(**settings(place, site, auto_login=None))
    session = export_of(fresh_session(site))
    with set_up_wrong(place, mistake) as remedy, pytest.raises(VaultError, match=remedy):
        driver.run(client, "import_session", session)
    assert client.session is None
    driver.run(client, "import_session", session)
    assert client.persisted

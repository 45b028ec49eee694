"""Clients of several processes and hosts that share their sessions in SQLite or Redis."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from interpal import InterpalClient
from interpal.exceptions import SessionExpiredError, StoreUnavailableError
from interpal.session_manager import SessionManager
from interpal.vault import Vault
from interpal.vault.stores.redis.store import RedisStore
from tests.children import Children
from tests.helpers import ACCOUNTS, TOKEN, SyncDriver
from tests.record_stores import flipped
from tests.redis_server import RedisServer
from tests.sandbox.web import eventually, held_back
from tests.vault import KEY
from tests.vault.places import RedisPlace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from interpal.sandbox import Sandbox
    from interpal.sessions.events import Event
    from tests.helpers import Driver
    from tests.vault.places import Place

NAME = "maple_ink"


def settings(place: Place, site: Sandbox, **changes: Any) -> dict[str, Any]:
    chosen = {
        "username": NAME,
        "password": ACCOUNTS[NAME],
        "auto_login": True,
        "persist_session": True,
        "store": place.url,
        "vault_key": KEY,
        "base_url": site.base_url,
        "timeout": 30,
        "lock_timeout": 60,
        **changes,
    }
    return {name: value for name, value in chosen.items() if value is not None}


def logins(site: Sandbox) -> int:
    return sum(site.stats()["logins"].values())


# One login for all.


def test_one_login_serves_the_next_process(place: Place, site: Sandbox, driver: Driver) -> None:
    first = driver.open(**settings(place, site))
    assert driver.run(first, "get_self")["username"] == NAME
    assert first.persisted
    driver.close(first)
    second = driver.open(**settings(place, site, password=None))
    assert driver.run(second, "get_self")["username"] == NAME
    assert second.persisted
    info = driver.run(second, "get_session_info")
    assert info.username == NAME
    assert info.path == place.open().path
    assert logins(site) == 1
    seen = place.everything()
    cookie = second.session.session_cookie.encode()
    assert cookie not in seen
    assert NAME.encode() not in seen


def test_a_session_that_ended_is_replaced_once_for_all_hosts(
    place: Place, site: Sandbox, driver: Driver
) -> None:
    hosts = [driver.open(**settings(place, site)) for _ in range(3)]
    assert logins(site) == 1
    site.invalidate()
    for host in hosts:
        assert driver.run(host, "get_self")["username"] == NAME
    assert logins(site) == 2
    assert len({host.session.session_cookie for host in hosts}) == 1


def test_a_logout_elsewhere_is_not_undone(place: Place, site: Sandbox, driver: Driver) -> None:
    one, other = (driver.open(**settings(place, site)) for _ in range(2))
    driver.run(other, "logout")
    assert driver.run(one, "get_self")["username"] == NAME
    assert driver.run(one, "validate_session")
    assert place.records() == {}
    with pytest.raises(SessionExpiredError):
        site.invalidate()
        fresh = driver.open(**settings(place, site, auto_login=False, password=None))
        driver.run(fresh, "import_session", one.session.session_cookie)
        driver.run(fresh, "get_self")
    assert place.records() == {}
    assert logins(site) == 1


def test_accounts_are_kept_apart(place: Place, site: Sandbox, driver: Driver) -> None:
    for name, password in ACCOUNTS.items():
        driver.open(**settings(place, site, username=name, password=password))
    with place.open() as vault:
        assert sorted(vault) == sorted(ACCOUNTS)
    one = driver.open(**settings(place, site, password=None, username="Pedro_K"))
    assert driver.run(one, "get_self")["username"] == "pedro_k"
    driver.run(one, "clear_saved_session")
    with place.open() as vault:
        assert "pedro_k" not in vault
        assert len(vault) == 2
    assert logins(site) == 3


def test_twenty_processes_at_once_make_one_login(place: Place, site: Sandbox) -> None:
    def work(index: int) -> None:
        with InterpalClient(**settings(place, site)) as client:
            assert client.get_self()["username"] == NAME
            assert client.persisted

    assert Children(20, work).codes() == [0] * 20
    assert logins(site) == 1
    assert site.stats()["login_attempts"] == {NAME: 1}


def test_eight_processes_with_a_wrong_password_ask_once(place: Place, site: Sandbox) -> None:
    from interpal.exceptions import InvalidCredentialsError

    def work(index: int) -> None:
        with pytest.raises(InvalidCredentialsError):
            InterpalClient(**settings(place, site, password="wrong"))

    assert Children(8, work).codes() == [0] * 8
    assert sum(site.stats()["login_attempts"].values()) == 1


def test_a_rotation_disturbs_no_client(place: Place, site: Sandbox, driver: Driver) -> None:
    client = driver.open(**settings(place, site))
    with place.open() as vault:
        vault.rotate()
    site.invalidate()
    assert driver.run(client, "get_self")["username"] == NAME
    with place.open() as vault:
        vault.rotate()
        assert vault[NAME]["session_cookie"] == client.session.session_cookie
    again = driver.open(**settings(place, site, password=None))
    assert driver.run(again, "get_self")["username"] == NAME
    assert logins(site) == 2


def test_a_damaged_record_costs_that_account_a_login_and_no_other_one(
    place: Place, site: Sandbox, driver: Driver
) -> None:
    driver.open(**settings(place, site))
    other = settings(place, site, username="pedro_k", password="radio")
    driver.open(**other)
    with place.open() as vault:
        place.damage(vault, NAME, flipped)
    driver.open(**other)
    assert logins(site) == 2
    client = driver.open(**settings(place, site, lock_timeout=5))
    assert client.persisted
    assert logins(site) == 3
    with place.open() as vault:
        assert vault.damaged() == 0
        assert vault[NAME]["session_cookie"] == client.session.session_cookie


# A login lock that is lost.


def test_a_login_whose_lock_was_lost_is_not_saved(redis_server: RedisServer, site: Sandbox) -> None:
    place = RedisPlace(redis_server)

    def work(index: int) -> None:
        told: list[Event] = []

        def stop(event: Event) -> None:
            told.append(event)
            if event.name == "login_started":
                os.kill(os.getpid(), signal.SIGSTOP)

        store = RedisStore(place.url, lock_seconds=0.6)
        with InterpalClient(**settings(place, site, store=store, on_event=stop)) as client:
            assert "save_failed" in [event.name for event in told]
            assert not client.persisted
            assert client.get_self()["username"] == NAME

    child = Children(1, work)
    os.waitpid(child.pids[0], os.WUNTRACED)
    assert logins(site) == 0
    with InterpalClient(**settings(place, site)) as client:
        assert client.persisted
        os.kill(child.pids[0], signal.SIGCONT)
        assert child.codes() == [0]
        assert logins(site) == 2
        assert client.session is not None
        with place.open() as vault:
            assert vault[NAME]["session_cookie"] == client.session.session_cookie
        again = InterpalClient(**settings(place, site))
        assert client.session.same_credentials(again.session)


def test_a_host_that_died_in_its_login_holds_the_others_up_for_the_life_of_its_lock(
    redis_server: RedisServer, site: Sandbox
) -> None:
    place = RedisPlace(redis_server)

    def work(index: int) -> None:
        def die(event: Event) -> None:
            if event.name == "login_started":
                os.kill(os.getpid(), signal.SIGKILL)

        store = RedisStore(place.url, lock_seconds=0.6)
        InterpalClient(**settings(place, site, store=store, on_event=die))

    assert Children(1, work).codes() == [-signal.SIGKILL]
    with InterpalClient(**settings(place, site)) as client:
        assert client.persisted
    assert logins(site) == 1


# A store that is down.


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RedisPlace]:
    """A Redis of this test's own, that loses nothing acknowledged."""
    durable = "appendonly yes\nappendfsync always"
    with RedisServer(tmp_path / "own-redis", settings=durable) as server:
        yield RedisPlace(server)


def test_with_redis_down_a_session_in_memory_goes_on_and_nobody_logs_in(
    own: RedisPlace, site: Sandbox, driver: Driver
) -> None:
    client = driver.open(**settings(own, site))
    own.server.kill()
    for _ in range(2):
        assert driver.run(client, "get_self")["username"] == NAME
        assert driver.run(client, "validate_session")
    for changes in ({}, {"auto_login": False}, {"password": None}):
        with pytest.raises(StoreUnavailableError):
            fresh = driver.open(**settings(own, site, **changes))
            driver.run(fresh, "get_self")
    assert logins(site) == 1
    site.invalidate()
    with pytest.raises(StoreUnavailableError):
        driver.run(client, "get_self")
    assert logins(site) == 1
    own.server.start()
    assert driver.run(client, "get_self")["username"] == NAME
    again = driver.open(**settings(own, site, password=None))
    assert driver.run(again, "get_self")["username"] == NAME
    assert again.session.session_cookie == client.session.session_cookie
    assert logins(site) == 2


def test_with_redis_stopped_a_start_is_told_in_time(own: RedisPlace, site: Sandbox) -> None:
    driver = SyncDriver()
    client = driver.open(**settings(own, site))
    own.server.stop()
    try:
        with pytest.raises(StoreUnavailableError):
            driver.open(**settings(own, site))
        assert client.get_self()["username"] == NAME
    finally:
        own.server.go_on()
    assert driver.open(**settings(own, site)).persisted
    driver.end()
    assert logins(site) == 1


def test_redis_that_goes_down_in_a_login_costs_the_save_only(
    own: RedisPlace, site: Sandbox
) -> None:
    names: list[str] = []

    def down(event: Event) -> None:
        names.append(event.name)
        if event.name == "logged_in":
            own.server.kill()

    with InterpalClient(**settings(own, site, on_event=down)) as client:
        assert client.get_self()["username"] == NAME
        assert not client.persisted
        assert "save_failed" in names
        own.server.start()
        assert client.get_self()["username"] == NAME
    assert logins(site) == 1


def test_a_login_that_is_under_way_while_the_vault_is_rotated_is_saved(
    place: Place, site: Sandbox
) -> None:
    Vault.open(place.url, key=KEY, create=True).close()
    with held_back(site, TOKEN, after=True) as released, ThreadPoolExecutor(1) as pool:
        opened = pool.submit(lambda: InterpalClient(**settings(place, site)))
        assert eventually(lambda: site.stats()["requests"].get(TOKEN, 0) == 1)
        with Vault.open(place.url, key=KEY) as vault:
            vault.rotate()
        released.set()
        client = opened.result()
    assert client.persisted
    with Vault.open(place.url, key=KEY) as vault:
        assert list(vault) == [NAME]
    client.close()


def test_another_accounts_logout_leaves_a_login_that_is_under_way_its_lock(
    place: Place, site: Sandbox
) -> None:
    with held_back(site, TOKEN, after=True) as released, ThreadPoolExecutor(1) as pool:
        opened = pool.submit(lambda: InterpalClient(**settings(place, site)))
        assert eventually(lambda: site.stats()["requests"].get(TOKEN, 0) == 1)
        with InterpalClient(
            **settings(place, site, username="pedro_k", password=None, auto_login=False)
        ) as pedro:
            pedro.logout()
        with Vault.open(place.url, key=KEY) as vault:
            assert not vault.login_lock(NAME).try_acquire()
        released.set()
        client = opened.result()
    assert client.persisted
    client.close()


def test_a_late_reply_reads_no_records_of_others(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process was faster: one record is looked at, and not each of the store."""
    vault = place.new(
        {f"user{n}": {"session_cookie": f"c{n}", "username": f"user{n}"} for n in range(9)}
    )
    manager = SessionManager(store=place.url, key=KEY, username="user7")
    seen = manager.find()
    assert seen is not None
    with vault.transaction() as records:
        records["user7"]["session_cookie"] = "newer"
    store = place.store_class

    def all_of_them(*arguments: Any) -> Any:
        raise AssertionError("all records were read")

    monkeypatch.setattr(store, "load_records", all_of_them)
    assert not manager.update(seen, seen.replace(user_id="2"))
    assert dict(vault["user7"])["session_cookie"] == "newer"
    manager.close()
    vault.close()

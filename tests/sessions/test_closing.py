"""The end of a kept client: what it waits for, who closes the vault, and what is saved."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
from requests.adapters import HTTPAdapter

from interpal.exceptions import ValidationError
from interpal.sessions import keep, renew
from interpal.sessions.kept_clients import keeper_of
from interpal.vault import SimpleStore, Vault
from tests.files import fork
from tests.sessions.clients import KEY, PASSWORD, HttpxAsync, Library

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from interpal.sessions.events import Event
    from tests.sessions.forum import Forum

SOON = 20.0


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESSION_VAULT_KEY", KEY.hex())


def names_in(place: Path) -> set[str]:
    with Vault.open(place, key=KEY) as vault:
        return {one["name"] for one in vault["forum"]["jar"]}


def is_open(client: Any) -> bool:
    return keeper_of(client)._vault is not None


def log_in(client: requests.Session, forum: Forum) -> None:
    data = {"user": "ann", "password": PASSWORD}
    client.post(f"{forum.url}/login", data=data).raise_for_status()


class Halfway:
    """A login that stops amid its work until it may go on."""

    def __init__(self, forum: Forum) -> None:
        self.is_reached, self.may_go_on = threading.Event(), threading.Event()
        self._forum = forum

    def __call__(self, client: Any) -> None:
        log_in(client, self._forum)
        self.is_reached.set()
        assert self.may_go_on.wait(SOON)


class Slow(HTTPAdapter):
    """Sends a request when it may."""

    def __init__(self, is_reached: threading.Event, may_go_on: threading.Event) -> None:
        super().__init__()
        self._is_reached, self._may_go_on = is_reached, may_go_on

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        self._is_reached.set()
        assert self._may_go_on.wait(SOON)
        return super().send(*args, **kwargs)


def first_request(client: Any, forum: Forum) -> None:
    # As any session of requests, it may close a connection that another thread has just taken.
    with suppress(requests.ConnectionError):
        assert client.get(f"{forum.url}/page").status_code == 200


def forced(client: Any, _: Forum) -> None:
    renew(client, force=True)


# Others.


@pytest.mark.parametrize("work", [first_request, forced])
def test_a_close_waits_for_the_login_of_another_thread(
    forum: Forum, place: Path, work: Callable[[Any, Forum], None]
) -> None:
    events: list[Event] = []
    login = Halfway(forum)
    client = keep(requests.Session(), "forum", place, login=login, on_event=events.append)
    with ThreadPoolExecutor(2) as pool:
        working = pool.submit(work, client, forum)
        assert login.is_reached.wait(SOON)
        closing = pool.submit(client.close)
        login.may_go_on.set()
        closing.result()
        saved = names_in(place)
        working.result()
    assert saved == {"sid"}
    assert "save_failed" not in [event.name for event in events]
    assert not is_open(client)


@pytest.mark.parametrize("work", [first_request, forced])
def test_what_a_close_cannot_wait_for_closes_the_vault_itself(
    forum: Forum, place: Path, work: Callable[[Any, Forum], None]
) -> None:
    login = Halfway(forum)
    client = keep(requests.Session(), "forum", place, login=login, lock_timeout=0.05)
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work, client, forum)
        assert login.is_reached.wait(SOON)
        client.close()
        assert is_open(client)
        login.may_go_on.set()
        working.result()
    assert not is_open(client)
    assert names_in(place) == {"sid"}


def test_a_close_does_not_wait_for_a_reply_and_what_it_brings_is_saved(
    forum: Forum, place: Path
) -> None:
    client = keep(requests.Session(), "forum", place)
    is_sent, may_go_on = threading.Event(), threading.Event()
    client.mount(f"{forum.url}/theme", Slow(is_sent, may_go_on))
    with ThreadPoolExecutor(1) as pool:
        visit = pool.submit(client.get, f"{forum.url}/theme?name=late&value=1")
        assert is_sent.wait(SOON)
        client.close()
        assert not is_open(client)
        may_go_on.set()
        assert visit.result().status_code == 200
    assert names_in(place) == {"late"}
    assert not is_open(client)


def test_two_closes_at_once_and_one_more_are_one(forum: Forum, place: Path) -> None:
    client = keep(requests.Session(), "forum", place)
    client.get(f"{forum.url}/theme?name=a&value=1")
    client.cookies.set("by_hand", "1")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: client.close(), range(4)))
    assert names_in(place) == {"a", "by_hand"}
    client.close()
    assert not is_open(client)


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_a_login_that_raises_leaves_nothing_open(
    library: Library, forum: Forum, place: Path, kind: type[BaseException]
) -> None:
    def login(_: Any) -> None:
        raise kind

    if isinstance(library, HttpxAsync) and kind is KeyboardInterrupt:
        return  # It ends the event loop.
    client = library.keep("forum", place, login=login)
    with pytest.raises(kind):
        library.get(client, f"{forum.url}/page")
    library.close(client)
    assert not is_open(client)


def test_a_login_may_close_the_client_that_it_is_for(
    library: Library, forum: Forum, place: Path
) -> None:
    own = library.login(forum)
    client: Any = None

    def login(_: Any) -> None:
        own(client)
        client.close()

    async def login_there(_: Any) -> None:
        await own(client)
        await keeper_of(client).aclose()

    there = isinstance(library, HttpxAsync)
    client = library.keep("forum", place, login=login_there if there else login)
    library.renew(client)
    assert not is_open(client)
    assert names_in(place) == {"sid"}


# Signals.


class Interrupted:
    """A place in memory; a signal comes amid each save."""

    def __init__(self) -> None:
        self.data: bytes | None = None

    def load(self) -> bytes | None:
        return self.data

    def save(self, data: bytes, *, if_unchanged: bytes | None) -> bool:
        signal.raise_signal(signal.SIGUSR1)
        self.data = data
        return True


@pytest.mark.parametrize("when", ["login", "save", "wait"])
def test_the_handler_of_a_signal_does_not_wait_for_what_it_has_interrupted(
    forum: Forum, place: Path, when: str
) -> None:
    closed: list[bool] = []
    halfway = Halfway(forum)

    def close(*_: Any) -> None:
        client.close()
        closed.append(True)
        halfway.may_go_on.set()

    def log_in_there() -> None:
        other = keep(requests.Session(), "forum", place, login=halfway)
        threading.Thread(target=other.get, args=(f"{forum.url}/page",)).start()
        assert halfway.is_reached.wait(SOON)

    def login(client: Any) -> None:
        log_in(client, forum)
        if when == "login":
            signal.raise_signal(signal.SIGUSR1)

    pid = fork()
    if pid == 0:
        threading.Timer(SOON, os._exit, [3]).start()
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        slow = SimpleStore(Interrupted(), "in memory") if when == "save" else place
        client = keep(requests.Session(), "forum", slow, login=login)
        signal.signal(signal.SIGUSR1, close)
        if when == "wait":
            log_in_there()
            threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGUSR1]).start()
        client.get(f"{forum.url}/page")
        with Vault.open(slow) as vault:
            saved = {one["name"] for one in vault["forum"]["jar"]}
        os._exit(0 if closed and saved == {"sid"} and not is_open(client) else 1)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


# Tasks.


def test_a_cancelled_task_leaves_nothing_open(library: Library, forum: Forum, place: Path) -> None:
    if not isinstance(library, HttpxAsync):
        return
    is_reached = asyncio.Event()

    async def login(_: Any) -> None:
        is_reached.set()
        await asyncio.sleep(SOON)

    client = library.keep("forum", place, login=login)

    async def visits() -> None:
        works = [library._send(client, "GET", f"{forum.url}/page"), renew(client)]
        tasks = [asyncio.ensure_future(work) for work in works]
        await is_reached.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    library.loop.run_until_complete(visits())
    library.close(client)
    assert not is_open(client)


def test_a_close_waits_for_the_login_of_another_task(
    library: Library, forum: Forum, place: Path
) -> None:
    if not isinstance(library, HttpxAsync):
        return
    own, is_reached, may_go_on = library.login(forum), asyncio.Event(), asyncio.Event()

    async def login(client: Any) -> None:
        is_reached.set()
        await may_go_on.wait()
        await own(client)

    client = library.keep("forum", place, login=login)

    async def work() -> None:
        renewing = asyncio.ensure_future(renew(client))
        await is_reached.wait()
        closing = asyncio.ensure_future(keeper_of(client).aclose())
        may_go_on.set()
        await closing
        assert names_in(place) == {"sid"}
        await renewing

    library.loop.run_until_complete(work())
    assert not is_open(client)


# Forks.


@pytest.mark.parametrize("where", ["login", "reply"])
def test_a_child_closes_its_vault_whatever_the_threads_of_its_parent_did(
    forum: Forum, place: Path, where: str
) -> None:
    login = Halfway(forum)
    client = keep(requests.Session(), "forum", place, login=login if where == "login" else None)
    if where == "reply":
        client.mount(f"{forum.url}/page", Slow(login.is_reached, login.may_go_on))
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(client.get, f"{forum.url}/page")
        assert login.is_reached.wait(SOON)
        pid = fork()
        if pid == 0:
            threading.Timer(SOON, os._exit, [3]).start()
            client.close()
            os._exit(1 if is_open(client) else 0)
        _, status = os.waitpid(pid, 0)
        login.may_go_on.set()
        working.result()
    client.close()
    assert os.waitstatus_to_exitcode(status) == 0
    assert not is_open(client)


@pytest.mark.parametrize("kind", [requests.Session, lambda: httpx.Client(trust_env=False)])
def test_a_child_has_connections_of_its_own(
    forum: Forum, place: Path, kind: Callable[[], Any]
) -> None:
    client = keep(kind(), "forum", place)
    client.get(f"{forum.url}/theme?name=a&value=1")
    first = forum.connections[-1]
    pid = fork()
    if pid == 0:
        threading.Timer(SOON, os._exit, [3]).start()
        client.get(f"{forum.url}/theme?name=b&value=1")
        client.get(f"{forum.url}/theme?name=c&value=1")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    client.get(f"{forum.url}/theme?name=d&value=1")
    client.close()
    assert forum.connections[-1] == first
    assert forum.connections[-3] == forum.connections[-2] != first
    assert names_in(place) == {"a", "b", "c", "d"}


def test_a_login_that_forks_is_gone_on_with_in_both(forum: Forum, place: Path) -> None:
    children: list[int] = []

    def login(client: Any) -> None:
        log_in(client, forum)
        children.append(fork())

    client = keep(requests.Session(), "forum", place, login=login)
    code = 2
    try:
        first_request(client, forum)
        client.close()
        code = 1 if is_open(client) else 0
    finally:
        if children == [0]:
            os._exit(code)
    _, status = os.waitpid(children[0], 0)
    assert (code, os.waitstatus_to_exitcode(status)) == (0, 0)
    assert names_in(place) == {"sid"}


# A vault that cannot be written.


def test_a_vault_that_cannot_be_written_is_told_once_for_a_request(
    library: Library, forum: Forum, vault: Vault, place: Path
) -> None:
    events: list[Event] = []
    settings: dict[str, Any] = {"lock_timeout": 0.05, "on_event": events.append}
    client = library.keep("forum", vault, login=library.login(forum), **settings)
    with Vault.open(place, key=KEY) as other, other.transaction() as records:
        for requested in (1, 2):
            assert library.get(client, f"{forum.url}/page")[0] == 200
            assert [event.name for event in events].count("save_failed") == requested
        library.renew(client, force=True)
        assert [event.name for event in events].count("save_failed") == 3
        records["busy"] = {}


def test_a_lock_that_was_waited_for_in_vain_is_not_waited_for_again_at_once(
    library: Library, forum: Forum, vault: Vault, place: Path
) -> None:
    events: list[Event] = []
    client = library.keep("forum", vault, lock_timeout=1, on_event=events.append)
    with Vault.open(place, key=KEY) as other, other.transaction() as records:
        library.get(client, f"{forum.url}/theme?name=a&value=1")
        library.close(client)
        records["busy"] = {}
    reasons = [event.facts["reason"] for event in events if event.name == "save_failed"]
    assert ["after waiting 1 s" in reason for reason in reasons] == [True, False]
    assert "after waiting 0 s" in reasons[1]


# What was never kept.


def test_a_client_that_is_not_kept_after_all_is_as_it_was(forum: Forum, place: Path) -> None:
    with keep(requests.Session(), "other", place) as other:
        other.get(f"{forum.url}/theme?name=others&value=1")
    client = keep(requests.Session(), "forum", place)
    with pytest.raises(ValidationError, match="kept already"):
        keep(client, "other", place)
    assert not client.cookies
    client.close()
    place.write_bytes(b"{}")
    plain = requests.Session()
    for _ in range(2):
        with pytest.raises(Exception, match="not a vault"):
            keep(plain, "forum", place)
    plain.get(f"{forum.url}/me")

"""Threads, tasks, forks and a second program at the session of one client, at the worst moments."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import requests
from requests.adapters import HTTPAdapter

from interpal._clock import utc_now
from interpal.sessions import keep, renew
from interpal.sessions.jars import JarCookie, StandardJar, locked
from interpal.sessions.kept_clients import keeper_of
from interpal.vault import Vault
from tests.files import fork, held_by_a_thread
from tests.sessions.clients import KEY, LIBRARIES, HttpxAsync, Library

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from interpal.sessions.events import Event
    from tests.sessions.forum import Forum


def in_a_thread(work: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def names_in(vault: Vault) -> set[str]:
    return {one["name"] for one in vault["forum"]["jar"]}


def after(monkeypatch: pytest.MonkeyPatch, thing: Any, name: str, then: Callable[[], Any]) -> None:
    """Have *then* done right after the first call of a method."""
    own, calls = getattr(thing, name), []

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = own(*args, **kwargs)
        calls.append(1)
        if len(calls) == 1:
            then()
        return result

    monkeypatch.setattr(thing, name, wrapped)


# A child.


def test_a_fork_amid_a_save_does_not_hang_the_child(forum: Forum, vault: Vault) -> None:
    client = keep(requests.Session(), "forum", vault)
    client.get(f"{forum.url}/theme?name=a&value=1")
    with held_by_a_thread(keeper_of(client)._guard), held_by_a_thread(locked(client.cookies)):
        pid = fork()
        if pid == 0:
            threading.Timer(20, os._exit, [3]).start()
            reply = client.get(f"{forum.url}/theme?name=b&value=2")
            os._exit(0 if reply.status_code == 200 and names_in(vault) == {"a", "b"} else 1)
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


# Threads.


def test_a_jar_is_read_while_another_thread_sets_cookies() -> None:
    jar = CookieJar()
    kept = StandardJar(lambda: jar, dict)
    over = threading.Event()

    def fill() -> None:
        for number in range(2000):
            kept.put(JarCookie(f"n{number % 20}", "v", "a.example"))
            kept.drop((f"n{(number + 10) % 20}", "a.example", "/"))
        over.set()

    thread = threading.Thread(target=fill)
    thread.start()
    while not over.is_set():
        kept.cookies(utc_now())
    thread.join()
    assert len(kept.cookies(utc_now())) == 10


def test_a_save_does_not_put_the_headers_of_an_ended_session_back(
    forum: Forum, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter("123")

    def login(client: requests.Session) -> None:
        client.headers["X-Token"] = next(names)

    client = keep(requests.Session(), "forum", vault, login=login, headers=["X-Token"])
    client.get(f"{forum.url}/me")
    with keep(requests.Session(), "forum", vault, headers=["X-Token"]) as other:
        other.get(f"{forum.url}/theme?name=theirs&value=1")
    # Another thread logs in when the record was saved, and before the client goes over to it.
    keeper = keeper_of(client)
    after(monkeypatch, keeper, "_save", lambda: in_a_thread(lambda: renew(client, force=True)))
    client.get(f"{forum.url}/theme?name=mine&value=1")
    assert client.headers["X-Token"] == "2"
    client.close()
    assert vault["forum"]["headers"] == {"x-token": "2"}


def test_what_threads_receive_at_once_is_all_saved(forum: Forum, vault: Vault) -> None:
    client = keep(requests.Session(), "forum", vault)
    for part in range(5):
        start = threading.Barrier(6)

        def visit(number: int, part: int = part, start: threading.Barrier = start) -> None:
            start.wait()
            client.get(f"{forum.url}/theme?name=n{6 * part + number}&value=1")

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(visit, range(6)))
        assert names_in(vault) == {f"n{number}" for number in range(6 * part + 6)}


def test_what_tasks_receive_at_once_is_all_saved(
    library: Library, forum: Forum, vault: Vault
) -> None:
    if not isinstance(library, HttpxAsync):
        return
    client = library.keep("forum", vault)

    async def visits() -> None:
        urls = [f"{forum.url}/theme?name=n{number}&value=1" for number in range(20)]
        await asyncio.gather(*(library._send(client, "GET", url) for url in urls))

    library.loop.run_until_complete(visits())
    assert names_in(vault) == {f"n{number}" for number in range(20)}


def test_a_request_of_aiohttp_is_a_coroutine_as_it_is_without_keep(
    forum: Forum, vault: Vault
) -> None:
    async def pages() -> None:
        async with keep(aiohttp.ClientSession(), "forum", vault, login=login) as client:
            tasks = [asyncio.create_task(client.get(f"{forum.url}/page")) for _ in range(3)]
            for task in tasks:
                async with await task as reply:
                    assert reply.status == 200
            unsent = client.get(f"{forum.url}/page")
            assert asyncio.iscoroutine(unsent)
            unsent.close()

    driver = LIBRARIES["aiohttp"]()
    login = driver.login(forum)
    asyncio.run(pages())
    driver.end()


def test_what_is_under_way_when_a_client_is_closed_is_saved_and_nothing_stays_open(
    forum: Forum, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESSION_VAULT_KEY", KEY.hex())
    start = threading.Barrier(7)
    events: list[Event] = []
    client = keep(requests.Session(), "forum", place, on_event=events.append)

    def visit(number: int) -> int:
        start.wait()
        return client.get(f"{forum.url}/theme?name=n{number}&value=1").status_code

    with ThreadPoolExecutor(6) as pool:
        visits = pool.map(visit, range(6))
        start.wait()
        client.close()
        assert set(visits) == {200}
    assert "save_failed" not in [event.name for event in events]
    assert keeper_of(client)._vault is None
    with Vault.open(place, key=KEY) as vault:
        assert names_in(vault) == {f"n{number}" for number in range(6)}


def test_two_forced_renewals_leave_one_session(forum: Forum, vault: Vault) -> None:
    driver = LIBRARIES["requests"]()
    client = driver.keep("forum", vault, login=driver.login(forum))
    start = threading.Barrier(4)

    def anew(_: int) -> None:
        start.wait()
        renew(client, force=True)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(anew, range(4)))
    assert forum.stats["/login"] == 4
    kept = {one["name"]: one["value"] for one in vault["forum"]["jar"]}
    assert kept == {"sid": client.cookies["sid"]}
    driver.end()


# A second program.


def test_what_could_not_be_saved_does_not_replace_a_later_login_of_another(
    library: Library, forum: Forum, vault: Vault, place: Path
) -> None:
    login = library.login(forum)
    client = library.keep("forum", vault, login=login, lock_timeout=0.05)
    assert library.get(client, f"{forum.url}/page")[0] == 200
    forum.end_all()
    with Vault.open(place, key=KEY) as other, other.transaction() as records:
        # It logs in, and cannot save.
        assert library.get(client, f"{forum.url}/page")[0] == 200
        records["busy"] = {}
    forum.end_all()
    second = library.keep("forum", vault, login=login)
    library.renew(second, force=True)
    newest = {one["value"] for one in vault["forum"]["jar"]}
    library.close(client)
    assert {one["value"] for one in vault["forum"]["jar"]} == newest
    assert library.get(second, f"{forum.url}/page")[0] == 200
    assert forum.stats["/login"] == 3


# What the server says.


def test_a_session_that_ends_after_a_page_was_refused_is_renewed(
    library: Library, forum: Forum, vault: Vault
) -> None:
    client = library.keep(
        "forum", vault, login=library.login(forum), is_valid=library.is_valid(forum)
    )
    assert library.get(client, f"{forum.url}/forbidden")[0] == 401
    forum.end_all()
    assert library.get(client, f"{forum.url}/page")[0] == 200
    assert forum.stats["/login"] == 2


def test_a_session_that_ends_while_another_thread_logs_in_again_is_renewed_later(
    forum: Forum, vault: Vault
) -> None:
    driver = LIBRARIES["requests"]()
    client = driver.keep("forum", vault, login=driver.login(forum))
    client.get(f"{forum.url}/page")
    forum.end_all()
    other = driver.keep("forum", vault, login=driver.login(forum))
    assert other.get(f"{forum.url}/page").status_code == 200
    sends = []

    class Unlucky(HTTPAdapter):
        def send(self, *args: Any, **kwargs: Any) -> requests.Response:
            sends.append(1)
            if len(sends) == 2:
                # With the session of the other; and that of the login ends as soon.
                in_a_thread(lambda: renew(client, force=True))
                forum.end_all()
            return super().send(*args, **kwargs)

    client.mount(f"{forum.url}/page", Unlucky())
    client.get(f"{forum.url}/page")
    assert client.get(f"{forum.url}/page").status_code == 200
    driver.end()


def test_cookies_that_other_threads_receive_do_not_make_an_ended_session_a_new_one(
    forum: Forum, vault: Vault
) -> None:
    driver = LIBRARIES["requests"]()
    client = driver.keep("forum", vault, login=driver.login(forum))
    client.get(f"{forum.url}/page")
    names = iter(range(10))

    class Busy(HTTPAdapter):
        def send(self, *args: Any, **kwargs: Any) -> requests.Response:
            url = f"{forum.url}/theme?name=n{next(names)}&value=1"
            in_a_thread(lambda: client.get(url))
            return super().send(*args, **kwargs)

    client.mount(f"{forum.url}/page", Busy())
    forum.end_all()
    assert client.get(f"{forum.url}/page").status_code == 200
    assert forum.stats["/login"] == 2
    driver.end()


def test_a_stream_that_is_sent_again_gives_its_connection_back(forum: Forum, vault: Vault) -> None:
    driver = LIBRARIES["httpx-async"]()

    async def visit() -> None:
        two = httpx.Limits(max_connections=2)
        client = httpx.AsyncClient(trust_env=False, limits=two, timeout=30)
        async with keep(client, "forum", vault, login=driver.login(forum)):
            await client.get(f"{forum.url}/page")
            for _ in range(2):
                forum.end_all()
                async with client.stream("GET", f"{forum.url}/page") as reply:
                    assert reply.status_code == 200

    asyncio.run(visit())
    driver.end()


# Before the first request.


def test_what_a_program_sets_before_the_first_request_stays(
    library: Library, forum: Forum, vault: Vault
) -> None:
    library.close(library.client())
    first = library.keep("forum", vault)
    library.get(first, f"{forum.url}/theme?name=theme&value=dark")
    client = library.keep("forum", vault)
    if isinstance(client, aiohttp.ClientSession):
        client.cookie_jar.update_cookies({"lang": "en"})
    else:
        client.cookies.set("lang", "en")
    library.get(client, f"{forum.url}/me")
    assert {"theme", "lang"} <= set(forum.seen[-1])

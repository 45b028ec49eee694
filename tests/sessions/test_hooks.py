"""What `login=`, `is_valid=`, hooks and `on_event=` raise, and what they do with the client."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests

from interpal.exceptions import LockTimeoutError, ValidationError
from interpal.sessions import renew
from tests.sessions.clients import Aiohttp, Httpx, HttpxAsync, Library, Requests

if TYPE_CHECKING:
    from interpal.sessions.events import Event
    from interpal.vault import Vault
    from tests.sessions.forum import Forum

SOON = 20.0


def is_async(library: Library) -> bool:
    return isinstance(library, HttpxAsync)


def as_hook(library: Library, work: Any) -> Any:
    """*work* as a function that *library* can call."""

    async def there(*arguments: Any) -> Any:
        return work(*arguments)

    return there if is_async(library) else work


# What they raise.


@pytest.mark.parametrize("where", ["login", "is_valid", "response"])
@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration, GeneratorExit, KeyError])
def test_what_a_function_of_the_program_raises_reaches_whoever_called(
    library: Library, forum: Forum, vault: Vault, where: str, kind: type[BaseException]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise kind("theirs")

    # Python makes another error of it in a coroutine (PEP 479).
    stops = is_async(library) and kind is StopIteration
    wanted: Any = RuntimeError if stops else kind
    settings: dict[str, Any] = {"login": library.login(forum)}
    if where != "response":
        settings[where] = as_hook(library, fail)
    client = library.keep("forum", vault, **settings)
    if where == "response":
        if isinstance(library, Aiohttp):
            return  # It has none.
        library.get(client, f"{forum.url}/page")
        if isinstance(library, Requests) and not isinstance(library, Httpx):
            client.hooks["response"] = fail
        else:
            client.event_hooks = {"response": [as_hook(library, fail)]}
    else:
        with pytest.raises(wanted):
            library.renew(client)
    with pytest.raises(wanted):
        library.get(client, f"{forum.url}/page")


@pytest.mark.parametrize("where", ["login", "is_valid"])
def test_a_coroutine_function_is_refused_by_a_client_that_is_not_of_asyncio(
    forum: Forum, vault: Vault, where: str
) -> None:
    driver = Requests()

    async def function(_: Any) -> bool:
        return False

    client = driver.keep("forum", vault, **{"login": driver.login(forum), where: function})
    with pytest.raises(ValidationError, match="not one of asyncio"):
        driver.get(client, f"{forum.url}/page")
    driver.end()


def raising(library: Library, client: Any) -> dict[str, Any]:
    """Have *client* raise for every status of an error; what its requests are given for it."""

    def check(reply: Any, *_: Any, **__: Any) -> None:
        reply.raise_for_status()

    if isinstance(library, Aiohttp):
        return {"raise_for_status": True}
    if hasattr(client, "event_hooks"):
        client.event_hooks = {"response": [as_hook(library, check)]}
    else:
        client.hooks["response"] = check
    return {}


@pytest.mark.parametrize("asks", [False, True])
def test_a_client_that_raises_for_a_401_is_renewed_all_the_same(
    library: Library, forum: Forum, vault: Vault, asks: bool
) -> None:
    async def ask(client: Any) -> bool:
        sent = await library._send(client, "GET", f"{forum.url}/rotate", **settings)  # type: ignore[attr-defined]
        return bool(sent)

    def ask_here(client: Any) -> bool:
        return bool(library.get(client, f"{forum.url}/rotate"))

    is_valid = (ask if is_async(library) else ask_here) if asks else None
    client = library.keep("forum", vault, login=library.login(forum), is_valid=is_valid)
    settings = raising(library, client)
    for logins in (1, 2):
        assert library.send(client, "GET", f"{forum.url}/page", **settings)[0] == 200
        assert forum.stats["/login"] == logins
        forum.end_all()
    library.send(client, "GET", f"{forum.url}/page", **settings)
    for _ in range(2):
        with pytest.raises(Exception, match="401") as caught:
            library.send(client, "GET", f"{forum.url}/forbidden", **settings)
        if isinstance(caught.value, requests.HTTPError):
            caught.value.response.close()
    assert forum.stats["/login"] == (3 if asks else 4)


# What they do with the client.


def test_a_login_that_would_wait_for_itself_is_told_so(
    library: Library, forum: Forum, vault: Vault
) -> None:
    own = library.login(forum)
    errors: list[Exception] = []

    def login(client: Any) -> None:
        with pytest.raises(ValidationError, match="cannot wait for itself") as caught:
            renew(client)
        errors.append(caught.value)
        own(client)

    async def login_there(client: Any) -> None:
        with pytest.raises(ValidationError, match="cannot wait for itself") as caught:
            await renew(client)
        errors.append(caught.value)
        await own(client)

    client = library.keep(
        "forum", vault, login=login_there if is_async(library) else login, lock_timeout=1
    )
    assert library.get(client, f"{forum.url}/page")[0] == 200
    assert len(errors) == 1
    assert forum.stats["/login"] == 1


def test_another_client_of_the_same_session_cannot_be_used_by_its_login(
    forum: Forum, vault: Vault
) -> None:
    driver = Requests()
    own = driver.login(forum)

    def login(client: Any) -> None:
        with pytest.raises(ValidationError, match="cannot wait for itself"):
            driver.get(driver.keep("forum", vault, login=own), f"{forum.url}/page")
        own(client)

    client = driver.keep("forum", vault, login=login, lock_timeout=1)
    assert driver.get(client, f"{forum.url}/page")[0] == 200
    driver.end()


def test_a_hook_of_a_request_may_renew_the_session(forum: Forum, vault: Vault) -> None:
    driver = Requests()
    client = driver.keep("forum", vault, login=driver.login(forum))
    first_page = driver.get(client, f"{forum.url}/page")

    def once(*_: Any, **__: Any) -> None:
        client.hooks["response"] = []
        renew(client, force=True)

    client.hooks["response"] = once
    assert driver.get(client, f"{forum.url}/page") == first_page
    assert forum.stats["/login"] == 2
    driver.end()


def test_a_thread_with_the_context_of_the_login_sends_for_it(forum: Forum, vault: Vault) -> None:
    driver = Requests()
    own = driver.login(forum)

    def login(client: Any) -> None:
        own(client)
        with ThreadPoolExecutor(1) as pool:
            context = contextvars.copy_context()
            page = pool.submit(context.run, client.get, f"{forum.url}/page")
            assert page.result().status_code == 200

    client = driver.keep("forum", vault, login=login, lock_timeout=1)
    assert driver.get(client, f"{forum.url}/page")[0] == 200
    assert forum.stats["/login"] == 1
    driver.end()


def test_a_thread_that_waits_for_the_login_of_this_process_is_told_so(
    forum: Forum, vault: Vault
) -> None:
    driver = Requests()
    own = driver.login(forum)

    def login(client: Any) -> None:
        own(client)
        with (
            ThreadPoolExecutor(1) as pool,
            pytest.raises(LockTimeoutError, match="another thread or task of this process") as told,
        ):
            pool.submit(client.get, f"{forum.url}/page").result()
        assert told.value.holder == str(os.getpid())

    client = driver.keep("forum", vault, login=login, lock_timeout=0.05)
    driver.renew(client)
    driver.end()


def test_what_a_login_starts_and_leaves_running_is_looked_after_once_it_is_over(
    library: Library, forum: Forum, vault: Vault
) -> None:
    own, replies = library.login(forum), []
    over = threading.Event()
    left: list[Any] = []

    def later(client: Any) -> None:
        assert over.wait(SOON)
        replies.append(client.get(f"{forum.url}/page").status_code)

    def login(client: Any) -> None:
        own(client)
        if not left:
            context = contextvars.copy_context()
            left.append(threading.Thread(target=context.run, args=(later, client)))
            left[0].start()

    async def later_there(client: Any) -> None:
        await asyncio.to_thread(over.wait, SOON)
        replies.append((await library._send(client, "GET", f"{forum.url}/page"))[0])  # type: ignore[attr-defined]

    async def login_there(client: Any) -> None:
        await own(client)
        if not left:
            left.append(asyncio.ensure_future(later_there(client)))

    client = library.keep("forum", vault, login=login_there if is_async(library) else login)
    assert library.get(client, f"{forum.url}/page")[0] == 200
    forum.end_all()
    over.set()
    if is_async(library):
        library.loop.run_until_complete(left[0])
    else:
        left[0].join()
    assert replies == [200]
    assert forum.stats["/login"] == 2


def test_on_event_may_use_the_client(forum: Forum, vault: Vault) -> None:
    driver = Requests()
    statuses: list[int] = []

    def on_event(event: Event) -> None:
        if event.name in ("login_started", "logged_in", "saved"):
            statuses.append(client.get(f"{forum.url}/page").status_code)

    client = driver.keep(
        "forum", vault, login=driver.login(forum), on_event=on_event, lock_timeout=1
    )
    assert driver.get(client, f"{forum.url}/page")[0] == 200
    assert statuses == [401, 200, 200]
    driver.end()

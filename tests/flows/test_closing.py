"""close() while another thread, task or signal is in the middle of a save."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from interpal import AsyncInterpalClient, InterpalClient
from interpal.exceptions import ClientClosedError
from interpal.flows import explicit, saving
from interpal.session_manager import SessionManager
from interpal.sessions import singleflight
from interpal.sessions.singleflight import running_for
from interpal.sessions.state import Phase
from interpal.sessions.wait import drive
from interpal.transport.messages import Pause, Request
from interpal.vault import Vault, open_store
from tests.flows.test_by_hand import adopt, context_of, path_of
from tests.flows.test_cancelled import Site, call, locked, step
from tests.helpers import TOKEN
from tests.sandbox.web import eventually

if TYPE_CHECKING:
    from collections.abc import Generator

    from interpal.flows.context import ClientContext
    from tests.helpers import Driver, Place


@pytest.fixture
def by_hand() -> Generator[None, None, None]:
    """Flows of one thread that are stepped in turn, as those of an event loop are."""
    token = running_for.set(1)
    yield
    running_for.reset(token)


def together(*flows: Any) -> None:
    """Go on with each in turn, to the end of all. None asks for anything."""
    left = list(flows)
    for flow in left * 100:
        if flow.gi_frame is not None:
            try:
                assert isinstance(flow.send(None), Pause)
            except StopIteration:
                pass
    assert all(flow.gi_frame is None for flow in flows)


@pytest.mark.usefixtures("by_hand")
def test_close_waits_for_the_save_of_a_new_cookie(place: Place) -> None:
    context, site = context_of(place), Site(changes=True)
    adopt(context, place.save(), saved=True)
    flow, closing = call(context), saving.close(context)
    with locked(place):
        assert isinstance(step(flow, site), Pause)
        assert isinstance(step(closing, site), Pause)
        before = context.state.phase
    assert before is not Phase.CLOSED
    together(closing, flow)
    assert place.record()["session_cookie"] == "cookie-1"
    assert context.state.phase is Phase.CLOSED


@pytest.mark.usefixtures("by_hand")
def test_close_waits_for_the_save_of_a_login(place: Place) -> None:
    place.manager(None).ensure_vault()
    context, site = context_of(place), Site()
    flow, closing = explicit.login(context, None, None), saving.close(context)
    asked = flow.send(None)
    while not isinstance(asked, Request):
        asked = flow.send(None)
    assert path_of(asked) == TOKEN
    with locked(place):
        assert isinstance(flow.send(site(asked)), Pause)
        assert isinstance(closing.send(None), Pause)
    together(closing, flow)
    assert place.record()["session_cookie"] == "cookie-1"


@pytest.mark.usefixtures("by_hand")
def test_close_waits_for_the_save_of_an_import(place: Place) -> None:
    place.save()
    given = place.log_in()
    context = context_of(place)
    flow, closing = explicit.import_session(context, given), saving.close(context)
    with locked(place):
        assert isinstance(flow.send(None), Pause)
        assert isinstance(closing.send(None), Pause)
    together(closing, flow)
    assert place.record()["session_cookie"] == given.session_cookie


@contextmanager
def closed_twice(context: ClientContext, place: Place) -> Generator[tuple[Any, Any], None, None]:
    """Two that close it and wait, while another process saves: it has a cookie to be saved."""
    site = Site(changes=True)
    adopt(context, place.save(), saved=True)
    flow, first, second = call(context), saving.close(context), saving.close(context)
    with locked(place):
        assert isinstance(step(flow, site), Pause)
        flow.close()
        assert isinstance(step(first, site), Pause)
        assert isinstance(step(second, site), Pause)
        yield first, second


@pytest.mark.usefixtures("by_hand")
def test_of_two_that_close_neither_goes_ahead_of_the_save(place: Place) -> None:
    context = context_of(place)
    with closed_twice(context, place) as (first, second):
        pass
    together(second, first)
    assert place.record()["session_cookie"] == "cookie-1"


@pytest.mark.usefixtures("by_hand")
def test_close_waits_no_longer_than_a_lock_is_waited_for(place: Place) -> None:
    context, site = context_of(place, lock_timeout=0.2), Site(changes=True)
    adopt(context, place.save(), saved=True)
    flow = call(context)
    with locked(place):
        assert isinstance(step(flow, site), Pause)
        drive(saving.close(context), site)
        assert context.state.phase is Phase.CLOSED
        with pytest.raises(ClientClosedError):
            drive(flow, site)
    assert place.told[-1] == "save_failed"


@contextmanager
def being_changed(store: str, place: Place) -> Generator[None, None, None]:
    """Somebody is in the middle of a transaction."""
    with Vault.open(open_store(store), key=place.key) as vault, vault.transaction():
        yield


def is_saving(context: ClientContext) -> bool:
    return (context, "save") in singleflight._flights


@pytest.mark.parametrize("store", ["file", "sqlite"])
def test_a_thread_whose_reply_is_being_saved_gets_it_though_another_closes(
    place: Place, store: str
) -> None:
    settings = place.settings(session_file=None, store=f"{store}:{place.path}")
    client = InterpalClient(**settings)
    place.site.rotate()
    with ThreadPoolExecutor(3) as pool:
        with being_changed(settings["store"], place):
            reply = pool.submit(client.get_self)
            assert eventually(lambda: is_saving(client._context))
            closing = [pool.submit(client.close) for _ in range(2)]
        assert reply.result(30)["username"] == "maple_ink"
        for each in closing:
            each.result(30)
    with InterpalClient(**settings) as later:
        later.get_self()
    assert place.logins == 1


@pytest.mark.parametrize("store", ["file", "sqlite"])
def test_a_task_whose_reply_is_being_saved_gets_it_though_others_close(
    place: Place, store: str
) -> None:
    settings = place.settings(session_file=None, store=f"{store}:{place.path}")

    async def main() -> None:
        client = AsyncInterpalClient(**settings)
        await client.alogin()
        place.site.rotate()
        with being_changed(settings["store"], place):
            reply = asyncio.ensure_future(client.get_self())
            assert await asyncio.to_thread(eventually, lambda: is_saving(client._context))
            # More than the client has threads.
            closing = [asyncio.ensure_future(client.close()) for _ in range(9)]
            await asyncio.sleep(0.1)
            assert not any(each.done() for each in closing)
        assert (await reply)["username"] == "maple_ink"
        await asyncio.gather(*closing)
        async with AsyncInterpalClient(**settings) as later:
            await later.get_self()

    asyncio.run(main())
    assert place.logins == 1


def test_a_close_that_is_cancelled_throws_away_nothing_and_can_be_made_again(place: Place) -> None:
    async def main() -> None:
        client = AsyncInterpalClient(**place.settings())
        await client.alogin()
        place.site.rotate()
        with place.vault() as vault, vault.transaction():
            reply = asyncio.ensure_future(client.get_self())
            assert await asyncio.to_thread(eventually, lambda: is_saving(client._context))
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.close(), 0.2)
        assert (await reply)["username"] == "maple_ink"
        await client.close()
        with pytest.raises(ClientClosedError):
            await client.get_self()
        async with AsyncInterpalClient(**place.settings()) as later:
            await later.get_self()

    asyncio.run(main())
    assert place.logins == 1


@pytest.mark.usefixtures("by_hand")
def test_of_two_that_close_while_nothing_can_be_saved_neither_fails(place: Place) -> None:
    context = context_of(place, lock_timeout=0.2)
    with closed_twice(context, place) as (first, second):
        time.sleep(0.3)
        together(second, first)
    assert context.state.phase is Phase.CLOSED


def test_a_call_that_finds_the_vault_closed_is_told_of_the_client(
    driver: Driver, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = driver.open(**place.settings())
    find = SessionManager.info

    def closed_meanwhile(manager: SessionManager, username: str | None = None) -> Any:
        client._context.close()
        return find(manager, username)

    monkeypatch.setattr(SessionManager, "info", closed_meanwhile)
    with pytest.raises(ClientClosedError):
        driver.run(client, "get_session_info")


INTERRUPTED = """
    import os, signal, sys, threading, time
    from interpal import InterpalClient
    from interpal.sessions import singleflight

    def end(*_):
        client.close()
        sys.exit(3)

    def interrupt():
        while (client._context, "save") not in singleflight._flights:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    client = InterpalClient(
        session_file=sys.argv[1], base_url=sys.argv[2], persist_session=True, lock_timeout=600,
        revalidate_after=600,
    )
    threading.Thread(target=interrupt, daemon=True).start()
    client.get_self()
"""


def test_close_in_the_handler_of_a_signal_does_not_wait_for_the_save_that_it_interrupts(
    place: Place,
) -> None:
    place.save()
    place.site.rotate()
    command = [
        sys.executable,
        "-c",
        textwrap.dedent(INTERRUPTED),
        str(place.path),
        place.site.base_url,
    ]
    environment = {**os.environ, "INTERPALS_VAULT_KEY": place.key.hex()}
    with place.vault() as vault, vault.transaction():
        done = subprocess.run(command, env=environment, timeout=60, check=False)
    assert done.returncode == 3

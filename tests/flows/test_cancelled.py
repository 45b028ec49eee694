"""What a call has got that is given up before it has saved it, and what two threads save at a time.

Flows are stepped by hand; where one waits for the write lock of another process, it can be closed
as a cancelled call closes it.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from interpal import AsyncInterpalClient
from interpal._clock import utc_now
from interpal._hidden import Hidden
from interpal.exceptions import AuthenticationError
from interpal.flows import explicit, saving
from interpal.flows import request as calls
from interpal.sessions.singleflight import Flight
from interpal.sessions.state import Phase
from interpal.sessions.wait import drive
from interpal.transport.messages import Pause, Request
from interpal.vault.files.locks import FileLock
from tests.flows.test_by_hand import adopt, context_of, path_of, reply
from tests.helpers import SELF, TOKEN

if TYPE_CHECKING:
    from collections.abc import Generator

    from interpal.flows.context import ClientContext
    from interpal.transport.messages import Response
    from tests.helpers import Place


@contextmanager
def locked(place: Place) -> Generator[None, None, None]:
    """Another process saves."""
    lock = FileLock(str(place.path), "write.lock")
    lock.acquire(60)
    try:
        yield
    finally:
        lock.release()


def call(context: ClientContext) -> Any:
    return calls.call(context, context.request("GET", "/v1/thing"))


class Site:
    """Gives out cookies: with a login, and with the reply to a call where *changes*."""

    def __init__(self, *, changes: bool = False) -> None:
        self.changes = changes
        self.sent: list[str] = []

    def __call__(self, request: Request) -> Response:
        self.sent.append(path_of(request))
        if self.sent[-1] == TOKEN:
            return reply(201, f"cookie-{len(self.sent)}")
        return reply(200, f"cookie-{len(self.sent)}" if self.changes else None)


def step(flow: Any, site: Site, answer: Any = None) -> Any:
    """Go on to the next wait of a flow; what it asks for until then is answered."""
    asked = flow.send(answer)
    while isinstance(asked, Request):
        asked = flow.send(site(asked))
    return asked


def test_what_a_cancelled_login_has_made_is_saved_by_the_next_call(place: Place) -> None:
    place.manager(None).ensure_vault()
    context, site = context_of(place), Site()
    flow = explicit.login(context, None, None)
    asked = flow.send(None)
    while not isinstance(asked, Request):
        asked = flow.send(None)
    with locked(place):
        assert isinstance(flow.send(site(asked)), Pause)
        flow.close()
    before = context.state
    assert (before.live is not None, before.saved) == (True, False)
    assert place.names() == []
    drive(call(context), site)
    assert site.sent == [TOKEN, "/v1/thing"]
    assert context.state.saved
    assert place.record()["session_cookie"] == "cookie-1"


def test_a_login_that_is_cancelled_before_its_reply_is_looked_at_is_made_again(
    place: Place,
) -> None:
    context, site = context_of(place), Site()
    flow = explicit.login(context, None, None)
    asked = flow.send(None)
    while not isinstance(asked, Request):
        asked = flow.send(None)
    site(asked)
    flow.close()
    drive(call(context), site)
    assert site.sent == [TOKEN, TOKEN, "/v1/thing"]
    assert place.record()["session_cookie"] == "cookie-2"


def with_an_unsaved_cookie(place: Place) -> tuple[ClientContext, Site]:
    """A client that has got `cookie-1` in the place of what is saved; the save was cancelled."""
    context, site = context_of(place), Site(changes=True)
    adopt(context, place.save(), saved=True)
    flow = call(context)
    with locked(place):
        assert isinstance(step(flow, site), Pause)
        flow.close()
    assert place.record()["session_cookie"] != "cookie-1"
    return context, site


def test_a_new_cookie_whose_save_was_cancelled_is_saved_by_the_next_call(place: Place) -> None:
    context, site = with_an_unsaved_cookie(place)
    site.changes = False
    drive(call(context), site)
    assert place.record()["session_cookie"] == "cookie-1"


def test_a_new_cookie_whose_save_was_cancelled_is_saved_by_close(place: Place) -> None:
    context, _ = with_an_unsaved_cookie(place)
    drive(saving.close(context), Site())
    assert place.record()["session_cookie"] == "cookie-1"
    assert context.state.phase is Phase.CLOSED


def test_close_saves_nothing_over_what_another_has_saved_since(place: Place) -> None:
    context, _ = with_an_unsaved_cookie(place)
    place.save(session_cookie="another-login", created_at=utc_now())
    drive(saving.close(context), Site())
    assert place.record()["session_cookie"] == "another-login"


def test_of_two_new_cookies_in_a_row_the_newer_is_saved_last(place: Place) -> None:
    context, site = context_of(place), Site(changes=True)
    adopt(context, place.save(), saved=True)
    first, second = call(context), call(context)
    with locked(place):
        assert isinstance(step(first, site), Pause)
        assert isinstance(step(second, site), Pause)
    # The later call goes on first.
    with pytest.raises(StopIteration):
        for _ in range(100):
            step(second, site)
            step(first, site)
    for flow in (first, second):
        drive(flow, site) if flow.gi_frame is not None else None
    assert context.state.live is not None
    assert context.state.live.session_cookie == "cookie-2"
    assert place.record()["session_cookie"] == "cookie-2"


def test_a_new_cookie_is_saved_though_another_session_is_given_before_it_is(place: Place) -> None:
    context, site = context_of(place), Site(changes=True)
    adopt(context, place.save(), saved=True)
    flow = call(context)
    given = explicit.import_session(context, place.log_in())
    with locked(place):
        assert isinstance(step(flow, site), Pause)
        assert isinstance(step(given, site), Pause)
    given.close()
    drive(flow, site)
    assert place.record()["session_cookie"] == "cookie-1"


def test_an_import_saves_the_cookie_that_it_has_by_then(place: Place) -> None:
    place.save()
    context, site = context_of(place), Site(changes=True)
    adopt(context, place.log_in(), saved=False)
    flow = explicit.import_session(context, place.log_in())
    with locked(place):
        assert isinstance(step(flow, site), Pause)
        drive(call(context), site)
    drive(flow, site)
    assert place.record()["session_cookie"] == "cookie-1"


def test_an_import_that_is_cancelled_before_its_save_replaces_nothing_later(place: Place) -> None:
    place.save()
    context, site = context_of(place), Site()
    given = place.log_in()
    flow = explicit.import_session(context, given)
    with locked(place):
        assert isinstance(step(flow, site), Pause)
        flow.close()
    newer = place.save()
    drive(call(context), site)
    assert given.same_credentials(context.state.live)
    assert not context.state.saved
    assert place.record()["session_cookie"] == newer.session_cookie


def test_a_login_that_waited_through_a_logout_and_another_login_does_not_go_on(
    place: Place,
) -> None:
    context = context_of(place)
    removal = Flight((context, "removal"))
    assert removal.try_acquire()
    flow = explicit.login(context, "pedro_k", Hidden(b"radio"))
    assert isinstance(flow.send(None), Pause)
    context.change(lambda state: state.log_out())
    context.change(lambda state: state.use("maple_ink", Hidden(b"secret")))
    removal.release()
    with pytest.raises(AuthenticationError, match="was logged out"):
        flow.send(None)
    assert context.state.name == "maple_ink"


def test_a_login_that_is_cancelled_while_its_reply_is_looked_at_is_not_made_again(
    place: Place,
) -> None:
    looking, go_on = threading.Event(), threading.Event()

    def on_event(event: Any) -> None:
        if event.name == "logged_in":
            looking.set()
            go_on.wait(30)

    async def cancelled() -> None:
        client = AsyncInterpalClient(**place.settings(on_event=on_event))
        task = asyncio.ensure_future(client.request("GET", SELF))
        await asyncio.to_thread(looking.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        assert (await client.get_self())["username"] == "maple_ink"
        assert client.persisted
        await client.close()

    asyncio.run(cancelled())
    assert place.logins == 1
    assert place.names() == ["maple_ink"]

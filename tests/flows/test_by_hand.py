"""Flows with a scripted server, for what real servers do once in a thousand runs.

A flow asks for a request to be sent; here a function answers, and may change the world first, as
another thread or process would have.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from interpal._hidden import Hidden
from interpal.exceptions import AuthenticationError, NetworkError, SessionExpiredError
from interpal.flows import request as calls
from interpal.flows.apply_reply import mark_ended
from interpal.flows.context import ClientContext, Settings
from interpal.flows.login import renew
from interpal.sessions.state import ClientState
from interpal.sessions.wait import drive
from interpal.transport.environment import Network
from interpal.transport.messages import Request, Response
from interpal.transport.protocol import SESSION_COOKIE
from tests.helpers import SELF, TOKEN, Place

if TYPE_CHECKING:
    from interpal.session import Session


def context_of(
    place: Place,
    *,
    username: str | None = "maple_ink",
    saved: bool = True,
    lock_timeout: float = 60,
) -> ClientContext:
    settings = Settings(
        base_url=place.site.base_url,
        user_agent="tests",
        lifetime=timedelta(hours=24),
        revalidate_after=0,
        timeout=30,
        max_retries=0,
        min_interval=0,
        lock_timeout=lock_timeout,
        on_event=place.events.append,
        network=Network(Hidden(None), True),
    )
    state = ClientState(
        name=username,
        password=None if username is None else Hidden(b"secret"),
        may_login=username is not None,
    )
    return ClientContext(settings, place.manager(None, patience=0) if saved else None, state)


def adopt(context: ClientContext, session: Session, *, saved: bool) -> None:
    """Give the client a session that the server has answered with."""
    live = context.state.live
    if live is not None:
        context.change(lambda state: state.end(live, 401))
    context.change(lambda state: state.resume(session, saved=saved, verified=True))


def path_of(request: Request) -> str:
    return "/" + request.url.split("/", 3)[3]


def reply(status: int, cookie: str | None = None) -> Response:
    headers = () if cookie is None else (("set-cookie", f"{SESSION_COOKIE}={cookie}"),)
    return Response(status, headers, b"{}")


def nobody(request: Request) -> Response:
    pytest.fail(f"{request} was sent")


def fetch(context: ClientContext, send: Any) -> Any:
    return drive(calls.call(context, context.request("GET", "/v1/thing")), send)


def test_a_late_reply_to_an_older_session_does_not_replace_a_newer_one(place: Place) -> None:
    context = context_of(place)
    old, new = place.save(), place.log_in()
    adopt(context, old, saved=True)

    def send(request: Request) -> Response:
        place.save(new)
        adopt(context, new, saved=True)
        return reply(200, "rotated")

    fetch(context, send)
    assert new.same_credentials(context.state.live)
    assert context.state.saved
    assert place.record()["session_cookie"] == new.session_cookie


def test_a_server_that_ends_each_session_at_once_is_given_up_on(place: Place) -> None:
    context = context_of(place, saved=False)
    sent: list[str] = []

    def send(request: Request) -> Response:
        sent.append(path_of(request))
        made = sent[-1] == TOKEN
        return reply(201, f"cookie-{len(sent)}") if made else reply(401)

    adopt(context, place.log_in(), saved=False)
    with pytest.raises(SessionExpiredError, match="another login keeps ending") as caught:
        fetch(context, send)
    assert caught.value.replayed
    assert sent.count(TOKEN) == 4 < calls.MOST_SENDINGS
    assert sent.count("/v1/thing") == sent.count(SELF) == 5


def test_a_call_refused_while_the_server_cannot_be_asked_costs_no_login(
    place: Place,
) -> None:
    context = context_of(place, saved=False)
    sent: list[str] = []

    def send(request: Request) -> Response:
        sent.append(path_of(request))
        if sent[-1] == SELF:
            raise NetworkError("gone")
        return reply(201, "fresh") if sent[-1] == TOKEN else reply(401)

    adopt(context, place.log_in(), saved=False)
    with pytest.raises(AuthenticationError, match="could not be asked") as caught:
        fetch(context, send)
    assert caught.value.status_code == 401
    assert sent == ["/v1/thing", SELF]
    assert context.state.live is not None


@pytest.mark.parametrize(
    ("before", "after", "taken_on"),
    [
        ({"user_id": "7", "username": None}, {"user_id": "7", "username": "new"}, True),
        ({"user_id": "7", "username": "same"}, {"user_id": "8", "username": "same"}, False),
        ({"user_id": "7", "username": "Same"}, {"user_id": None, "username": "same"}, True),
        ({"user_id": None, "username": None}, {"user_id": "8", "username": "other"}, False),
        ({"user_id": "7", "username": None}, {"user_id": None, "username": "other"}, False),
    ],
)
def test_a_client_without_a_name_takes_on_a_newer_session_of_its_own_account_only(
    place: Place, before: dict[str, Any], after: dict[str, Any], taken_on: bool
) -> None:
    context = context_of(place, username=None)
    dead: Session = place.log_in().replace(**before)
    adopt(context, dead, saved=True)
    mark_ended(context, context.state.epoch, dead)
    newer = place.log_in().replace(**after)
    place.manager(None).put(newer)
    if taken_on:
        assert drive(renew(context, dead, context.state.epoch), nobody).same_credentials(newer)
    else:
        with pytest.raises(SessionExpiredError):
            drive(renew(context, dead, context.state.epoch), nobody)
        assert context.state.live is None
    # Whoever's it is, it is not ours to delete.
    assert place.names() == [after["username"] or "default"]

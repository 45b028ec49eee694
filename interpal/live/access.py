"""What live events ask of the flows: the one place where they touch the client's session.

The WebSocket is opened with the token of the session in use, and with nothing else. What ends that
session is found out and mended by an ordinary call, under the same rules and locks as any call's
401.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from interpal.exceptions import AuthenticationError
from interpal.flows import request as calls
from interpal.flows.login import renew
from interpal.transport import protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interpal.flows.context import ClientContext
    from interpal.session import Session
    from interpal.sessions.wait import Flow

WEBSOCKET_PATH = "/v1/ws"


class Pass(NamedTuple):
    """What a socket is opened with: a session that has a token, and the epoch it was got in."""

    session: Session
    epoch: int

    def __repr__(self) -> str:
        return "<Pass>"


def obtain(context: ClientContext) -> Flow[Pass]:
    """The session to open a socket with: resumed, renewed where it has passed its expiry.

    Raises `AuthenticationError` where there is none, or where it has no token and there is no way
    to one, and what a login raises.
    """
    epoch = epoch_of(context)
    session = yield from calls.ready(context, epoch)
    if session.auth_token is None and context.state.can_log_in:
        # A login brings a token.
        session = yield from renew(context, session, epoch)
    if session.auth_token is None:
        # So may the reply to a call.
        yield from ask_whether_it_lives(context)
        session = yield from calls.ready(context, epoch)
    if session.auth_token is None:
        raise AuthenticationError(
            f"WebSocket {WEBSOCKET_PATH}: this session has no token, and only the token opens the "
            "live connection: log in with username and password, or give auth_token="
        )
    return Pass(session, epoch)


def ask_whether_it_lives(context: ClientContext) -> Flow[Mapping[str, Any]]:
    """The own profile; a session that has ended is renewed on the way, as in any call."""
    profile = yield from calls.call(context, context.self_request())
    return profile if isinstance(profile, dict) else {}


def own_id(context: ClientContext, opened: Pass) -> Flow[str | None]:
    """The id of the account; asked for where nobody has said so far."""
    known = context.state.user_id or opened.session.user_id
    if known is not None:
        return known
    profile = yield from ask_whether_it_lives(context)
    return protocol.user_id_of(profile)


def get(context: ClientContext, path: str, params: Mapping[str, Any]) -> Flow[Any]:
    """`GET` a path with the session."""
    return (yield from calls.call(context, context.request("GET", path, params=params)))


def headers_of(context: ClientContext, opened: Pass) -> dict[str, str]:
    """The headers that open the socket: the session's own, and who asks."""
    request = context.request("GET", WEBSOCKET_PATH)
    return dict(context.authenticated(opened.session, request).headers)


def address_of(context: ClientContext, opened: Pass) -> str:
    """The address that opens the socket. It holds the token: show it to nobody."""
    params = {"token": opened.session.auth_token}
    return str(context.request("GET", WEBSOCKET_PATH, params=params).url)


def epoch_of(context: ClientContext) -> int:
    """Another number whenever the client has gone over to another account, or logged out."""
    return context.state.epoch


def is_current(context: ClientContext, opened: Pass) -> bool:
    """Whether the client still uses the session that a socket was opened with."""
    state = context.state
    session = state.live
    return (
        state.epoch == opened.epoch
        and session is not None
        and session.auth_token == opened.session.auth_token
    )

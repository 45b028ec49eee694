"""A kept `requests.Session`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from requests.cookies import RequestsCookieJar

from interpal.sessions.jars import StandardJar, locked
from interpal.sessions.keeping import Call, Replies
from interpal.sessions.kept_clients import KeptInThreads, keeper_of
from interpal.sessions.wait import Flow, drive

if TYPE_CHECKING:
    from interpal.sessions.keeping import Keeper

# What a prepared request was made from, for another one: its cookies, what the session has put
# into its headers, and what the session was then. And the call that it was made for.
_MADE_FROM, _CALL = "_kept_made_from", "_kept_call"


def knows(client: object) -> bool:
    """Whether it is one of this library."""
    return isinstance(client, requests.Session)


def jar_of(client: requests.Session) -> StandardJar:
    """Its cookies and headers."""
    return StandardJar(lambda: client.cookies, lambda: client.headers)


def replies(_client: object) -> Replies:
    """What its requests end in."""
    errors = (requests.RequestException,)
    return Replies(errors, lambda reply: int(reply.status_code), requests.Response.close)


def begin(keeper: Keeper) -> None:
    """Load the session."""
    drive(keeper.load(Call()), keeper.turn)


def run(client: requests.Session, flow: Flow[Any]) -> Any:
    """Run a flow of a keeper."""
    return drive(flow, keeper_of(client).turn)


def mixin(_client: object) -> type:
    """What its class is made of, beside its own."""
    return KeptSession


class KeptSession(KeptInThreads, requests.Session):
    """A session whose requests, and whose end, its keeper looks after."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """`requests.Session.prepare_request`, with the cookies of a session that is there."""
        keeper = keeper_of(self)
        call = Call()
        if not keeper.rests:
            run(self, keeper.start(call))
        kept = keeper.base
        with locked(self.cookies):
            prepared = super().prepare_request(request)
        own = {name.lower() for name in request.headers or {}}
        setattr(prepared, _MADE_FROM, (request.cookies, _given(self, prepared, own), kept))
        setattr(prepared, _CALL, call)
        return prepared

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """`requests.Session.send`, and once more where the session had ended."""
        keeper, send = keeper_of(self), super().send
        if keeper.is_forked():
            # Two processes would read the replies of one connection.
            for adapter in self.adapters.values():
                adapter.close()
        if keeper.rests:
            return send(request, **kwargs)

        def again() -> requests.Response:
            return send(_renewed(self, request), **kwargs)

        body: object = request.body
        reply: requests.Response = run(
            self,
            keeper.exchange(
                lambda: send(request, **kwargs),
                again if isinstance(body, (bytes, str, type(None))) else None,
                made_with=getattr(request, _MADE_FROM, (None, None, None))[2],
                # Of its first sending: each later one is a call of its own.
                call=vars(request).pop(_CALL, None),
            ),
        )
        return reply


def _renewed(
    session: requests.Session, request: requests.PreparedRequest
) -> requests.PreparedRequest:
    """The request with the cookies and headers that the session has now, but for its own."""
    made_from: Any = getattr(request, _MADE_FROM, None)
    cookies, given, _ = made_from or (None, _given(session, request, set()), None)
    renewed = request.copy()
    headers: Any = renewed.headers
    unchanged = {name for name, value in given.items() if headers.get(name) == value}
    if "cookie" in unchanged:
        headers.pop("Cookie", None)
        jar = RequestsCookieJar()
        with locked(session.cookies):
            jar.update(session.cookies)
        jar.update(cookies or {})
        renewed.prepare_cookies(jar)
    for name in keeper_of(session).settings.headers:
        value = session.headers.get(name)
        if name in unchanged and isinstance(value, (str, bytes)):
            headers[name] = value
    return renewed


def _given(
    session: requests.Session, request: requests.PreparedRequest, own: set[str]
) -> dict[str, object]:
    """The headers of a request that the session gives and renews, as they are now."""
    names = {"cookie", *keeper_of(session).settings.headers} - own
    return {name: request.headers.get(name) for name in names}

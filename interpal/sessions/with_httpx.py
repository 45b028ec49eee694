"""A kept `httpx.Client` or `httpx.AsyncClient`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from interpal.sessions.jars import StandardJar, locked
from interpal.sessions.keeping import Call, Replies
from interpal.sessions.kept_clients import Kept, KeptInThreads, keeper_of, save_last
from interpal.sessions.wait import Flow, drive

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interpal.sessions.keeping import Keeper

# What a request was made from, for another one: its cookies, and what the client has put into its
# headers.
_MADE_FROM = "kept_made_from"


def knows(client: object) -> bool:
    """Whether it is one of this library."""
    return isinstance(client, (httpx.Client, httpx.AsyncClient))


def jar_of(client: httpx.Client | httpx.AsyncClient) -> StandardJar:
    """Its cookies and headers."""
    return StandardJar(lambda: client.cookies.jar, lambda: client.headers)


def replies(client: object) -> Replies:
    """What its requests end in."""
    errors = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError)
    here = isinstance(client, httpx.Client)
    drop: Any = httpx.Response.close if here else httpx.Response.aclose
    return Replies(errors, lambda reply: int(reply.status_code), drop)


def begin(keeper: Keeper) -> None:
    """Load the session; a client of asyncio does it with its first request."""
    if isinstance(keeper.client, httpx.Client):
        drive(keeper.load(Call()), keeper.turn)


def run(client: httpx.Client | httpx.AsyncClient, flow: Flow[Any]) -> Any:
    """Run a flow of a keeper; the result is to be awaited for a client of asyncio."""
    keeper = keeper_of(client)
    if isinstance(client, httpx.Client):
        return drive(flow, keeper.turn)
    return keeper.awaited(flow)


def mixin(client: object) -> type:
    """What its class is made of, beside its own."""
    return KeptClient if isinstance(client, httpx.Client) else KeptAsyncClient


class _Both:
    """What is the same for both."""

    def build_request(self, *args: Any, **kwargs: Any) -> httpx.Request:
        """`build_request`; notes what is to be known where the request is sent twice."""
        client: Any = super()
        with locked(self.cookies.jar):  # type: ignore[attr-defined]
            request: httpx.Request = client.build_request(*args, **kwargs)
        own = {name.lower() for name in httpx.Headers(kwargs.get("headers"))}
        given = _values(request, {"cookie", *keeper_of(self).settings.headers} - own)
        request.extensions = {
            **request.extensions,
            _MADE_FROM: (httpx.Cookies(kwargs.get("cookies")), given),
        }
        return request


class KeptClient(_Both, KeptInThreads, httpx.Client):
    """A client whose requests, and whose end, its keeper looks after."""

    def send(self, request: httpx.Request, **kwargs: Any) -> httpx.Response:
        """`httpx.Client.send`, and once more where the session had ended."""
        keeper, send = keeper_of(self), super().send
        if keeper.is_forked():
            # Two processes would read the replies of one connection.
            for transport in (self._transport, *self._mounts.values()):
                if transport is not None:
                    transport.close()
        if keeper.rests:
            return send(request, **kwargs)

        def sent() -> httpx.Response:
            return send(_renewed(self, request), **kwargs)

        again = sent if isinstance(request.stream, httpx.ByteStream) else None
        reply: httpx.Response = run(self, keeper.exchange(sent, again))
        return reply

    def __exit__(self, *exc_info: Any) -> None:
        try:
            save_last(self)
        finally:
            super().__exit__(*exc_info)


class KeptAsyncClient(_Both, Kept, httpx.AsyncClient):
    """A client of asyncio whose requests, and whose end, its keeper looks after."""

    async def send(self, request: httpx.Request, **kwargs: Any) -> httpx.Response:
        """`httpx.AsyncClient.send`, and once more where the session had ended."""
        keeper = keeper_of(self)
        if keeper.rests:
            return await super().send(request, **kwargs)
        send = super().send

        def sent() -> Any:
            return send(_renewed(self, request), **kwargs)

        again = sent if isinstance(request.stream, httpx.ByteStream) else None
        reply: httpx.Response = await run(self, keeper.exchange(sent, again))
        return reply

    async def aclose(self) -> None:
        """Save what is left, and close the connections."""
        try:
            await keeper_of(self).aclose()
        finally:
            await super().aclose()

    async def __aexit__(self, *exc_info: Any) -> None:
        try:
            await keeper_of(self).aclose()
        finally:
            await super().__aexit__(*exc_info)


K = TypeVar("K", httpx.Client, httpx.AsyncClient)


def _renewed(client: K, request: httpx.Request) -> httpx.Request:
    """The request, with the cookies and headers that the client has now, but for its own."""
    made_from = request.extensions.get(_MADE_FROM)
    if made_from is None:
        return request
    cookies, given = made_from
    unchanged = {name for name, value in given.items() if request.headers.get(name) == value}
    if "cookie" in unchanged:
        request.headers.pop("Cookie", None)
        with locked(client.cookies.jar):
            both = httpx.Cookies(client.cookies)
        both.update(cookies)
        both.set_cookie_header(request)
    for name in keeper_of(client).settings.headers:
        if name in unchanged and name in client.headers:
            request.headers[name] = client.headers[name]
    given.update(_values(request, unchanged))
    return request


def _values(request: httpx.Request, names: Iterable[str]) -> dict[str, str | None]:
    return {name: request.headers.get(name) for name in names}

"""A kept `aiohttp.ClientSession`."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import aiohttp

from interpal.sessions.jars import AiohttpJar
from interpal.sessions.keeping import Replies
from interpal.sessions.kept_clients import Kept, keeper_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from interpal.sessions.keeping import Keeper
    from interpal.sessions.wait import Flow

_VERBS = ("get", "options", "head", "post", "put", "patch", "delete")


def knows(client: object) -> bool:
    """Whether it is one of this library."""
    return isinstance(client, aiohttp.ClientSession)


def jar_of(client: aiohttp.ClientSession) -> AiohttpJar:
    """Its cookies and headers."""
    return AiohttpJar(client)


def replies(_client: object) -> Replies:
    """What its requests end in."""
    errors = (aiohttp.ClientError, TimeoutError)
    return Replies(errors, lambda reply: int(reply.status), lambda reply: reply.release())


def begin(keeper: Keeper) -> None:
    """The session is loaded with the first request."""


def run(client: aiohttp.ClientSession, flow: Flow[Any]) -> Any:
    """Run a flow of a keeper; the result is to be awaited."""
    return keeper_of(client).awaited(flow)


def mixin(_client: object) -> type:
    """What its class is made of, beside its own."""
    return _KeptSession


class Reply(Coroutine[Any, Any, aiohttp.ClientResponse]):
    """A request on its way: a coroutine, and the context of `async with`, as aiohttp has it."""

    def __init__(self, sending: Coroutine[Any, Any, aiohttp.ClientResponse]) -> None:
        self._sending = sending
        self._reply: aiohttp.ClientResponse | None = None

    def send(self, value: Any) -> Any:
        """As of a coroutine, which a task takes."""
        return self._sending.send(value)

    def throw(self, *error: Any) -> Any:
        """As of a coroutine."""
        return self._sending.throw(*error)

    def close(self) -> None:
        """As of a coroutine: it is not sent."""
        self._sending.close()

    def __await__(self) -> Generator[Any, Any, aiohttp.ClientResponse]:
        return self._sending.__await__()

    async def __aenter__(self) -> aiohttp.ClientResponse:
        self._reply = await self._sending
        return await self._reply.__aenter__()

    async def __aexit__(self, *exc_info: Any) -> None:
        if self._reply is not None:
            await self._reply.__aexit__(*exc_info)


class _KeptSession(Kept):
    """A session whose requests, and whose end, its keeper looks after.

    Not made as a subclass of aiohttp's, which warns of that.
    """

    def __init_subclass__(cls) -> None:
        """Keep the warning of aiohttp's own: this is no class that anybody writes."""

    def request(self, method: str, url: Any, **kwargs: Any) -> Any:
        """`aiohttp.ClientSession.request`, and once more where the session had ended."""
        keeper, send = keeper_of(self), super().request  # type: ignore[misc]
        if keeper.rests:
            return send(method, url, **kwargs)

        def sent() -> Any:
            return send(method, url, **kwargs)

        again = sent if _is_repeatable(kwargs.get("data")) else None
        return Reply(_reply_of(keeper, sent, again))

    async def close(self) -> None:
        """Save what is left, and close the connections."""
        try:
            await keeper_of(self).aclose()
        finally:
            await super().close()  # type: ignore[misc]


def _verb(method: str) -> Any:
    # A reply of HEAD is one of the address that was asked for.
    defaults = {"allow_redirects": False} if method == "head" else {"allow_redirects": True}

    def send(self: Any, url: Any, **kwargs: Any) -> Any:
        follow = defaults if method in ("get", "options", "head") else {}
        return self.request(method.upper(), url, **{**follow, **kwargs})

    send.__name__ = method
    send.__doc__ = f"`aiohttp.ClientSession.{method}`."
    return send


for _method in _VERBS:
    setattr(_KeptSession, _method, _verb(_method))


async def _reply_of(
    keeper: Keeper, send: Callable[[], Any], send_again: Callable[[], Any] | None
) -> aiohttp.ClientResponse:
    reply: aiohttp.ClientResponse = await keeper.awaited(keeper.exchange(send, send_again))
    return reply


def _is_repeatable(data: Any) -> bool:
    """Whether a body can be sent a second time: no file, no generator, no form of aiohttp's."""
    if isinstance(data, dict):
        return all(isinstance(value, (str, bytes, int, float)) for value in data.values())
    return data is None or isinstance(data, (str, bytes))

"""Sends the requests of a client with aiohttp, as `_requests` does with requests."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import AsyncIterable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from interpal._hidden import Hidden
from interpal.exceptions import NetworkError
from interpal.transport.environment import context_of
from interpal.transport.messages import Request, Response
from interpal.transport.reply_body import ReplyBody

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager
    from types import SimpleNamespace

    import aiohttp

    from interpal._worker import Worker
    from interpal.transport.environment import Authorities, Network, Proxy

    _Asking = AbstractAsyncContextManager[aiohttp.ClientResponse]

_PIECE = 65536


class AiohttpRequester:
    """Sends requests with aiohttp. Its session is opened at the first one in an event loop."""

    def __init__(self, timeout: float, worker: Worker, network: Network) -> None:
        self._timeout = timeout
        self._network = network
        self._worker = worker
        self._context: tuple[Authorities, ssl.SSLContext] | None = None
        # For each event loop, what holds its connections open and the session that uses them.
        self._opened: dict[
            asyncio.AbstractEventLoop,
            tuple[AsyncGenerator[aiohttp.ClientSession, None], aiohttp.ClientSession],
        ] = {}

    async def __call__(self, request: Request) -> Response:
        """Send one request. Redirects are not followed. Raises `NetworkError`."""
        http = await self._session()
        import aiohttp

        where = f"{request.method} {request.url.partition('?')[0]}"
        problem: NetworkError
        try:
            async with _Reply(await self._ask(http, request)) as reply:
                body = Hidden(await _read(reply, where))
                return _response(reply, body)
        except NetworkError as error:
            problem = error.with_traceback(None)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as error:
            reason = _reason(error, self._timeout, self._network.proxy_of(request.url))
            problem = NetworkError(f"{where}: {reason}")
        # Outside the handlers: the library's error carries the request, and with it the session.
        try:
            raise problem
        finally:
            del problem  # and no cycle with this frame

    async def _ask(self, http: aiohttp.ClientSession, request: Request) -> _Asking:
        # By itself: some reporters evaluate the names in the source of the frames that they show.
        files = hasattr(request.body, "read")
        size = await self._worker.run(partial(_size, request.body)) if files else None
        length = {} if size is None else {"Content-Length": str(size)}
        proxy = self._network.proxy_of(request.url)
        return http.request(
            request.method,
            _exact(request.url),
            headers={**request.headers, **length},
            data=_body(request.body, self._worker),
            allow_redirects=False,
            proxy=None if proxy is None else proxy.url.reveal(),
            ssl=self._trusted(),
        )

    def _trusted(self) -> ssl.SSLContext | bool:
        """What aiohttp trusts: made once, as reading the certificates takes a while."""
        authorities = self._network.authorities()
        if authorities is None:
            return True
        if self._context is None or self._context[0] != authorities:
            self._context = (authorities, context_of(authorities))
        return self._context[1]

    async def close(self) -> None:
        """Close the connections. The next request opens new ones."""
        opened, self._opened = self._opened, {}
        # Those of other loops are closed in them, as nobody holds them any more.
        mine = opened.pop(asyncio.get_running_loop(), None)
        opened.clear()
        if mine is not None:
            await mine[0].aclose()

    async def _session(self) -> aiohttp.ClientSession:
        if "aiohttp" not in sys.modules:
            # A tenth of a second of work, which would hold the loop.
            await self._worker.run(partial(import_module, "aiohttp"))
        import aiohttp

        loop = asyncio.get_running_loop()
        opened = self._opened.get(loop)
        if opened is None or opened[1].closed:
            # Where the client outlived `asyncio.run`, connections are gone with their loop.
            for other, (_, http) in self._opened.copy().items():
                if other.is_closed() or http.closed:
                    self._opened.pop(other, None)
            timeout = aiohttp.ClientTimeout(
                total=2 * self._timeout,
                connect=None,
                sock_connect=self._timeout,
                sock_read=self._timeout,
            )
            holder = _connections(timeout, self._timeout)
            opened = self._opened.setdefault(loop, (holder, await anext(holder)))
        return opened[1]


class _Reply:
    """A reply of aiohttp as a value that does not show itself: its repr has the cookies in it."""

    def __init__(self, context: _Asking) -> None:
        self._context = context

    async def __aenter__(self) -> Hidden[aiohttp.ClientResponse]:
        return Hidden(await self._context.__aenter__())

    async def __aexit__(self, *caught: Any) -> bool | None:
        return await self._context.__aexit__(*caught)


async def _connections(
    timeout: aiohttp.ClientTimeout, connecting: float
) -> AsyncGenerator[aiohttp.ClientSession, None]:
    """The connections of one loop.

    A loop closes the generators that are left when it ends, and those that nobody holds any
    more: a client that was never closed leaves no open connection behind. *connecting* is the
    seconds for all that it takes to make one.
    """
    import aiohttp

    class Connector(aiohttp.TCPConnector):
        async def _create_connection(self, *arguments: Any, **named: Any) -> Any:
            # aiohttp has no bound of its own on the answer of a proxy.
            made = super()._create_connection(*arguments, **named)
            return await asyncio.wait_for(made, connecting)

    async with aiohttp.ClientSession(
        connector=Connector(),
        trace_configs=[_once()],
        # Cookies are the session's and travel with it; a jar would mix accounts.
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
        timeout=timeout,
    ) as http:
        yield http


def _once() -> aiohttp.TraceConfig:
    """Keeps aiohttp from sending a request again by itself, as it does for idempotent methods.

    What may be repeated, and when, is for the flow to say.
    """
    import aiohttp

    async def connecting(_http: object, context: SimpleNamespace, _params: object) -> None:
        if hasattr(context, "connected"):
            raise aiohttp.ServerDisconnectedError
        context.connected = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_start.append(connecting)
    trace.on_connection_reuseconn.append(connecting)
    return trace


def _exact(url: str) -> Any:
    from yarl import URL

    return URL(url, encoded=True)


def _body(body: Any, worker: Worker) -> Any:
    if body is None or isinstance(body, bytes):
        return body
    if isinstance(body, AsyncIterable):
        # What knows how to be read without holding the loop is asked that way.
        return aiter(body)
    if isinstance(body, io.TextIOBase):
        return body  # aiohttp encodes it.
    if hasattr(body, "read"):
        return _pieces(iter(partial(body.read, _PIECE), b""), worker)
    return _pieces(iter(body), worker)


def _size(body: Any) -> int | None:
    """How many bytes there are to read of a file; None for what is no file, or cannot tell."""
    if not hasattr(body, "read") or isinstance(body, io.TextIOBase):
        return None
    try:
        position = body.tell()
        size = int(body.seek(0, os.SEEK_END) - position)
        body.seek(position)
    except (AttributeError, OSError, TypeError, ValueError):
        return None
    return size


async def _pieces(body: Iterator[bytes], worker: Worker) -> AsyncIterator[bytes]:
    end = object()
    while (piece := await worker.run(partial(next, body, end))) is not end:
        yield cast("bytes", piece)


def _response(reply: Hidden[aiohttp.ClientResponse], body: Hidden[bytes]) -> Response:
    headers = tuple((name.lower(), text) for name, text in reply.reveal().headers.items())
    return Response(reply.reveal().status, headers, body.reveal())


async def _read(reply: Hidden[aiohttp.ClientResponse], where: str) -> bytes:
    body = ReplyBody(reply.reveal().headers.get("Content-Encoding"))
    async for piece in reply.reveal().content.iter_chunked(_PIECE):
        more = body.add(piece)
        # A traceback may show the values of variables.
        del piece
        if not more:
            break
    return body.content(where)


def _reason(error: BaseException, timeout: float, proxy: Proxy | None) -> str:
    """What went wrong, in words of our own: the library's text may quote the request."""
    import aiohttp

    from interpal.transport import failures

    known: str | None = None
    if isinstance(error, aiohttp.ConnectionTimeoutError) and proxy is None:
        known = f"no connection within {timeout:g} seconds"
    elif isinstance(error, asyncio.TimeoutError):
        known = f"no answer within {timeout:g} seconds"
    return failures.of_aiohttp(error, proxy, known)

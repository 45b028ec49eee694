"""`AsyncInterpalClient`: runs the same flows with aiohttp, and never holds the event loop."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import AsyncIterable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, cast

from interpal._hidden import Hidden
from interpal._worker import Worker
from interpal._worker import drive as drive
from interpal.api.base import Awaiting, Operation, Operations, PlainOperation
from interpal.api.calls import Calls
from interpal.exceptions import NetworkError
from interpal.flows import saving
from interpal.flows.start import start
from interpal.sessions.singleflight import in_flight
from interpal.transport.environment import context_of
from interpal.transport.messages import Pause, Request, Response
from interpal.transport.reply_body import ReplyBody

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager
    from types import SimpleNamespace

    import aiohttp
    from typing_extensions import Self

    from interpal.api.account import Users
    from interpal.api.media import Media
    from interpal.api.messages import Messages
    from interpal.api.notifications import Notifications, Realtime
    from interpal.api.posts import Posts
    from interpal.api.search import Search
    from interpal.api.social import Social
    from interpal.live.client import AwaitedLiveEvents, EventDecorator
    from interpal.sessions.wait import Flow
    from interpal.transport.environment import Authorities, Network, Proxy

    _Asking = AbstractAsyncContextManager[aiohttp.ClientResponse]
else:
    # Of what is loaded when it is asked for; `typing.get_type_hints` reads them.
    AwaitedLiveEvents = EventDecorator = Any

T = TypeVar("T")

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


class AsyncInterpalClient(Calls, Awaiting):
    """The client for asyncio: the same operations as `InterpalClient`, awaited.

    Its construction does no I/O: the saved session is resumed in `async with`, or at the first
    awaited call. `login()`, `import_session()`, `export_session()`, `get_session_info()` and
    `clear_saved_session()` are plain calls, as in interpal 1.x; `alogin()`,
    `aget_session_info()` and `aclear_saved_session()` are the twins that never hold the loop.
    """

    if TYPE_CHECKING:
        # The managers of interpal 1.x (`interpal.api.calls.MANAGERS`).
        user: Users[Awaiting]
        """The account, profiles, trips."""
        messages: Messages[Awaiting]
        """Conversations and messages."""
        search: Search[Awaiting]
        """People and posts."""
        media: Media[Awaiting]
        """Photos and albums."""
        social: Social[Awaiting]
        """Friends, blocks, bookmarks, likes."""
        realtime: Realtime[Awaiting]
        """`notifications` under its older name."""
        notifications: Notifications[Awaiting]
        """Notifications and views."""
        posts: Posts[Awaiting]
        """Posts and comments."""

    def _begin(self) -> None:
        self._worker = Worker()
        self._send = AiohttpRequester(
            self._context.settings.timeout, self._worker, self._context.network
        )

    login = PlainOperation(Operations._login)  # noqa: SLF001  (its own base)
    import_session = PlainOperation(Operations._import_session)  # noqa: SLF001  (its own base)
    get_session_info = PlainOperation(Operations._get_session_info)  # noqa: SLF001  (its own base)
    clear_saved_session = PlainOperation(Operations._clear_saved_session)  # noqa: SLF001  (its own base)

    alogin = Operation(Operations._login)  # noqa: SLF001  (its own base)
    aget_session_info = Operation(Operations._get_session_info)  # noqa: SLF001  (its own base)
    aclear_saved_session = Operation(Operations._clear_saved_session)  # noqa: SLF001  (its own base)

    async def _run(self, flow: Flow[T]) -> T:
        self._context.check_usable()
        return await drive(flow, self._send, self._worker)

    def _run_plainly(self, flow: Flow[T]) -> T:
        """Run a flow on the spot, with the driver of `InterpalClient`."""
        self._context.check_usable()
        from interpal._requests import Requester
        from interpal.client import drive as drive_here
        from interpal.client import pause

        try:
            loop = id(asyncio.get_running_loop())
        except RuntimeError:
            loop = 0
        places = (self._context, self._context.place)

        def wait(step: Pause) -> None:
            if step.in_line and loop and any(in_flight(place, loop) for place in places):
                raise RuntimeError(
                    "a task of this event loop is in the middle of a login, and a plain login() "
                    "that waits for it would stop it for ever: use await client.alogin()"
                )
            pause(step)

        send = Requester(self._context.settings.timeout, self._context.network)
        try:
            return drive_here(flow, send, wait)
        finally:
            send.close()

    # Live events.

    @property
    def live(self) -> AwaitedLiveEvents:
        """The live events: handlers, settings, statistics, the connection."""
        if "_live" not in vars(self):
            from interpal.live.client import AwaitedLiveEvents

            vars(self).setdefault("_live", AwaitedLiveEvents(self._context, self._run))
        live: AwaitedLiveEvents = vars(self)["_live"]
        return live

    @property
    def event(self) -> EventDecorator:
        """Decorate a handler: `@client.event`, or `@client.event("on_message")`."""
        return self.live.event

    async def start(self) -> None:
        """Connect, and hand live events out until `stop_websocket()` or `close()`.

        Raises what no other try can mend, such as `SessionExpiredError`.
        """
        await self.live.start()

    async def start_websocket(self) -> None:
        """Do the same in the background; return at the first open socket. Raises as `start`."""
        await self.live.connect()

    async def stop_websocket(self) -> None:
        """End live events, once the handlers have finished what was handed out to them."""
        await self.live.disconnect()

    async def connect_websocket(self) -> None:
        """Another name for `start_websocket`."""
        await self.live.connect()

    async def disconnect_websocket(self) -> None:
        """Another name for `stop_websocket`."""
        await self.live.disconnect()

    @property
    def _ws_client(self) -> AwaitedLiveEvents:
        """The live events, under their name of interpal 1.x."""
        return self.live

    def is_websocket_connected(self) -> bool:
        """Whether the socket is open."""
        return "_live" in vars(self) and self.live.is_connected

    async def close(self) -> None:
        """Close connections and the vault. The session stays saved, with a cookie that is new.

        The client forgets its session, its password and its key: a later call raises
        `ClientClosedError`.
        """
        self._context.check_not_in_hook()
        if "_live" in vars(self):
            await self.live.disconnect()
        await self._send.close()
        # What cancelled calls have left is waited for.
        await self._worker.close(partial(saving.close, self._context))

    async def __aenter__(self) -> Self:
        self._context.check_usable()
        try:
            await self._run(start(self._context))
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

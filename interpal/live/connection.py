"""The connection: opens the socket, hands out what comes, notices its end, and opens it again."""

from __future__ import annotations

import asyncio
import contextlib
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import aiohttp

from interpal.api.replies import UnknownEvent
from interpal.exceptions import (
    APIError,
    AuthenticationError,
    LockTimeoutError,
    NetworkError,
    StoreUnavailableError,
    VaultIOError,
    WebSocketAuthenticationError,
    WebSocketConnectionError,
    WebSocketError,
    WebSocketRateLimitError,
    WebSocketTimeoutError,
)
from interpal.live import access, missed
from interpal.live.frames import NEW_MESSAGE, SYNC_MESSAGE, read_frame
from interpal.live.progress import Progress
from interpal.transport.environment import context_of
from interpal.transport.failures import of_aiohttp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from interpal.api.replies import Reply
    from interpal.flows.context import ClientContext
    from interpal.live.handlers import Dispatcher
    from interpal.sessions.wait import Flow
    from interpal.transport.environment import Proxy

    Run = Callable[[Flow[Any]], Awaitable[Any]]

T = TypeVar("T")

# What passes by itself, so that trying again is worth it.
PASSING = (
    APIError,
    LockTimeoutError,
    NetworkError,
    StoreUnavailableError,
    VaultIOError,
    WebSocketAuthenticationError,
    WebSocketConnectionError,
    WebSocketRateLimitError,
    WebSocketTimeoutError,
)
# A connection that has lasted so long was a good one: the next pause is the shortest again.
GOOD_AFTER = 60.0
# Frames that wait for a look at what was missed.
MOST_HELD = 1_000
# Handlers have a turn after so many frames that came at once: events that are handled while they
# are still in the processor's cache cost two thirds of those that wait.
BURST = 16

_TEXT = aiohttp.WSMsgType.TEXT


class ConnectionState(Enum):
    """Where a connection stands."""

    DISCONNECTED = 0
    CONNECTING = 1
    CONNECTED = 2
    RECONNECTING = 3
    CLOSED = 4


class Settings(NamedTuple):
    """How a connection is kept. Seconds, bytes and counts."""

    connect_timeout: float = 10.0
    ping_interval: float = 20.0
    ping_timeout: float = 10.0
    reconnect_base_delay: float = 2.0
    reconnect_max_delay: float = 60.0
    reconnect_backoff: float = 1.5
    # Tries in a row that may fail; None for no limit.
    max_reconnect_attempts: int | None = None
    max_message_size: int = 16 * 1024 * 1024
    # Whether messages that came while there was no connection are fetched over the API.
    catch_up: bool = True
    # What handlers that are still running at the end are given to finish.
    shutdown_timeout: float = 10.0


class Statistics:
    """Counts of one client since it was made."""

    __slots__ = (
        "connections", "duplicates", "failed_connections", "frames", "messages", "recovered",
        "unreadable",
    )  # fmt: skip

    def __init__(self) -> None:
        self.frames = self.messages = self.recovered = self.duplicates = self.unreadable = 0
        self.connections = self.failed_connections = 0

    def as_dict(self) -> dict[str, int]:
        """The counts by their names."""
        return {name: getattr(self, name) for name in self.__slots__}


class Connection:
    """Keeps one account connected, from `run` until that is cancelled.

    *run_flow* runs a flow in this event loop.
    """

    def __init__(
        self,
        context: ClientContext,
        settings: Settings,
        statistics: Statistics,
        dispatcher: Dispatcher,
        run_flow: Run,
    ) -> None:
        self._context = context
        self._settings = settings
        self._statistics = statistics
        self._dispatcher = dispatcher
        self._run_flow = run_flow
        self._progress = Progress()
        self._own_id: str | None = None
        self._epoch: int | None = None
        # The first connection before which something may have been missed; None for none.
        self._due: int | None = None
        # Frames that wait for a look at what was missed; None while they need not.
        self._held: list[tuple[str, Reply]] | None = None
        # Why the connection is being closed, where that is not the server's doing.
        self._trouble: WebSocketError | None = None
        self._paused = False
        self._heard = False
        self._pong = asyncio.Event()
        self._socket: aiohttp.ClientWebSocketResponse[Any] | None = None
        self.state = ConnectionState.DISCONNECTED
        self.opened = asyncio.Event()
        # Whether whoever listens has had enough, where `run` is cancelled.
        self.stopping = False

    def __repr__(self) -> str:
        return f"<Connection of {self._context.state.name} {self.state.name.lower()}>"

    async def run(self) -> None:
        """Stay connected. Raises what no other try can mend, such as `SessionExpiredError`."""
        failures = 0
        try:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._settings.connect_timeout)
            async with aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout
            ) as http:
                self.state = ConnectionState.CONNECTING
                while True:
                    good, trouble = await self._once(http)
                    self.state = ConnectionState.RECONNECTING
                    failures = 0 if good else failures + 1
                    most = self._settings.max_reconnect_attempts
                    if most is not None and failures > most and trouble is not None:
                        raise trouble
                    await asyncio.sleep(self._delay(failures, trouble))
        finally:
            self.state = ConnectionState.CLOSED

    async def send(self, data: Mapping[str, Any]) -> None:
        """Send a JSON object. Raises `WebSocketConnectionError` while there is no connection."""
        import json

        socket = self._socket
        if socket is None or socket.closed:
            raise WebSocketConnectionError("the WebSocket is not connected")
        await socket.send_str(json.dumps(data))

    def _delay(self, failures: int, trouble: Exception | None) -> float:
        """Seconds until the next try: growing, with jitter, and never less than was asked for."""
        import random

        settings = self._settings
        growth = settings.reconnect_backoff ** min(failures, 100)
        longest = min(settings.reconnect_max_delay, settings.reconnect_base_delay * growth)
        pause = longest * random.uniform(0.5, 1.0)  # noqa: S311  (spreads load, hides nothing)
        asked = getattr(trouble, "retry_after", None)
        return pause if asked is None else max(pause, asked)

    async def _once(
        self, http: aiohttp.ClientSession, *, again: bool = False
    ) -> tuple[bool, Exception | None]:
        """One connection, or a try: whether it was a good one, and what was the trouble.

        What ends it for good is raised.
        """
        loop = asyncio.get_running_loop()
        epoch = access.epoch_of(self._context)
        try:
            opened = await self._run_flow(access.obtain(self._context))
            await self._prepare(opened)
            socket = await self._open(http, opened)
        except _RenewedError:
            # Renewed, or another account by now. Tried at once, though not again and again.
            return (False, None) if again else await self._once(http, again=True)
        except PASSING as error:
            self._statistics.failed_connections += 1
            self._dispatcher.trouble(error)
            return False, error
        except AuthenticationError:
            if again or access.epoch_of(self._context) == epoch:
                raise
            # The client went over to another account in the middle of it.
            return await self._once(http, again=True)
        begun = loop.time()
        trouble: Exception | None = None
        interrupted = False
        self._connected(socket)
        try:
            await self._serve(socket, opened)
        except asyncio.CancelledError:
            # Of the program as a whole, which has no use for the news.
            interrupted = not self.stopping
            raise
        except PASSING as error:
            trouble = error
            self._dispatcher.trouble(error)
        except AuthenticationError:
            if self._is_same_account(opened):
                raise
        finally:
            self.opened.clear()
            self._socket = None
            self._release()
            with contextlib.suppress(Exception):
                await socket.close()
            if not interrupted:
                closed = UnknownEvent({"type": "disconnect", "code": socket.close_code})
                self._dispatcher.tell("on_disconnect", closed)
        return loop.time() - begun >= GOOD_AFTER, trouble

    def _is_same_account(self, opened: access.Pass) -> bool:
        return access.epoch_of(self._context) == opened.epoch

    async def _prepare(self, opened: access.Pass) -> None:
        """Find out whose the session is and, before the first connection, what is old by now."""
        if self._epoch != opened.epoch:
            progress = Progress()
            self._own_id = await self._run_flow(access.own_id(self._context, opened))
            if self._settings.catch_up:
                await missed.take_stock(self._get, progress)
            if not self._is_same_account(opened):
                # What was found may be another's.
                raise _RenewedError
            self._epoch = opened.epoch
            self._progress = progress
            self._due = None

    async def _get(self, path: str, params: Mapping[str, Any]) -> Any:
        return await self._run_flow(access.get(self._context, path, params))

    async def _open(
        self, http: aiohttp.ClientSession, opened: access.Pass
    ) -> aiohttp.ClientWebSocketResponse[Any]:
        """The open socket.

        No error of aiohttp leaves this method: some hold the address, and with it the token.
        """
        status: int | None = None
        asked: float | None = None
        try:
            return await _within(self._settings.connect_timeout, self._shake_hands(http, opened))
        except asyncio.TimeoutError:
            reason = f"no answer within {self._settings.connect_timeout:g} seconds"
        except aiohttp.WSServerHandshakeError as error:
            status = error.status
            asked = _seconds(error.headers.get("Retry-After") if error.headers else None)
            reason = f"the server answered {status}"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = of_aiohttp(error, self._proxy())
        where = f"WebSocket {access.WEBSOCKET_PATH}"
        if status in (401, 403):
            raise await self._refusal(opened, where, status)
        if status == 429:
            raise WebSocketRateLimitError(f"{where}: {reason}", retry_after=asked)
        if status is None and reason.startswith("no answer"):
            raise WebSocketTimeoutError(f"{where}: {reason}")
        raise WebSocketConnectionError(f"{where}: {reason}")

    async def _shake_hands(
        self, http: aiohttp.ClientSession, opened: access.Pass
    ) -> aiohttp.ClientWebSocketResponse[Any]:
        from yarl import URL

        proxy = self._proxy()
        authorities = self._context.network.authorities()
        return await http.ws_connect(
            URL(access.address_of(self._context, opened), encoded=True),
            headers=access.headers_of(self._context, opened),
            proxy=None if proxy is None else proxy.url.reveal(),
            ssl=True if authorities is None else context_of(authorities),
            max_msg_size=self._settings.max_message_size,
            timeout=aiohttp.ClientWSTimeout(ws_close=2.0),  # pyright: ignore[reportCallIssue]
            # Pings are answered by the reader, which also counts them as a sign of life.
            autoping=False,
        )

    def _proxy(self) -> Proxy | None:
        return self._context.network.proxy_of(self._context.settings.base_url)

    async def _refusal(self, opened: access.Pass, where: str, status: int) -> WebSocketError:
        """The error of a token that the server does not take.

        A call finds out whether the session has ended. If so it is renewed on the way, and the
        next try has another token.
        """
        await self._run_flow(access.ask_whether_it_lives(self._context))
        if not access.is_current(self._context, opened):
            return _RenewedError()
        return WebSocketAuthenticationError(
            f"{where}: the server answered {status}, but accepts the session for calls",
            status_code=status,
        )

    def _connected(self, socket: aiohttp.ClientWebSocketResponse[Any]) -> None:
        progress = self._progress
        self._socket = socket
        progress.connection += 1
        self._statistics.connections += 1
        if self._settings.catch_up:
            if self._due is None:
                self._due = progress.connection
            self._held = []
        self._paused = False
        self.state = ConnectionState.CONNECTED
        self.opened.set()
        self._dispatcher.tell("on_ready")

    async def _serve(
        self, socket: aiohttp.ClientWebSocketResponse[Any], opened: access.Pass
    ) -> None:
        """Read to the end of the socket; pings, and a look at what was missed, beside that."""
        reader = asyncio.create_task(self._read(socket, opened))
        beside = [asyncio.create_task(self._keep_alive(socket, opened))]
        if self._due is not None:
            beside.append(asyncio.create_task(self._catch_up(opened)))
        left: set[asyncio.Task[None]] = {reader, *beside}
        try:
            while not reader.done():
                done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            trouble, self._trouble = self._trouble, None
            if trouble is not None:
                raise trouble
        finally:
            for task in (reader, *beside):
                task.cancel()
            await asyncio.gather(reader, *beside, return_exceptions=True)

    async def _read(
        self, socket: aiohttp.ClientWebSocketResponse[Any], opened: access.Pass
    ) -> None:
        receive, dispatcher, context = socket.receive, self._dispatcher, self._context
        epoch = opened.epoch
        in_a_row = 0
        while True:
            message = await receive()
            self._heard = True
            kind = message.type
            if kind is _TEXT:
                if access.epoch_of(context) != epoch:
                    return  # Nobody is to answer as one what was written to another.
                self._take(message.data)
                in_a_row += 1
                if in_a_row == BURST:
                    in_a_row = 0
                    await asyncio.sleep(0)
                if dispatcher.crowded:
                    self._paused = True
                    await dispatcher.room()
                    self._paused = False
            elif kind is aiohttp.WSMsgType.PING:
                await socket.pong(message.data)
            elif kind is aiohttp.WSMsgType.PONG:
                self._pong.set()
            elif kind is not aiohttp.WSMsgType.BINARY:
                # CLOSE, CLOSING, CLOSED or ERROR: it is over.
                return

    def _take(self, text: str) -> None:
        event = read_frame(text)
        statistics = self._statistics
        statistics.frames += 1
        if event is None:
            statistics.unreadable += 1
            return
        kind: str = event["type"]
        if kind in (NEW_MESSAGE, SYNC_MESSAGE):
            kind = self._sorted(event, kind)
            if not kind:
                statistics.duplicates += 1
                return
        held = self._held
        if held is None:
            self._dispatcher.hand_out(kind, event)
        else:
            held.append((kind, event))
            if len(held) > MOST_HELD:
                self._release()

    def _sorted(self, event: Reply, kind: str) -> str:
        """As what a message is to be handed out; "" where it has been. It is noted."""
        own_id = self._own_id
        try:
            data = event["data"]
            sender = data["sender_id"]
            if kind == SYNC_MESSAGE and sender != own_id:
                # The last message of all, sent again when the socket opens. Where it was missed
                # it is found over the API.
                return kind
            is_first = self._progress.first_time(data["thread_id"], data["id"])
        except (KeyError, TypeError):
            return kind  # Not as in any frame that was seen: there is nothing to tell it by.
        if sender == own_id:
            # Nobody is to answer themselves, whatever the frame is called.
            return SYNC_MESSAGE
        if not is_first:
            return ""
        self._statistics.messages += 1
        return kind

    def _release(self) -> None:
        """Hand out the frames that waited, and stop holding them back."""
        held, self._held = self._held, None
        for kind, event in held or ():
            self._dispatcher.hand_out(kind, event)

    async def _keep_alive(
        self, socket: aiohttp.ClientWebSocketResponse[Any], opened: access.Pass
    ) -> None:
        settings = self._settings
        while True:
            await asyncio.sleep(settings.ping_interval)
            if not access.is_current(self._context, opened):
                # Renewed by a call: the server may say nothing more to the old one.
                await socket.close()
                return
            self._heard = False
            self._pong.clear()
            try:
                await socket.ping()
                await _within(settings.ping_timeout, self._pong.wait())
            except asyncio.TimeoutError:
                # While handlers are behind nothing is read, and so no pong either.
                if not (self._heard or self._paused):
                    self._trouble = WebSocketTimeoutError(
                        f"WebSocket {access.WEBSOCKET_PATH}: a ping was not answered within "
                        f"{settings.ping_timeout:g} seconds"
                    )
                    await socket.close()
                    return
            except (ConnectionError, RuntimeError):
                return  # It is closing; the reader sees it too.

    async def _catch_up(self, opened: access.Pass) -> None:
        """Look for what was missed until that was possible; the frames of now wait for one look."""
        failures = 0
        while self._due is not None:
            progress = self._progress
            try:
                found = await missed.look(self._get, progress, self._due, self._own_id)
            except PASSING as error:
                self._release()
                self._dispatcher.trouble(error)
                failures += 1
                await asyncio.sleep(self._delay(failures, error))
            else:
                if not self._is_same_account(opened):
                    return  # What was found may be another's.
                self._recover(found, progress)

    def _recover(self, found: missed.Missed, progress: Progress) -> None:
        for event in found.events:
            if progress.first_time(event["data"]["thread_id"], event["data"]["id"]):
                self._statistics.recovered += 1
                self._statistics.messages += 1
                self._dispatcher.hand_out(NEW_MESSAGE, event)
        for thread_id, message_id in found.own:
            progress.first_time(thread_id, message_id)
        progress.settle(found.newest)
        for message_id in found.newest.values():
            progress.settle_the_rest(message_id)
        self._due = None
        self._release()


class _RenewedError(WebSocketConnectionError):
    """The session had ended and was renewed: the next try has another token."""

    def __init__(self) -> None:
        super().__init__("the session was renewed")


async def _within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """What *work* gives. Raises `asyncio.TimeoutError`, and then it has ended.

    `asyncio.wait_for` before Python 3.12 loses a cancellation that comes while the work ends, and
    with it a `stop()`.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            return task.result()
        raise asyncio.TimeoutError
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _seconds(text: str | None) -> float | None:
    """`Retry-After` in seconds; None where it is missing or something else."""
    return float(text) if text is not None and text.isascii() and text.isdigit() else None

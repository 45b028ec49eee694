"""What the two clients offer of live events."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from interpal.exceptions import InterpalException
from interpal.live.connection import Connection, ConnectionState, Settings, Statistics
from interpal.live.handlers import Dispatcher, Handlers, in_a_handler

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from interpal.flows.context import ClientContext
    from interpal.live.connection import Run
    from interpal.live.handlers import Lane

F = TypeVar("F", bound="Callable[..., Any]")


class EventDecorator(Protocol):
    """What `client.event` is: a decorator, with or without the name of an event."""

    @overload
    def __call__(self, name: F) -> F: ...
    @overload
    def __call__(self, name: str | None = None) -> Callable[[F], F]: ...


class LiveEvents:
    """The live events of one client: its handlers, and the connection while there is one.

    `settings` may be replaced before the connection is opened.
    """

    def __init__(
        self,
        context: ClientContext,
        *,
        threads: bool = False,
    ) -> None:
        self.handlers = Handlers()
        self.settings = Settings()
        self.statistics = Statistics()
        # Makers of lanes beside the handlers', as a bot has for its commands.
        self.others: list[Callable[[Dispatcher], tuple[str, Lane]]] = []
        self._context = context
        self._threads = threads
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._context.state.name} {self.state.name.lower()}>"

    # Handlers.

    @overload
    def event(self, name: F) -> F: ...
    @overload
    def event(self, name: str | None = None) -> Callable[[F], F]: ...
    def event(self, name: Any = None) -> Any:
        """Decorate a handler: `@client.event`, or `@client.event("on_message")`.

        Without a name the event is the one that the function is called like. Raises
        `ValidationError` for what is no name of an event.
        """
        if callable(name):
            self.handlers.add(getattr(name, "__name__", None), name)
            return name

        def decorate(function: F) -> F:
            known = getattr(function, "__name__", None) if name is None else name
            self.handlers.add(known, function)
            return function

        return decorate

    on = event

    def register_event(self, name: str, function: Callable[..., Any]) -> None:
        """Have *function* called at every event *name*."""
        self.handlers.add(name, function)

    # State.

    @property
    def state(self) -> ConnectionState:
        """Where the connection stands."""
        connection = self._connection
        return ConnectionState.DISCONNECTED if connection is None else connection.state

    @property
    def is_connected(self) -> bool:
        """Whether the socket is open."""
        return self.state is ConnectionState.CONNECTED

    def get_statistics(self) -> dict[str, int]:
        """Counts since the client was made: frames, messages, recovered ones, connections, …"""
        return self.statistics.as_dict()

    # Names of interpal 1.x.

    @property
    def _max_reconnect_attempts(self) -> int | None:
        return self.settings.max_reconnect_attempts

    @_max_reconnect_attempts.setter
    def _max_reconnect_attempts(self, value: int | None) -> None:
        self.settings = self.settings._replace(max_reconnect_attempts=value)

    @property
    def _reconnect_delay(self) -> float:
        return self.settings.reconnect_base_delay

    @_reconnect_delay.setter
    def _reconnect_delay(self, value: float) -> None:
        self.settings = self.settings._replace(reconnect_base_delay=value)

    # Running.

    async def run(self, run_flow: Run, opened: Callable[[], None] | None = None) -> None:
        """Connect, and hand out events until `stop`; *opened* is called once at the first socket.

        Raises what no other try can mend (`AuthenticationError`, `ValidationError`, …), and
        `RuntimeError` where it is running already.
        """
        if self._task is not None:
            raise RuntimeError("the live events of this client are running already")
        if self._stopping:
            return
        dispatcher = Dispatcher(self.handlers, threads=self._threads, others=self.others)
        connection = self._connection = Connection(
            self._context,
            self.settings,
            self.statistics,
            dispatcher,
            run_flow,
        )
        task = self._task = asyncio.create_task(connection.run(), name="interpal live events")
        beside = None if opened is None else asyncio.create_task(_after(connection, opened))
        patience = self.settings.shutdown_timeout
        try:
            await task
        except asyncio.CancelledError:
            if not self._stopping:
                patience = 0.0
                raise
        except InterpalException as error:
            dispatcher.trouble(error)
            raise
        finally:
            self._task = None
            self._stopping = False
            if beside is not None:
                beside.cancel()
            await dispatcher.close(patience)

    def stop(self) -> None:
        """End `run` once the handlers have finished what was handed out. From its event loop."""
        if self._task is not None and not self._stopping:
            self._stopping = True
            if self._connection is not None:
                self._connection.stopping = True
            self._task.cancel()

    async def send(self, data: Mapping[str, Any]) -> None:
        """Send a JSON object. (No client of the site is known to send any.)"""
        from interpal.exceptions import WebSocketConnectionError

        if self._connection is None:
            raise WebSocketConnectionError("the WebSocket is not connected")
        await self._connection.send(data)


async def _after(connection: Connection, opened: Callable[[], None]) -> None:
    await connection.opened.wait()
    opened()


class AwaitedLiveEvents(LiveEvents):
    """Live events of `AsyncInterpalClient`: they run in its event loop."""

    def __init__(self, context: ClientContext, run_flow: Run) -> None:
        super().__init__(context)
        self._run_flow = run_flow
        self._background: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect, and hand out events until `disconnect`. Raises as `run` does."""
        await self.run(self._run_flow)

    async def connect(self) -> None:
        """Start in the background; return at the first open socket. Raises as `run` does."""
        if self._background is not None and not self._background.done():
            return
        opened = asyncio.Event()
        self._background = background = asyncio.create_task(self.run(self._run_flow, opened.set))
        # Its error was given to `on_error`, and is raised here where it comes before the socket.
        background.add_done_callback(lambda task: task.cancelled() or task.exception())
        waiting = asyncio.create_task(opened.wait())
        try:
            await asyncio.wait({background, waiting}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            background.cancel()
            raise
        finally:
            waiting.cancel()
        if background.done():
            background.result()

    async def disconnect(self) -> None:
        """Stop. Handlers finish what was handed out to them; called in one, it does not wait."""
        self.stop()
        background, self._background = self._background, None
        if background is not None and not in_a_handler.get():
            await asyncio.wait({background})


class BlockingLiveEvents(LiveEvents):
    """Live events of `InterpalClient`: they run in a thread of their own.

    *flows* makes what runs a flow in the event loop of that thread. Plain functions as handlers
    run in a thread each, coroutine functions in the thread of the connection.
    """

    def __init__(
        self,
        context: ClientContext,
        flows: Callable[[], AsyncGenerator[Run, None]],
    ) -> None:
        super().__init__(context, threads=True)
        self._flows = flows
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: Future[None] | None = None

    def start(self) -> None:
        """Connect, and hand out events until `disconnect`. Raises as `run` does.

        An interrupt (Ctrl-C) ends it; handlers finish what was handed out to them.
        """
        self.connect()
        self.wait()

    def wait(self) -> None:
        """Wait for the end of what `connect` has started. Raises as `run` does."""
        ended = self._ended
        if ended is None:
            return
        try:
            ended.result()
        except KeyboardInterrupt:
            self.disconnect()
            raise

    def connect(self) -> None:
        """Start in the background; return at the first open socket. Raises as `run` does."""
        if self._thread is not None and self._thread.is_alive():
            return
        opened: Future[None] = Future()
        ended: Future[None] = Future()
        self._ended = ended
        self._stopping = False
        self._thread = threading.Thread(
            target=self._main, args=(opened, ended), name="interpal live events", daemon=True
        )
        self._thread.start()
        try:
            opened.result()
        except KeyboardInterrupt:
            self.disconnect()
            raise

    def disconnect(self) -> None:
        """Stop. Handlers finish what was handed out to them; called in one, it does not wait."""
        thread = self._thread
        if thread is None:
            return
        self.end()
        if not in_a_handler.get() and thread is not threading.current_thread():
            thread.join()

    def end(self) -> None:
        """Stop, without waiting; from any thread, or a signal handler."""
        loop = self._loop
        if loop is None:
            # Too early, or too late.
            self._stopping = True
            return
        try:
            loop.call_soon_threadsafe(self._end)
        except RuntimeError:
            pass  # It has ended by itself.

    def _end(self) -> None:
        if self._task is None:
            self._stopping = True
        else:
            self.stop()

    def _main(self, opened: Future[None], ended: Future[None]) -> None:
        error: BaseException | None = None
        try:
            asyncio.run(self._in_thread(opened))
        except BaseException as caught:  # noqa: BLE001  (handed to whoever waits)
            error = caught
        for future in (opened, ended):
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
        self._loop = None

    async def _in_thread(self, opened: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        flows = self._flows()
        run_flow = await anext(flows)
        try:
            await self.run(run_flow, lambda: opened.set_result(None))
        finally:
            await flows.aclose()

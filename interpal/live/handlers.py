"""Handlers: which function hears of which event, and how each is called.

Every handler has a *lane* of its own: its events come one after the other and in order, and a slow
one delays nobody else's, nor the socket. A coroutine function runs as a task of the event loop; a
plain function of a blocking client runs in a thread of its own. What waits in a lane is bounded:
while one is full, nothing more is read from the socket.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from contextvars import ContextVar
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from interpal._log import Logger
from interpal.exceptions import ValidationError
from interpal.live.frames import NAMES, handler_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Handler = Any
"""A function or coroutine function; it is given as many arguments as it takes."""

MOST_WAITING = 1_000
# Handlers that never wait for anything let others have a turn after so many events.
IN_A_ROW = 100

# Whether a handler is running in this task or thread.
in_a_handler: ContextVar[bool] = ContextVar("in_a_handler", default=False)

_log = Logger("interpal.live")


def event_name(name: object) -> str:
    """The name of a handler, `on_…`. Raises `ValidationError`."""
    if not isinstance(name, str) or not name.isidentifier():
        raise ValidationError("event: expected a name such as on_message")
    name = name if name.startswith("on_") else f"on_{name}"
    if name == "on_event":
        raise ValidationError(
            "event: on_event= is an argument of the client, for events of the session; for frames "
            "of every type use on_frame"
        )
    return name


class Handlers:
    """The functions of one client by the names of their events."""

    def __init__(self) -> None:
        self._functions: dict[str, list[Handler]] = {}
        # Another number whenever something has changed.
        self.version = 0

    def add(self, name: object, function: Handler) -> None:
        """Have *function* called at every event *name*; twice added is called once."""
        known = event_name(name)
        if not callable(function):
            raise ValidationError(f"{known}: expected a function")
        functions = self._functions.setdefault(known, [])
        if function not in functions:
            functions.append(function)
            self.version += 1

    def remove(self, name: object, function: Handler) -> None:
        """Call it no longer. Does nothing where it was not added."""
        functions = self._functions.get(event_name(name), [])
        if function in functions:
            functions.remove(function)
            self.version += 1

    def of(self, name: str) -> list[Handler]:
        """The handlers of an event, in the order in which they were added."""
        return list(self._functions.get(name, ()))


class Lane:
    """The events of one handler. `put` never waits; `Dispatcher.crowded` says when to."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher
        self._emptied: asyncio.Future[None] | None = None

    @property
    def unfinished(self) -> int:
        """How many events wait for the handler or are with it."""
        raise NotImplementedError

    def put(self, arguments: tuple[Any, ...]) -> None:
        """Add an event: what the handler is called with."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Handle nothing more."""
        raise NotImplementedError

    def progressed(self) -> None:
        """Some events were handled: whoever waits for that is woken. In the event loop."""
        unfinished = self.unfinished
        if unfinished <= MOST_WAITING // 2:
            self.dispatcher.relieve(self)
        if not unfinished and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    async def finish(self) -> None:
        """Return once all that was put is handled."""
        while self.unfinished:
            self._emptied = asyncio.get_running_loop().create_future()
            await self._emptied


class TaskLane(Lane):
    """Calls a coroutine function, or on the event loop a plain one."""

    def __init__(self, dispatcher: Dispatcher, function: Handler, arity: int) -> None:
        super().__init__(dispatcher)
        self._function = function
        self._arity = arity
        self._awaits = _is_coroutine_function(function)
        self._queue: deque[tuple[Any, ...]] = deque()
        self._idle: asyncio.Future[None] | None = None
        self._task = asyncio.create_task(self._work(), name=f"interpal {_name_of(function)}")

    @property
    def unfinished(self) -> int:
        """How many events wait for the handler or are with it."""
        return len(self._queue) + (self._idle is None)

    def put(self, arguments: tuple[Any, ...]) -> None:
        """Add an event: what the handler is called with."""
        self._queue.append(arguments)
        idle = self._idle
        if idle is not None:
            self._idle = None
            if not idle.done():
                idle.set_result(None)
        elif len(self._queue) >= MOST_WAITING:
            self.dispatcher.crowd(self)

    async def _work(self) -> None:
        in_a_handler.set(True)
        queue, function, arity, awaits = self._queue, self._function, self._arity, self._awaits
        loop = asyncio.get_running_loop()
        in_a_row = 0
        while True:
            while queue:
                arguments = queue.popleft()
                try:
                    result = function(*arguments[:arity])
                    if awaits or inspect.isawaitable(result):
                        await result
                except Exception as error:  # noqa: BLE001  (the handler is the user's)
                    self.dispatcher.failed(function, error, arguments)
                except asyncio.CancelledError as error:
                    if self.dispatcher.closing:
                        raise
                    # Of something the handler awaited; the handler's events go on.
                    self.dispatcher.failed(function, error, arguments)
                in_a_row += 1
                if in_a_row >= IN_A_ROW:
                    in_a_row = 0
                    self.progressed()
                    await asyncio.sleep(0)
            self._idle = loop.create_future()
            self.progressed()
            await self._idle

    def cancel(self) -> None:
        """Handle nothing more."""
        self._task.cancel()


class ThreadLane(Lane):
    """Calls a plain function in a thread, which ends with the program."""

    def __init__(self, dispatcher: Dispatcher, function: Handler, arity: int) -> None:
        super().__init__(dispatcher)
        self._function = function
        self._arity = arity
        self._queue: SimpleQueue[tuple[Any, ...] | None] = SimpleQueue()
        self._unfinished = 0
        self._guard = threading.Lock()
        self._cancelled = False
        self._thread = threading.Thread(
            target=self._work, name=f"interpal {_name_of(function)}", daemon=True
        )
        self._thread.start()

    @property
    def unfinished(self) -> int:
        """How many events wait for the handler or are with it."""
        return self._unfinished

    def put(self, arguments: tuple[Any, ...]) -> None:
        """Add an event: what the handler is called with."""
        with self._guard:
            self._unfinished += 1
        self._queue.put(arguments)
        if self._unfinished >= MOST_WAITING:
            self.dispatcher.crowd(self)

    def _work(self) -> None:
        in_a_handler.set(True)
        dispatcher = self.dispatcher
        while True:
            arguments = self._queue.get()
            if arguments is None:
                return
            if not self._cancelled:
                try:
                    self._function(*arguments[: self._arity])
                except Exception as error:  # noqa: BLE001  (the handler is the user's)
                    dispatcher.from_thread(dispatcher.failed, self._function, error, arguments)
            with self._guard:
                self._unfinished -= 1
                left = self._unfinished
            if left in (0, MOST_WAITING // 2):
                dispatcher.from_thread(self.progressed)

    def cancel(self) -> None:
        """Handle nothing more."""
        self._cancelled = True
        self._queue.put(None)


class Dispatcher:
    """Hands events to lanes. Used in the event loop that it was made in."""

    def __init__(
        self,
        handlers: Handlers,
        *,
        threads: bool = False,
        others: Iterable[Callable[[Dispatcher], tuple[str, Lane]]] = (),
    ) -> None:
        """*threads* runs plain functions in threads.

        *others* make lanes beside the handlers', each with the type of frames that it hears of.
        """
        self._loop = asyncio.get_running_loop()
        self._handlers = handlers
        self._threads = threads
        self._version = -1
        self._lanes: dict[tuple[str, Handler], Lane] = {}
        self._of_kind: dict[str, list[Callable[[tuple[Any, ...]], None]]] = {}
        self._crowded: set[Lane] = set()
        self._relief: asyncio.Future[None] | None = None
        # Whether a lane is full: nothing more is to be read before `room` returns.
        self.crowded = False
        self.closing = False
        self.failures = 0
        self._others: dict[str, list[Lane]] = {}
        for make in others:
            kind, lane = make(self)
            self._others.setdefault(kind, []).append(lane)

    async def room(self) -> None:
        """Wait until no lane is full."""
        while self._crowded:
            if self._relief is None or self._relief.done():
                self._relief = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._relief)

    def crowd(self, lane: Lane) -> None:
        """A lane is full."""
        self._crowded.add(lane)
        self.crowded = True

    def relieve(self, lane: Lane) -> None:
        """A lane has room again."""
        if lane in self._crowded:
            self._crowded.discard(lane)
            self.crowded = bool(self._crowded)
            if not self._crowded and self._relief is not None and not self._relief.done():
                self._relief.set_result(None)

    def from_thread(self, what: Callable[..., None], *arguments: Any) -> None:
        """Call it in the event loop, from another thread. Does nothing where that has ended."""
        try:
            self._loop.call_soon_threadsafe(what, *arguments)
        except RuntimeError:
            pass

    def hand_out(self, kind: str, event: Any) -> None:
        """Give a frame to every handler of its type, and to those of `on_frame`."""
        if self._version != self._handlers.version:
            self._of_kind.clear()
            self._version = self._handlers.version
        puts = self._of_kind.get(kind)
        if puts is None:
            lanes = [lane for name in handler_names(kind) for lane in self._lanes_of(name)]
            lanes += self._lanes_of("on_frame")
            lanes += self._others.get(kind, ())
            puts = [lane.put for lane in lanes]
            # A server may make up types without end.
            if kind in NAMES:
                self._of_kind[kind] = puts
        arguments = (event,)
        for put in puts:
            put(arguments)

    def tell(self, name: str, *arguments: Any) -> None:
        """Give what is no frame to the handlers of *name*."""
        for lane in self._lanes_of(name):
            lane.put(arguments)

    def _lanes_of(self, name: str) -> list[Lane]:
        return [self._lane(name, function) for function in self._handlers.of(name)]

    def _lane(self, name: str, function: Handler) -> Lane:
        lane = self._lanes.get((name, function))
        if lane is None:
            plain = not _is_coroutine_function(function)
            kind = ThreadLane if self._threads and plain else TaskLane
            lane = self._lanes[name, function] = kind(self, function, arity_of(function))
        return lane

    def failed(self, function: Handler, error: BaseException, arguments: tuple[Any, ...]) -> None:
        """A handler has raised: `on_error` hears of it, or else the log."""
        self.failures += 1
        heard = self._handlers.of("on_error")
        if heard and function not in heard:
            event = arguments[0] if arguments else None
            self.tell("on_error", error, event)
            return
        _log.error("the handler %s raised", _name_of(function), error=error)

    def trouble(self, error: Exception) -> None:
        """Something is wrong with the connection: `on_error` hears of it, or else the log."""
        if self._handlers.of("on_error"):
            self.tell("on_error", error, None)
        else:
            _log.warning("%s: %s", type(error).__name__, error)

    async def close(self, seconds: float) -> None:
        """Let the handlers finish what was handed out, for so long; then end them."""
        if seconds > 0:
            try:
                await asyncio.wait_for(self._finish(), seconds)
            except asyncio.TimeoutError:
                _log.warning("handlers were still running after %g seconds", seconds)
        self.closing = True
        for lane in self._all_lanes():
            lane.cancel()

    async def _finish(self) -> None:
        # One handler may give another something to do, as one that raises does to on_error.
        while True:
            lanes = self._all_lanes()
            for lane in lanes:
                await lane.finish()
            # What a thread sent to the loop before it ended is handled first.
            await asyncio.sleep(0)
            if lanes == self._all_lanes() and not any(lane.unfinished for lane in lanes):
                return

    def _all_lanes(self) -> list[Lane]:
        return [*self._lanes.values(), *(lane for some in self._others.values() for lane in some)]


def arity_of(function: Handler) -> int:
    """How many positional arguments a handler takes, at most two."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return 2
    return min(len(positional), 2)


def _is_coroutine_function(function: Handler) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004  (an object with an async __call__)
    )


def _name_of(function: Handler) -> str:
    return str(getattr(function, "__qualname__", type(function).__name__))

"""The threads in which one asyncio client does its steps: its own, which nothing else fills.

`drive` runs a flow there for a task.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from interpal._clock import monotonic
from interpal.exceptions import NetworkError
from interpal.sessions.singleflight import running_for
from interpal.sessions.wait import AbandonedError, is_abandoned
from interpal.transport.messages import Pause
from interpal.vault.files.forks import Process

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from interpal.exceptions import InterpalException
    from interpal.sessions.wait import Flow, Step

T = TypeVar("T")

# Seconds between the clock of an event loop and that of waits, where the two are the same one.
_SAME_CLOCK = 60.0

THREADS = 4
"""Steps of one client that run at once, however many tasks wait; most take no millisecond."""


class Ended(NamedTuple):
    """A flow that has returned. (A future cannot carry its StopIteration.)"""

    value: Any


class Worker:
    """Runs what may block in a few threads, which end with `close` or with their client.

    What a cancelled task has left is not waited for: a step that has not begun does not begin,
    and the result of one that runs is dropped when it ends.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._process = Process()
        self._left: set[Future[Any]] = set()

    async def run(self, work: Callable[[], T]) -> T:
        """Do *work* in a thread. A StopIteration of it is a RuntimeError, as in a coroutine."""
        call = partial(_without_stop, work)
        return await asyncio.wrap_future(self._submit(contextvars.copy_context(), call))

    async def step(self, running: Running, work: Callable[[], T]) -> T:
        """Do a step of a flow in a thread. A task that is cancelled leaves it there."""
        future = self._submit(running.context, work)
        try:
            return await asyncio.wrap_future(future)
        finally:
            if not future.done():
                self._keep(future)

    def leave(self, running: Running) -> None:
        """Close a flow that has not ended, in a thread: its locks may be files, or in a network."""
        if running.leave():
            self._keep(self._submit(running.context, running.close))

    async def settle(self) -> None:
        """Wait for what cancelled tasks have left."""
        while left := [asyncio.wrap_future(future) for future in self._left.copy()]:
            await asyncio.gather(*left, return_exceptions=True)

    async def close(self) -> None:
        """Wait for what cancelled tasks have left, and end the threads."""
        await self.settle()
        self.end()

    def end(self) -> None:
        """End the threads when they have done what they have."""
        with self._guard:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False)

    def _keep(self, future: Future[Any]) -> None:
        self._left.add(future)
        future.add_done_callback(self._left.discard)

    def _submit(self, context: contextvars.Context, work: Callable[[], T]) -> Future[T]:
        with self._guard:
            if self._executor is None or not self._process.is_current:
                # After a fork as well: the child has none of the threads.
                self._executor = ThreadPoolExecutor(THREADS, "interpal")
                self._process = Process()
            # A context is entered by one thread at a time: a copy for each step.
            return self._executor.submit(context.copy().run, work)


def _without_stop(work: Callable[[], T]) -> T:
    try:
        return work()
    except StopIteration as error:
        # A future cannot carry it: its task would wait for ever.
        raise RuntimeError("a call raised StopIteration") from error


class Running:
    """One flow that is driven by a task, and whether the task has left it."""

    def __init__(self, flow: Flow[Any]) -> None:
        self._flow = flow
        self._guard = threading.Lock()
        self._busy = False
        self._left = False
        self.context = contextvars.copy_context()
        self.context.run(running_for.set, id(asyncio.get_running_loop()))
        self.context.run(is_abandoned.set, self._is_left)

    def step(self, answer: Any, trouble: InterpalException | None) -> Step | Ended | None:
        """The next step of the flow, in a thread. None where the task has left it."""
        with self._guard:
            if self._left:
                return None
            self._busy = True
        try:
            return self._flow.send(answer) if trouble is None else self._flow.throw(trouble)
        except StopIteration as end:
            return Ended(end.value)
        except AbandonedError:
            return None
        finally:
            if self._has_ended():
                self._flow.close()

    def _has_ended(self) -> bool:
        with self._guard:
            self._busy = False
            return self._left

    def leave(self) -> bool:
        """The task goes. True where the flow is to be closed; a step that runs does so itself."""
        with self._guard:
            self._left = True
            return not self._busy and self._flow.gi_frame is not None  # type: ignore[attr-defined]

    def close(self) -> None:
        """Close the flow: what it holds is freed."""
        self._flow.close()

    def _is_left(self) -> bool:
        return self._left


async def drive(flow: Flow[T], send: Callable[[Any], Any], worker: Worker) -> T:
    """Run a flow to its end: each step in a thread of *worker*, requests and pauses awaited.

    A task that is cancelled goes at once. A step that runs ends in its thread; nothing is sent
    or saved for it any more, and the flow is closed there.
    """
    running = Running(flow)
    answer: Any = None
    trouble: InterpalException | None = None
    try:
        while True:
            done = await worker.step(running, partial(running.step, answer, trouble))
            if isinstance(done, Ended):
                result: T = done.value
                return result
            answer = trouble = None
            if isinstance(done, Pause):
                await _sleep(done.seconds)
            elif done is not None:
                try:
                    answer = await send(done)
                except NetworkError as error:
                    trouble = error
    finally:
        worker.leave(running)


async def _sleep(seconds: float) -> None:
    """Sleep by the clock of waits, also where that of the loop stands: freezegun stops it."""
    loop = asyncio.get_running_loop()
    if abs(loop.time() - monotonic()) < _SAME_CLOCK:
        await asyncio.sleep(seconds)
        return
    over = asyncio.Event()
    timer = threading.Timer(seconds, lambda: loop.call_soon_threadsafe(over.set))
    timer.daemon = True
    timer.start()
    try:
        await over.wait()
    finally:
        timer.cancel()

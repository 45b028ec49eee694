"""An event loop whose clock stands while something happens, and jumps when nothing does.

Sockets, threads and files are real. Hours of pauses, pings and slow handlers take seconds.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

_submit = ThreadPoolExecutor.submit

# What is on its way over loopback arrives within this; real seconds.
GRACE = 0.002


class _Selector(selectors.DefaultSelector):
    """Waits as long as threads work; else the clock of the loop jumps in the place of waiting."""

    loop: VirtualTimeLoop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        found = super().select(0)
        while not found:
            if self.loop.working or timeout is None:
                found = super().select(0.05)
                if timeout is None:
                    return found
                continue
            found = super().select(GRACE)
            if not found and not self.loop.working:
                self.loop.now += timeout
                return found
        return found


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` is virtual; what runs in thread pools holds the clock (`submit`)."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self.now = 1000.0
        self.working = 0
        self._counting = threading.Lock()
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def submit(self, pool: ThreadPoolExecutor, work: Callable[..., Any], *args: Any) -> Future[Any]:
        """In the place of `ThreadPoolExecutor.submit`, from the thread of the loop or another."""
        with self._counting:
            self.working += 1
        future = _submit(pool, work, *args)
        future.add_done_callback(self._done)
        return future

    def _done(self, _: object) -> None:
        # What waits for the result hears of it in the same turn of the loop, or before.
        with suppress(RuntimeError):  # the loop is closed
            self.call_soon_threadsafe(self._count_down)

    def _count_down(self) -> None:
        with self._counting:
            self.working -= 1

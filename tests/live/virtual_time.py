"""An event loop whose clock stands while something happens, and jumps when nothing does.

Sockets, threads and files are real. Hours of pauses, pings and slow handlers take seconds.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

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
    """`time()` is virtual; what runs in executors holds the clock."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self.now = 1000.0
        self.working = 0
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> Any:
        self.working += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._done)
        return future

    def _done(self, _: object) -> None:
        self.working -= 1

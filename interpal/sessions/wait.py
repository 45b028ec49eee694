"""How flows wait: for a lock, or for an action that needs one. Waiting is a `Pause`.

`drive` runs a flow here; `interpal._worker.drive` runs it for a task, which may be cancelled
before the flow is done: `check_not_abandoned`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from interpal._clock import monotonic
from interpal._lazy import LateModule
from interpal._log import Logger
from interpal.exceptions import LockTimeoutError, NetworkError

if TYPE_CHECKING:
    from typing import Protocol

    from interpal.transport import messages
    from interpal.transport.messages import Pause, Request

    Step = Request | Pause

    class Lock(Protocol):
        """What can be waited for."""

        def try_acquire(self) -> bool:
            """Take it if it is free."""
            ...

        def holder(self) -> str | None:
            """Who holds it, where that is known."""
            ...

else:
    messages = LateModule("interpal.transport.messages")
    # Whoever reads annotations finds any step here: to name the two would load them.
    Step = object

T = TypeVar("T")
Flow = Generator[Step, Any, T]

_log = Logger("interpal.flows")

SHORTEST_PAUSE = 0.005
LONGEST_PAUSE = 0.25
WAITING_IS_SHOWN_AFTER = 1.0


# Whether nobody waits any more for the flow that runs here: no, where no driver has set it.
is_abandoned: ContextVar[Callable[[], bool]] = ContextVar("is_abandoned", default=bool)


class AbandonedError(Exception):
    """The task that wanted this step was cancelled. Its driver drops it."""


def check_not_abandoned() -> None:
    """Raise `AbandonedError` where nobody waits for the flow any more: nothing is to come of it."""
    if is_abandoned.get()():
        raise AbandonedError


def pauses(longest: float = LONGEST_PAUSE) -> Generator[Pause, None, None]:
    """Growing pauses with jitter, so that those who wait do not come back in step."""
    import random

    pause = SHORTEST_PAUSE
    while True:
        yield messages.Pause(pause * random.uniform(0.5, 1.0))  # noqa: S311  (spreads load, hides nothing)
        pause = min(pause * 2, longest)


def patiently(action: Callable[[], T], seconds: float) -> Flow[T]:
    """Do *action*, again and again while somebody holds the write lock that it needs.

    Raises the action's `LockTimeoutError` where that takes longer than *seconds*.
    """
    start = monotonic()
    deadline = start + seconds
    coming = pauses()
    while True:
        try:
            return action()
        except LockTimeoutError as error:
            now = monotonic()
            if now >= deadline:
                # It was tried without waiting, again and again.
                waited = f"after waiting {now - start:.0f} s"
                error.args = (str(error).replace("after waiting 0 s", waited),)
                raise
        yield next(coming)


def wait_for(lock: Lock, deadline: float, what: str, path: str | None = None) -> Flow[None]:
    """Take *lock*. *deadline* is by the monotonic clock.

    Raises `LockTimeoutError` with the holder. A holder that is stopped is waited for like any
    other: a lock is never taken away from a process that lives.
    """
    start = monotonic()
    shown = False
    coming = pauses()
    while True:
        if lock.try_acquire():
            return
        now = monotonic()
        if now >= deadline:
            holder = lock.holder()
            raise LockTimeoutError(
                f"{path or 'this client'}: {what}: {_who(holder)} has held the login lock for "
                f"{now - start:.0f} seconds; see what it is doing, or give a longer lock_timeout",
                path=path,
                holder=holder,
            )
        if not shown and now - start >= WAITING_IS_SHOWN_AFTER:
            shown = True
            _log.info("waiting for %s: %s is at it", what, _who(lock.holder()))
        yield messages.Pause(min(next(coming).seconds, max(deadline - now, 0.0)), in_line=True)


def pause(step: Pause) -> None:
    """Sleep."""
    time.sleep(step.seconds)


def drive(flow: Flow[T], send: Callable[[Any], Any], wait: Callable[[Pause], None] = pause) -> T:
    """Run a flow to its end: send its requests, wait its pauses. Frees its locks in any case."""
    proceed: Callable[[], Step] = partial(next, flow)
    try:
        while True:
            try:
                step = proceed()
            except StopIteration as end:
                return cast("T", end.value)
            if isinstance(step, messages.Pause):
                wait(step)
                proceed = partial(next, flow)
                continue
            try:
                proceed = partial(flow.send, send(step))
            except NetworkError as error:
                proceed = partial(flow.throw, error)
    finally:
        flow.close()


def _who(holder: str | None) -> str:
    if holder == str(os.getpid()):
        return "another thread or task of this process"
    unseen = "a process that cannot be seen from here (of another container or user)"
    return unseen if holder is None else f"process {holder}"

"""One flight per account in one process: threads and tasks line up here before any file lock."""

from __future__ import annotations

import os
from _thread import RLock, get_ident
from contextvars import ContextVar

from interpal.vault.files.forks import in_child

# Held for moments only; also by the handler of a signal that comes in one of them.
_guard = RLock()
_flights: dict[tuple[object, str], Flight] = {}

# The event loop that a flow runs for; the flow itself runs in a worker thread.
running_for: ContextVar[int | None] = ContextVar("running_for", default=None)


class Work:
    """What a flow is at: for an event loop, or (None) in the thread that began it."""

    __slots__ = ("_thread", "loop")

    def __init__(self) -> None:
        self.loop, self._thread = running_for.get(), get_ident()

    def is_below(self) -> bool:
        """Whether it was interrupted in this thread, by a signal for one: waited for in vain."""
        return self.loop is None and self._thread == get_ident()


class Flight(Work):
    """The right of one flow to log in to an account. Belongs to the flow, not to a thread."""

    __slots__ = ("_key",)

    def __init__(self, key: tuple[object, str]) -> None:
        """*key* names the place that sessions are kept in, and the account."""
        super().__init__()
        self._key = key

    def try_acquire(self) -> bool:
        """Take the account's flight if nobody in this process has it. Never blocks."""
        with _guard:
            return _flights.setdefault(self._key, self) is self

    def is_held_below(self) -> bool:
        """Whether a flow has it that goes on only when this one has returned: `Work.is_below`."""
        has_it = _flights.get(self._key)
        return has_it is not None and has_it.is_below()

    def holder(self) -> str | None:
        """This process."""
        return str(os.getpid())

    def release(self) -> None:
        """Free it. Does nothing where this object does not hold it."""
        with _guard:
            if _flights.get(self._key) is self:
                del _flights[self._key]


def in_flight(place: object, loop: int) -> bool:
    """Whether a task of the event loop *loop* is in the middle of a login at *place*."""
    with _guard:
        return any(key[0] == place and flight.loop == loop for key, flight in _flights.items())


def _forget_after_fork() -> None:
    """The flights of the parent go on in the parent alone."""
    global _guard
    _guard = RLock()
    _flights.clear()


in_child(_forget_after_fork)

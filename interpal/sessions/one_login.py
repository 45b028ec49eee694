"""One login for all who need it: threads and tasks of this process, and all processes.

The order is the same for every session: line up in the process, then for the account's login
lock in the vault; look again at what another has saved meanwhile; only then log in. What is
looked at, and what a login is, each kind of session says by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from interpal._clock import monotonic
from interpal.exceptions import (
    NotDurableError,
    VaultError,
    VaultIOError,
    VaultNotFoundError,
    VaultPermissionError,
)
from interpal.sessions.singleflight import Flight
from interpal.sessions.wait import Flow, patiently, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from interpal.vault.core.login_locks import AccountLock

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)


class Tell(Protocol):
    """Tells an event: its name, and facts."""

    def __call__(self, name: str, /, *, reason: str = ..., seconds: float = ...) -> None:
        """Tell it."""
        ...


class Renewal(Protocol[S_co]):
    """One wish for another session."""

    @property
    def flight(self) -> tuple[object, str]:
        """The place that sessions are kept in, and the account: what a process lines up for."""
        ...

    def wait(self, lock: Flight | AccountLock, deadline: float) -> Flow[None]:
        """Take *lock* (`wait_visibly`). Raises `LockTimeoutError` after *deadline*."""
        ...

    def arrived(self) -> S_co | None:
        """The session that another of this process has got meanwhile."""
        ...

    def login_lock(self, deadline: float) -> Flow[AccountLock | None]:
        """Take the account's login lock; None where there is none to be had."""
        ...

    def newer(self) -> Flow[S_co | None]:
        """Under the lock: the session that another process has saved meanwhile."""
        ...

    def log_in(self, lock: AccountLock | None) -> Flow[S_co]:
        """Log in, and save the session."""
        ...


def one_login(renewal: Renewal[S], deadline: float) -> Flow[S]:
    """The session that *renewal* gets; *deadline* is by the monotonic clock."""
    flight = Flight(renewal.flight)
    try:
        yield from renewal.wait(flight, deadline)
        arrived = renewal.arrived()
        if arrived is not None:
            return arrived
        lock = yield from renewal.login_lock(deadline)
        try:
            newer = yield from renewal.newer()
            if newer is not None:
                return newer
            return (yield from renewal.log_in(lock))
        finally:
            if lock is not None:
                lock.release()
    finally:
        flight.release()


def wait_visibly(
    lock: Flight | AccountLock, deadline: float, what: str, path: str | None, tell: Tell
) -> Flow[None]:
    """Take *lock*; a wait for it is reported as `login_waited`."""
    start = monotonic()
    if lock.try_acquire():
        return
    try:
        yield from wait_for(lock, deadline, what, path)
    finally:
        tell("login_waited", seconds=round(monotonic() - start, 3))


def take_login_lock(
    wait: Callable[[AccountLock, float], Flow[None]],
    make: Callable[[], AccountLock],
    deadline: float,
    tell: Tell,
    *,
    again: Callable[[], bool] = lambda: True,
    refuses: Callable[[VaultError], bool] = lambda _: False,
) -> Flow[AccountLock | None]:
    """The login lock that *make* makes, taken; None where the vault cannot be written.

    Where *refuses* says so of the reason, that is raised instead.

    *make* makes the vault where it is missing, since its salt gives the lock its place. Where
    somebody removes it in between, it is made *again* if that says so.
    """
    while True:
        lock, is_last = yield from _try_login_lock(wait, make, deadline, tell, refuses)
        if lock is not None or is_last or not again():
            return lock


def _try_login_lock(
    wait: Callable[[AccountLock, float], Flow[None]],
    make: Callable[[], AccountLock],
    deadline: float,
    tell: Tell,
    refuses: Callable[[VaultError], bool],
) -> Flow[tuple[AccountLock | None, bool]]:
    """The login lock, and whether another try is of no use."""
    try:
        lock = yield from patiently(make, max(0.0, deadline - monotonic()))
        yield from wait(lock, deadline)
        return lock, True
    except (VaultNotFoundError, NotDurableError):
        # Removed by somebody in between; or made, and it may not outlive a power cut.
        return None, False
    except (VaultIOError, VaultPermissionError) as error:
        if refuses(error):
            raise
        tell("save_failed", reason=str(error))
        return None, True

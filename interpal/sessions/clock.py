"""The one clock of sessions: aware UTC. Tests turn it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal._clock import datetime, timezone

if TYPE_CHECKING:
    from collections.abc import Callable


def _system() -> datetime:
    return datetime.now(timezone.utc)


# Read by `utc_now` alone.
clock: Callable[[], datetime] = _system


def utc_now() -> datetime:
    """The time by the clock of sessions, aware UTC."""
    return clock()

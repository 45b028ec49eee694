"""The clock of waits: monotonic seconds, also where a test has frozen those of `time`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# In a tuple: freezegun would replace it in the module itself.
_FALLBACK = (time.monotonic,)


def _system() -> float:
    # freezegun replaces `time.monotonic`, in this module too; it leaves this function alone.
    # Windows has none: there it is what was found when this module was loaded.
    if hasattr(time, "clock_gettime"):
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return _FALLBACK[0]()


# Read by `monotonic` alone. Tests turn it.
clock: Callable[[], float] = _system


def monotonic() -> float:
    """Seconds since some moment, the same one for all of this process; never set back."""
    return clock()

"""The clocks: monotonic seconds for waits, and aware UTC for sessions. Tests turn both.

That of waits also goes on where a test has frozen `time`. The types of times are here too: until
Python 3.12, `import datetime` makes each of its classes in Python, and throws them away for those
that are written in C, which takes as long as a dozen modules of this package. They are the same.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from interpal.exceptions import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime as datetime
    from datetime import timedelta as timedelta
    from datetime import timezone as timezone
else:
    try:
        from _datetime import datetime as datetime
        from _datetime import timedelta as timedelta
        from _datetime import timezone as timezone
    except ImportError:
        from datetime import datetime as datetime
        from datetime import timedelta as timedelta
        from datetime import timezone as timezone

LONGEST_SECONDS = 10**9

# In a tuple: freezegun would replace it in the module itself.
_FALLBACK = (time.monotonic,)


def _system() -> float:
    # freezegun replaces `time.monotonic`, in this module too; it leaves this function alone.
    # Windows has none: there it is what was found when this module was loaded.
    if hasattr(time, "clock_gettime"):
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return _FALLBACK[0]()


def _system_utc() -> datetime:
    return datetime.now(timezone.utc)


# Read by `monotonic` alone.
clock: Callable[[], float] = _system
# Read by `utc_now` alone.
utc_clock: Callable[[], datetime] = _system_utc


def monotonic() -> float:
    """Seconds since some moment, the same one for all of this process; never set back."""
    return clock()


def utc_now() -> datetime:
    """The time by the clock of sessions, aware UTC."""
    return utc_clock()


def seconds(argument: str, value: object, *, most: int = LONGEST_SECONDS) -> float:
    """A duration in seconds, at most *most*, as an argument of a caller."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= most:
        return float(value)
    # A number may be too long to be shown.
    shown = "" if isinstance(value, int) else f", not {value!r}"
    raise ValidationError(f"{argument}: expected a number of seconds from 0 to {most}{shown}")


def is_recent(at: datetime | None, now: datetime, span: timedelta) -> bool:
    """Whether *at* was within *span* before *now*; a time after it is of a clock that was wrong."""
    return at is not None and timedelta(0) <= now - at < span

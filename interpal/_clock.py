"""The clock of waits: monotonic seconds, also where a test has frozen those of `time`.

And the types of times. Until Python 3.12, `import datetime` makes each of its classes in Python,
and then throws them away for those that are written in C: a fourth of what a start costs beside
the code of this package. They are taken from there, and are the same ones.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

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

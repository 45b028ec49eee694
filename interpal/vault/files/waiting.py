"""The one way to wait for what another process holds: short, growing, uneven pauses."""

from __future__ import annotations

import os
import time

from interpal._clock import monotonic


class Waiting:
    """Pauses between two tries, until *timeout* seconds of the monotonic clock are over.

    They begin at a millisecond and double up to 50 ms; who has waited for a second tries every
    10 ms again, or would starve among newcomers, who try more often.
    """

    __slots__ = ("_deadline", "_pause", "_start")

    def __init__(self, timeout: float) -> None:
        self._start = monotonic()
        self._deadline = self._start + timeout
        self._pause = 0.001

    def pause(self) -> bool:
        """Wait a little. False, at once, where the time is over."""
        now = monotonic()
        left = self._deadline - now
        if left <= 0:
            return False
        # Uneven, so that many that wait do not all come at the same moment.
        time.sleep(min(left, self._pause * (0.5 + os.urandom(1)[0] / 255)))
        self._pause = min(self._pause * 2, 0.05 if now < self._start + 1 else 0.01)
        return True

"""A lock of the threads of one process, which a fork leaves as it should be (see `forks.py`)."""

from __future__ import annotations

import os
from _thread import allocate_lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _thread import LockType


class ThreadLock:
    """A lock between the threads of one process; a forked child has a free one."""

    __slots__ = ("_locks",)

    def __init__(self) -> None:
        self._locks: dict[int, LockType] = {}

    def acquire(self, timeout: float = -1) -> bool:
        """Take it, after so many seconds at most (0: try once); whether it was taken."""
        return self._locks.setdefault(os.getpid(), allocate_lock()).acquire(timeout=timeout)

    def release(self) -> None:
        """Free it. A child that leaves the block of its parent has taken none."""
        lock = self._locks.get(os.getpid())
        if lock is not None and lock.locked():
            lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self.release()

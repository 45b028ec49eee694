"""A lock of a folder itself, for the instant in which a file in it gets its name."""

from __future__ import annotations

import errno
import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from interpal.vault.files.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Generator

_SECONDS = 10.0


@contextmanager
def locked_folder(fd: int) -> Generator[None, None, None]:
    """Hold the lock of the folder that is open as *fd*. OSError (EAGAIN) after 10 seconds."""
    waiting = Waiting(_SECONDS)
    while not _taken(fd):
        if not waiting.pause():
            raise OSError(errno.EAGAIN, "another process holds a lock of the folder")
    try:
        yield
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)


def _taken(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

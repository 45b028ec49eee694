"""What a thread does that may take long, told by the interpreter itself (PEP 578)."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator

# The disk, locks, other programs, the resolver; a sleep is told from Python 3.11 on.
_BLOCKING = (
    "fcntl.", "open", "os.", "shutil.", "socket.get", "sqlite3.", "subprocess.", "time.sleep",
)  # fmt: skip

_watched: dict[int, list[str]] = {}


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    seen = _watched.get(threading.get_ident())
    if seen is not None and event.startswith(_BLOCKING) and not _is_loading():
        seen.append(f"{event} {arguments[:1]}")


def _is_loading() -> bool:
    """Whether a module is loaded, as each is when it is first used."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_filename == "<frozen importlib._bootstrap_external>":
            return True
    return False


# For good: a hook cannot be taken away.
sys.addaudithook(_hear)


@contextmanager
def blocking_calls() -> Generator[list[str], None, None]:
    """The calls of this thread in the block that may keep it waiting."""
    seen: list[str] = []
    _watched[threading.get_ident()] = seen
    try:
        yield seen
    finally:
        del _watched[threading.get_ident()]

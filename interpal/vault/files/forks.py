"""The one rule for a fork: a child uses nothing of its parent's.

It has copies of the parent's locks, connections and threads; to use or to close them would free
the parent's locks and mix up what both send (docs/reliability.md, trap 3). What holds such a thing
notes the `Process` that made it and asks before using it; what a whole module holds is renewed or
closed by hooks of `os.register_at_fork`: `locks.py`, and `stores/sqlite/connections.py`.
"""

from __future__ import annotations

import os


class Process:
    """The process that something was made in."""

    __slots__ = ("pid",)

    def __init__(self) -> None:
        self.pid = os.getpid()

    @property
    def is_current(self) -> bool:
        """False in a child that was forked since."""
        return self.pid == os.getpid()

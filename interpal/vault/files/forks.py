"""The one rule for a fork: a child uses nothing of its parent's.

It has copies of the parent's locks, connections and threads; to use or to close them would free
the parent's locks and mix up what both send (docs/reliability.md, trap 3). What holds such a thing
notes the `Process` that made it and asks before using it; what a whole module holds is renewed by
what it hands to `in_child`. `locks.py` and `stores/sqlite/connections.py` have hooks of their own:
they hold a lock, or close what is open, around the fork itself.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Process:
    """The process that something was made in."""

    __slots__ = ("pid",)

    def __init__(self) -> None:
        self.pid = os.getpid()

    @property
    def is_current(self) -> bool:
        """False in a child that was forked since."""
        return self.pid == os.getpid()


def in_child(renew: Callable[[], None]) -> None:
    """Call *renew* in every child that is forked from now on, where there are forks.

    For a lock of a module: the child has only the thread that forked, and what another thread held
    would be held for ever.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=renew)

"""No core files: a crash must not write a key to the disk."""

from __future__ import annotations

import resource

_before: list[tuple[int, int]] = []


def forbid() -> None:
    """From now on a crash of this process leaves no core file. Only the soft limit changes."""
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    _before.append(limits)
    resource.setrlimit(resource.RLIMIT_CORE, (0, limits[1]))


def allow_again() -> None:
    """As it was before: for a program that takes the place of this one."""
    if _before:
        resource.setrlimit(resource.RLIMIT_CORE, _before.pop())

"""Mounts of a child's own, which vanish with it: small disks, read-only disks, loop devices."""

from __future__ import annotations

import ctypes
import os
import subprocess
from typing import TYPE_CHECKING

from tests.reliability.children import in_child

if TYPE_CHECKING:
    from collections.abc import Callable

_CLONE_NEWNS = 0x00020000


def in_mounts_of_its_own(work: Callable[[], object]) -> str:
    """What *work* says in a child that may mount and unmount as it likes."""

    def alone() -> object:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWNS) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        run("mount", "--make-rprivate", "/")
        return work()

    ended = in_child(alone)
    assert ended.killed_by == 0, ended
    return ended.said


def mount_allowed() -> str | None:
    """Why mounts cannot be made here; None where they can."""
    if os.geteuid() != 0:
        return "mounts need root"
    try:
        said = in_mounts_of_its_own(lambda: run("mount", "-t", "tmpfs", "none", "/mnt"))
    except AssertionError:
        return "mounts are not allowed here"
    return None if said == "None" else said


def run(*command: str) -> None:
    """Run a program. AssertionError with what it said where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"

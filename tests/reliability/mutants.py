"""Saves with a step left out. A harness that does not catch every one of them proves nothing."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from interpal.vault.files.private_files import Folder

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager


class Mutant(NamedTuple):
    """What is wrong with it, a context in which it is in force, and who is to notice.

    `by_a_kill` tells whether a kill shows it; a power cut shows every one.
    """

    name: str
    force: Callable[[], AbstractContextManager[None]]
    by_a_kill: bool


@contextmanager
def _put(owner: Any, name: str, value: object) -> Generator[None, None, None]:
    old = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, old)


def _no_fsync(wanted: Callable[[int], bool]) -> AbstractContextManager[None]:
    real = os.fsync

    def fsync(fd: int) -> None:
        if not wanted(os.fstat(fd).st_mode):
            real(fd)

    return _put(os, "fsync", fsync)


def _truncate_in_place() -> AbstractContextManager[None]:
    def replace(self: Folder, name: str, data: bytes, **_: object) -> tuple[int, int]:
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
        fd = os.open(name, flags, 0o600, dir_fd=self._fd)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest) :]
            os.fsync(fd)
            found = os.fstat(fd)
        finally:
            os.close(fd)
        os.fsync(self._fd)
        return found.st_dev, found.st_ino

    return _put(Folder, "replace", replace)


def _unlink_then_rename() -> AbstractContextManager[None]:
    real = os.replace

    def replace(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        try:
            os.unlink(target, dir_fd=dst_dir_fd)
        except FileNotFoundError:
            pass
        real(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    return _put(os, "replace", replace)


MUTANTS = (
    Mutant("no fsync of the file", lambda: _no_fsync(stat.S_ISREG), by_a_kill=False),
    Mutant("no fsync of the folder", lambda: _no_fsync(stat.S_ISDIR), by_a_kill=False),
    Mutant("truncate in place", _truncate_in_place, by_a_kill=True),
    Mutant("unlink, then rename", _unlink_then_rename, by_a_kill=True),
)

"""The files of an SQLite database: looked at, and never opened but by SQLite.

To close a descriptor of the database would free the locks of every connection that this process
has to it (https://www.sqlite.org/howtocorrupt.html section 2.2).
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from interpal.exceptions import VaultPermissionError
from interpal.vault.files import writable
from interpal.vault.files.permissions import (
    foreign_owner,
    is_loose,
    may_repair,
    quoted,
    reported,
    shown,
    tighten,
    wrong_kind,
)
from interpal.vault.files.waiting import Waiting

if TYPE_CHECKING:
    from interpal.vault.files.private_files import Folder

SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite puts beside a database, with the mode of the database."""

_STALE_SECONDS = 1.5


def check_file(folder: Folder, name: str) -> tuple[int, int] | None:
    """Device and inode of a private file of ours; None for nothing. Never opens it.

    Looser mode bits than 0600 are tightened, but in `permissions.without_repairs`. Raises
    `VaultPermissionError`, `VaultIOError`.
    """
    found = folder.look(name)
    if found is None:
        return None
    path = folder.path_of(name)
    if not stat.S_ISREG(found.st_mode):
        raise wrong_kind(path, found, "a regular file")
    if found.st_uid != os.geteuid():
        raise foreign_owner(path, found)
    waiting = Waiting(_STALE_SECONDS)
    while found.st_nlink > 1 and waiting.pause():
        # It may have been made just now: a FUSE file system remembers the links for a second.
        found = folder.look(name) or found
    if found.st_nlink > 1:
        raise VaultPermissionError(
            f"{shown(path)} has {found.st_nlink} hard links, so another name leads to it too; it "
            f"was left unchanged. Find the others (find / -xdev -samefile {quoted(path)}) and "
            "remove them.",
            path=shown(path),
        )
    if is_loose(found) and may_repair():
        _tighten(path, found)
    return found.st_dev, found.st_ino


def check_writable(path: str) -> None:
    """Refuse a database that could not be changed: itself, its log and the place of both.

    A database is written where it is, whatever the folder allows. Raises `VaultPermissionError`,
    `VaultIOError`.
    """
    writable.check(path)
    writable.check_files(path, *(path + suffix for suffix in SIDE_FILES))


def _tighten(path: str, found: os.stat_result) -> None:
    """`tighten` just the file that was looked at, whatever stands at *path* by now."""
    with reported(path, "look at the file"):
        # A descriptor of O_PATH is not one that could free a lock of SQLite when it is closed.
        flags = getattr(os, "O_PATH", None)
        if flags is None:
            tighten(
                found,
                path,
                lambda mode: os.chmod(path, mode, follow_symlinks=False),
                lambda: os.stat(path, follow_symlinks=False),
            )
            return
        fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.path.samestat(os.fstat(fd), found):
                # `fchmod` does not take one of O_PATH.
                named = f"/proc/self/fd/{fd}"
                tighten(found, path, lambda mode: os.chmod(named, mode), lambda: os.fstat(fd))
        finally:
            os.close(fd)


def identity_of(path: str) -> tuple[int, int] | None:
    """Device and inode of what stands at *path*, None for nothing."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def uri_of(path: str) -> str:
    """The `file:` URI of SQLite for a path of any bytes; never makes a file."""
    from urllib.parse import quote

    return f"file:{quote(os.fsencode(path), safe='/+=@,')}?mode=rw"

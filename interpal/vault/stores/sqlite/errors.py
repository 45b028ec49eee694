"""What SQLite says, in the errors of the package."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from interpal.exceptions import (
    LockTimeoutError,
    VaultCorruptError,
    VaultError,
    VaultFormatError,
    VaultIOError,
    VaultPermissionError,
)
from interpal.vault.files.permissions import quoted, shown

if TYPE_CHECKING:
    import sqlite3


def in_the_way(error: sqlite3.Error) -> bool:
    """Whether somebody else holds what was needed, so that waiting helps."""
    return str(error) in ("database is locked", "locking protocol", "database table is locked")


def timed_out(path: str, timeout: float) -> LockTimeoutError:
    """The error for a wait of *timeout* seconds that was in vain."""
    return LockTimeoutError(
        f"{shown(path)}: another process or thread holds the write lock, after waiting "
        f"{timeout:g} s. Try again later; if that process is stuck, end it to free the lock.",
        path=shown(path),
    )


def translate_error(error: sqlite3.Error, path: str) -> VaultError:
    """The package's error for one of SQLite, by its text: Python 3.10 has no codes."""
    where, text = shown(path), str(error)
    if "is not a database" in text:
        return VaultFormatError(
            f"{where} is not an SQLite database; it was left unchanged", path=where
        )
    if "malformed" in text or "corrupt" in text:
        return VaultCorruptError(
            f"{where}: the database is damaged ({text}). Restore it from a backup, or try "
            f"`sqlite3 {quoted(path)} .recover`",
            path=where,
        )
    return _of_place(path) or VaultIOError(
        f"{where}: SQLite cannot continue: {text}. {_remedy(text, path)}",
        path=where,
        errno=errno.ENOSPC if _is_full(text, path) else None,
    )


def _of_place(path: str) -> VaultError | None:
    """What is wrong with the place of the database, which SQLite does not name."""
    from interpal.vault.stores.sqlite.database_files import check_writable

    try:
        check_writable(path)
    except (VaultPermissionError, VaultIOError) as error:
        return error
    return None


def _is_full(text: str, path: str) -> bool:
    """Whether there is no room. SQLite calls it so where it writes, but not where it maps."""
    if "is full" in text:
        return True
    try:
        return "I/O error" in text and os.statvfs(os.path.dirname(path)).f_bavail == 0
    except OSError:
        return False


def _remedy(text: str, path: str) -> str:
    if _is_full(text, path):
        return "Free some space on that disk (or the quota); the old content is intact."
    if "readonly" in text:
        return "Make the file and its folder writable."
    if "unable to open" in text:
        return f"Check its owner, mode and folder (ls -l {quoted(path)}*)."
    return "The old content is intact; check the disk and the system's log."

"""What SQLite says, in the errors of the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal.exceptions import (
    LockTimeoutError,
    VaultCorruptError,
    VaultError,
    VaultFormatError,
    VaultIOError,
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
    if "is full" in text:
        remedy = "Free some space on that disk (or the quota); the old content is intact."
    elif "readonly" in text:
        remedy = "Make the file and its folder writable."
    elif "unable to open" in text:
        remedy = f"Check its owner, mode and folder (ls -l {quoted(path)}*)."
    else:
        remedy = "The old content is intact; check the disk and the system's log."
    return VaultIOError(f"{where}: SQLite cannot continue: {text}. {remedy}", path=where)

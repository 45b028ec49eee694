"""What is tried on a file system, by real processes with real vaults; each gives a cell."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import stat
from functools import partial
from typing import TYPE_CHECKING

from interpal.exceptions import VaultError
from interpal.vault import Vault
from tests.reliability.children import Child
from tests.vault import KEY

if TYPE_CHECKING:
    from pathlib import Path

PROCESSES, CHANGES = 4, 15
_LONGEST = 90


def birth(folder: Path) -> str:
    """Whether a vault is made, whole or not at all, and is private."""
    try:
        with Vault.open(str(folder / "new.json"), key=KEY, create=True) as vault:
            vault["one"] = {"n": 1}
    except VaultError as error:
        return type(error).__name__
    return "yes"


def locks(*folders: Path, url: str = "{}/count.json") -> str:
    """How many counts of several processes survive, the processes spread over the views."""
    try:
        with Vault.open(url.format(folders[0]), key=KEY, create=True) as vault:
            vault["shared"] = {"n": 0}
    except VaultError as error:
        return type(error).__name__

    def work(folder: Path) -> str:
        signal.alarm(_LONGEST)
        done, error = 0, ""
        try:
            with Vault.open(url.format(folder), key=KEY, lock_timeout=60) as vault:
                while done < CHANGES:
                    with vault.transaction() as records:
                        records["shared"]["n"] += 1
                    done += 1
        except VaultError as found:
            error = type(found).__name__
        return f"{done} {error}"

    children = [Child(partial(work, folders[n % len(folders)])) for n in range(PROCESSES)]
    ended = [child.wait() for child in children]
    said = [one.said.split(" ", 1) for one in ended if one.said]
    errors = sorted({error for _, error in said} - {""})
    hung = sum(one.killed_by == signal.SIGALRM for one in ended)
    try:
        with Vault.open(url.format(folders[0]), key=KEY) as vault:
            kept = vault["shared"]["n"]
    except VaultError as error:
        return f"{type(error).__name__} at the end"
    wanted = sum(int(done) for done, _ in said)
    if not errors and not hung and kept == wanted == PROCESSES * CHANGES:
        return "yes"
    details = [f"{kept} kept of {wanted}", *errors]
    return ", ".join(details + ([f"{hung} hung"] if hung else []))


def sqlite(folder: Path) -> str:
    """The same with an SQLite vault."""
    try:
        return locks(folder, url="sqlite:{}/count.db")
    except sqlite3.Error as error:
        return type(error).__name__


def fsync(folder: Path) -> str:
    """Whether files and folders can be synced."""
    path = folder / "synced"
    path.write_bytes(b"x")
    wrong = []
    for what, flags in ((path, os.O_RDWR), (folder, os.O_RDONLY)):
        fd = os.open(what, flags)
        try:
            os.fsync(fd)
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, "?")
            wrong.append(f"{'folder' if what == folder else 'file'}: {name}")
        finally:
            os.close(fd)
    return ", ".join(wrong) or "yes"


def modes(folder: Path) -> str:
    """Whether a file has the mode that it is given."""
    path = folder / "moded"
    path.touch(mode=0o600)
    found = []
    for mode in (0o600, 0o640):
        try:
            path.chmod(mode)
        except OSError as error:
            return f"refused: {errno.errorcode.get(error.errno or 0, '?')}"
        found.append(stat.S_IMODE(path.stat().st_mode))
    return "yes" if found == [0o600, 0o640] else f"always {found[0]:04o}"

"""Problems of a vault, its surroundings and the sources of its key.

Needs no key and opens nothing that is encrypted. Every finding says what to do; a few have a
`fix`, which only ever takes rights away from others or clears what a dead writer left.
"""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

from interpal.exceptions import VaultError, VaultLimitError, VaultPermissionError
from interpal.vault.files import writable
from interpal.vault.files.mounts import network_filesystem, second_view
from interpal.vault.files.permissions import how_to_close, kind_of, quoted, shown
from interpal.vault.format import legacy_file
from interpal.vault.health import report
from interpal.vault.health.surroundings import (
    Finding,
    of_folder,
    of_neighbours,
    of_sources,
    restrict,
    user_name,
)
from interpal.vault.stores.file import FileStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from interpal.vault.stores.file import Details

_FRESH_SECONDS = 60
_CLOCK_SECONDS = 300
_YEAR_2025 = 1735689600


def examine(
    path: str,
    *,
    git: Callable[[str, list[str]], int | None],
    environ: Mapping[str, str] | None = None,
    now: float | None = None,
    max_size: int | None = None,
) -> list[Finding]:
    """Every problem of the vault at *path*, which need not be there.

    *git* runs git in a folder and gives its exit code, None where that cannot be done. *now*
    is in epoch seconds. *max_size* is the largest vault, in bytes, that is read.
    """
    store = FileStore(path, max_size=max_size)
    moment = time.time() if now is None else now
    details = store.details()
    findings: list[Finding] = []
    if details is not None:
        findings += _of_file(store, details)
        if stat.S_ISREG(details.mode):
            findings += _of_content(store, moment)
            findings += _of_git(store, git)
    folder = os.path.realpath(os.path.dirname(store.path))
    findings += of_folder(folder)
    findings += _of_place(store.path)
    findings += _of_locks(store.path)
    findings += _of_leftovers(store, moment)
    findings += of_sources(folder, environ)
    findings += of_neighbours(store)
    kind = network_filesystem(folder)
    if kind is not None:
        findings.append(
            Finding(
                "network-filesystem",
                shown(folder),
                f"this is a network file system ({kind}), whose locks between hosts cannot be "
                "relied on",
                "use a local disk; for several hosts, the Redis store",
            )
        )
    other = second_view(folder)
    if other is not None:
        findings.append(
            Finding(
                "two-views",
                shown(folder),
                f"this is a FUSE file system that is mounted at {shown(other)} too, and the locks "
                "of one mount are not seen by the other",
                "unmount one of them, and reach the vault by one path",
            )
        )
    if moment < _YEAR_2025:
        findings.append(
            Finding(
                "clock",
                shown(store.path),
                f"this machine's clock says {time.strftime('%Y-%m-%d', time.gmtime(moment))}",
                "set the clock (timedatectl set-ntp true)",
            )
        )
    return findings


def _of_file(store: FileStore, details: Details) -> Iterator[Finding]:
    path, word = store.location, quoted(store.path)
    mode = stat.S_IMODE(details.mode)
    if not stat.S_ISREG(details.mode):
        what = _kind_of_mode(details.mode)
        yield Finding(
            "kind", path, f"this is {what}, not a regular file", "use the path of the file itself"
        )
        return
    if details.uid != os.geteuid():
        yield Finding(
            "owner",
            path,
            f"it belongs to {user_name(details.uid)}, and this process runs as "
            f"{user_name(os.geteuid())}",
            f"run as its owner, or: chown {os.geteuid()} {word}",
        )
    elif mode & 0o077:
        yield Finding(
            "mode",
            path,
            f"other users can access it (mode {mode:04o})",
            how_to_close(store.path, f"chmod 600 {word}"),
            lambda: restrict(store.path, 0o600),
        )
    if details.nlink > 1:
        yield Finding(
            "links",
            path,
            f"it has {details.nlink} hard links, so another name leads to it too",
            f"find the others (find / -xdev -samefile {word}) and remove them",
        )


def _of_place(path: str) -> Iterator[Finding]:
    """Whether a login could be saved there at all."""
    try:
        writable.check(path)
    except VaultError as error:
        message, _, remedy = str(error).removeprefix(f"{shown(path)}: ").partition(". ")
        yield Finding("unwritable", shown(path), message, remedy)


def _of_content(store: FileStore, now: float) -> Iterator[Finding]:
    path = store.location
    try:
        found = report.describe(store, report.load(store))
    except VaultError as error:
        message = str(error).removeprefix(f"{path}: ")
        remedy = "restore a good copy, or move the file away"
        if isinstance(error, (VaultLimitError, VaultPermissionError)) and ". " in message:
            # It may be sound, and says what to do.
            message, remedy = message.split(". ", 1)
        try:
            is_plain = legacy_file.classify(report.load(store).reveal()) == "plain"
        except VaultError:
            is_plain = False
        if is_plain:
            message = (
                "this is a plain session file of interpal 1.x: anyone who can read "
                "it has the session"
            )
            remedy = f"interpal-vault import {quoted(store.path)} -f {quoted(store.path)}"
        yield Finding("plain-session" if is_plain else "unreadable", path, message, remedy)
        return
    for slot in found.slots:
        if slot.kdf is not None and slot.kdf.is_weak:
            yield Finding(
                "weak-slot",
                path,
                f"slot {slot.kid} has weak Argon2id settings ({slot.kdf.memory_kib} KiB, "
                f"passes: {slot.kdf.passes}): its passphrase can be guessed quickly",
                f"interpal-vault passwd -f {quoted(store.path)} --slot {slot.kid}",
            )
    newest = max(found.updated_at, *(slot.made_at for slot in found.slots))
    if newest.timestamp() > now + _CLOCK_SECONDS:
        yield Finding(
            "clock",
            path,
            f"it was saved in the future ({newest:%Y-%m-%d %H:%M} UTC): a clock is or was wrong, "
            "here or where it was saved",
            "set the clock (timedatectl set-ntp true)",
        )


def _of_git(store: FileStore, git: Callable[[str, list[str]], int | None]) -> Iterator[Finding]:
    folder, name = os.path.split(store.path)
    word = quoted(name)
    if git(folder, ["rev-parse", "--is-inside-work-tree"]) != 0:
        return
    if git(folder, ["ls-files", "--error-unmatch", "--", f":(literal){name}"]) == 0:
        yield Finding(
            "git-tracked",
            store.location,
            "git tracks it, and every copy of the repository contains it",
            f"git rm --cached {word}, add it to .gitignore, and log in again: the history still "
            "contains it",
        )
    elif git(folder, ["check-ignore", "--quiet", "--", name]) == 1:
        yield Finding(
            "git-not-ignored",
            store.location,
            "it lies in a git repository that does not ignore it",
            f"echo {quoted(name + '*')} >> .gitignore",
        )


def _of_locks(vault: str) -> Iterator[Finding]:
    folder = f"{vault}.locks"
    try:
        found = os.lstat(folder)
    except OSError:
        return
    path = shown(folder)
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode):
        what = kind_of(found)
        yield Finding(
            "locks", path, f"this is {what}, not the folder of the locks", f"rm {quoted(folder)}"
        )
    elif found.st_uid != os.geteuid():
        yield Finding(
            "locks",
            path,
            f"the folder of the locks belongs to {user_name(found.st_uid)}",
            f"chown -R {os.geteuid()} {quoted(folder)}",
        )
    elif mode & 0o077:
        yield Finding(
            "locks",
            path,
            f"other users may get at the locks (mode {mode:04o}), and hold them",
            f"chmod 700 {quoted(folder)}",
            lambda: restrict(folder, 0o700),
        )


def _of_leftovers(store: FileStore, now: float) -> Iterator[Finding]:
    try:
        leftovers = store.leftovers()
    except VaultError:
        return
    for path in leftovers:
        try:
            found = os.lstat(path)
        except OSError:
            continue
        if not path.endswith(".tmp"):
            yield Finding(
                "set-aside",
                shown(path),
                "a damaged vault was set aside here",
                f"recover what you can from it, then: rm {quoted(path)}",
            )
        elif found.st_mtime < now - _FRESH_SECONDS:
            yield Finding(
                "leftover",
                shown(path),
                "left behind by an interrupted save",
                f"rm {quoted(path)}",
                lambda: _sweep(store),
            )


def _sweep(store: FileStore) -> None:
    with store.write_lock(5):
        pass  # taking it removes what dead writers have left


def _kind_of_mode(mode: int) -> str:
    return kind_of(os.stat_result((mode, *([0] * 9))))

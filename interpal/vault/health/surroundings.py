"""The surroundings of a vault: its folder, the sources of its key, the files beside it.

Each function looks at one of them and yields the problems that it finds, with what to do.
"""

from __future__ import annotations

import os
import pwd
import stat
from typing import TYPE_CHECKING, NamedTuple

from interpal.exceptions import KeySourceError, VaultError
from interpal.vault.files import permissions
from interpal.vault.files.permissions import quoted, shown
from interpal.vault.format import legacy_file
from interpal.vault.health import report
from interpal.vault.keys import environment, sources
from interpal.vault.stores.file import FileStore, absolute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_PLAIN_LIMIT = 2**20
_SUFFIX = "_session.json"


class Finding(NamedTuple):
    """One problem. `code` is stable; `fix` is None where it is not ours to do."""

    code: str
    path: str
    message: str
    remedy: str
    fix: Callable[[], None] | None = None


def of_folder(folder: str) -> Iterator[Finding]:
    """Who else may change what is in the (resolved) folder, or in those above it."""
    try:
        found = os.stat(folder)
    except OSError:
        return
    us = os.geteuid()
    path, word = shown(folder), quoted(folder)
    mode = stat.S_IMODE(found.st_mode)
    ours = found.st_uid == us
    if not permissions.is_trusted_owner(found):
        yield Finding(
            "folder-owner",
            path,
            f"the folder belongs to {user_name(found.st_uid)}, who may replace what is in it",
            "keep the vault in a folder of your own",
        )
    loose = permissions.who_else_writes(found, folder)
    if loose:
        who, bits = ("go", 0o022) if loose == "every user" else ("g", 0o020)
        yield Finding(
            "folder-mode",
            path,
            f"{loose} may change what is in the folder (mode {mode:04o})",
            permissions.how_to_close(folder, f"chmod {who}-w {word}"),
            (lambda: restrict(folder, mode & ~bits)) if ours else None,
        )
    for above, found in permissions.doubtful_ancestors(folder):
        yield Finding(
            "folder-above",
            shown(above),
            "another user may replace the folders in it (owner "
            f"{user_name(found.st_uid)}, mode {stat.S_IMODE(found.st_mode):04o})",
            "keep the vault in a folder whose parents belong to you or root",
        )


def of_sources(folder: str, environ: Mapping[str, str] | None) -> Iterator[Finding]:
    """What is wrong with the sources of the key that are set; none of them is used."""
    found = environment.sources_set(environ)
    if len(found) > 1:
        names = " and ".join(source.name for source in found)
        yield Finding(
            "ambiguous-sources",
            found[0].name,
            f"several sources of the key are set: {names}",
            "unset all but one",
        )
    files = {}
    for source in found:
        if not source.setting.reveal():
            yield Finding(
                "empty-source", source.name, "it is set but empty", "give it a value, or unset it"
            )
        elif source.name.endswith("_FILE"):
            files[source.name] = absolute(os.fsdecode(source.setting.reveal()))
    default = _default_key_path()
    if default is not None and os.path.lexists(default):
        files["key file"] = default
    for name, path in files.items():
        yield from _of_key_file(name, path, folder)


def _of_key_file(name: str, path: str, folder: str) -> Iterator[Finding]:
    try:
        found = os.stat(path)
    except OSError as error:
        yield Finding(
            "key-file",
            shown(path),
            f"{name}: {error.strerror}",
            "restore the file, or name another",
        )
        return
    mode = stat.S_IMODE(found.st_mode)
    us = os.geteuid()
    if not permissions.is_trusted_owner(found):
        yield Finding(
            "key-file",
            shown(path),
            f"{name}: it belongs to {user_name(found.st_uid)}",
            f"chown {us} {quoted(path)}",
        )
    elif permissions.exposes_secret(found):
        yield Finding(
            "key-file",
            shown(path),
            f"{name}: other users can access it (mode {mode:04o})",
            f"chmod 600 {quoted(path)}",
            (lambda: restrict(path, 0o600)) if found.st_uid == us else None,
        )
    if os.path.dirname(os.path.realpath(path)) == folder:
        yield Finding(
            "key-beside-vault",
            shown(path),
            f"{name}: it is beside the vault, so anyone who copies the folder has both",
            "move it to another folder, preferably on another disk",
        )


def of_neighbours(store: FileStore) -> Iterator[Finding]:
    """Files beside the vault that give away what it keeps."""
    folder, own = os.path.split(store.path)
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        path = os.path.join(folder, name)
        if name == own:
            continue
        if name == sources.KEY_FILE_NAME and os.path.realpath(path) != _default_key_path():
            yield Finding(
                "key-beside-vault",
                shown(path),
                "a key file is beside the vault, so anyone who copies the folder has both",
                "move it to another folder, preferably on another disk",
            )
        elif name.endswith(_SUFFIX) and _is_plain(path):
            yield Finding(
                "plain-session",
                shown(path),
                "a plain session file of interpal 1.x: anyone who can read it has the session",
                f"interpal-vault import {quoted(path)} -f {quoted(store.path)} --remove-source",
            )


def _is_plain(path: str) -> bool:
    neighbour = FileStore(path)
    details = neighbour.details()
    if details is None or not stat.S_ISREG(details.mode) or details.size > _PLAIN_LIMIT:
        return False
    try:
        return legacy_file.classify(report.load(neighbour).reveal()) == "plain"
    except VaultError:
        return False


def restrict(path: str, mode: int) -> None:
    """Take rights away, through a descriptor that was checked to be ours."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(fd)
        if found.st_uid == os.geteuid():
            os.fchmod(fd, stat.S_IMODE(found.st_mode) & mode)
    finally:
        os.close(fd)


def user_name(uid: int) -> str:
    """`user maple`, or the number where it has no name."""
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"


def _default_key_path() -> str | None:
    """None where there is no HOME, which there need not be."""
    try:
        return sources.default_key_path()
    except KeySourceError:
        return None

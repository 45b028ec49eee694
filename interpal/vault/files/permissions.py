"""What is wrong with a file or folder, and how to mend it: judgements, errors and their words.

Owners are compared with the effective user, and root is no exception: root that rewrote a
user's vault would make it root's (docs/reliability.md, trap 6).
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal

from interpal._log import Logger
from interpal.exceptions import VaultError, VaultIOError, VaultPermissionError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_log = Logger("interpal.vault.files.permissions")

_REMEDIES = {
    errno.ENOSPC: "Free some space on that disk.",
    errno.EDQUOT: "Free some space: the quota of this user is used up.",
    errno.EROFS: "The file system is read-only: mount it writable or use another path.",
    errno.EIO: "Check the disk and the system's log.",
    errno.EMFILE: "This process has too many open files: close some, or raise `ulimit -n`.",
    errno.ENFILE: "The system has too many open files.",
    errno.EFBIG: "Raise the limit on the size of files (`ulimit -f`).",
    errno.ENOLCK: "Locks do not work here: use a local disk or the Redis store.",
    errno.ENOSYS: "This file system cannot do it: use a local disk or the Redis store.",
    errno.EOPNOTSUPP: "This file system cannot do it: use a local disk or the Redis store.",
    errno.ESTALE: "The network file system lost the file: try again, or use a local disk.",
    errno.ENAMETOOLONG: "Use a shorter path.",
    errno.ENOTDIR: "A part of the path is a file where a folder is needed.",
    errno.ELOOP: "It is a symbolic link: use the path of the file itself.",
    errno.ENOENT: "A file or folder was removed: try again.",
    errno.EINTR: "Try again.",
}
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFREG: "a file",
}
_warned: set[tuple[str, str]] = set()
_only_looking: ContextVar[bool] = ContextVar("without_repairs", default=False)


def shown(path: str) -> str:
    """*path* for a message: printable, whatever bytes and control characters it has."""
    text = path.encode("utf-8", "surrogateescape" if _encodable(path) else "backslashreplace")
    plain = text.decode("utf-8", "backslashreplace")
    if plain.isprintable():
        return plain
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in plain)


def _encodable(path: str) -> bool:
    try:
        path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def quoted(path: str) -> str:
    """*path* as one word of a shell command."""
    import shlex

    return shlex.quote(shown(path))


def io_error(error: OSError, path: str, what: str) -> VaultError:
    """The package's error for *error*, met when trying to *what* ("read", "save") at *path*."""
    reason = f"{shown(path)}: cannot {what}: {error.strerror or error}."
    if error.errno in (errno.EACCES, errno.EPERM):
        remedy = f"Check its owner and mode (ls -ld {quoted(path)}), and those of its folders."
        return VaultPermissionError(f"{reason} {remedy}", path=shown(path))
    remedy = _REMEDIES.get(error.errno or 0, "The old content is intact.")
    return VaultIOError(f"{reason} {remedy}", path=shown(path), errno=error.errno)


class reported:  # noqa: N801  (read as a statement: `with reported(path, "save")`)
    """Turn an `OSError` inside the block into the package's own.

    A path that costs something to find out is given as a function, called where it is needed.
    """

    __slots__ = ("_path", "_what")

    def __init__(self, path: str | Callable[[], str], what: str) -> None:
        self._path = path
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if isinstance(error, OSError):
            path = self._path if isinstance(self._path, str) else self._path()
            raise io_error(error, path, self._what) from error


def warn_once(kind: str, path: str, message: str, *values: object) -> None:
    """A WARNING, once for this *kind*, *path* and process."""
    if (kind, path) not in _warned:
        _warned.add((kind, path))
        _log.warning(message, *values)


def check_folder(found: os.stat_result, name: str, resolved: Callable[[], str]) -> None:
    """Refuse a folder that another user may put files into; warn of one that is doubtful.

    *found* is from the open descriptor, *name* is the folder's path as it was given; *resolved*
    gives it without symbolic links. Raises `VaultPermissionError`.
    """
    if not is_trusted_owner(found):
        raise foreign_owner(resolved(), found)
    others = who_else_writes(found)
    if others == "every user":
        path = resolved()
        raise VaultPermissionError(
            f"{shown(path)}: every user of this machine may change what is in this folder. "
            f"Fix it: chmod o-w {quoted(path)}",
            path=shown(path),
        )
    if others == "the group":
        path = resolved()
        warn_once(
            "group",
            path,
            "%s: the group may change what is in this folder. Fix it: chmod g-w %s",
            shown(path),
            quoted(path),
        )
    if ("above", name) not in _warned:
        _warned.add(("above", name))
        for above, its in doubtful_ancestors(resolved()):
            warn_once(
                "folder",
                above,
                "%s (owner %d, mode %04o): another user may replace the folders in it",
                shown(above),
                its.st_uid,
                stat.S_IMODE(its.st_mode),
            )


def is_trusted_owner(found: os.stat_result) -> bool:
    """Whether it belongs to this user, or to root, who can do anything anyway."""
    return found.st_uid in (0, os.geteuid())


def who_else_writes(folder: os.stat_result) -> Literal["every user", "the group"] | None:
    """Who but its owner may put files into a folder and take them away; None for nobody.

    With the sticky bit nobody else may take them away. A group that has the owner alone, as many
    systems give each user, is nobody else.
    """
    if folder.st_mode & stat.S_ISVTX:
        return None
    if folder.st_mode & stat.S_IWOTH:
        return "every user"
    shared = folder.st_mode & stat.S_IWGRP and not _in_group_of_its_own(folder)
    return "the group" if shared else None


def doubtful_ancestors(path: str) -> Generator[tuple[str, os.stat_result], None, None]:
    """The folders above *path* (resolved) in which another user may replace folders."""
    above = os.path.dirname(path)
    while above != path:
        path, above = above, os.path.dirname(above)
        try:
            found = os.stat(path)
        except OSError:
            continue  # what cannot be looked at cannot be judged
        if not is_trusted_owner(found) or who_else_writes(found) == "every user":
            yield path, found


def exposes_secret(found: os.stat_result) -> bool:
    """Whether others may get at a file with a key or passphrase in it (docs/keys.md).

    One of root's may be readable, as container secrets are, but nobody else may write it.
    """
    return bool(found.st_mode & (0o022 if found.st_uid == 0 else 0o066))


def _in_group_of_its_own(found: os.stat_result) -> bool:
    """Whether the group is that of the owner alone, which many systems give each user."""
    try:
        import grp
        import pwd

        group = grp.getgrgid(found.st_gid)
        owner = pwd.getpwuid(found.st_uid)
    except (ImportError, KeyError):
        return False  # Not known, or no longer to be read by who has given up rights.
    alone = group.gr_gid == owner.pw_gid and set(group.gr_mem) <= {owner.pw_name}
    return alone and group.gr_name == owner.pw_name


def kind_of(found: os.stat_result) -> str:
    """ "a FIFO", "a folder" and so on."""
    return _KINDS.get(stat.S_IFMT(found.st_mode), "something unknown")


def wrong_kind(path: str, found: os.stat_result, wanted: str) -> VaultPermissionError:
    """The error for something that is not *wanted* ("a regular file")."""
    return VaultPermissionError(
        f"{shown(path)} is {kind_of(found)}, not {wanted}; it was left unchanged. Use another "
        "path, or move it away.",
        path=shown(path),
    )


def foreign_owner(path: str, found: os.stat_result) -> VaultPermissionError:
    """The error for a file or folder of another user."""
    us = os.geteuid()
    return VaultPermissionError(
        f"{shown(path)} belongs to user {found.st_uid} and this process runs as user {us}; it was "
        f"left unchanged. Run as its owner, use another path, or: chown {us} {quoted(path)}",
        path=shown(path),
    )


@contextmanager
def without_repairs() -> Generator[None, None, None]:
    """Inside the block reading mends nothing: mode bits and stray links stay as they are."""
    token = _only_looking.set(True)
    try:
        yield
    finally:
        _only_looking.reset(token)


def may_repair() -> bool:
    """Whether a reader may put right what it finds, as it does but in `without_repairs`."""
    return not _only_looking.get()


def is_loose(found: os.stat_result) -> bool:
    """Whether mode bits are looser than 0600."""
    return bool(stat.S_IMODE(found.st_mode) & ~0o600)


def tighten(fd: int, found: os.stat_result, path: str) -> None:
    """Take the mode bits away that are looser than 0600, with a WARNING."""
    if not is_loose(found):
        return
    mode = stat.S_IMODE(found.st_mode)
    try:
        os.fchmod(fd, mode & 0o600)
    except OSError as error:
        warn_once(
            "mode",
            path,
            "%s: other users can access it (mode %04o), and that cannot be changed: %s",
            shown(path),
            mode,
            error.strerror,
        )
    else:
        _log.warning("%s: mode %04o was too open, now %04o", shown(path), mode, mode & 0o600)

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
from typing import TYPE_CHECKING

from interpal._log import Logger
from interpal.exceptions import VaultError, VaultIOError, VaultPermissionError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_log = Logger("interpal.vault.files.permissions")

_REMEDIES = {
    errno.ENOSPC: "Free some space on that disk.",
    errno.EDQUOT: "Free some space: the quota of this user is used up.",
    errno.EROFS: "The file system is read-only: mount it writable or use another path.",
    errno.EBUSY: "It is a mount of its own, as `docker -v FILE:FILE` makes one, and cannot be "
    "replaced: mount the folder that it is in.",
    errno.EXDEV: "A file is mounted here, and cannot be replaced: mount the folder that it is in.",
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
# Whether the system can be asked for the effective user, who is the one that counts.
EFFECTIVE = os.access in os.supports_effective_ids
# What makes nothing in the folder of its path.
_IN_PLACE = {
    "read", "open it for writing", "open the folder", "look at the file", "look at the folder",
    "look at the lock", "list the folder",
}  # fmt: skip
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


def io_error(error: OSError, path: str, what: str, *others: str) -> VaultError:
    """The package's error for *error*, met when trying to *what* ("read", "save") at *path*.

    It is met at the files *others* as well.
    """
    reason = f"{shown(path)}: cannot {what}: {error.strerror or error}."
    if error.errno in (errno.EACCES, errno.EPERM):
        remedy = "" if what in _IN_PLACE else _unwritable_folder(path)
        remedy = remedy or _narrow_mode(path, *others)
        remedy = remedy or (
            f"Check its owner and mode (ls -ld {quoted(path)}), and those of its folders."
        )
        return VaultPermissionError(f"{reason} {remedy}", path=shown(path))
    remedy = _REMEDIES.get(error.errno or 0, "The old content is intact.")
    return VaultIOError(f"{reason} {remedy}", path=shown(path), errno=error.errno)


def _unwritable_folder(path: str) -> str:
    """What is wrong with the folder that *path* is in, where nothing can be made in it."""
    folder, us = os.path.dirname(path), os.geteuid()
    try:
        found = os.stat(folder)
    except OSError:
        return ""
    if os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=EFFECTIVE):
        return ""
    where, word = shown(folder), quoted(folder)
    ours = found.st_uid == us
    fix = f"chmod u+rwx {word}" if ours else "use a folder of this user"
    if not ours and folder != os.path.dirname(folder):
        fix += f", or: chown {us} {word}"
    return (
        f"User {us}, as which this process runs, cannot make files in the folder {where} (owner "
        f"{found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}): {fix}."
    )


def _narrow_mode(path: str, *others: str) -> str:
    """What is wrong with the mode of a file or folder of this user, if that is.

    The remedy is for *others* as well.
    """
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return ""
    rights, added = (0o700, "rwx") if stat.S_ISDIR(found.st_mode) else (0o600, "rw")
    if found.st_uid != os.geteuid() or found.st_mode & rights == rights:
        return ""
    words = " ".join(map(quoted, (path, *others)))
    return f"Its mode is {stat.S_IMODE(found.st_mode):04o}. Fix it: chmod u+{added} {words}"


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


def check_folder(fd: int, name: str, resolved: Callable[[], str]) -> None:
    """Refuse a folder that another user may put files into; warn of one that is doubtful.

    *fd* is its open descriptor, *name* is the folder's path as it was given; *resolved*
    gives it without symbolic links. Raises `VaultPermissionError`.
    """
    found = os.fstat(fd)
    if not is_trusted_owner(found):
        raise foreign_owner(resolved(), found)
    others = who_else_writes(found, fd)
    if others == "every user":
        path = resolved()
        raise VaultPermissionError(
            f"{shown(path)}: every user of this machine may change what is in this folder. "
            f"Fix it: {how_to_close(path, f'chmod o-w {quoted(path)}')}",
            path=shown(path),
        )
    if others is not None:
        path = resolved()
        warn_once(
            "group",
            path,
            "%s: %s may change what is in this folder. Fix it: chmod g-w %s",
            shown(path),
            others,
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


def who_else_writes(folder: os.stat_result, where: int | str) -> str | None:
    """Who but its owner may put files into a folder and take them away; None for nobody.

    "every user", "the group", or whom its ACL names. *where* is its descriptor or path. With the
    sticky bit nobody else may take them away. A group that has the owner alone, as many systems
    give each user, is nobody else.
    """
    if folder.st_mode & stat.S_ISVTX:
        return None
    if folder.st_mode & stat.S_IWOTH:
        return "every user"
    # Where there is an ACL, these bits are its mask: without them nobody whom it names may write.
    if not folder.st_mode & stat.S_IWGRP:
        return None
    named, group = _writers_by_acl(where, folder.st_uid)
    if named is not None:
        return named
    return "the group" if group and not _in_group_of_its_own(folder) else None


# acl(5) as Linux keeps it: a version of 4 bytes, then entries of tag, permissions and id.
_ACL = "system.posix_acl_access"
_ACL_USER, _ACL_GROUP_OBJ, _ACL_GROUP, _ACL_WRITE = 2, 4, 8, 2


def _writers_by_acl(where: int | str, owner: int) -> tuple[str | None, bool]:
    """Whom an ACL names that may write, and whether the folder's own group may."""
    if not hasattr(os, "getxattr"):
        return None, True
    try:
        data = os.getxattr(where, _ACL)
    except OSError:
        return None, True  # There is none.
    import struct

    named, group = None, False
    entries = data[4:][: (len(data) - 4) // 8 * 8]
    for tag, allowed, number in struct.iter_unpack("<HHI", entries):
        if not allowed & _ACL_WRITE:
            continue
        if tag == _ACL_GROUP_OBJ:
            group = True
        elif tag == _ACL_GROUP:
            named = f"group {number} (by an ACL)"
        elif tag == _ACL_USER and number not in (0, owner, os.geteuid()):
            named = f"user {number} (by an ACL)"
    return named, group


def doubtful_ancestors(path: str) -> Generator[tuple[str, os.stat_result], None, None]:
    """The folders above *path* (resolved) in which another user may replace folders."""
    above = os.path.dirname(path)
    while above != path:
        path, above = above, os.path.dirname(above)
        try:
            found = os.stat(path)
        except OSError:
            continue  # what cannot be looked at cannot be checked
        foreign = not is_trusted_owner(found) and not _is_from_outside(found.st_uid)
        if foreign or who_else_writes(found, path) == "every user":
            yield path, found


def _is_from_outside(uid: int) -> bool:
    """Whether *uid* stands for all users that this user namespace does not know, root's own too.

    user_namespaces(7): in a container without rights each folder above its own is such a one's.
    """
    try:
        with open("/proc/sys/kernel/overflowuid", encoding="ascii") as file:
            if uid != int(file.read()):
                return False
        with open("/proc/self/uid_map", encoding="ascii") as file:
            ranges = [tuple(map(int, line.split())) for line in file]
    except (OSError, ValueError):
        return False
    return not any(first <= uid < first + count for first, _, count in ranges)


def exposes_secret(found: os.stat_result) -> bool:
    """Whether others may get at a file with a key or passphrase in it (docs/keys.md).

    One of root's may be readable, as container secrets are, but nobody else may write it.
    """
    return bool(found.st_mode & (0o022 if found.st_uid == 0 else 0o066))


def _in_group_of_its_own(found: os.stat_result) -> bool:
    """Whether the group is that of the owner alone, which many systems give each user.

    The group of root is none such: containers run any number of users in it.
    """
    if found.st_gid == 0:
        return False
    try:
        import grp
        import pwd

        group = grp.getgrgid(found.st_gid)
        owner = pwd.getpwuid(found.st_uid)
    except (ImportError, KeyError):
        return False  # Not known, or no longer to be read by who has given up rights.
    alone = group.gr_gid == owner.pw_gid and set(group.gr_mem) <= {owner.pw_name}
    if not alone or group.gr_name != owner.pw_name:
        return False
    # Whose primary group it is, is not among its members.
    return all(
        user.pw_gid != group.gr_gid or user.pw_uid == owner.pw_uid for user in pwd.getpwall()
    )


def kind_of(found: os.stat_result) -> str:
    """ "a FIFO", "a folder" and so on."""
    return _KINDS.get(stat.S_IFMT(found.st_mode), "something unknown")


def wrong_kind(path: str, found: os.stat_result, wanted: str) -> VaultPermissionError:
    """The error for something that is not *wanted* ("a regular file")."""
    remedy = "Use another path, or move it away."
    if stat.S_ISLNK(found.st_mode):
        remedy = f"Give the path of what it points to: {shown(os.path.realpath(path))}"
    return VaultPermissionError(
        f"{shown(path)} is {kind_of(found)}, not {wanted}; it was left unchanged. {remedy}",
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


def tighten(
    found: os.stat_result,
    path: str,
    chmod: Callable[[int], None],
    look: Callable[[], os.stat_result],
) -> None:
    """Take the mode bits away that are looser than 0600, with a WARNING that says what came of it.

    *chmod* and *look* do so to just the file that was *found*.
    Not every file system has modes: there a change may be refused, or be taken and have no effect.
    """
    if not is_loose(found):
        return
    mode = stat.S_IMODE(found.st_mode)
    reason: str | None = None
    try:
        chmod(mode & 0o600)
        now = stat.S_IMODE(look().st_mode)
        if now & ~0o600:
            reason = "the file system ignores it"
    except OSError as error:
        reason = error.strerror
    if reason is not None and not mode & 0o077:
        return  # What is left is the owner's own.
    if reason is None:
        _log.warning("%s: mode %04o was too open, now %04o", shown(path), mode, mode & 0o600)
    else:
        warn_once(
            "mode",
            path,
            "%s: other users can access it (mode %04o), and that cannot be changed: %s%s",
            shown(path),
            mode,
            reason,
            _modes_by_mount(path, ". M", "."),
        )


# What gives files of a file system without modes an owner and a mode: mount(8) and the pages of
# the file systems.
_MOUNT_OPTIONS = {
    "fuseblk": "uid={uid},umask=077",  # ntfs-3g and exfat-fuse
    "ntfs": "uid={uid},umask=077",
    "ntfs3": "uid={uid},umask=077",
    "exfat": "uid={uid},umask=077",
    "vfat": "uid={uid},umask=077",
    "msdos": "uid={uid},umask=077",
    "cifs": "uid={uid},file_mode=0600,dir_mode=0700",
    "smb3": "uid={uid},file_mode=0600,dir_mode=0700",
    "vboxsf": "uid={uid},fmode=0600,dmode=0700",
    "9p": "uid={uid},metadata,umask=077",  # drvfs of WSL
    "fuse.rclone": "uid={uid},umask=077",
    "fuse.sshfs": "idmap=user,uid={uid},umask=077",
}


def _modes_by_mount(path: str, before: str, after: str) -> str:
    """The mount option that gives files at *path* a mode; "" where they have one by themselves."""
    from interpal.vault.files.mounts import filesystem_of

    kind = filesystem_of(path)
    options = _MOUNT_OPTIONS.get(kind or "")
    if options is None:
        return ""
    named = options.format(uid=os.geteuid())
    return f"{before}ount it ({kind}) with -o {named}{after}"


def how_to_close(path: str, command: str) -> str:
    """How other users are kept from *path*: *command*, or a mount option where it has no effect."""
    return command + _modes_by_mount(path, ". If that changes nothing: m", "")

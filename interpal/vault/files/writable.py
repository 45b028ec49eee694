"""Whether a vault could be saved at a path: asked before a login, so that a mistake costs none.

Only how things are set up is looked at. A disk that is full is none of it: it can happen to
any, and at any time.
"""

from __future__ import annotations

import errno
import os
import stat

from interpal.exceptions import VaultError, VaultIOError, VaultPermissionError
from interpal.vault.files.locks import LOGIN_LOCK, WRITE_LOCK
from interpal.vault.files.mounts import is_mount_point
from interpal.vault.files.permissions import (
    EFFECTIVE,
    foreign_owner,
    io_error,
    reported,
    wrong_kind,
)

_SET_UP = {
    errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOSYS,
    errno.EOPNOTSUPP, errno.ENOLCK,
}  # fmt: skip


def is_set_up_wrong(error: VaultError, *, was_right: bool = False) -> bool:
    """Whether *error* comes of how a place is set up, and will come again until that is mended.

    A file that is mounted was so from the start. The other mistakes are none where the place
    *was_right* before.
    """
    if isinstance(error, VaultIOError) and error.errno in (errno.EBUSY, errno.EXDEV):
        return True
    wrong = isinstance(error, VaultPermissionError) or (
        isinstance(error, VaultIOError) and error.errno in _SET_UP
    )
    return wrong and not was_right


def check(path: str) -> None:
    """Refuse a *path* (absolute) where no vault could be saved; makes and changes nothing.

    Raises `VaultPermissionError`, `VaultIOError`. A folder that is not there is not checked.
    """
    folder = os.path.dirname(path)
    with reported(folder, "look at the folder"):
        try:
            is_folder, flags = stat.S_ISDIR(os.stat(folder).st_mode), os.statvfs(folder).f_flag
        except FileNotFoundError:
            return
        if not is_folder:
            raise _error(errno.ENOTDIR)
    real = os.path.join(os.path.realpath(folder), os.path.basename(path))
    if is_mount_point(real):
        # To the kernel it is busy: nothing can be renamed to it.
        raise io_error(_error(errno.EBUSY), real, "replace the file")
    if flags & os.ST_RDONLY:
        raise io_error(_error(errno.EROFS), real, "save")
    _check_locks(f"{real}.locks")
    _check_folder(folder, real, "save", os.W_OK)


def check_files(*paths: str) -> None:
    """Refuse files that this user may not read and write where they are, if they are there.

    Opens none.
    """
    narrow = [path for path in paths if _is_narrow(path)]
    if narrow:
        raise io_error(_refusal(narrow[0]), narrow[0], "open it for writing", *narrow[1:])


def _is_narrow(path: str) -> bool:
    # Several times: SQLite takes its log away, and makes it again, between any two of these.
    return all(os.path.lexists(path) and not _may(path, os.R_OK | os.W_OK) for _ in range(3))


def _check_locks(folder: str) -> None:
    """Refuse a folder of locks, or a lock in it, that this user cannot take.

    What is missing is made when it is first taken.
    """
    found = _look(folder)
    if found is None:
        return
    if not stat.S_ISDIR(found.st_mode):
        raise wrong_kind(folder, found, "a folder")
    _check_owner(folder, found)
    for name in (WRITE_LOCK, LOGIN_LOCK):
        lock = os.path.join(folder, name)
        found = _look(lock)
        _check_folder(folder, lock, "open the lock", 0 if found else os.W_OK)
        if found is not None:
            if not stat.S_ISREG(found.st_mode):
                raise wrong_kind(lock, found, "a regular file")
            _check_owner(lock, found)
            check_files(lock)


def _check_owner(path: str, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise foreign_owner(path, found)


def _check_folder(folder: str, path: str, what: str, writing: int) -> None:
    """Refuse a *folder* that this user cannot open, or with `W_OK` make *path* in."""
    if not _may(folder, os.R_OK | os.X_OK | writing):
        raise io_error(_refusal(folder), path, what)


def _may(path: str, rights: int) -> bool:
    return os.access(path, rights, effective_ids=EFFECTIVE)


def _refusal(path: str) -> OSError:
    """Why what stands at *path* may not be written."""
    try:
        flags = os.statvfs(path).f_flag
    except OSError as error:
        return error
    return _error(errno.EROFS if flags & os.ST_RDONLY else errno.EACCES)


def _look(path: str) -> os.stat_result | None:
    """What stands at *path*; None for nothing, and for what this user cannot look at."""
    try:
        return os.stat(path, follow_symlinks=False)
    except OSError:
        return None


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))

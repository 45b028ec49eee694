"""Whether a vault could be saved at a path: asked before a login, so that a mistake costs none.

Only how things are set up is looked at. A disk that is full is none of it: it can happen to
any, and at any time.
"""

from __future__ import annotations

import errno
import os

from interpal.exceptions import VaultError, VaultIOError, VaultPermissionError
from interpal.vault.files.mounts import is_mount_point
from interpal.vault.files.permissions import EFFECTIVE, foreign_owner, io_error, reported

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
            flags = os.statvfs(folder).f_flag
        except FileNotFoundError:
            return
    real = os.path.join(os.path.realpath(folder), os.path.basename(path))
    if is_mount_point(real):
        # To the kernel it is busy: nothing can be renamed to it.
        raise io_error(OSError(errno.EBUSY, os.strerror(errno.EBUSY)), real, "replace the file")
    if flags & os.ST_RDONLY:
        raise io_error(OSError(errno.EROFS, os.strerror(errno.EROFS)), real, "save")
    for name in ("", "write.lock", "login.lock"):
        lock = os.path.join(f"{real}.locks", name).rstrip("/")
        try:
            found = os.stat(lock, follow_symlinks=False)
        except OSError:
            continue  # made when it is first taken, or what is in its way is reported then
        if found.st_uid != os.geteuid():
            raise foreign_owner(lock, found)
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=EFFECTIVE):
        raise io_error(OSError(errno.EACCES, os.strerror(errno.EACCES)), real, "save")

"""A folder, opened once and checked, through whose descriptor everything in it is reached.

`O_NOFOLLOW` guards the last part of a path only; a descriptor cannot be swapped for another
folder between the check and the use (docs/reliability.md, trap 5).
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import TYPE_CHECKING

from interpal.exceptions import VaultNotFoundError
from interpal.vault.files.permissions import check_folder, io_error, reported, shown, wrong_kind

if TYPE_CHECKING:
    from typing_extensions import Self

_FOLLOWED = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FOLDER = _FOLLOWED | os.O_NOFOLLOW

# On macOS fsync(2) hands the data to the drive, which may keep it in its own cache: fcntl(2) there
# names this call for programs that must not lose it.
_FULL_FLUSH: int | None = None
if sys.platform == "darwin":
    from fcntl import F_FULLFSYNC as _FULL_FLUSH

_UNKNOWN_TO_IT = {errno.EINVAL, errno.ENOTSUP, errno.ENOTTY, errno.ENOSYS}


def flush(fd: int) -> None:
    """Make what was written to *fd*, a file or folder, outlive a power cut. Raises OSError."""
    if _FULL_FLUSH is not None:
        import fcntl

        try:
            fcntl.fcntl(fd, _FULL_FLUSH)
            return
        except OSError as error:
            if error.errno not in _UNKNOWN_TO_IT:
                raise  # a second attempt forgets what the first lost
    os.fsync(fd)


class OpenFolder:
    """The descriptor of a folder that was checked. A context manager."""

    __slots__ = ("_fd", "_given", "_resolved")

    def __init__(self, fd: int, given: str, resolved: str | None = None) -> None:
        self._fd = fd
        self._given = given
        self._resolved = resolved

    @property
    def path(self) -> str:
        """The path without symbolic links, found out when it is first asked for."""
        if self._resolved is None:
            self._resolved = os.path.realpath(self._given)
        return self._resolved

    @classmethod
    def open(cls, path: str, *, create: bool = False, strict: bool = True) -> Self:
        """Open the folder at *path*, whose symbolic links are followed.

        `create` makes missing folders, 0700. `strict=False` checks nothing, for those who only
        look. Raises `VaultNotFoundError` where there is none, `VaultPermissionError` where
        another user may put things into it, `VaultIOError`.
        """
        with reported(path, "open the folder"):
            try:
                # The kernel resolves and opens in one step; where it follows a link less
                # readily than this program, the program resolves.
                return cls._checked(os.open(path, _FOLLOWED), path, None, strict=strict)
            except OSError:
                real = os.path.realpath(path)
            try:
                fd = os.open(real, _FOLDER)
            except FileNotFoundError:
                parent, name = os.path.split(real)
                if not create or not name:
                    message = f"{shown(real)}: no such folder"
                    raise VaultNotFoundError(message, path=shown(real)) from None
                with cls.open(parent, create=True, strict=False) as above:
                    return above.subfolder(name, create=True, strict=strict)
            return cls._checked(fd, real, real, strict=strict)

    def subfolder(self, name: str, *, create: bool = False, strict: bool = True) -> Self:
        """Open a folder in this one, as `open` does, but never through a symbolic link."""
        with reported(lambda: self.path_of(name), "open the folder"):
            made = False
            try:
                fd = os.open(name, _FOLDER, dir_fd=self._fd)
            except FileNotFoundError:
                if not create:
                    path = shown(self.path_of(name))
                    raise VaultNotFoundError(f"{path}: no such folder", path=path) from None
                try:
                    os.mkdir(name, 0o700, dir_fd=self._fd)
                    made = True
                except FileExistsError:
                    pass  # another process was first
                except OSError as error:
                    if error.errno == errno.ENOENT and os.fstat(self._fd).st_nlink:
                        # It stands, and is of a file system that makes nothing: proc(5).
                        error = OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
                    raise io_error(error, self.path_of(name), "make the folder") from error
                fd = os.open(name, _FOLDER, dir_fd=self._fd)
            except NotADirectoryError:
                found = self.look(name)
                if found is None or stat.S_ISDIR(found.st_mode):
                    raise
                raise wrong_kind(self.path_of(name), found, "a folder") from None
            given = f"{self._given}/{name}"
            folder = self._checked(fd, given, None, strict=strict)
            if made:
                try:
                    os.fchmod(fd, 0o700)  # the umask may have taken bits of the owner
                    flush(self._fd)
                except BaseException:
                    folder.close()
                    raise
            return folder

    @classmethod
    def _checked(cls, fd: int, given: str, resolved: str | None, *, strict: bool) -> Self:
        folder = cls(fd, given, resolved)
        try:
            if strict:
                check_folder(fd, given, lambda: folder.path)
        except BaseException:
            folder.close()
            raise
        return folder

    def close(self) -> None:
        """Close the descriptor. May be called twice."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            try:
                os.close(fd)
            except OSError:
                pass  # nothing was written through it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def path_of(self, name: str) -> str:
        """The path of a file in this folder, for messages."""
        return os.path.join(self.path, name)

    def look(self, name: str) -> os.stat_result | None:
        """What stands at *name*, itself and not what it points to. None for nothing."""
        try:
            return os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise io_error(error, self.path_of(name), "look at the file") from error

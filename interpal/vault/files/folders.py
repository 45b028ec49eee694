"""A folder, opened once and checked, through whose descriptor everything in it is reached.

`O_NOFOLLOW` guards the last part of a path only; a descriptor cannot be swapped for another
folder between the check and the use (docs/reliability.md, trap 5).
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from interpal.exceptions import VaultNotFoundError
from interpal.vault.files.permissions import check_folder, reported, shown, wrong_kind

if TYPE_CHECKING:
    from typing_extensions import Self

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class OpenFolder:
    """The descriptor of a folder that was checked, and its resolved path. A context manager."""

    __slots__ = ("_fd", "path")

    def __init__(self, fd: int, path: str) -> None:
        self._fd = fd
        self.path = path

    @classmethod
    def open(cls, path: str, *, create: bool = False, strict: bool = True) -> Self:
        """Open the folder at *path*, resolved first.

        `create` makes missing folders, 0700. `strict=False` checks nothing, for those who only
        look. Raises `VaultNotFoundError` where there is none, `VaultPermissionError` where
        another user may put things into it, `VaultIOError`.
        """
        with reported(path, "open the folder"):
            real = os.path.realpath(path)
            try:
                fd = os.open(real, _FOLDER)
            except FileNotFoundError:
                parent, name = os.path.split(real)
                if not create or not name:
                    message = f"{shown(real)}: there is no such folder"
                    raise VaultNotFoundError(message, path=shown(real)) from None
                with cls.open(parent, create=True, strict=False) as above:
                    return above.subfolder(name, create=True, strict=strict)
            return cls._checked(fd, real, strict=strict)

    def subfolder(self, name: str, *, create: bool = False, strict: bool = True) -> Self:
        """Open a folder in this one, as `open` does, but never through a symbolic link."""
        path = self.path_of(name)
        with reported(path, "open the folder"):
            made = False
            try:
                fd = os.open(name, _FOLDER, dir_fd=self._fd)
            except FileNotFoundError:
                if not create:
                    message = f"{shown(path)}: there is no such folder"
                    raise VaultNotFoundError(message, path=shown(path)) from None
                try:
                    os.mkdir(name, 0o700, dir_fd=self._fd)
                    made = True
                except FileExistsError:
                    pass  # another process was first
                fd = os.open(name, _FOLDER, dir_fd=self._fd)
            except NotADirectoryError:
                found = self.look(name)
                if found is None or stat.S_ISDIR(found.st_mode):
                    raise
                raise wrong_kind(path, found, "a folder") from None
            folder = self._checked(fd, path, strict=strict)
            if made:
                try:
                    os.fchmod(fd, 0o700)  # the umask may have taken bits of the owner
                    os.fsync(self._fd)
                except BaseException:
                    folder.close()
                    raise
            return folder

    @classmethod
    def _checked(cls, fd: int, path: str, *, strict: bool) -> Self:
        try:
            if strict:
                check_folder(os.fstat(fd), path)
        except BaseException:
            os.close(fd)
            raise
        return cls(fd, path)

    def close(self) -> None:
        """Close the descriptor. May be called twice."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with suppress(OSError):  # nothing was written through it
                os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def path_of(self, name: str) -> str:
        """The path of a file in this folder, for messages."""
        return os.path.join(self.path, name)

    def look(self, name: str) -> os.stat_result | None:
        """What stands at *name*, itself and not what it points to. None for nothing."""
        with reported(self.path_of(name), "look at the file"):
            try:
                return os.stat(name, dir_fd=self._fd, follow_symlinks=False)
            except FileNotFoundError:
                return None

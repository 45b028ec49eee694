"""A vault in one file: read without a lock, replaced whole under one.

Everything beside the file starts with its name: `<vault>.locks/`, `<vault>.<random>.tmp`,
`<vault>.corrupt-<UTC>` (docs/session-persistence.md).
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from interpal._lazy import LateModule
from interpal._log import Logger
from interpal._tuples import NamedTuple
from interpal.exceptions import (
    ValidationError,
    VaultIOError,
    VaultLimitError,
    VaultNotFoundError,
)
from interpal.vault.files.permissions import EFFECTIVE, shown
from interpal.vault.files.private_files import Folder, is_still
from interpal.vault.stores.values import Stored, check_max_size

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from interpal.vault.files import locks, mounts, writable
    from interpal.vault.files.locks import FileLock
    from interpal.vault.files.private_files import Version
    from interpal.vault.stores import sizes
else:
    locks = LateModule("interpal.vault.files.locks")
    mounts = LateModule("interpal.vault.files.mounts")
    sizes = LateModule("interpal.vault.stores.sizes")
    writable = LateModule("interpal.vault.files.writable")

DEFAULT_FILE = ".interpals_session.json"
"""The vault where none is named: in the working directory, by the name of interpal 1.x."""

GENERAL_FILE = ".session_vault.json"
"""The same, for those who keep no sessions of Interpals: the command line looks for both."""

# What this user has to be allowed.
_FILE = os.R_OK | os.W_OK
_FOLDER = _FILE | os.X_OK

_log = Logger("interpal.vault.stores.file")

# Folders whose file system was checked already: the table of mounts may be long.
_looked_at: set[str] = set()


class Details(NamedTuple):
    """What the file system says of a vault: `mode` as in `st_mode`, `mtime` in epoch seconds."""

    mode: int
    uid: int
    size: int
    mtime: float
    nlink: int


class FileStore:
    """The vault at *path*, which is made absolute at once. A `Store`.

    The folder is opened anew for every operation. Raises `ValidationError` for what is no path.
    """

    __slots__ = ("_folder", "_name", "max_size", "path")

    def __init__(self, path: str | os.PathLike[str], *, max_size: int | None = None) -> None:
        self.max_size = check_max_size(max_size)
        self.path = absolute(path)
        self._folder, self._name = os.path.split(self.path)

    def __repr__(self) -> str:
        return f"FileStore({self.location!r})"

    @property
    def location(self) -> str:
        """The path, printable."""
        return shown(self.path)

    def load(self, *, foreign: bool = False) -> Stored | None:
        """The newest bytes without taking a lock, None where there are none.

        With `foreign` a vault of any owner is read and nothing is changed, for `inspect`. Raises
        `VaultPermissionError`, `VaultLimitError`, `VaultIOError`.
        """
        try:
            with Folder.open(self._folder, strict=not foreign) as folder:
                return _load(folder, self._name, self.max_size, foreign=foreign)
        except VaultNotFoundError:
            return None

    def is_still(self, version: object) -> bool:
        """Whether the file that was read with this version stands there, unchanged."""
        return version is not None and is_still(self.path, cast("Version", version))

    def is_gone(self) -> bool:
        """Whether nothing is at the path."""
        return not os.path.lexists(self.path)

    def details(self) -> Details | None:
        """Mode, owner, size, time and links of what stands at the path, whoever owns it."""
        try:
            with Folder.open(self._folder, strict=False) as folder:
                found = folder.look(self._name)
        except VaultNotFoundError:
            return None
        if found is None:
            return None
        return Details(found.st_mode, found.st_uid, found.st_size, found.st_mtime, found.st_nlink)

    def leftovers(self) -> list[str]:
        """The paths of temporaries and of vaults that were set aside, sorted."""
        try:
            with Folder.open(self._folder, strict=False) as folder:
                return [folder.path_of(name) for name in folder.leftovers(self._name)]
        except VaultNotFoundError:
            return []

    @contextmanager
    def write_lock(self, timeout: float) -> Generator[FileWriter, None, None]:
        """Hold the write lock; seconds to wait for it, 0 to try once.

        Makes missing folders (0700), and removes what writers that died have left. Raises
        `LockTimeoutError`, `VaultPermissionError`, `VaultIOError`.
        """
        self._warn_of_network()
        lock = locks.FileLock(self.path, "write.lock")
        try:
            lock.acquire(timeout)
            with Folder.open(self._folder, create=True) as folder:
                folder.sweep(self._name)
                yield FileWriter(folder, self._name, lock, self.max_size)
        finally:
            lock.release()

    def login_lock(self, tag: bytes) -> FileLock:
        """The login lock of the account with this *tag*, not yet taken."""
        return locks.login_lock(self.path, tag)

    def is_login_under_way(self) -> bool:
        """Whether anybody holds a login lock of this vault."""
        return locks.is_login_under_way(self.path)

    def seems_writable(self) -> bool:
        """Whether files can be made beside the vault, and its locks be taken, at a glance."""
        held = f"{self.path}.locks"
        return os.access(self._folder, _FOLDER, effective_ids=EFFECTIVE) and all(
            may_take(path, rights)
            for path, rights in (
                (held, _FOLDER),
                (f"{held}/write.lock", _FILE),
                (f"{held}/login.lock", _FILE),
            )
        )

    def check_writable(self) -> None:
        """Refuse a place that is set up so that nothing can be saved (`writable.check`)."""
        writable.check(self.path)

    def close(self) -> None:
        """Nothing is kept open between two operations."""

    def _warn_of_network(self) -> None:
        if self._folder in _looked_at:
            return
        _looked_at.add(self._folder)
        kind = mounts.network_filesystem(self._folder)
        if kind is not None:
            _log.warning(
                "%s is on a network file system (%s), where locks between hosts cannot be relied "
                "on. For several hosts use the Redis store.",
                self.location,
                kind,
            )
        other = mounts.second_view(self._folder)
        if other is not None:
            _log.warning(
                "%s is on a FUSE file system that is mounted at %s too: the locks of one mount are "
                "not seen by the other. Reach it by one path.",
                self.location,
                shown(other),
            )


class FileWriter:
    """What the holder of the write lock may do. A `Writer`; of no use after the lock."""

    __slots__ = ("_folder", "_lock", "_max_size", "_name")

    def __init__(self, folder: Folder, name: str, lock: FileLock, max_size: int) -> None:
        self._folder = folder
        self._name = name
        self._lock = lock
        self._max_size = max_size

    def load(self) -> Stored | None:
        """The newest bytes, None where there are none."""
        return _load(self._locked(), self._name, self._max_size)

    def is_still(self, version: object) -> bool:
        """Whether the file that was read with this version stands there, unchanged."""
        return self._locked().is_still(self._name, cast("Version | None", version))

    def save(self, data: bytes, *, verify: Callable[[bytes], None] | None = None) -> Stored:
        """Put *data* in the place of what is there, whole or not at all, durably."""
        return Stored(data, self._locked().replace(self._name, data, verify=verify))

    def remove(self) -> None:
        """Take the file away. The folder of the locks stays."""
        self._locked().remove(self._name)

    def set_aside(self, seen: Stored) -> str | None:
        """Rename the file if it is still *seen*; its new path, None where it is not."""
        folder = self._locked()
        aside = folder.set_aside(self._name, seen.reveal(), seen.identity)
        return None if aside is None else shown(folder.path_of(aside))

    def _locked(self) -> Folder:
        if not self._lock.held:
            path = shown(self._folder.path_of(self._name))
            message = f"{path}: this process does not hold the write lock (any more)"
            raise VaultIOError(message, path=path)
        return self._folder


def may_take(path: str, rights: int) -> bool:
    """Whether what stands at *path*, if something does, is of this user, with these *rights*."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return True
    return found.st_uid == os.geteuid() and os.access(path, rights, effective_ids=EFFECTIVE)


def _load(folder: Folder, name: str, most: int, *, foreign: bool = False) -> Stored | None:
    try:
        opened = folder.read(name, limit=most, foreign=foreign)
    except VaultLimitError:
        found = folder.look(name)
        size = most + 1 if found is None else max(most + 1, found.st_size)
        raise sizes.too_large(shown(folder.path_of(name)), size, most) from None
    if opened is None:
        return None
    return Stored(opened.data.reveal(), opened.identity, opened.version)


def absolute(path: str | os.PathLike[str]) -> str:
    """*path* from the working directory of now. Raises `ValidationError`, `VaultIOError`."""
    try:
        text = os.fspath(path)
    except TypeError:
        raise ValidationError("path: must be text or a pathlib.Path") from None
    if not isinstance(text, str):
        raise ValidationError("path: must be text, not bytes")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise ValidationError("path: not a file name on this system") from None
    if not text or "\0" in text:
        raise ValidationError("path: must not be empty and must not hold a NUL")
    try:
        found = os.path.abspath(text)
    except OSError as error:
        raise VaultIOError(
            f"{shown(text)}: a relative path, and the working directory was removed or cannot be "
            f"reached ({error.strerror}): give an absolute path, or change to another folder",
            path=shown(text),
            errno=error.errno,
        ) from error
    if not os.path.basename(found):
        raise ValidationError(f"path: {shown(found)} is a folder, not the path of a file")
    return found

"""Private files: open, check and replace atomically, in a folder that was checked first.

Nothing here knows what a vault is. Opening the folder is in `folders.py`, what is refused and
with which words in `permissions.py`, the locks beside a vault in `locks.py`. The rules are those of
docs/shared-server.md, the traps those of docs/reliability.md.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from typing import TYPE_CHECKING

from interpal._hidden import Hidden
from interpal._log import Logger
from interpal._tuples import NamedTuple
from interpal.exceptions import (
    KeySourceError,
    NotDurableError,
    VaultError,
    VaultLimitError,
    VaultPermissionError,
)
from interpal.vault.files.folders import OpenFolder, flush
from interpal.vault.files.permissions import (
    exposes_secret,
    foreign_owner,
    how_to_close,
    is_loose,
    is_trusted_owner,
    kind_of,
    may_repair,
    quoted,
    reported,
    shown,
    tighten,
    wrong_kind,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_log = Logger("interpal.vault.files.private_files")

Identity = tuple[int, int]
"""Device and inode."""

# O_NONBLOCK, or a FIFO hangs the open; it does nothing to a regular file.
_SAFE = os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_READ = os.O_RDONLY | os.O_NOFOLLOW | _SAFE
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | _SAFE
# What a file system without hard links says, and link(2) of those that are mounted by FUSE.
_NO_LINKS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EMLINK}
_BIRTH = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


Version = tuple[int, int, int, int, int]
"""Device, inode, size, and the times of the last change of content and of inode, in ns."""

# Where a file was changed this shortly before it is read, a second change may leave the same
# times: the kernel's clock goes by ticks, and that of some file systems by 2 seconds.
_SETTLED_NS = 2_100_000_000


class Opened(NamedTuple):
    """A file as it was read: `mode` is its permission bits, `mtime` in epoch seconds.

    As long as `Folder.is_still` says so of `version`, the file has these bytes. It is None for
    a file that was changed a moment ago, of which this is not known.
    """

    data: Hidden[bytes]
    identity: Identity
    mode: int
    uid: int
    size: int
    mtime: float
    version: Version | None = None

    def __repr__(self) -> str:
        return f"<Opened: {self.size} bytes>"


class Folder(OpenFolder):
    """An open folder and the private files in it, which its methods take by their bare names."""

    __slots__ = ()

    def read(self, name: str, *, limit: int, foreign: bool = False) -> Opened | None:
        """Read the file at *name*, at most *limit* bytes. None where there is nothing.

        It must be a regular file of this user with one name. Looser mode bits than 0600 are
        tightened, but in `permissions.without_repairs`. With `foreign` any owner is read and
        nothing is changed. Raises `VaultPermissionError`, `VaultLimitError`, `VaultIOError`.
        """
        with reported(lambda: self.path_of(name), "read"):
            # Before opening: to open a device can have effects of its own.
            found = self.look(name)
            if found is None:
                return None
            self._check_file(name, found, foreign=foreign)
            try:
                fd = os.open(name, _READ, dir_fd=self._fd)
            except FileNotFoundError:
                return None
            try:
                found = os.fstat(fd)
                now = time.time_ns()
                self._check_file(name, found, foreign=foreign)
                if is_loose(found) and not foreign and may_repair():
                    path = self.path_of(name)
                    tighten(found, path, lambda mode: os.fchmod(fd, mode), lambda: os.fstat(fd))
                if found.st_size > limit:
                    raise _too_large(self.path_of(name), limit)
                data = _read_all(fd, found.st_size, limit)
            finally:
                os.close(fd)
            size = len(data.reveal())
            if size > limit:
                raise _too_large(self.path_of(name), limit)
        return Opened(
            data,
            _identity(found),
            stat.S_IMODE(found.st_mode),
            found.st_uid,
            size,
            found.st_mtime,
            version_of(found) if _is_settled(found, now) else None,
        )

    def is_still(self, name: str, version: Version | None) -> bool:
        """Whether the file at *name* is, unchanged, the one that was read with this *version*."""
        return version is not None and is_still(name, version, dir_fd=self._fd)

    def replace(
        self, name: str, data: bytes, *, verify: Callable[[bytes], None] | None = None
    ) -> Identity:
        """Put *data* at *name*: the whole of it, durably, or not at all.

        *verify* gets the bytes as they can be read back before they replace the old ones; what
        it raises keeps the old ones. For the holder of the write lock. Raises
        `VaultPermissionError`, `VaultIOError`; `NotDurableError` after the new content is in
        its place.
        """
        with reported(lambda: self.path_of(name), "save"):
            self._check_target(name)
            temporary = _temporary(name)
            try:
                identity = self._write(temporary, Hidden(data), verify)
                os.replace(temporary, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
            except BaseException:
                self._discard(temporary)
                raise
        self._sync(name, "saved")
        return identity

    def create(self, name: str, data: Hidden[bytes]) -> bool:
        """Put *data* at *name* where there is nothing yet. False where there is something.

        Of two processes that do this at once one gets True, and neither ever sees half a file.
        Needs no lock. Raises as `replace` does.
        """
        with reported(lambda: self.path_of(name), "create"):
            temporary = _temporary(name)
            try:
                self._write(temporary, data, None)
                made = self._give_name(temporary, name)
            except FileExistsError:
                made = False
            finally:
                self._discard(temporary)
        # Also where another process made it: it is going to be relied on before that one is done.
        self._sync(name, "made")
        return made

    def _give_name(self, temporary: str, name: str) -> bool:
        """Give a file that is whole its name, where nothing has it yet. False where something has.

        A hard link does that in one step. Where there are none, and where the number of links is
        remembered too long to be checked right after, it is looked and renamed under a lock of
        the folder, which all who have to do it in this way take.
        """
        from interpal.vault.files.folder_lock import locked_folder
        from interpal.vault.files.mounts import forgets_links

        if not forgets_links(self.path):
            try:
                os.link(temporary, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
            else:
                return True
        with locked_folder(self._fd):
            if self.look(name) is not None:
                return False
            os.rename(temporary, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
            return True

    def remove(self, name: str) -> bool:
        """Take the file at *name* away, durably. False where there is nothing."""
        with reported(lambda: self.path_of(name), "remove"):
            if self._check_target(name) is None:
                return False
            os.unlink(name, dir_fd=self._fd)
        self._sync(name, "removed")
        return True

    def set_aside(self, name: str, data: bytes, identity: object) -> str | None:
        """Rename *name* to `<name>.corrupt-<UTC>` if it still has *data* and *identity*.

        Returns the new name, None where something else stands there by now. Nothing is ever
        overwritten: `-2`, `-3` and so on are added where the name is taken.
        """
        try:
            opened = self.read(name, limit=len(data))
        except VaultLimitError:
            return None
        if opened is None or opened.identity != identity or opened.data != Hidden(data):
            return None
        with reported(lambda: self.path_of(name), "set aside"):
            aside, held = self._reserve(name)
            try:
                os.replace(name, aside, src_dir_fd=self._fd, dst_dir_fd=self._fd)
            except BaseException:
                found = self.look(aside)
                if found is not None and _identity(found) == held:
                    self._discard(aside)
                raise
        self._sync(name, f"renamed to {shown(aside)}")
        return aside

    def sweep(self, name: str) -> None:
        """Remove what dead writers of *name* left. For the holder of the write lock only.

        Never raises for a file that stays: it is not worth losing a save.
        """
        try:
            for entry in os.listdir(self._fd):
                if _is_temporary(entry, name):
                    found = self.look(entry)
                    if found and stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
                        self._discard(entry)
                        _log.info("removed a leftover: %s", shown(self.path_of(entry)))
        except (OSError, VaultError) as error:
            _log.warning("%s: cannot look for leftovers: %s", shown(self.path), error)

    def leftovers(self, name: str) -> list[str]:
        """The names of temporaries and of files set aside that belong to *name*, sorted."""
        with reported(self.path, "list the folder"):
            entries = os.listdir(self._fd)
        aside = f"{name}.corrupt-"
        return sorted(e for e in entries if _is_temporary(e, name) or e.startswith(aside))

    def open_lock(self, name: str) -> int:
        """A descriptor of the lock file at *name*, made 0600 where there is none."""
        found = self.look(name)
        if found is not None:
            self._check_file(name, found)
        fd = os.open(name, _LOCK, 0o600, dir_fd=self._fd)
        try:
            found = os.fstat(fd)
            self._check_file(name, found)
            if stat.S_IMODE(found.st_mode) != 0o600:
                os.fchmod(fd, 0o600)  # who can open a lock can hold it
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _check_target(self, name: str) -> os.stat_result | None:
        found = self.look(name)
        if found is not None:
            self._check_file(name, found)
        return found

    def _check_file(self, name: str, found: os.stat_result, *, foreign: bool = False) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise wrong_kind(self.path_of(name), found, "a regular file")
        if found.st_uid != os.geteuid() and not foreign:
            raise foreign_owner(self.path_of(name), found)
        # No link at all is a file that was replaced after it was opened, and whole (trap 4).
        if found.st_nlink > 1 and self._links(name, found, mend=not foreign and may_repair()) > 1:
            path = self.path_of(name)
            raise VaultPermissionError(
                f"{shown(path)} has {found.st_nlink} hard links, so another name leads to it too; "
                f"it was left unchanged. Find the others (find / -xdev -samefile {quoted(path)}) "
                "and remove them.",
                path=shown(path),
            )

    def _links(self, name: str, found: os.stat_result, *, mend: bool) -> int:
        """How many names the file has, less those that a dying `create` left."""
        spare = 0
        for entry in os.listdir(self._fd):
            if _is_temporary(entry, name):
                other = self.look(entry)
                if other is not None and _identity(other) == _identity(found):
                    if mend:
                        self._discard(entry)
                    else:
                        spare += 1
        again = self.look(name)
        if again is None or _identity(again) != _identity(found):
            return found.st_nlink
        return again.st_nlink - spare

    def _write(
        self, name: str, data: Hidden[bytes], verify: Callable[[bytes], None] | None
    ) -> Identity:
        size, written = len(data.reveal()), 0
        fd = os.open(name, _BIRTH, 0o600, dir_fd=self._fd)
        try:
            # Before the first byte: the umask and a default ACL have had their say by now.
            os.fchmod(fd, 0o600)
            while written < size:
                written += os.write(fd, memoryview(data.reveal())[written:])
            flush(fd)  # never a second time: a second one forgets what the first lost
            found = os.fstat(fd)
            if found.st_size != size:
                raise OSError(errno.EIO, "the file has a different size than what was written")
            if verify is not None:
                os.lseek(fd, 0, os.SEEK_SET)
                verify(_read_all(fd, size, size).reveal())
        except BaseException:
            try:
                os.close(fd)
            except OSError:
                pass  # the first error is the one to report
            raise
        os.close(fd)
        return _identity(found)

    def _reserve(self, name: str) -> tuple[str, Identity]:
        """A free name for *name* to be set aside under, held by an empty file of ours."""
        base = f"{name}.corrupt-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        for number in range(1, 1000):
            aside = base if number == 1 else f"{base}-{number}"
            try:
                fd = os.open(aside, _BIRTH, 0o600, dir_fd=self._fd)
            except FileExistsError:
                continue
            try:
                return aside, _identity(os.fstat(fd))
            finally:
                os.close(fd)
        raise FileExistsError(errno.EEXIST, "every name for it is taken")

    def _discard(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self._fd)
        except FileNotFoundError:
            pass
        except OSError as error:
            _log.warning("%s could not be removed: %s", shown(self.path_of(name)), error.strerror)

    def _sync(self, name: str, done: str) -> None:
        try:
            flush(self._fd)
        except OSError as error:
            path = self.path_of(name)
            raise NotDurableError(
                f"{shown(path)}: {done}, but perhaps not durable, because the folder could not be "
                f"synced ({error.strerror}): a power cut now might bring the old state back.",
                path=shown(path),
                errno=error.errno,
            ) from error


def read_secret_file(path: str, limit: int) -> Hidden[bytes]:
    """The bytes of a key or passphrase file, at most *limit*.

    Symbolic links are followed, as container secrets need it; what they lead to is checked. A
    file that group or world may read is refused unless root owns it and nobody else may write
    it (docs/keys.md). Raises `KeySourceError` for one that is absent, too large or no
    regular file, `VaultPermissionError` for an insecure one, `VaultIOError`.
    """
    with reported(path, "read"):
        try:
            # Before opening: to open a device can have effects of its own.
            _check_regular(path, os.stat(path))
            fd = os.open(path, os.O_RDONLY | _SAFE)
        except FileNotFoundError:
            message = f"{shown(path)}: no such file{_why_no_such_file(path)}"
            raise KeySourceError(message, path=shown(path)) from None
        except ValueError:  # a NUL, or text that is no file name
            raise KeySourceError(f"{shown(path)} is not a path", path=shown(path)) from None
        try:
            found = os.fstat(fd)
            _check_regular(path, found)
            _check_secret(path, found)
            data = _read_all(fd, found.st_size, limit) if found.st_size <= limit else None
        finally:
            os.close(fd)
    if data is None or len(data.reveal()) > limit:
        message = f"{shown(path)} is larger than a key or passphrase may be ({limit} bytes)"
        raise KeySourceError(message, path=shown(path))
    return data


def _why_no_such_file(path: str) -> str:
    """What a shell would have taken away or put in, in a name that came by no shell."""
    if path != path.strip(" \t\r\n\"'`"):
        return "; the name has a quote, a blank or a CR at its beginning or end: remove it"
    if path.startswith("~") or "$" in path:
        return "; ~ and $VARIABLES are not expanded here: give the whole path"
    if not os.path.isabs(path):
        return "; it is looked for in the working directory: give the whole path"
    return "; correct the path"


def _check_regular(path: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        message = f"{shown(path)} is {kind_of(found)}, not a file with a key or passphrase in it"
        raise KeySourceError(message, path=shown(path))


def _check_secret(path: str, found: os.stat_result) -> None:
    if not is_trusted_owner(found):
        raise foreign_owner(path, found)
    if exposes_secret(found):
        raise VaultPermissionError(
            f"{shown(path)} holds a secret that other users can access "
            f"(mode {stat.S_IMODE(found.st_mode):04o}). Fix it: "
            f"{how_to_close(path, f'chmod 600 {quoted(path)}')}",
            path=shown(path),
        )


def _read_all(fd: int, size: int, limit: int) -> Hidden[bytes]:
    """All that is left to read, one byte more than *limit* at most; *size* is a good guess."""
    pieces: list[Hidden[bytes]] = []
    total = 0
    while total <= limit:
        wanted = min(limit + 1, max(size + 1, total + 65536)) - total
        piece = Hidden(os.read(fd, wanted))
        size = len(piece.reveal())
        if not size:
            break
        pieces.append(piece)
        total += size
    return pieces[0] if len(pieces) == 1 else Hidden(b"".join(one.reveal() for one in pieces))


def _too_large(path: str, limit: int) -> VaultLimitError:
    return VaultLimitError(f"{shown(path)} is larger than {limit} bytes", path=shown(path))


def version_of(found: os.stat_result) -> Version:
    """What tells a file, and each change of it, from every other."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def is_still(path: str, version: Version, *, dir_fd: int | None = None) -> bool:
    """Whether the regular file at *path* has this *version*. False where that is not known."""
    try:
        # A device is not opened.
        if version_of(os.stat(path, dir_fd=dir_fd, follow_symlinks=False)) != version:
            return False
        # A network file system asks its server anew where a file is opened, not before.
        fd = os.open(path, _READ, dir_fd=dir_fd)
        try:
            return version_of(os.fstat(fd)) == version
        finally:
            os.close(fd)
    except OSError:
        return False


def _is_settled(found: os.stat_result, now_ns: int) -> bool:
    return now_ns - max(found.st_mtime_ns, found.st_ctime_ns) > _SETTLED_NS


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino


def _temporary(name: str) -> str:
    return f"{name}.{os.urandom(8).hex()}.tmp"


def _is_temporary(entry: str, name: str) -> bool:
    middle = entry[len(name) + 1 : -4]
    return (
        len(entry) == len(name) + 21
        and entry.startswith(name + ".")
        and entry.endswith(".tmp")
        and all(c in "0123456789abcdef" for c in middle)
    )

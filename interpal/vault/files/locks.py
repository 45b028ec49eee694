"""Locks between processes: on permanent files of our own beside the vault.

The write lock is `flock` on a file of its own; the login locks are bytes of one file.

A lock file lives in `<vault>.locks/` (0700), has mode 0600 and is never deleted: a file that
comes and goes lets two processes lock two files of one name. The kernel frees the lock when its
holder ends, however it ends. docs/reliability.md, traps 1, 2, 3, 11 and 12.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
import threading
from contextlib import suppress

from interpal.exceptions import LockTimeoutError, VaultError
from interpal.vault.files.forks import Process
from interpal.vault.files.permissions import reported, shown
from interpal.vault.files.private_files import Folder
from interpal.vault.files.waiting import Waiting

# Every open lock file of this process, held or only waited for. The guard makes opening and
# noting one step, so that a fork in another thread finds each descriptor noted.
_open_files: set[int] = set()
_guard = threading.RLock()

WRITE_LOCK = "write.lock"
LOGIN_LOCK = "login.lock"
LOGIN_LOCKS = 16

_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK}
# `struct flock`: l_type, l_whence, l_start, l_len, l_pid, as C aligns them.
_FLOCK = struct.Struct("hhqqi0q")


def _in_child() -> None:
    # A lock belongs to the open file, which parent and child share: to unlock here would free
    # the parent's lock, to keep the descriptor would hold it after the parent's end.
    while _open_files:
        with suppress(OSError):
            os.close(_open_files.pop())
    _guard.release()


os.register_at_fork(before=_guard.acquire, after_in_parent=_guard.release, after_in_child=_in_child)


class FileLock:
    """The lock *name* of the vault at *path* (absolute), not yet taken.

    Opens nothing until it is taken, and the folders anew each time. It belongs to the object
    and the process, not to a thread; a child of the holder does not hold it.
    """

    __slots__ = ("_fd", "_name", "_path", "_process")

    def __init__(self, path: str, name: str) -> None:
        self._path = path
        self._name = name
        self._fd = -1
        self._process = Process()

    @property
    def path(self) -> str:
        """Where the lock file is, for messages."""
        return shown(self._file)

    @property
    def _file(self) -> str:
        return os.path.join(f"{self._path}.locks", self._name)

    @property
    def held(self) -> bool:
        """Whether this object, in this process, holds the lock."""
        return self._fd in _open_files and self._process.is_current

    @property
    def fence(self) -> int:
        """0: the kernel gives the lock to nobody else while its holder lives."""
        return 0

    def try_acquire(self) -> bool:
        """Take the lock if it is free. True if this object now holds it, or did already.

        Raises `VaultPermissionError`, `VaultIOError`.
        """
        return self._take(0)

    def acquire(self, timeout: float) -> None:
        """Take the lock, waiting at most *timeout* seconds by the monotonic clock.

        Raises `LockTimeoutError`, `VaultPermissionError`, `VaultIOError`.
        """
        if not self._take(timeout):
            holder = self.holder()
            by = f"process {holder}" if holder else "another process"
            where = "" if holder else " (it may be of another user or container)"
            raise LockTimeoutError(
                f"{self.path}: {by} holds the lock{where}, after waiting {timeout:g} s. Try again "
                "later; if that process is stuck, end it to free the lock.",
                path=shown(self._path),
                holder=holder,
            )

    def holder(self) -> str | None:
        """The pid that the last holder wrote, None where there is none that means anything here."""
        folder, vault = os.path.split(self._path)
        try:
            with Folder.open(folder) as beside, beside.subfolder(f"{vault}.locks") as locks:
                opened = locks.read(self._name, limit=64)
        except VaultError:
            return None
        pid, space = [*(opened.data.reveal().split(b"\n") if opened else ()), b"", b""][:2]
        if space.startswith(b"pid:[") and space != _pid_space():
            return None  # a number of another container says nothing here
        return pid.decode("ascii") if pid.isdigit() and len(pid) <= 10 else None

    def release(self) -> None:
        """Free the lock. Does nothing where this object and process do not hold it."""
        try:
            self._let_go()
        finally:
            self._let_go()  # nothing is left to do, unless an interrupt came into the first

    def _let_go(self) -> None:
        if self.held:
            fd, self._fd = self._fd, -1
            try:
                # Not only by closing: a child that was made past `os.fork` may have a copy.
                self._unlock(fd)
            finally:
                _close(fd)

    def _take(self, timeout: float) -> bool:
        if self.held:
            return True
        waiting = Waiting(timeout)
        stale = 0
        fd = self._fd = -1
        try:
            while True:
                if fd < 0:
                    fd = self._open()
                if self._lock(fd):
                    if self._stands(fd):
                        self._process = Process()
                        self._fd = fd
                        self._note_holder()
                        return True
                    # Somebody took the file away by hand, and another may stand there by now.
                    _close(fd)
                    fd = -1
                    stale += 1
                    if stale < 10:
                        continue
                if not waiting.pause():
                    return False
        except BaseException:
            self._fd = -1
            raise
        finally:
            if fd >= 0 and fd != self._fd:
                _close(fd)

    def _open(self) -> int:
        folder, vault = os.path.split(self._path)
        fd = -1
        try:
            with (
                Folder.open(folder, create=True) as beside,
                beside.subfolder(f"{vault}.locks", create=True) as locks,
                reported(self._file, "open the lock"),
                _guard,
            ):
                fd = locks.open_lock(self._name)
                _open_files.add(fd)
            return fd
        except BaseException:
            if fd >= 0:  # an interrupt while the folders were closed
                _close(fd)
            raise

    def _lock(self, fd: int) -> bool:
        with reported(self._file, "take the lock"):
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    def _unlock(self, fd: int) -> None:
        with suppress(OSError):
            os.ftruncate(fd, 0)
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_UN)

    def _stands(self, fd: int) -> bool:
        """Whether the locked file is the one that the next process would open."""
        with reported(self._file, "look at the lock"):
            ours = os.fstat(fd)
            try:
                theirs = os.stat(self._file, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                return False
            return (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)

    def _note_holder(self) -> None:
        text = b"%d\n%s" % (self._process.pid, _pid_space())
        try:
            os.pwrite(self._fd, text, 0)
            os.ftruncate(self._fd, len(text))
        except OSError:
            pass  # a full disk: the lock holds all the same, only its message is poorer


class ByteLock(FileLock):
    """The lock of one byte, at *offset*, of the lock file *name*; the file stays empty.

    An open-file-description lock (fcntl(2)): like `flock` it belongs to the open file, and ends
    with its holder.
    """

    __slots__ = ("_offset",)

    def __init__(self, path: str, name: str, offset: int) -> None:
        super().__init__(path, name)
        self._offset = offset

    def holder(self) -> str | None:
        """The pid of the holder, where it is a process of this user that can be seen here.

        The kernel names no holder of such a lock; proc(5) shows the locks of each open file.
        """
        try:
            wanted = os.stat(self._file)
            pids = [name for name in os.listdir("/proc") if name.isdigit()]
        except OSError:
            return None
        return next((pid for pid in pids if _holds(pid, wanted, self._offset)), None)

    def _lock(self, fd: int) -> bool:
        with reported(self._file, "take the lock"):
            try:
                fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _flock(fcntl.F_WRLCK, self._offset, 1))
            except (BlockingIOError, PermissionError):
                return False
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    raise
            else:
                return True
        # A file system that knows `flock` alone: one lock for all accounts is better than none.
        return super()._lock(fd)

    def _unlock(self, fd: int) -> None:
        with suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _flock(fcntl.F_UNLCK, self._offset, 1))
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_UN)

    def _note_holder(self) -> None:
        """The file does not reveal who logs in."""


def login_lock(path: str, tag: bytes) -> FileLock:
    """The login lock of the account with this *tag* (32 bytes), of the vault at *path*.

    Each has a byte of its own in one file, at an offset that the tag gives. Where the system is
    not Linux, or has no open-file-description locks, it is one of 16 files.
    """
    if _has_byte_locks():
        return ByteLock(path, LOGIN_LOCK, int.from_bytes(tag[:8], "big") >> 2)
    return FileLock(path, f"login-{tag[0] % LOGIN_LOCKS:02d}.lock")


def is_login_under_way(path: str) -> bool:
    """Whether anybody, this process included, holds a login lock of the vault at *path*."""
    folder, vault = os.path.split(path)
    if not _has_byte_locks():
        return False
    try:
        with (
            Folder.open(folder) as beside,
            beside.subfolder(f"{vault}.locks") as locks,
            _guard,
        ):
            if locks.look(LOGIN_LOCK) is None:
                return False
            fd = locks.open_lock(LOGIN_LOCK)
            try:
                answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK, 0, 0))
            finally:
                os.close(fd)
    except (VaultError, OSError):
        return False
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def _has_byte_locks() -> bool:
    # `struct flock` has another order of members elsewhere; macOS keeps these locks to itself.
    return sys.platform == "linux" and hasattr(fcntl, "F_OFD_SETLK")


def _flock(kind: int, start: int, length: int) -> bytes:
    """A `struct flock` of fcntl(2), for *length* bytes from *start*; 0 for all that follow."""
    return _FLOCK.pack(kind, os.SEEK_SET, start, length, 0)


def _holds(pid: str, wanted: os.stat_result, offset: int) -> bool:
    """Whether a process has an open file with a lock at *offset* of the file *wanted*."""
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                found = os.stat(f"/proc/{pid}/fd/{fd}")
                if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                    with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as facts:
                        if any(
                            line.startswith("lock:") and f" {offset} {offset}\n" in line
                            for line in facts
                        ):
                            return True
    except OSError:
        pass  # Another user's, or gone meanwhile.
    return False


def _pid_space() -> bytes:
    """What tells the pids of one container from those of another (pid_namespaces(7))."""
    try:
        return os.fsencode(os.readlink("/proc/self/ns/pid"))
    except OSError:
        return b""


def _close(fd: int) -> None:
    with _guard:
        try:
            _open_files.discard(fd)
        finally:
            with suppress(OSError):
                os.close(fd)

from __future__ import annotations

import errno
import fcntl
import os
import stat
from typing import TYPE_CHECKING

import pytest

from interpal.exceptions import LockTimeoutError, VaultIOError, VaultPermissionError
from interpal.vault.files.locks import FileLock
from tests.files import descriptors, mode_of

if TYPE_CHECKING:
    from pathlib import Path


def lock_of(tmp_path: Path) -> FileLock:
    return FileLock(str(tmp_path / "vault"), "write.lock")


def test_lock_files_are_private_and_permanent_under_any_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        lock = lock_of(tmp_path)
        lock.acquire(0)
        lock.release()
    finally:
        os.umask(old)
    assert mode_of(tmp_path / "vault.locks") == 0o700
    assert mode_of(tmp_path / "vault.locks/write.lock") == 0o600
    assert os.listdir(tmp_path) == ["vault.locks"]


@pytest.mark.parametrize(
    ("text", "holder"),
    [
        (b"", None),
        (b"123", "123"),
        (b"12\n34\n", "12"),
        (b"-1", None),
        (b"12a\n", None),
        (b"\xff\n", None),
        ("\u0663".encode(), None),
        (b"1" * 11, None),
        (b"1" * 65, None),
    ],
)
def test_only_digits_are_believed_of_a_holder(
    tmp_path: Path, text: bytes, holder: str | None
) -> None:
    lock = lock_of(tmp_path)
    assert lock.holder() is None
    lock.acquire(0)
    lock.release()
    (tmp_path / "vault.locks/write.lock").write_bytes(text)
    assert lock.holder() == holder


def test_a_lock_file_taken_away_by_hand_is_not_locked_in_vain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vault.locks/write.lock"
    real_flock = fcntl.flock
    taken: list[int] = []

    def late_flock(fd: int, operation: int) -> None:
        if not taken:
            taken.append(fd)
            path.unlink()
        real_flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", late_flock)
    before = descriptors()
    lock = lock_of(tmp_path)
    assert lock.try_acquire()
    assert os.path.samestat(os.fstat(lock._fd), path.stat())
    lock.release()
    assert descriptors() == before


def test_a_lock_file_that_always_goes_away_ends_in_a_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_flock = fcntl.flock

    def late_flock(fd: int, operation: int) -> None:
        (tmp_path / "vault.locks/write.lock").unlink(missing_ok=True)
        real_flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", late_flock)
    before = descriptors()
    with pytest.raises(LockTimeoutError):
        lock_of(tmp_path).acquire(0.05)
    assert descriptors() == before


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_where_there_are_no_locks_the_error_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def failing(fd: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", failing)
    before = descriptors()
    for take in (lock_of(tmp_path).try_acquire, lambda: lock_of(tmp_path).acquire(5)):
        with pytest.raises(VaultIOError, match=r"cannot take the lock: .*Redis store") as caught:
            take()
        assert caught.value.errno == number
    assert descriptors() == before


@pytest.mark.timeout(10)
@pytest.mark.parametrize("what", ["symlink", "fifo", "folder", "device", "hard link"])
def test_what_stands_in_the_place_of_the_lock_file_is_refused(tmp_path: Path, what: str) -> None:
    (tmp_path / "vault.locks").mkdir(mode=0o700)
    path = tmp_path / "vault.locks/write.lock"
    (tmp_path / "target").write_text("mine")
    if what == "symlink":
        path.symlink_to("../target")
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "device" and os.geteuid() == 0:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    else:
        os.link(tmp_path / "target", path)
    found = os.lstat(path)
    before = descriptors()
    with pytest.raises(VaultPermissionError, match="it was left unchanged"):
        lock_of(tmp_path).acquire(1)
    assert os.lstat(path)[:7] == found[:7]
    assert (tmp_path / "target").read_text() == "mine"
    assert descriptors() == before
    assert lock_of(tmp_path).holder() is None


@pytest.mark.parametrize("what", ["symlink", "file", "open to all"])
def test_an_unsafe_folder_of_locks_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "vault.locks"
    (tmp_path / "target").mkdir()
    if what == "symlink":
        path.symlink_to("target")
    elif what == "file":
        path.write_text("mine")
    else:
        path.mkdir()
        path.chmod(0o777)
    with pytest.raises(VaultPermissionError, match=r"vault\.locks"):
        lock_of(tmp_path).acquire(1)
    assert os.listdir(tmp_path / "target") == []


def test_a_lock_file_with_loose_mode_bits_is_tightened(tmp_path: Path) -> None:
    lock = lock_of(tmp_path)
    lock.acquire(0)
    lock.release()
    (tmp_path / "vault.locks/write.lock").chmod(0o666)
    lock.acquire(0)
    lock.release()
    assert mode_of(tmp_path / "vault.locks/write.lock") == 0o600

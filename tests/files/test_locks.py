from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import sys
import threading
import time
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

import pytest

from interpal.exceptions import LockTimeoutError, VaultIOError, VaultPermissionError
from interpal.vault import locks
from interpal.vault.locks import FileLock, network_filesystem
from tests.files import descriptors, in_child, mode_of

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import os, sys
from interpal.vault.locks import FileLock
lock = FileLock(sys.argv[1], "write.lock")
lock.acquire(5)
print("held", flush=True)
sys.stdin.read()
"""


def lock_of(tmp_path: Path) -> FileLock:
    return FileLock(str(tmp_path / "vault"), "write.lock")


def is_free(tmp_path: Path) -> bool:
    """As another process sees it."""

    def work() -> bool:
        return lock_of(tmp_path).try_acquire()

    return in_child(work) == "True"


def holder_of(tmp_path: Path) -> Popen[str]:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "vault")]
    process = Popen(command, stdin=PIPE, stdout=PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def finish(process: Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_one_at_a_time(tmp_path: Path) -> None:
    first, second = lock_of(tmp_path), lock_of(tmp_path)
    assert first.try_acquire()
    assert first.try_acquire()
    assert not second.try_acquire()
    assert not is_free(tmp_path)
    first.release()
    assert is_free(tmp_path)
    assert second.try_acquire()
    first.release()
    assert second.held
    assert not is_free(tmp_path)
    second.release()


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


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    held, lock = lock_of(tmp_path), lock_of(tmp_path)
    before = descriptors()
    held.acquire(0)
    assert descriptors() == before + 1
    assert not lock.try_acquire()
    with pytest.raises(LockTimeoutError):
        lock.acquire(0.01)
    assert descriptors() == before + 1
    held.release()
    held.release()
    assert descriptors() == before


def test_a_holder_that_is_stopped_is_waited_for_and_named_and_not_robbed(tmp_path: Path) -> None:
    process = holder_of(tmp_path)
    process.send_signal(signal.SIGSTOP)
    start = time.monotonic()
    with pytest.raises(LockTimeoutError, match=f"process {process.pid} holds the lock") as caught:
        lock_of(tmp_path).acquire(0.3)
    assert 0.3 <= time.monotonic() - start < 2
    assert caught.value.holder == str(process.pid) == lock_of(tmp_path).holder()
    assert caught.value.path == str(tmp_path / "vault")
    finish(process)


def test_the_lock_of_a_killed_holder_is_free_at_once(tmp_path: Path) -> None:
    process = holder_of(tmp_path)
    assert not lock_of(tmp_path).try_acquire()
    process.kill()
    process.communicate()
    lock = lock_of(tmp_path)
    assert lock.try_acquire()
    assert lock.holder() == str(os.getpid())
    lock.release()
    assert lock.holder() is None


def test_one_that_waits_gets_the_lock_soon_after_it_is_free(tmp_path: Path) -> None:
    held = lock_of(tmp_path)
    held.acquire(0)
    freed: list[float] = []

    def free() -> None:
        time.sleep(0.2)
        freed.append(time.monotonic())
        held.release()

    thread = threading.Thread(target=free)
    thread.start()
    lock = lock_of(tmp_path)
    lock.acquire(5)
    thread.join()
    assert time.monotonic() - freed[0] < 0.5
    lock.release()


def test_waiting_does_not_look_at_the_wall_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_clock() -> float:
        raise AssertionError

    monkeypatch.setattr(time, "time", no_clock)
    held = lock_of(tmp_path)
    held.acquire(0)
    with pytest.raises(LockTimeoutError):
        lock_of(tmp_path).acquire(0.01)
    held.release()


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


def test_the_child_of_a_holder_neither_holds_nor_frees_the_lock(tmp_path: Path) -> None:
    lock = lock_of(tmp_path)
    lock.acquire(0)

    def child() -> list[bool]:
        said = [lock.held, lock.try_acquire(), lock_of(tmp_path).try_acquire()]
        lock.release()
        return said

    assert in_child(child) == "[False, False, False]"
    assert lock.held
    assert not is_free(tmp_path)
    lock.release()
    assert is_free(tmp_path)


def test_a_child_that_outlives_the_holder_does_not_keep_the_lock(tmp_path: Path) -> None:
    script = (
        HOLD.replace("sys.stdin.read()", "")
        + """
child = os.fork()
if child == 0:
    os.close(1)
    sys.stdin.read()
    os._exit(0)
os._exit(0)
"""
    )
    command = [sys.executable, "-c", script, str(tmp_path / "vault")]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        process.wait()  # the holder is dead, its child waits for the end of its input
        lock = lock_of(tmp_path)
        lock.acquire(2)
        lock.release()


def test_a_child_forked_while_another_thread_waits_does_not_keep_the_lock(tmp_path: Path) -> None:
    held, waiting = lock_of(tmp_path), lock_of(tmp_path)
    held.acquire(0)
    thread = threading.Thread(target=waiting.acquire, args=(5,))
    thread.start()
    while len(locks._open_files) < 2:
        time.sleep(0.001)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    held.release()
    thread.join()
    # Not by LOCK_UN, which reaches every copy: the child must have none left.
    fd = waiting._fd
    locks._close(fd)
    assert is_free(tmp_path)
    os.close(writer)
    os.waitpid(pid, 0)
    os.close(reader)


def test_a_child_takes_its_own_lock_after_the_parent_has_let_go(tmp_path: Path) -> None:
    lock = lock_of(tmp_path)
    lock.acquire(0)
    lock.release()

    def child() -> tuple[bool, bool]:
        return lock.try_acquire(), lock.held

    assert in_child(child) == "(True, True)"


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
    with pytest.raises(VaultPermissionError, match="it was left alone"):
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


def test_an_interrupt_while_waiting_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = lock_of(tmp_path)
    held.acquire(0)
    before = descriptors()

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    lock = lock_of(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        lock.acquire(5)
    assert not lock.held
    assert descriptors() == before
    held.release()
    assert is_free(tmp_path)


def test_threads_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(10):
            lock = lock_of(tmp_path)
            lock.acquire(10)
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.0005)
            inside.pop()
            lock.release()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 40
    assert max(most) == 1


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home rw,relatime shared:5 - nfs4 server:/home rw,vers=4.2
31 30 8:2 / /home/local\\040disk rw - ext4 /dev/sdb1 rw
32 22 0:41 / /mnt/share rw - fuse.sshfs host: rw
33 32 0:42 / /mnt/share rw - tmpfs none rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/etc", None),
        ("/home", "nfs4"),
        ("/home/maple/x", "nfs4"),
        ("/homes", None),
        ("/home/local disk/x", None),
        ("/mnt/share/x", None),
    ],
)
def test_a_network_file_system_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, kind: str | None
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS)
    monkeypatch.setattr(locks, "_MOUNTS", str(table))
    monkeypatch.setattr(os.path, "realpath", lambda path: path)
    assert network_filesystem(path) == kind


def test_without_a_table_of_mounts_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_MOUNTS", "/nonexistent")
    assert network_filesystem("/") is None

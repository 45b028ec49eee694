from __future__ import annotations

import os
import signal
import sys
import threading
import time
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

import pytest

from interpal.exceptions import LockTimeoutError
from interpal.vault.files import locks
from interpal.vault.files.locks import FileLock
from tests.files import descriptors, fork, in_child

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import os, sys
from interpal.vault.files.locks import FileLock
lock = FileLock(sys.argv[1], "write.lock")
lock.acquire(60)
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
    assert time.monotonic() - start >= 0.3
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


@pytest.mark.parametrize("pauses", [1, 10, 300])
def test_one_that_waits_gets_the_lock_soon_after_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: int
) -> None:
    held, lock = lock_of(tmp_path), lock_of(tmp_path)
    held.acquire(0)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == pauses:
            held.release()

    monkeypatch.setattr(time, "sleep", sleep)
    lock.acquire(600)
    assert len(slept) == pauses
    assert max(slept) < 0.1
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


def test_the_child_of_a_holder_neither_holds_nor_frees_the_lock(tmp_path: Path) -> None:
    lock = lock_of(tmp_path)
    lock.acquire(0)

    def child() -> list[object]:
        before = descriptors()
        said = [lock.held, lock.try_acquire(), lock_of(tmp_path).try_acquire()]
        lock.release()
        return [*said, descriptors() - before]

    assert in_child(child) == "[False, False, False, 0]"
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
        lock.acquire(60)
        lock.release()


def test_a_child_forked_while_another_thread_waits_does_not_keep_the_lock(tmp_path: Path) -> None:
    held, waiting = lock_of(tmp_path), lock_of(tmp_path)
    held.acquire(0)
    thread = threading.Thread(target=waiting.acquire, args=(60,))
    thread.start()
    while len(locks._open_files) < 2:
        time.sleep(0.001)
    reader, writer = os.pipe()
    alive, child = os.pipe()
    pid = fork()
    if pid == 0:
        os.close(writer)
        os.close(child)
        os.read(reader, 1)
        os._exit(0)
    os.close(child)
    assert os.read(alive, 1) == b""  # the child is through with what it does after a fork
    os.close(alive)
    held.release()
    thread.join()
    # Not by LOCK_UN, which reaches every copy: the child must have none left.
    fd = waiting._fd
    locks._close(fd)
    assert is_free(tmp_path)
    os.close(writer)
    os.waitpid(pid, 0)
    os.close(reader)


def test_a_child_made_past_the_hooks_of_python_does_not_free_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = lock_of(tmp_path)
    lock.acquire(0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 1)
        held_elsewhere = lock.held
        lock.release()
    assert not held_elsewhere
    assert lock.held
    assert not is_free(tmp_path)
    lock.release()


def test_a_child_takes_its_own_lock_after_the_parent_has_let_go(tmp_path: Path) -> None:
    lock = lock_of(tmp_path)
    lock.acquire(0)
    lock.release()

    def child() -> tuple[bool, bool]:
        return lock.try_acquire(), lock.held

    assert in_child(child) == "(True, True)"


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
        lock.acquire(60)
    assert not lock.held
    assert descriptors() == before
    held.release()
    assert is_free(tmp_path)


def test_an_interrupt_just_after_the_lock_was_taken_gives_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    before = descriptors()
    lock = lock_of(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", interrupted)
        with pytest.raises(KeyboardInterrupt):
            lock.try_acquire()
    assert not lock.held
    assert descriptors() == before
    assert is_free(tmp_path)


def test_threads_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(10):
            lock = lock_of(tmp_path)
            lock.acquire(60)
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

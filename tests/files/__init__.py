"""Private files and their locks, with real files, processes, users and mounts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from interpal.exceptions import InterpalException

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

STRANGER = 1001


def in_child(work: Callable[[], object], *, uid: int | None = None) -> str:
    """Run *work* in a forked child, as *uid* if one is given, and return the text of its result.

    The text of an error is its class and message.
    """
    reader, writer = os.pipe()
    pid = _fork(lambda: os.write(writer, _told(work).encode()[:60000]), uid)
    os.close(writer)
    with open(reader, "rb") as pipe:
        text = pipe.read().decode()
    _, status = os.waitpid(pid, 0)
    assert status == 0, "the child failed before it could tell"
    return text


@contextmanager
def background(
    work: Callable[[], object], *, uid: int | None = None
) -> Generator[None, None, None]:
    """Run *work* in a forked child while the block runs; the child is killed after it."""
    pid = _fork(work, uid)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def fork() -> int:
    """`os.fork`, without the warning of Python 3.12 and later where there are threads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def is_inside(thread: threading.Thread, function: Callable[..., object]) -> bool:
    """Whether *thread* is in a call of *function*, which may be one that waits."""
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None and frame.f_code is not function.__code__:
        frame = frame.f_back
    return frame is not None


@contextmanager
def held_by_a_thread(block: AbstractContextManager[object]) -> Generator[None, None, None]:
    """Inside, another thread of this process is in *block*."""
    held, freed = threading.Event(), threading.Event()

    def hold() -> None:
        with block:
            held.set()
            freed.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        yield
    finally:
        freed.set()
        thread.join()


def _fork(work: Callable[[], object], uid: int | None) -> int:
    pid = fork()
    if pid:
        return pid
    code = 1
    try:
        if uid is not None:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        work()
        code = 0
    finally:
        if code:
            traceback.print_exc()
        os._exit(code)


def _told(work: Callable[[], object]) -> str:
    try:
        return str(work())
    except (InterpalException, OSError) as error:
        return f"{type(error).__name__}: {error}"


def may_mount() -> bool:
    return (
        os.geteuid() == 0
        and not subprocess.run(
            ["unshare", "-m", "true"], check=False, capture_output=True
        ).returncode
    )


@contextmanager
def mounted(*arguments: str) -> Generator[None, None, None]:
    """Something mounted, as the arguments of mount(8) say, while the block runs."""
    point = arguments[-1]
    subprocess.run(["mount", *arguments], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", point], check=True)


@contextmanager
def public_folder() -> Generator[Path, None, None]:
    """A folder that another user can reach, as those of pytest are not."""
    path = Path(tempfile.mkdtemp(prefix="interpal-public-", dir="/tmp"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def in_mount(mount: str, script: str, *arguments: str) -> str:
    """Run *script* in a mount namespace of its own, after the shell line *mount*."""
    line = f'{mount} && exec "$0" -c "$@"'
    command = ["unshare", "-m", "sh", "-ec", line, sys.executable, script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def descriptors() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


def mode_of(path: object) -> int:
    """The permission bits of *path*, itself."""
    return os.lstat(str(path)).st_mode & 0o7777

"""Forked children whose end tells something: what they returned, or how they died."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import traceback
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from interpal.exceptions import InterpalException
from tests.files import fork

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class Ended(NamedTuple):
    """How a child ended: the signal that killed it or 0, and what it said before."""

    killed_by: int
    said: str

    @property
    def killed(self) -> bool:
        return self.killed_by == signal.SIGKILL


class Child:
    """A forked child that does *work* and says what it returned, as text.

    An error of the package is told by class and message; any other ends the child with its
    traceback, and `wait` raises. *uid* is the user that it becomes first.
    """

    def __init__(self, work: Callable[[], object], *, uid: int | None = None) -> None:
        self._reader, writer = os.pipe()
        self.pid = fork()
        if self.pid == 0:
            _be_child(work, writer, uid)
        os.close(writer)

    def kill(self, number: int = signal.SIGKILL) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self) -> Ended:
        """Wait for the end. AssertionError where the child failed in a way that is no promise."""
        with open(self._reader, "rb") as pipe:
            said = pipe.read().decode()
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        assert code <= 0, f"an error that is none of the package's: {said}"
        return Ended(-code, said)


def _be_child(work: Callable[[], object], writer: int, uid: int | None) -> None:
    code = 1
    said = "the child ended early"
    try:
        if uid is not None:
            become(uid)
        said = told(work)
        code = 0
    finally:
        if code:
            said = traceback.format_exc()
        # A pipe holds this much without a reader.
        os.write(writer, said.encode(errors="backslashreplace")[:60000])
        os._exit(code)


def become(uid: int) -> None:
    """Be another user from now on, without the groups of the first."""
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


def told(work: Callable[[], object]) -> str:
    """The text of what *work* returned, or the class and message of its error."""
    try:
        return str(work())
    except InterpalException as error:
        return f"{type(error).__name__}: {error}"


def in_child(work: Callable[[], object], *, uid: int | None = None) -> Ended:
    """Do *work* in a child of its own and wait for it."""
    return Child(work, uid=uid).wait()


@contextmanager
def scratch(*, on_disk: bool = False) -> Generator[str, None, None]:
    """A folder of ours, in memory where there is such a place; *on_disk* where it must sync."""
    memory = "/dev/shm"
    place = memory if not on_disk and os.access(memory, os.W_OK) else None
    path = tempfile.mkdtemp(prefix="interpal-reliability-", dir=place)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def say(text: str) -> None:
    """A line of progress, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()

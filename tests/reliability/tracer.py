"""Work done under strace, which lists its system calls and harms it at one of them.

The child is a fork of this process, so that it makes the same calls each time. strace attaches
to it while it waits for signals, which a save never does, and calls are counted from there.
"""

from __future__ import annotations

import collections
import ctypes
import os
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

from tests.debian import need
from tests.reliability.children import Child, Ended

if TYPE_CHECKING:
    from collections.abc import Callable

_LINE = re.compile(r"^\d+ +([a-z]\w*)\(")
_MARK = "getpgrp"
_AWAKE = "getppid"
_PR_SET_PTRACER = 0x59616D61
_ANY = ctypes.c_ulong(-1)


class Point(NamedTuple):
    """A system call of the work: its name, and the how-manieth of that name it is (from 1)."""

    call: str
    ordinal: int

    def __str__(self) -> str:
        return f"{self.call} {self.ordinal}"


class Harmed(NamedTuple):
    """How a child ended, and whether it came to the point where it was to be harmed."""

    ended: Ended
    reached: bool


def install() -> None:
    """Make sure that strace is there. RuntimeError where it cannot be had."""
    need("strace")


def marked(work: Callable[[], object]) -> object:
    """Do *work* between two marks that the trace shows."""
    os.getpgrp()
    try:
        return work()
    finally:
        os.getpgrp()


def points_of(work: Callable[[], object], scratch: str) -> list[Point]:
    """Every system call of what is `marked` in *work*, in a run that nothing happens to."""
    ended, lines = _trace(work, scratch, ["-e", "trace=all"])
    assert ended.killed_by == 0, f"the work failed without any fault: {ended}"
    assert ended.said.endswith("None"), f"the work failed without any fault: {ended}"
    counts: collections.Counter[str] = collections.Counter()
    points: list[Point] = []
    inside = 0
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        call = match[1]
        counts[call] += 1
        if call == _MARK:
            inside += 1
        elif inside == 1:
            points.append(Point(call, counts[call]))
    assert inside == 2, "the marks around the work were not seen"
    return points


def harm(work: Callable[[], object], point: Point, what: str, scratch: str) -> Harmed:
    """Do *work* and let strace do *what* at *point*: `signal=KILL`, `error=EIO` and so on."""
    inject = f"inject={point.call}:{what}:when={point.ordinal}"
    ended, lines = _trace(work, scratch, ["-e", f"trace={point.call},{_AWAKE}", "-e", inject])
    if what.startswith("error="):
        return Harmed(ended, any("(INJECTED)" in line for line in lines))
    name = what.removeprefix("signal=")
    return Harmed(ended, any(f"SIG{name}" in line for line in lines))


def _trace(work: Callable[[], object], scratch: str, options: list[str]) -> tuple[Ended, list[str]]:
    out = os.path.join(scratch, "trace")

    def waiting() -> object:
        _allow_tracing()
        while signal.sigwait({signal.SIGUSR1, signal.SIGUSR2}) == signal.SIGUSR1:
            os.getppid()
        return work()

    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGUSR2})
    try:
        child = Child(waiting)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
    command = ["strace", "-f", "-qq", "-o", out, *options, "-p", str(child.pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as strace:
        try:
            _wait_until_seen(child, strace, out)
            child.kill(signal.SIGUSR2)
        except BaseException:
            child.kill()
            strace.kill()
            raise
        finally:
            ended = child.wait()
    with open(out, encoding="utf-8", errors="replace") as trace:
        lines = trace.readlines()
    os.unlink(out)
    return ended, lines


def _allow_tracing() -> None:
    # Where only ancestors may trace (Yama), the child has to say that anyone may.
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANY, 0, 0, 0)


def _wait_until_seen(child: Child, strace: subprocess.Popen[bytes], out: str) -> None:
    """Wake the child again and again until strace has seen one call of it."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if os.path.exists(out) and os.path.getsize(out):
            return
        if strace.poll() is not None:
            assert strace.stderr is not None
            raise RuntimeError(f"strace ended at once: {strace.stderr.read().decode()}")
        child.kill(signal.SIGUSR1)
        time.sleep(0.002)
    raise RuntimeError("strace did not attach within 30 seconds")

"""Runs the command that prints the passphrase: no shell, no stdin, and it never outstays.

The command gets a process group of its own, so that on a time-out, on too much output and at
its end whatever it has started is ended with it. What it writes to stderr goes to ours.
"""

from __future__ import annotations

import errno
import os
import re
import signal
from contextlib import suppress
from typing import IO, TYPE_CHECKING, cast

from interpal._clock import monotonic
from interpal._hidden import Hidden
from interpal.exceptions import KeySourceError
from interpal.vault.files.permissions import shown
from interpal.vault.files.waiting import Waiting

if TYPE_CHECKING:
    import subprocess

TIMEOUT_SECONDS = 30.0
OUTPUT_LIMIT = 64 * 1024

_VARIABLE = re.compile(rb"\$(\w+|\{\w+\})")
_OPERATORS = {b"|", b"||", b"&&", b"&", b";", b"<", b">", b">>", b"2>", b"2>/dev/null", b"<<<"}

_NO_SHELL = (
    "It is run without a shell, so ~, $VARIABLES, pipes and aliases mean nothing: give the path of "
    "the program, or sh -c '…'"
)
_REMEDIES = {
    errno.EACCES: "Name a program that this user may execute (chmod u+x)",
    errno.ENOEXEC: "A script has to begin with a line such as #!/bin/sh",
}

# How often to look whether the command has ended while one of its children holds the pipe.
_LOOK_EVERY = 0.05


def output_of(command: Hidden[bytes], name: str) -> Hidden[bytes]:
    """What *command* prints, at most 64 KiB within 30 seconds.

    It is split into words like a shell would (`shlex.split`) and run without one. It sees none
    of the `INTERPALS_…` and `SESSION_VAULT_…` variables. Raises `KeySourceError` naming *name*,
    where it cannot be run
    its program too, and never its arguments (a passphrase may be among them) or its output.
    """
    process = _start(_words(command, name), name)
    try:
        output, fault = _collect(process, monotonic() + TIMEOUT_SECONDS)
    finally:
        _end(process)
    if fault is not None:
        raise KeySourceError(f"{name}: the command {fault}")
    if not output.reveal():
        raise KeySourceError(
            f"{name}: the command printed nothing; it has to print the passphrase or key"
        )
    return output


def _words(command: Hidden[bytes], name: str) -> Hidden[list[bytes]]:
    import shlex

    fault = "names no program"
    try:
        words = Hidden([os.fsencode(word) for word in shlex.split(os.fsdecode(command.reveal()))])
        if words.reveal():
            fault = _meant_for_a_shell(words) or ""
            if not fault:
                return words
    except ValueError as error:  # "No closing quotation": it says nothing of the text
        fault = f"cannot be split into words ({error}); quote it as for a shell"
    raise KeySourceError(f"{name}: the command {fault}")


def _meant_for_a_shell(words: Hidden[list[bytes]]) -> str | None:
    """What in these words a program would get as it stands, where a shell was meant to act."""
    # The name of the program itself is reported if it cannot be run.
    for word in words.reveal()[1:]:
        if _VARIABLE.fullmatch(word):
            what = "a $VARIABLE, which stays as it is"
        elif word in _OPERATORS:
            what = "a pipe, a redirection or another sign of a shell"
        elif word.startswith((b"~/", b"$(")):
            what = "~ or $(…), which stays as it is"
        else:
            continue
        return f"holds {what}: it is run without a shell. Write sh -c '…' around it"
    return None


def _start(words: Hidden[list[bytes]], name: str) -> subprocess.Popen[bytes]:
    import subprocess

    reason = "it holds a NUL"
    try:
        process = subprocess.Popen(
            words.reveal(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            env={
                variable: value
                for variable, value in os.environ.items()
                if not variable.startswith(("INTERPALS_", "SESSION_VAULT_"))
            },
        )
        process.args = repr(words)  # its own repr shows them
        return process
    except OSError as error:
        reason = f"{error.strerror}. {_REMEDIES.get(error.errno or 0, _NO_SHELL)}"
    except ValueError:
        pass
    # Outside the handlers: the frames of that error hold the command and the environment.
    program = shown(os.fsdecode(words.reveal()[0]))
    raise KeySourceError(f"{name}: the command cannot be run: {program!r}: {reason}")


def _collect(process: subprocess.Popen[bytes], deadline: float) -> tuple[Hidden[bytes], str | None]:
    """What the command printed, and what it did wrong."""
    import select

    late = f"took longer than {TIMEOUT_SECONDS:g} seconds and was ended"
    pipe = _output(process).fileno()
    poller = select.poll()
    poller.register(pipe, select.POLLIN)
    pieces: list[Hidden[bytes]] = []
    ended = False
    while True:
        left = deadline - monotonic()
        if left <= 0:
            return Hidden(b""), late
        if poller.poll(0 if ended else 1000 * min(left, _LOOK_EVERY)):
            piece = Hidden(os.read(pipe, OUTPUT_LIMIT + 1))
            pieces.append(piece)
            if sum(len(one.reveal()) for one in pieces) > OUTPUT_LIMIT:
                return Hidden(b""), f"printed more than {OUTPUT_LIMIT // 1024} KiB and was ended"
            if not piece.reveal():
                break
        elif ended:
            break  # A child that outlived it may hold the pipe; what was printed is all here.
        else:
            ended = process.poll() is not None
    # Not `wait` with a time-out, which never ends where a test has frozen the clock of `time`.
    waiting = Waiting(max(0.0, deadline - monotonic()))
    while (status := process.poll()) is None:
        if not waiting.pause():
            return Hidden(b""), late
    return Hidden(b"".join(one.reveal() for one in pieces)), _fault_of(status)


def _output(process: subprocess.Popen[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", process.stdout)  # A pipe was asked for.


def _fault_of(status: int) -> str | None:
    if status < 0:
        return f"was ended by signal {-status}"
    if status == 0:
        return None
    return f"failed with exit status {status}; run it in a shell to see why"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the command's process group, and collect the command."""
    # Not ours to kill (a set-uid program), or nothing left of it.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    _output(process).close()
    waiting = Waiting(5)
    while process.poll() is None and waiting.pause():
        pass

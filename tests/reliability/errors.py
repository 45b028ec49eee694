"""B: an error at every system call of a save that can fail, given by the kernel's own hand."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.reliability import Row, spread
from tests.reliability.children import scratch
from tests.reliability.kills import judge
from tests.reliability.subjects import KB, MB, Subject, state_of, subjects
from tests.reliability.tracer import Point, harm, install, marked, points_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ERRORS = ("EIO", "ENOSPC", "EDQUOT", "EROFS", "ESTALE", "EMFILE", "ENOLCK", "EINTR")

# Memory, time, signals, the process itself and random numbers: these do not fail, or fail as a
# MemoryError of Python's, which no file can answer for.
INFALLIBLE = {
    "brk", "clock_nanosleep", "exit_group", "futex", "getegid", "geteuid", "getgid", "getpid",
    "getrandom", "gettid", "getuid", "madvise", "mmap", "mprotect", "mremap", "munmap",
    "rt_sigaction", "rt_sigprocmask",
}  # fmt: skip


def run(*, full: bool) -> Iterator[Row]:
    install()
    cases = told = 0
    for number, subject in enumerate(subjects(KB, MB)):
        if full:
            some = fail_everywhere(subject, None, ERRORS if "update" in subject.name else None)
        elif "1024" in subject.name:
            some = fail_everywhere(subject, 6, (ERRORS[number % len(ERRORS)],))
        else:
            continue
        cases, told = cases + some[0], told + some[1]
    yield Row(
        "B",
        "an error at every system call that can fail: " + ", ".join(ERRORS),
        cases,
        f"{told:,} typed errors with the old content, or with the new and saying so; "
        f"{cases - told:,} harmless; nothing left behind",
    )


def fail_everywhere(
    subject: Subject, wanted: int | None, errors: tuple[str, ...] | None
) -> tuple[int, int]:
    """How many errors were given and how many were told.

    Each of *errors* at each of *wanted* calls; for None the eight take turns.
    """
    cases = told = 0
    with scratch() as place:
        template, folder = os.path.join(place, "template"), os.path.join(place, "folder")
        subject.prepare(template)
        subject.reset(folder, template)
        subject.act(folder)
        subject.reset(folder, template)
        points = [
            point
            for point in points_of(lambda: marked(lambda: subject.act(folder)), place)
            if point.call not in INFALLIBLE
        ]
        for turn, index in enumerate(spread(len(points), wanted)):
            for error in errors or (ERRORS[turn % len(ERRORS)],):
                subject.reset(folder, template)
                reached, was_told = fail_at(subject, folder, points[index], error, place)
                cases, told = cases + reached, told + was_told
    return cases, told


def fail_at(
    subject: Subject, folder: str, point: Point, error: str, place: str
) -> tuple[bool, bool]:
    """Whether the point was reached, and whether the save told of an error."""
    ended, reached = harm(
        lambda: marked(lambda: subject.act(folder)), point, f"error={error}", place
    )
    where = f"{subject.name}, {error} at {point}: {ended.said}"
    assert ended.killed_by == 0, f"{where}: killed by {ended.killed_by}"
    state = state_of(folder)
    if ended.said != "None":
        kind = ended.said.partition(":")[0]
        if kind == "NotDurableError":
            assert state != subject.states[0], f"{where}: said to be saved, and is not"
        else:
            assert kind in ("VaultIOError", "VaultPermissionError"), where
            assert state in subject.states[:-1], f"{where}: said not to be saved, and is"
    judge(subject, folder, where, ended.said)
    return reached, ended.said != "None"

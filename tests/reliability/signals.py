"""E: SIGINT and SIGTERM at every system call of a save: Ctrl-C, and a service manager."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from interpal.vault.stores.file import FileStore
from tests.files import descriptors
from tests.reliability import Row, spread
from tests.reliability.children import scratch
from tests.reliability.kills import judge
from tests.reliability.subjects import KB, Subject, path_in, subjects
from tests.reliability.tracer import harm, install, marked, points_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


def run(*, full: bool) -> Iterator[Row]:
    install()
    cases = 0
    for subject in subjects(KB):
        if full or "update" in subject.name:
            cases += interrupt_everywhere(subject, None if full else 8)
    yield Row(
        "E",
        "SIGINT, SIGTERM with a handler and without, at every system call",
        cases,
        "as A; whoever is told cleans up: no temporary left, the lock free",
    )


def interrupt_everywhere(subject: Subject, wanted: int | None) -> int:
    cases = 0
    with scratch() as place:
        template, folder = os.path.join(place, "template"), os.path.join(place, "folder")
        subject.prepare(template)
        subject.reset(folder, template)
        subject.act(folder)

        def handled() -> str:
            told = _told(lambda: marked(lambda: subject.act(folder)), folder)
            with FileStore(path_in(folder)).write_lock(0):
                return told  # free in the process that goes on, too

        def plain() -> str:
            return str(marked(lambda: subject.act(folder)))

        for name, work in (("INT", handled), ("TERM", handled), ("TERM", plain)):
            subject.reset(folder, template)
            points = points_of(work, place)
            for index in spread(len(points), wanted):
                subject.reset(folder, template)
                ended, reached = harm(work, points[index], f"signal={name}", place)
                where = f"{subject.name}, SIG{name} at {points[index]}: {ended.said}"
                if not reached:
                    continue
                cases += 1
                if work is handled:
                    assert "Error" not in ended.said, where
                    assert ended.killed_by == 0, where
                    left, outcome = ended.said.split(" ", 1)
                    # Python can be interrupted between the kernel's open and taking note of it.
                    assert int(left) <= 1, f"{where}: {left} descriptors left open"
                    assert outcome in ("interrupted", "None"), where
                else:
                    assert ended.killed_by == signal.SIGTERM, where
                    outcome = ended.said
                judge(subject, folder, where, outcome)
    return cases


def _told(work: Callable[[], object], folder: str) -> str:
    """What came of it where a signal is an exception, as it is for SIGINT by default."""

    at_work = False

    def stop(number: int, frame: FrameType | None) -> None:
        if at_work:  # a count that is off by one may hit what is around the work
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    before = descriptors()
    outcome = "interrupted"
    try:
        at_work = True
        outcome = str(work())
        at_work = False
    except KeyboardInterrupt:
        at_work = False
    temporaries = [name for name in os.listdir(folder) if name.endswith(".tmp")]
    assert not temporaries, f"{temporaries} left"
    return f"{descriptors() - before} {outcome}"

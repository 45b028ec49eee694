"""C: every fault, and every pair of faults, at the calls that Python makes, in forked children.

Where strace harms one system call, this harms the error handling too: the second fault of a pair
meets the save while it cleans up after the first.
"""

from __future__ import annotations

import errno
import os
import signal
from typing import TYPE_CHECKING, Any, NamedTuple

from interpal.exceptions import InterpalException
from tests.files import descriptors
from tests.files.test_faults import CALLS
from tests.reliability import Row, spread
from tests.reliability.children import in_child, scratch
from tests.reliability.kills import judge
from tests.reliability.subjects import KB, Subject, state_of, subjects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DIE = -1
INTERRUPT = -2
SINGLES = (errno.EIO, errno.ENOSPC, errno.ESTALE, errno.EACCES, errno.EINTR, INTERRUPT, DIE)
SECONDS = (errno.EIO, INTERRUPT, DIE)
WRAPPED = [*CALLS, (os, "link")]


class Fault(NamedTuple):
    """What happens at call number *at* (from 1): an errno, `DIE` or `INTERRUPT`."""

    at: int
    what: int

    def __str__(self) -> str:
        names = {DIE: "death", INTERRUPT: "KeyboardInterrupt"}
        return f"{names.get(self.what) or errno.errorcode[self.what]} at call {self.at}"


class Told(NamedTuple):
    """What a child told: its outcome, the calls it made, the descriptors it left open."""

    outcome: str
    calls: int
    left_open: int


class Injector:
    """Counts the calls and lets the faults happen. For a child that ends afterwards."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.count = 0
        self.hit: list[str] = []
        self._faults = {fault.at: fault.what for fault in faults}
        self._real: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> Injector:
        for module, name in WRAPPED:
            real = getattr(module, name)
            self._real.append((module, name, real))
            setattr(module, name, self._wrapped(name, real))
        return self

    def __exit__(self, *problem: object) -> None:
        for module, name, real in self._real:
            setattr(module, name, real)

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **others: Any) -> Any:
            self.count += 1
            what = self._faults.get(self.count)
            if what is None:
                return real(*arguments, **others)
            self.hit.append(name)
            if what == DIE:
                os.kill(os.getpid(), signal.SIGKILL)
            if name == "close":  # Linux gives the descriptor back whatever it says
                real(*arguments, **others)
            if what == INTERRUPT:
                raise KeyboardInterrupt
            raise OSError(what, os.strerror(what))

        return wrapper


def run(*, full: bool) -> Iterator[Row]:
    singles = pairs = 0
    for subject in subjects(KB):
        if full or "update" in subject.name:
            some = break_everywhere(subject, full=full)
            singles, pairs = singles + some[0], pairs + some[1]
    yield Row(
        "C",
        f"every fault ({singles:,}) and every pair of faults ({pairs:,}) at the calls of Python",
        singles + pairs,
        "as A and B; no descriptor left open",
    )


def break_everywhere(subject: Subject, *, full: bool) -> tuple[int, int]:
    """How many single faults and how many pairs were tried on *subject*."""
    singles = pairs = 0
    with scratch() as place:
        template, folder = os.path.join(place, "template"), os.path.join(place, "folder")
        subject.prepare(template)

        def attempt(*faults: Fault) -> Told | None:
            subject.reset(folder, template)
            return break_once(subject, folder, faults)

        whole = attempt()
        assert whole is not None
        assert whole.outcome == "None", whole
        for turn, index in enumerate(spread(whole.calls, None if full else 12)):
            for what in SINGLES if full else SINGLES[turn % len(SINGLES) :][:1]:
                told = attempt(Fault(index + 1, what))
                singles += 1
                if told is None or what not in (errno.EIO, INTERRUPT):
                    continue
                rest = told.calls - index - 1
                for step in spread(rest, None if full else 2):
                    then = SECONDS[(turn + step) % len(SECONDS)]
                    attempt(Fault(index + 1, what), Fault(index + 2 + step, then))
                    pairs += 1
    return singles, pairs


def break_once(subject: Subject, folder: str, faults: tuple[Fault, ...]) -> Told | None:
    """Do the work with *faults* and judge what is left; None where it died of them."""

    def work() -> str:
        before = descriptors()
        outcome = "None"
        with Injector(faults) as injector:
            try:
                subject.act(folder)
            except (InterpalException, KeyboardInterrupt) as error:
                outcome = f"{type(error).__name__}: {error}"
        hit = ",".join(injector.hit) or "-"
        return f"{injector.count} {descriptors() - before} {hit} {outcome}"

    ended = in_child(work)
    where = f"{subject.name}, {' and '.join(map(str, faults)) or 'no fault'}"
    if ended.killed:
        judge(subject, folder, where)
        return None
    calls, left_open, hit, outcome = ended.said.split(" ", 3)
    told = Told(outcome, int(calls), int(left_open))
    where = f"{where} ({hit}): {outcome}"
    state = state_of(folder)
    kind = outcome.partition(":")[0]
    if kind == "NotDurableError":
        assert state != subject.states[0], f"{where}: said to be saved, and is not"
    elif kind in ("VaultIOError", "VaultPermissionError"):
        assert state in subject.states[:-1], f"{where}: said not to be saved, and is"
    else:
        assert kind in ("None", "KeyboardInterrupt"), where
    assert told.left_open <= 0, f"{where}: {told.left_open} descriptors left open"
    judge(subject, folder, where, outcome)
    return told

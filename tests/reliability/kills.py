"""A: a kill before every system call of a save, from the opening of the vault to its end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from interpal.exceptions import VaultError
from interpal.vault.stores.file import FileStore
from tests.reliability import Row, spread
from tests.reliability.children import scratch
from tests.reliability.mutants import MUTANTS, Mutant
from tests.reliability.subjects import CANARY, KB, MB, Subject, path_in, state_of, subjects, update
from tests.reliability.tracer import harm, install, marked, points_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def run(*, full: bool) -> Iterator[Row]:
    install()
    kills = 0
    for subject in subjects(KB, MB):
        if full or "1024" in subject.name or "update" in subject.name:
            kills += kill_everywhere(subject, None if full else 8)
    yield Row(
        "A",
        "kill before every system call of create, update, re-key and delete, at 1 KB and 1 MB",
        kills,
        "old or new, never neither; no plain text; lock free; next save cleans up",
    )
    for mutant in MUTANTS:
        if mutant.by_a_kill:
            tried, caught = kill_a_mutant(update(KB), mutant)
            assert caught, f"the mutant with {mutant.name} was not caught"
            yield Row("A", f"mutant: {mutant.name}", tried, f"caught {caught} times, as it must be")


def kill_everywhere(subject: Subject, wanted: int | None) -> int:
    """Kill *subject* at *wanted* of its system calls (None: at all); how many it was."""
    kills = 0
    with scratch() as place:
        template, folder = os.path.join(place, "template"), os.path.join(place, "folder")
        subject.prepare(template)
        subject.reset(folder, template)
        subject.act(folder)  # what is imported late is imported now, not in each child
        subject.reset(folder, template)

        def work() -> object:
            return marked(lambda: subject.act(folder))

        points = points_of(work, place)
        for index in spread(len(points), wanted):
            # No two runs ask for memory at quite the same moments: a point may be missed.
            for _ in range(3):
                subject.reset(folder, template)
                ended, reached = harm(work, points[index], "signal=KILL", place)
                judge(subject, folder, f"{subject.name}, killed before {points[index]}", ended.said)
                if reached:
                    kills += 1
                    assert ended.killed, f"{points[index]}: not killed: {ended}"
                    break
    assert kills >= 0.9 * len(spread(len(points), wanted)), "too few of the points were reached"
    return kills


def kill_a_mutant(subject: Subject, mutant: Mutant) -> tuple[int, int]:
    """Kill a wrong save where it writes: how often, and how often that was seen to be wrong."""
    tried = caught = 0
    with scratch() as place:
        template, folder = os.path.join(place, "template"), os.path.join(place, "folder")
        subject.prepare(template)
        subject.reset(folder, template)

        def work() -> object:
            with mutant.force():
                return marked(lambda: subject.act(folder))

        points = points_of(work, place)
        for point in points:
            if point.call in ("write", "fsync") or point.call.startswith("rename"):
                subject.reset(folder, template)
                ended, _ = harm(work, point, "signal=KILL", place)
                tried += 1
                try:
                    judge(subject, folder, mutant.name, ended.said)
                except (AssertionError, VaultError):
                    caught += 1
    return tried, caught


def judge(subject: Subject, folder: str, where: str, said: str = "") -> None:
    """AssertionError unless the promise of a save that was cut off is kept in *folder*.

    *said* is what it said at its end: "None" where it had returned.
    """
    no_plaintext(folder, where)
    state = state_of(folder)
    assert state in subject.states, f"{where}: the vault holds something else"
    if said == "None":
        assert state == subject.states[-1], f"{where}: the save returned and is not there"
    with FileStore(path_in(folder)).write_lock(0):
        pass  # free at once, and swept
    left = set(os.listdir(folder)) - {"vault", "vault.locks"}
    assert not left, f"{where}: {left} stayed behind"


def no_plaintext(folder: str, where: str) -> None:
    """AssertionError where a file below *folder* shows what the records hold."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(parent, name), "rb") as file:
                assert CANARY.encode() not in file.read(), f"{where}: plain text in {name}"

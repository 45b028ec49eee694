"""F: the power is cut in the middle of a save, on a real ext4.

The file system lives in a file. What has reached that file when the process dies is what a disk
would hold: it is copied, the copy is mounted, its journal replayed, and the vault read.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from interpal.exceptions import VaultError
from tests.reliability import Row, spread
from tests.reliability.children import in_child, scratch
from tests.reliability.in_process import DIE, Fault, Injector
from tests.reliability.kills import judge
from tests.reliability.mutants import MUTANTS
from tests.reliability.namespaces import in_mounts_of_its_own, mount_allowed
from tests.reliability.namespaces import run as command
from tests.reliability.subjects import KB, Subject, state_of, subjects, update

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

SIZE = 8 * 1024 * KB
NEVER = 0
# Nothing reaches the disk by itself within a save: no flush at a rename, no commit by the clock.
OPTIONS = "loop,noauto_da_alloc,commit=300"


def run(*, full: bool) -> Iterator[Row]:
    why_not = mount_allowed()
    if why_not is not None:
        yield Row("F", "power cut on a loop-mounted ext4", 0, f"not run: {why_not}")
        return
    cuts = 0
    for subject in subjects(KB) if full else [update(KB)]:
        done, bad = _cut_everywhere(subject, None if full else 10)
        assert not bad, bad
        cuts += done
    yield Row(
        "F",
        "power cut before every call of a save, on a loop-mounted ext4",
        cuts,
        "old or new; always new once the save has returned",
    )
    for mutant in MUTANTS[:2]:
        done, bad = _cut_everywhere(update(KB), None if full else 4, mutant.force)
        assert bad, f"the mutant with {mutant.name} was not caught"
        yield Row("F", f"mutant: {mutant.name}", done, f"caught ({bad}), as it must be")


def _cut_everywhere(
    subject: Subject, wanted: int | None, force: Callable[[], Any] = nullcontext
) -> tuple[int, str]:
    """How many cuts were made, and the first thing that was wrong."""
    with scratch(on_disk=True) as place:
        said = in_mounts_of_its_own(lambda: _cuts(subject, wanted, force, place))
    count, _, bad = said.partition(" ")
    assert count.isdigit(), said
    return int(count), bad


def _cuts(subject: Subject, wanted: int | None, force: Callable[[], Any], place: str) -> str:
    template = os.path.join(place, "template")
    with open(template, "wb") as file:
        file.truncate(SIZE)
    command("mkfs.ext4", "-q", "-E", "lazy_itable_init=0", template)
    with _mounted(template, place) as disk:
        subject.prepare(os.path.join(disk, "folder"))
    calls = _calls(subject, force, place, template)
    cuts, wrong = 0, ""
    for index in spread(calls + 1, wanted):
        cuts += 1
        # The last cut is after the save has returned.
        at = index + 1 if index < calls else NEVER
        wrong = wrong or _cut(subject, at, force, place, template)
    return f"{cuts} {wrong}"


def _calls(subject: Subject, force: Callable[[], Any], place: str, template: str) -> int:
    """How many calls the save makes."""
    image = os.path.join(place, "image")
    shutil.copyfile(template, image)
    with _mounted(image, place) as disk:
        return int(in_child(lambda: _save(subject, disk, force, NEVER)).said)


def _save(subject: Subject, disk: str, force: Callable[[], Any], at: int) -> int:
    with force(), Injector((Fault(at, DIE),)) as injector:
        subject.act(os.path.join(disk, "folder"))
    return injector.count


def _cut(subject: Subject, at: int, force: Callable[[], Any], place: str, template: str) -> str:
    """Cut the power before call number *at*; what was wrong then, "" for nothing."""
    image, cut = os.path.join(place, "image"), os.path.join(place, "cut")
    shutil.copyfile(template, image)
    with _mounted(image, place) as disk:
        ended = in_child(lambda: _save(subject, disk, force, at))
        shutil.copyfile(image, cut)
    returned = not ended.killed
    assert not returned or ended.said.isdigit(), ended
    where = f"{subject.name}, power cut " + ("at its end" if returned else f"at call {at}")
    with _mounted(cut, place) as disk:
        folder = os.path.join(disk, "folder")
        try:
            state = state_of(folder)
        except VaultError:
            return f"{where}: neither old nor new"
        if returned and state != subject.states[-1]:
            return f"{where}: the save had returned and is lost"
        judge(subject, folder, where, str(None) if returned else "")
    return ""


@contextmanager
def _mounted(image: str, place: str) -> Generator[str, None, None]:
    disk = os.path.join(place, "disk")
    os.makedirs(disk, exist_ok=True)
    command("mount", "-o", OPTIONS, image, disk)
    try:
        yield disk
    finally:
        command("umount", disk)

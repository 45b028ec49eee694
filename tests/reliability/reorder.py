"""G: what a disk may make of a save: every prefix of its writes, less any of those not yet synced.

The calls of a save are recorded as it runs. At each moment a power cut may come. What was synced
by then is on the disk; of the rest, each piece of a write and each change of the folder is there
or not, in any combination. fsync of a file says nothing of its name, as POSIX has it.
"""

from __future__ import annotations

import itertools
import os
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from interpal._hidden import Hidden
from interpal.exceptions import VaultError
from interpal.vault.files.private_files import Folder
from tests.reliability import Row
from tests.reliability.children import scratch
from tests.reliability.mutants import MUTANTS
from tests.reliability.subjects import ABSENT, KB, MB, Subject, path_in, state_of, subjects

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

PIECES = 5
MOST_UNSYNCED = 12
NEITHER = "neither"


class Write(NamedTuple):
    """A piece of a write to a file."""

    inode: int
    offset: int
    data: bytes


class Truncate(NamedTuple):
    inode: int


class Entries(NamedTuple):
    """A change of the folder, whole or not at all: names and what they lead to (None: nothing)."""

    changes: tuple[tuple[str, int | None], ...]


class Sync(NamedTuple):
    """fsync of a file, or of the folder (None)."""

    inode: int | None


Operation = Write | Truncate | Entries | Sync


class Recording:
    """What happens to the files directly in one folder, while `on` lasts."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._identity = os.stat(folder).st_ino
        self.operations: list[Operation] = []
        self.before: dict[str, int] = {}
        self.contents: dict[int, bytes] = {}
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    inode = os.fstat(file.fileno()).st_ino
                    self.before[name] = inode
                    self.contents[inode] = file.read()
        self._known = set(self.contents)

    @contextmanager
    def on(self) -> Generator[None, None, None]:
        wrapped = ("open", "write", "fsync", "replace", "unlink", "link")
        real = {name: getattr(os, name) for name in wrapped}
        for name in wrapped:
            setattr(os, name, self._wrapped(real[name], getattr(self, f"_{name}")))
        try:
            yield
        finally:
            for name in wrapped:
                setattr(os, name, real[name])

    def _wrapped(
        self, real: Callable[..., Any], note: Callable[..., Callable[[Any], None]]
    ) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **others: Any) -> Any:
            after = note(*arguments, **others)
            result = real(*arguments, **others)
            after(result)
            return result

        return wrapper

    # Each looks before the call and returns what is to be noted after it.

    def _open(
        self, name: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> Callable[[int], None]:
        ours = self._is_ours(dir_fd)
        there = ours and os.access(os.path.join(self._folder, name), os.F_OK)

        def after(fd: int) -> None:
            if not ours:
                return
            inode = os.fstat(fd).st_ino
            if not there and flags & os.O_CREAT:
                self._known.add(inode)
                self.contents.setdefault(inode, b"")
                self._note(Entries(((name, inode),)))
            elif flags & os.O_TRUNC:
                self._note(Truncate(inode))

        return after

    def _write(self, fd: int, data: bytes) -> Callable[[int], None]:
        inode = os.fstat(fd).st_ino
        offset = os.lseek(fd, 0, os.SEEK_CUR) if inode in self._known else 0

        def after(written: int) -> None:
            if inode in self._known:
                whole = bytes(data[:written])
                size = max(-(-len(whole) // PIECES), 1)
                for at in range(0, len(whole), size):
                    self._note(Write(inode, offset + at, whole[at : at + size]))

        return after

    def _fsync(self, fd: int) -> Callable[[None], None]:
        inode = os.fstat(fd).st_ino

        def after(_: None) -> None:
            if inode == self._identity:
                self._note(Sync(None))
            elif inode in self._known:
                self._note(Sync(inode))

        return after

    def _replace(
        self, source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int
    ) -> Callable[[None], None]:
        inode = os.stat(source, dir_fd=src_dir_fd).st_ino
        return lambda _: self._note(Entries(((source, None), (target, inode))))

    def _unlink(self, name: str, *, dir_fd: int) -> Callable[[None], None]:
        return lambda _: self._note(Entries(((name, None),)))

    def _link(
        self, source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int
    ) -> Callable[[None], None]:
        inode = os.stat(source, dir_fd=src_dir_fd).st_ino
        return lambda _: self._note(Entries(((target, inode),)))

    def _is_ours(self, dir_fd: int | None) -> bool:
        return dir_fd is not None and os.fstat(dir_fd).st_ino == self._identity

    def _note(self, operation: Operation) -> None:
        self.operations.append(operation)


def run(*, full: bool) -> Iterator[Row]:
    states = moments = 0
    for subject in subjects(KB, MB) if full else subjects(KB):
        found, bad = crash_states(subject)
        assert not bad, f"{subject.name}: {bad[0]}"
        states, moments = states + found[0], moments + found[1]
    found, bad = key_file_states()
    assert not bad, bad[0]
    states, moments = states + found[0], moments + found[1]
    yield Row(
        "G",
        f"power cut with writes reordered, at {moments} moments of create, update, re-key, "
        "delete and of the making of a key file",
        states,
        "old or new; always new once the save has returned",
    )
    for mutant in MUTANTS:
        caught = tried = 0
        for subject in subjects(KB):
            found, bad = crash_states(subject, mutant.force)
            tried, caught = tried + found[0], caught + len(bad)
        assert caught, f"the mutant with {mutant.name} was not caught"
        yield Row("G", f"mutant: {mutant.name}", tried, f"caught {caught:,} times, as it must be")


def crash_states(
    subject: Subject, force: Callable[[], Any] = nullcontext
) -> tuple[tuple[int, int], list[str]]:
    """How many states and moments were looked at, and what was wrong with the bad ones."""
    with scratch() as place:
        folder, after = os.path.join(place, "folder"), os.path.join(place, "after")
        subject.prepare(folder)
        recording = Recording(folder)
        with recording.on(), force():
            subject.act(folder)

        def judged(data: bytes | None) -> str:
            subject.reset(after, folder)
            _put(path_in(after), data)
            try:
                return state_of(after)
            except VaultError:
                return NEITHER

        return _explore(recording, "vault", judged, subject.states)


def key_file_states() -> tuple[tuple[int, int], list[str]]:
    """The same for a file that is made once, by a link: a key."""
    with scratch() as place:
        recording = Recording(place)
        with recording.on(), Folder.open(place) as folder:
            assert folder.create("vault.key", Hidden(b"k" * 44))

        def judged(data: bytes | None) -> str:
            return {None: ABSENT, b"k" * 44: "made"}.get(data, NEITHER)

        return _explore(recording, "vault.key", judged, (ABSENT, "made"))


def _explore(
    recording: Recording, name: str, judged: Callable[[bytes | None], str], states: tuple[str, ...]
) -> tuple[tuple[int, int], list[str]]:
    known: dict[bytes | None, str] = {}
    looked_at, moments, bad = 0, 0, []
    operations = recording.operations
    for end in range(len(operations) + 1):
        moments += 1
        returned = end == len(operations)
        for kept in _subsets(operations[:end]):
            looked_at += 1
            data = _content_after(recording, kept, name)
            if data not in known:
                known[data] = judged(data)
            state = known[data]
            if state not in states or (returned and state != states[-1]):
                when = "after it had returned" if returned else f"after {end} operations"
                what = "neither old nor new" if state not in states else "the old one"
                bad.append(f"power cut {when}: {what}")
    return (looked_at, moments), bad


def _subsets(done: list[Operation]) -> Iterator[list[Operation]]:
    """What may be on the disk: all that was synced, and any part of the rest, in order."""
    unsynced = [
        index
        for index, operation in enumerate(done)
        if not isinstance(operation, Sync) and not _is_synced(operation, done[index + 1 :])
    ]
    assert len(unsynced) <= MOST_UNSYNCED, f"{len(unsynced)} operations without a sync"
    for length in range(len(unsynced) + 1):
        for lost in itertools.combinations(unsynced, length):
            gone = set(lost)
            yield [operation for index, operation in enumerate(done) if index not in gone]


def _is_synced(operation: Operation, later: list[Operation]) -> bool:
    inode = None if isinstance(operation, Entries) else operation.inode
    return Sync(inode) in later


def _content_after(recording: Recording, kept: list[Operation], name: str) -> bytes | None:
    entries: dict[str, int | None] = dict(recording.before)
    contents = {inode: bytearray(data) for inode, data in recording.contents.items()}
    for operation in kept:
        if isinstance(operation, Write):
            content = contents[operation.inode]
            content.extend(bytes(max(operation.offset - len(content), 0)))
            content[operation.offset : operation.offset + len(operation.data)] = operation.data
        elif isinstance(operation, Truncate):
            contents[operation.inode].clear()
        elif isinstance(operation, Entries):
            entries.update(operation.changes)
    inode = entries.get(name)
    return None if inode is None else bytes(contents[inode])


def _put(path: str, data: bytes | None) -> None:
    if os.path.lexists(path):
        os.unlink(path)
    if data is not None:
        with open(path, "wb") as file:
            file.write(data)

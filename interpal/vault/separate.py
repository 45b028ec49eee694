"""The records of a vault whose store keeps each of them apart (FORMAT.md section 7).

The root is an ordinary vault without records, and `versions.py` looks after it. Here are the
records: found by an HMAC of their name, opened one by one, and changed by their generations.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from interpal._secret import Secret
from interpal.exceptions import StaleWriteError
from interpal.vault import envelope
from interpal.vault.draft import Draft, Record, as_saved
from interpal.vault.envelope import Payload
from interpal.vault.stores import Change

if TYPE_CHECKING:
    from interpal.vault.slot_changes import Change as Rekeying
    from interpal.vault.stores import Fence, RecordStore, RecordWriter
    from interpal.vault.versions import State, Versions

# A write that comes second reads again and is tried again, so many times.
MOST_TRIES = 20


class SeparateRecords(Mapping[str, Record]):
    """The newest records, each read when it is asked for: to be read, never to be changed."""

    __slots__ = ("_store", "_versions")

    def __init__(self, store: RecordStore, versions: Versions) -> None:
        self._store = store
        self._versions = versions

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._store.location}>"

    # Reading.

    def __getitem__(self, name: str) -> Record:
        _, record = self._find(name)
        if record is None:
            raise KeyError(name)
        return record

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._find(name)[1] is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.all())

    def __len__(self) -> int:
        return len(self.all())

    def all(self) -> dict[str, Record]:
        """Every record by its name."""
        while True:
            state = self._versions.read()
            records = {name: record for name, _, record in self._opened(state)}
            # A rotation meanwhile takes the old set away under the reader.
            if self._versions.read().header.id == state.header.id:
                return records

    def _opened(self, state: State) -> Iterator[tuple[str, int, Record]]:
        for sealed in self._store.load_records(state.header.id):
            opened = self._open(state, sealed.tag, sealed.data)
            yield opened.name, opened.generation, opened.record

    def _find(self, name: str) -> tuple[int, Record | None]:
        """Generation and content of a record; 0 and None where there is none."""
        state = self._versions.known() or self._versions.read()
        while True:
            tag = envelope.name_tag(state.vault_key, name)
            found = self._store.load_record(state.header.id, tag)
            if found.current:
                break
            # Rotated, replaced or removed: the root says which.
            state = self._versions.read()
        if found.data is None:
            return 0, None
        opened = self._open(state, tag, found.data)
        return opened.generation, opened.record

    def _open(self, state: State, tag: bytes, data: bytes) -> envelope.RecordEnvelope:
        with self._versions.located():
            return envelope.open_record(data, state.vault_key, vault_id=state.header.id, tag=tag)

    # Writing.

    def assign(self, name: str, record: Record | None, timeout: float) -> None:
        """Put one record, or remove it (KeyError where there is none): one read, one write."""
        if record is None:
            envelope.check_name(name)
        else:
            record = as_saved(name, record)
        self._versions.check_not_writing()
        for turn in range(MOST_TRIES):
            generation, stored = self._find(name)
            if record is None and stored is None:
                raise KeyError(name)
            state = self._versions.known() or self._versions.read()
            try:
                change = self._sealed(state, name, record, generation)
                self._store.commit(state.header.id, [change], timeout=timeout)
                return
            except StaleWriteError:
                # Somebody else was first, or has rotated: look again, then decide again.
                if turn == MOST_TRIES - 1:
                    raise
                self._versions.read()

    @contextmanager
    def transaction(self, timeout: float, fence: Fence | None = None) -> Iterator[Draft]:
        """Read, change and save under the write lock, whole or not at all."""
        with self._versions.writing(timeout) as (writer, state):
            seen: dict[str, tuple[int, Record | None]] = {}

            def find(name: str) -> tuple[int, Record | None]:
                if name not in seen:
                    envelope.check_name(name)
                    tag = envelope.name_tag(state.vault_key, name)
                    found = self._store.load_record(state.header.id, tag)
                    if found.data is None:
                        seen[name] = 0, None
                    else:
                        opened = self._open(state, tag, found.data)
                        seen[name] = opened.generation, opened.record
                return seen[name]

            def names() -> Iterator[str]:
                for name, generation, record in self._opened(state):
                    seen.setdefault(name, (generation, record))
                    yield name

            draft = Draft(names, lambda name: find(name)[1], state.payload.attempts)
            try:
                yield draft
            finally:
                draft.end()
            changes = [
                self._sealed(state, name, record, find(name)[0])
                for name, record in draft.changes().items()
            ]
            attempts = draft.changed_attempts()
            root = None
            if attempts is not None:
                header = self._versions.next_header(state.header)
                root = self._versions.sealed(header, Payload({}, attempts), state.vault_key)
            if changes or root is not None:
                commit = cast("RecordWriter", writer).commit
                commit(state.header.id, changes, root=root, fence=fence)

    def reseal(self, seen: State, rekeying: Rekeying) -> Iterator[Change]:
        """Every record anew, for a rotation: under the new key and id, at its own generation."""
        for name, generation, record in self._opened(seen):
            yield _seal(name, record, rekeying.vault_key, rekeying.vault_id, 0, generation)

    def _sealed(self, state: State, name: str, record: Record | None, generation: int) -> Change:
        if record is None:
            tag = envelope.name_tag(state.vault_key, name)
            return Change(tag, generation, None, generation + 1)
        with self._versions.located():
            return _seal(name, record, state.vault_key, state.header.id, generation, generation + 1)

    def __bool__(self) -> bool:
        state = self._versions.read()
        return next(iter(self._store.load_records(state.header.id)), None) is not None


def _seal(
    name: str, record: Record, vault_key: Secret, vault_id: bytes, expected: int, generation: int
) -> Change:
    tag = envelope.name_tag(vault_key, name)
    data = envelope.seal_record(
        name,
        record,
        vault_key,
        vault_id=vault_id,
        tag=tag,
        generation=generation,
        content_key=Secret(os.urandom(32)),
        iv=os.urandom(12),
    )
    return Change(tag, expected, data, generation, _expiry(record))


def _expiry(record: Mapping[str, Any]) -> float | None:
    """When the record is of no more use, in epoch seconds: its `expires_at`, RFC 3339 text."""
    text = record.get("expires_at")
    if not isinstance(text, str):
        return None
    from datetime import datetime

    try:
        time = datetime.fromisoformat(text.removesuffix("Z") + "+00:00" * text.endswith("Z"))
    except ValueError:
        return None
    return None if time.tzinfo is None else time.timestamp()

"""The records of a vault whose store keeps each of them apart (FORMAT.md section 7).

The root is an ordinary vault without records, and `versions.py` looks after it. Here are the
records: found by an HMAC of their name, opened one by one, and changed by their generations.
"""

from __future__ import annotations

import os
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from interpal._hidden import Hidden
from interpal._log import Logger
from interpal.exceptions import (
    StaleWriteError,
    VaultCorruptError,
    VaultError,
    VaultLimitError,
)
from interpal.vault.core.transaction import Record, Transaction, as_saved, same_record
from interpal.vault.format import envelope
from interpal.vault.format import header as fields
from interpal.vault.stores.base import RecordWrite

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from interpal.vault.core.versions import State, Versions
    from interpal.vault.format.record_envelope import RecordEnvelope
    from interpal.vault.keys.rekey import Rekey
    from interpal.vault.stores.base import Fence, RecordStore, RecordWriter, StoredRecord

# A write that comes second reads again and is tried again, so many times before it asks for the
# write lock, under which nobody can be faster.
_TRIES_WITHOUT_LOCK = 4
# A root that is another one each time it is looked at.
_MOST_ROTATIONS = 20
# No writer makes such records; one of a newer version may be sound.
_DAMAGED = (VaultCorruptError, VaultLimitError)

_log = Logger("interpal.vault.core.records_apart")


class VersionedRecord(NamedTuple):
    """A record as it is stored, with its generation: 0 and None where there is none."""

    generation: int
    record: Hidden[Record] | None


class RecordsApart(Mapping[str, Record]):
    """The newest records, each read when it is asked for: to be read, never to be changed."""

    __slots__ = ("_store", "_versions")

    def __init__(self, store: RecordStore, versions: Versions) -> None:
        self._store = store
        self._versions = versions

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._store.location}>"

    # Reading.

    def __getitem__(self, name: str) -> Record:
        state, tag, data = self._load(name)
        if data is None:
            raise KeyError(name)
        return self._open(state, tag, data).record.reveal()

    def __contains__(self, name: object) -> bool:
        return self._load(name)[2] is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.all().reveal())

    def __len__(self) -> int:
        """How many there are, without opening them."""
        while True:
            state = self._versions.read()
            number = sum(1 for _ in self._store.load_records(state.header.id))
            if self._is_still(state):
                return number

    def __bool__(self) -> bool:
        state = self._versions.read()
        return next(iter(self._store.load_records(state.header.id)), None) is not None

    def items(self) -> ItemsView[str, Record]:
        """Names and records, in one pass."""
        return self.all().reveal().items()

    def values(self) -> ValuesView[Record]:
        """The records, in one pass."""
        return self.all().reveal().values()

    def all(self) -> Hidden[dict[str, Record]]:
        """Every record by its name."""
        while True:
            state = self._versions.read()
            records: Hidden[dict[str, Record]] = Hidden({})
            for one in self._opened(state):
                records.reveal()[one.name] = one.record.reveal()
            # A rotation meanwhile takes the old set away under the reader.
            if self._is_still(state):
                return records

    def walk(self) -> Iterator[RecordEnvelope]:
        """The records one by one, so that they need not all fit into the memory.

        Raises `StaleWriteError` at the end where a rotation has made it miss some.
        """
        state = self._versions.read()
        yield from self._opened(state)
        if not self._is_still(state):
            raise StaleWriteError(
                f"{self._store.location}: the vault was rotated while its records were read; "
                "begin again",
                path=self._store.location,
            )

    def damaged(self, progress: Callable[[int], None] | None = None) -> list[bytes]:
        """The tags of the records that do not open; *progress* hears how many were tried."""
        while True:
            state = self._versions.read()
            found = []
            for number, one in enumerate(self._store.load_records(state.header.id), 1):
                if self._fault(state, one) is not None:
                    found.append(one.tag)
                _tell(progress, number)
            if self._is_still(state):
                return found

    def _is_still(self, state: State) -> bool:
        return self._versions.read().header.id == state.header.id

    def _opened(self, state: State) -> Iterator[RecordEnvelope]:
        for sealed in self._store.load_records(state.header.id):
            yield self._open(state, sealed.tag, sealed.data)

    def _load(self, name: object) -> tuple[State, bytes, bytes | None]:
        """What the store has for a name: None also for what is no name."""
        state = self._versions.known() or self._versions.read()
        for _ in range(_MOST_ROTATIONS):
            try:
                tag = envelope.name_tag(state.vault_key, cast("str", name))
            except (AttributeError, TypeError, UnicodeEncodeError):
                return state, b"", None
            found = self._store.load_record(state.header.id, tag)
            if found.current:
                return state, tag, found.data
            # Rotated, replaced or removed: the root says which.
            state = self._versions.read()
        raise VaultCorruptError(
            f"{self._store.location}: the store knows the vault by another id than the vault has",
            path=self._store.location,
        )

    def _open(self, state: State, tag: bytes, data: bytes) -> RecordEnvelope:
        with self._versions.located():
            return envelope.open_record(data, state.vault_key, vault_id=state.header.id, tag=tag)

    def _fault(self, state: State, sealed: StoredRecord) -> VaultError | None:
        """What is wrong with a record."""
        try:
            self._open(state, sealed.tag, sealed.data)
        except VaultError as error:
            return error
        return None

    # Writing.

    def assign(self, name: str, record: Hidden[Record], timeout: float) -> None:
        """Put one record: one read, one write. A damaged one may be replaced like any other."""
        self._change(name, Hidden(as_saved(name, record.reveal())), timeout)

    def remove(self, name: str, timeout: float) -> None:
        """Remove one record, damaged or not; KeyError where there is none."""
        self._change(name, None, timeout)

    def _change(self, name: str, wanted: Hidden[Record] | None, timeout: float) -> None:
        self._versions.check_not_writing()
        for _ in range(_TRIES_WITHOUT_LOCK):
            state, tag, data = self._load(name)
            if data is None and wanted is None:
                raise KeyError(name)
            try:
                seen = VersionedRecord(0, None) if data is None else self._seen(state, tag, data)
                if wanted is not None and _same(wanted, seen.record):
                    return
                change = self._sealed(state, name, wanted, seen.generation)
                self._store.commit(state.header.id, [change], timeout=timeout)
                return
            except StaleWriteError:
                # Somebody else was first, or has rotated: look again, then decide again.
                self._versions.read()
        with self.transaction(timeout) as transaction:
            if wanted is None:
                del transaction[name]
            else:
                transaction[name] = wanted.reveal()

    def _seen(self, state: State, tag: bytes, data: bytes) -> VersionedRecord:
        """Generation and content; of a damaged record the generation that it claims, and None."""
        try:
            opened = self._open(state, tag, data)
        except _DAMAGED:
            generation = _claimed_generation(data)
            if generation is None:
                raise
            _log.warning("%s: a damaged record is replaced or removed", self._store.location)
            return VersionedRecord(generation, None)
        return VersionedRecord(opened.generation, opened.record)

    @contextmanager
    def transaction(
        self,
        timeout: float,
        fence: Fence | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Generator[Transaction, None, None]:
        """Read, change and save under the write lock, whole or not at all."""
        with self._versions.writing(timeout) as (writer, state):
            seen: dict[str, VersionedRecord] = {}

            def find(name: object) -> VersionedRecord:
                if not isinstance(name, str):
                    return VersionedRecord(0, None)
                if name not in seen:
                    seen[name] = self._find_locked(state, name)
                return seen[name]

            def names() -> Iterator[str]:
                for one in self._opened(state):
                    seen.setdefault(one.name, VersionedRecord(one.generation, one.record))
                    yield one.name

            def lookup(name: str) -> Record | None:
                record = find(name).record
                return None if record is None else record.reveal()

            transaction = Transaction(names, lookup, state.payload.attempts)
            try:
                yield transaction
            finally:
                transaction.end()
            changed = transaction.changes()
            changes = []
            for number, name in enumerate(changed, 1):
                changes.append(self._sealed(state, name, changed[name], find(name).generation))
                _tell(progress, number)
            attempts = transaction.changed_attempts()
            root = None
            if attempts is not None:
                header = self._versions.next_header(state.header)
                payload = state.payload.replace(records={}, attempts=attempts)
                root = self._versions.sealed(header, payload, state.vault_key)
            if changes or root is not None:
                commit = cast("RecordWriter", writer).commit
                commit(state.header.id, changes, root=root, fence=fence)

    def _find_locked(self, state: State, name: str) -> VersionedRecord:
        """What stands under the write lock."""
        try:
            tag = envelope.name_tag(state.vault_key, name)
        except UnicodeEncodeError:
            return VersionedRecord(0, None)
        found = self._store.load_record(state.header.id, tag)
        if not found.current:
            raise StaleWriteError(
                f"{self._store.location}: the write lock was lost, and the vault was rotated or "
                "removed since; nothing was written. Begin again.",
                path=self._store.location,
            )
        if found.data is None:
            return VersionedRecord(0, None)
        opened = self._open(state, tag, found.data)
        return VersionedRecord(opened.generation, opened.record)

    def drop_damaged(self, timeout: float) -> int:
        """Remove the records that do not open; how many there were.

        Raises `VaultCorruptError`, when all others are gone, for one whose generation is
        damaged too: the store removes nothing without.
        """
        left: VaultError | None = None
        with self._versions.writing(timeout) as (writer, state):
            changes = []
            for sealed in self._store.load_records(state.header.id):
                fault = self._fault(state, sealed)
                if not isinstance(fault, _DAMAGED):
                    continue
                generation = _claimed_generation(sealed.data)
                if generation is None:
                    left = fault
                else:
                    changes.append(RecordWrite(sealed.tag, generation, None, generation + 1))
            if changes:
                cast("RecordWriter", writer).commit(state.header.id, changes)
        if left is not None:
            raise left
        return len(changes)

    def resealing(
        self, progress: Callable[[int], None] | None
    ) -> Callable[[State, Rekey], Iterator[RecordWrite]]:
        """What gives every record anew, for a rotation; *progress* hears how many there were."""

        def reseal(seen: State, rekey: Rekey) -> Iterator[RecordWrite]:
            # Under the new key and id, at its own generation.
            key, vault_id = rekey.vault_key, rekey.vault_id
            for number, one in enumerate(self._opened(seen), 1):
                yield _seal(one.name, one.record, key, vault_id, 0, one.generation)
                _tell(progress, number)

        return reseal

    def _sealed(
        self, state: State, name: str, record: Hidden[Record] | None, generation: int
    ) -> RecordWrite:
        if record is None:
            tag = envelope.name_tag(state.vault_key, name)
            return RecordWrite(tag, generation, None, generation + 1)
        with self._versions.located():
            return _seal(name, record, state.vault_key, state.header.id, generation, generation + 1)


def _tell(progress: Callable[[int], None] | None, number: int) -> None:
    if progress is not None:
        progress(number)


def _seal(
    name: str,
    record: Hidden[Record],
    vault_key: Hidden[bytes],
    vault_id: bytes,
    expected: int,
    generation: int,
) -> RecordWrite:
    tag = envelope.name_tag(vault_key, name)
    data = envelope.seal_record(
        name,
        record.reveal(),
        vault_key,
        vault_id=vault_id,
        tag=tag,
        generation=generation,
        content_key=Hidden(os.urandom(32)),
        iv=os.urandom(12),
    )
    return RecordWrite(tag, expected, data, generation, _expiry(record.reveal()))


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


def _claimed_generation(data: bytes) -> int | None:
    """The generation in the header of a record that does not open; None where there is none.

    The store compares it with its own, so a wrong one changes nothing.
    """
    try:
        header = fields.decode_header(data.partition(b".")[0].decode("ascii"))
        claimed = fields.check_version(header, header.get("typ", ""))["generation"]
        return fields.integer_within(claimed, "vault.generation", 1, fields.MAX_GENERATION)
    except (VaultError, ValueError, KeyError, TypeError):
        return None


def _same(one: Hidden[Record], other: Hidden[Record] | None) -> bool:
    return other is not None and same_record(one.reveal(), other.reveal())

"""The records of a vault whose store keeps each of them apart (FORMAT.md section 7).

The root is an ordinary vault without records, and `versions.py` looks after it. Here are the
records: found by an HMAC of their name, opened one by one, and changed by their generations.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from interpal._dictlike import ReadMethods
from interpal._hidden import Hidden
from interpal._log import Logger
from interpal.exceptions import (
    StaleWriteError,
    VaultCorruptError,
    VaultError,
    VaultLimitError,
)
from interpal.vault.core.record_views import ReadOnlyRecord, Record, freeze
from interpal.vault.core.transaction import Transaction, as_saved, same_record
from interpal.vault.format import envelope, record_envelope
from interpal.vault.format import header as fields
from interpal.vault.stores.base import LoadedRecord, RecordWrite, watches_records

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, ItemsView, Iterator, ValuesView

    from interpal.vault.core.versions import State, Versions
    from interpal.vault.format.record_envelope import RecordEnvelope
    from interpal.vault.keys.rekey import Rekey
    from interpal.vault.stores.base import (
        Fence,
        RecordStore,
        RecordWriter,
        StoredRecord,
        WatchingRecordWriter,
    )

# A write that comes second reads again and is tried again, so many times before it asks for the
# write lock, under which nobody can be faster.
_TRIES_WITHOUT_LOCK = 4
# A root that is another one each time it is looked at.
_MOST_ROTATIONS = 20
# How many records are known at most, and how many bytes one of them has as it is stored.
_MOST_KNOWN = 1000
_LARGEST_KNOWN = 2**14
# No writer makes such records; one of a newer version may be sound.
_DAMAGED = (VaultCorruptError, VaultLimitError)

_log = Logger("interpal.vault.core.records_apart")


class VersionedRecord(NamedTuple):
    """A record as it is stored, with its generation: 0 and None where there is none."""

    generation: int
    record: Hidden[Record] | None


class Wanted(NamedTuple):
    """A record as it is to be saved, None to remove it, and when it is no longer of use."""

    record: Hidden[Record] | None
    expires_at: float | None = None


class _Known(NamedTuple):
    """A record as it was last read or written: what the store had, and what that says."""

    vault_id: bytes
    tag: bytes
    version: object
    data: bytes
    generation: int
    record: Hidden[ReadOnlyRecord]

    def __repr__(self) -> str:
        return f"<known: generation {self.generation}>"


class _Memory:
    """The records that were read or written last, so that what is unchanged is opened once.

    What is in here may be old: whoever reads asks the store whether it is.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[object, _Known] = {}

    def __repr__(self) -> str:
        return f"<{len(self._known)} records>"

    def get(self, name: object, vault_id: bytes) -> _Known | None:
        """What is known of a record of this vault."""
        try:
            known = self._known.get(name)
        except TypeError:  # no name: it cannot be hashed
            return None
        return known if known is not None and known.vault_id == vault_id else None

    def put(self, name: object, known: _Known) -> None:
        """Know this of a record."""
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        if len(known.data) <= _LARGEST_KNOWN:
            self._known[name] = known
        else:
            self.forget(name)

    def forget(self, name: object) -> None:
        """Know nothing of a record."""
        self._known.pop(name, None)

    def clear(self) -> None:
        """Know nothing."""
        self._known.clear()


class RecordsApart(ReadMethods[str, Record]):
    """The newest records, each read when it is asked for: to be read, never to be changed."""

    __slots__ = ("_memory", "_store", "_versions")

    def __init__(self, store: RecordStore, versions: Versions) -> None:
        self._store = store
        self._versions = versions
        self._memory = _Memory()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._store.location}>"

    # Reading.

    def __getitem__(self, name: str) -> ReadOnlyRecord:
        record = self._found(name)
        if record is None:
            raise KeyError(name)
        return record

    if not TYPE_CHECKING:

        def get(self, name, default=None):
            """The record of a name, or *default*; a KeyError of a store of one's own is raised."""
            record = self._found(name)
            return default if record is None else record

    def _found(self, name: str) -> ReadOnlyRecord | None:
        known = self._look(name)
        return None if known is None else known.record.reveal()

    def forget(self) -> None:
        """Keep no decrypted record."""
        self._memory.clear()

    def __contains__(self, name: object) -> bool:
        return self._load(name)[2].data is not None

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
                "start again",
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

    def _look(self, name: object) -> _Known | None:
        """The newest record of a name, opened; None where there is none."""
        state = self._versions.known() or self._versions.read()
        known = self._memory.get(name, state.header.id)
        found = None
        if known is not None and known.version is not None and watches_records(self._store):
            found = self._store.load_record_since(known.version, state.header.id, known.tag)
            if found is None:
                return known
        if known is not None and found is not None and found.current:
            tag = known.tag
        else:
            state, tag, found = self._load(name)
        if found.data is None:
            self._memory.forget(name)
            return None
        if known is not None and found.data == known.data:
            return self._keep(name, known._replace(version=found.version))
        opened = self._open(state, tag, found.data)
        record = Hidden(freeze(opened.record.reveal()))
        return self._keep(
            name,
            _Known(state.header.id, tag, found.version, found.data, opened.generation, record),
        )

    def _keep(self, name: object, known: _Known) -> _Known:
        if self._versions.known() is not None:  # else it was closed meanwhile
            self._memory.put(name, known)
        return known

    def _load(self, name: object) -> tuple[State, bytes, LoadedRecord]:
        """What the store has for a name: nothing also for what is no name."""
        state = self._versions.known() or self._versions.read()
        for _ in range(_MOST_ROTATIONS):
            try:
                tag = envelope.name_tag(state.vault_key, cast("str", name))
            except (AttributeError, TypeError, UnicodeEncodeError):
                return state, b"", LoadedRecord(None, current=True)
            found = self._store.load_record(state.header.id, tag)
            if found.current:
                return state, tag, found
            # Rotated, replaced or removed: the root says which.
            state = self._versions.read()
        raise VaultCorruptError(
            f"{self._store.location}: the store and the vault disagree about the vault's id; "
            "restore a backup",
            path=self._store.location,
        )

    def _open(self, state: State, tag: bytes, data: bytes) -> RecordEnvelope:
        with self._versions.located():
            return record_envelope.open_record(
                data, state.vault_key, vault_id=state.header.id, tag=tag
            )

    def _fault(self, state: State, sealed: StoredRecord) -> VaultError | None:
        """What is wrong with a record."""
        try:
            self._open(state, sealed.tag, sealed.data)
        except VaultError as error:
            return error
        return None

    # Writing.

    def assign(
        self, name: str, record: Hidden[Record], timeout: float, expires_at: float | None = None
    ) -> None:
        """Put one record: one read at most, one write. A damaged one is replaced like any other."""
        wanted = Wanted(Hidden(as_saved(name, record.reveal())), expires_at)
        self._change(name, wanted, timeout)

    def remove(self, name: str, timeout: float) -> None:
        """Remove one record, damaged or not; KeyError where there is none."""
        self._change(name, Wanted(None), timeout)

    def _change(self, name: str, wanted: Wanted, timeout: float) -> None:
        self._versions.check_not_writing()
        # What is known may be old. The store says so, and nothing is lost by having tried.
        state = self._versions.known()
        known = None if state is None else self._memory.get(name, state.header.id)
        if state is not None and known is not None and not _is_saved(wanted, known.record):
            change = self._sealed(state, name, wanted, known.generation, known.tag)
            if self._commit(state, name, wanted, change, timeout):
                return
        for _ in range(_TRIES_WITHOUT_LOCK):
            state, tag, found = self._load(name)
            if found.data is None and wanted.record is None:
                raise KeyError(name)
            seen = (
                VersionedRecord(0, None)
                if found.data is None
                else self._seen(state, tag, found.data)
            )
            if _is_saved(wanted, seen.record):
                return
            change = self._sealed(state, name, wanted, seen.generation, tag)
            if self._commit(state, name, wanted, change, timeout):
                return
        with self.transaction(timeout) as transaction:
            if wanted.record is None:
                del transaction[name]
            else:
                transaction.put(name, wanted.record.reveal(), ends=wanted.expires_at)

    def _commit(
        self, state: State, name: str, wanted: Wanted, change: RecordWrite, timeout: float
    ) -> bool:
        """Make one change. False where somebody else was first, or has rotated."""
        try:
            version = self._store.commit(state.header.id, [change], timeout=timeout)
        except StaleWriteError:
            self._memory.forget(name)
            self._versions.read()
            return False
        except BaseException:
            self._memory.forget(name)
            raise
        self._written(state, name, change, wanted.record, version)
        return True

    def _written(
        self,
        state: State,
        name: str,
        change: RecordWrite,
        record: Hidden[Record] | None,
        version: object,
    ) -> None:
        if record is None or change.data is None:
            self._memory.forget(name)
        else:
            known = _Known(
                state.header.id,
                change.tag,
                version,
                change.data,
                change.generation,
                Hidden(freeze(record.reveal())),
            )
            self._keep(name, known)

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
        with self._versions.writing(timeout) as (plain, state):
            writer = cast("RecordWriter", plain)
            seen: dict[str, VersionedRecord] = {}

            def find(name: object) -> VersionedRecord:
                if not isinstance(name, str):
                    return VersionedRecord(0, None)
                if name not in seen:
                    seen[name] = self._find_locked(writer, state, name)
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
            changed, ends = transaction.changes(), transaction.ends
            changes = []
            for number, name in enumerate(changed, 1):
                wanted = Wanted(changed[name], ends.get(name))
                changes.append(self._sealed(state, name, wanted, find(name).generation, None))
                _tell(progress, number)
            attempts = transaction.changed_attempts()
            root = None
            if attempts is not None:
                header = self._versions.next_header(state.header)
                payload = state.payload.replace(records={}, attempts=attempts)
                root = self._versions.sealed(header, payload, state.vault_key)
            if changes or root is not None:
                for name in changed:
                    self._memory.forget(name)
                version = writer.commit(state.header.id, changes, root=root, fence=fence)
                for name, change in zip(changed, changes, strict=True):
                    self._written(state, name, change, changed[name], version)

    def _find_locked(self, writer: RecordWriter, state: State, name: str) -> VersionedRecord:
        """What stands under the write lock."""
        known = self._memory.get(name, state.header.id)
        if known is not None and known.version is not None and watches_records(self._store):
            watching = cast("WatchingRecordWriter", writer)
            if watching.load_record_since(known.version, state.header.id, known.tag) is None:
                return VersionedRecord(known.generation, known.record)
        try:
            tag = envelope.name_tag(state.vault_key, name) if known is None else known.tag
        except UnicodeEncodeError:
            return VersionedRecord(0, None)
        found = writer.load_record(state.header.id, tag)
        if not found.current:
            raise StaleWriteError(
                f"{self._store.location}: the write lock was lost, and the vault was rotated or "
                "removed since; nothing was written. Start again.",
                path=self._store.location,
            )
        if found.data is None:
            return VersionedRecord(0, None)
        if known is not None and found.data == known.data:
            return VersionedRecord(known.generation, known.record)
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
                tag = envelope.name_tag(key, one.name)
                yield _seal(one.name, one.record, key, vault_id, tag, 0, one.generation)
                _tell(progress, number)

        return reseal

    def _sealed(
        self, state: State, name: str, wanted: Wanted, generation: int, tag: bytes | None
    ) -> RecordWrite:
        record = wanted.record
        if tag is None:
            tag = envelope.name_tag(state.vault_key, name)
        if record is None:
            return RecordWrite(tag, generation, None, generation + 1)
        with self._versions.located():
            return _seal(
                name,
                record,
                state.vault_key,
                state.header.id,
                tag,
                generation,
                generation + 1,
                wanted.expires_at,
            )


def _is_saved(wanted: Wanted, stored: Hidden[Any] | None) -> bool:
    """Whether nothing would change; a new expiry is a change."""
    return (
        wanted.record is not None
        and stored is not None
        and wanted.expires_at is None
        and same_record(wanted.record.reveal(), stored.reveal())
    )


def _tell(progress: Callable[[int], None] | None, number: int) -> None:
    if progress is not None:
        progress(number)


def _seal(
    name: str,
    record: Hidden[Record],
    vault_key: Hidden[bytes],
    vault_id: bytes,
    tag: bytes,
    expected: int,
    generation: int,
    expires_at: float | None = None,
) -> RecordWrite:
    data = record_envelope.seal_record(
        name,
        record.reveal(),
        vault_key,
        vault_id=vault_id,
        tag=tag,
        generation=generation,
        content_key=Hidden(os.urandom(32)),
        iv=os.urandom(12),
    )
    return RecordWrite(tag, expected, data, generation, expires_at)


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

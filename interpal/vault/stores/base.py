"""What a vault needs of the place that keeps it: a small protocol over opaque bytes.

A store sees ciphertext, HMAC'd names, generations and times, and nothing else. `FileStore`
keeps one envelope that holds every record; a `RecordStore` keeps the vault itself (the root)
without records, and an envelope for each of them (FORMAT.md section 7). A generation and an
expiry stand beside each envelope in clear, for the store to compare and to drop by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from interpal._tuples import NamedTuple
from interpal.vault.stores.values import Stored, keeps_records, watches, watches_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

__all__ = [
    "Fence",
    "LoadedRecord",
    "LoginLock",
    "RecordStore",
    "RecordWrite",
    "RecordWriter",
    "Store",
    "Stored",
    "StoredRecord",
    "WatchingRecordStore",
    "WatchingRecordWriter",
    "WatchingStore",
    "WatchingWriter",
    "Writer",
    "keeps_records",
    "watches",
    "watches_records",
]


class RecordWrite(NamedTuple):
    """What is to become of one record of a `RecordStore`.

    *tag* is its HMAC'd name (32 bytes), *expected* the generation it had when it was read (0:
    there was none), *generation* that of *data*; None for *data* removes the record. Seven days
    after *expires_at* (epoch seconds, None for never) a store may drop it, by its own clock.
    """

    tag: bytes
    expected: int
    data: bytes | None
    generation: int
    expires_at: float | None = None

    def __repr__(self) -> str:
        return f"<RecordWrite of {self.tag.hex()[:8]} to generation {self.generation}>"


class StoredRecord(NamedTuple):
    """One record as a `RecordStore` has it."""

    tag: bytes
    data: bytes

    def __repr__(self) -> str:
        return f"<StoredRecord {self.tag.hex()[:8]}: {len(self.data)} bytes>"


class LoadedRecord(NamedTuple):
    """What a `RecordStore` has for a name.

    *current* tells whether the root is the vault that was asked for; where it is not, *data* is
    None and says nothing: the vault was rotated, replaced or removed. *version* is for
    `WatchingRecordStore.load_record_since`, None in another store.
    """

    data: bytes | None
    current: bool
    version: object = None

    def __repr__(self) -> str:
        size = "nothing" if self.data is None else f"{len(self.data)} bytes"
        return f"<LoadedRecord: {size}, {'current' if self.current else 'of another vault'}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LoadedRecord) and self[:2] == other[:2]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:2])


class LoginLock(Protocol):
    """The lock that lets one process at a time log in to an account. Taking it never blocks.

    `fence` is larger with every holder where a lock can be lost to another holder while one
    lives (Redis), and 0 where it cannot. A write that hands it to `commit` fails once the lock
    has had a later holder.
    """

    @property
    def fence(self) -> int:
        """What this hold of the lock counts, for `RecordWriter.commit`."""
        ...

    def try_acquire(self) -> bool:
        """Take the lock if it is free. True if this object now holds it."""
        ...

    def holder(self) -> str | None:
        """Who holds it, as far as that is known: a pid on one machine, else host and pid."""
        ...

    def release(self) -> None:
        """Free the lock. Does nothing where this object does not hold it."""
        ...


class Writer(Protocol):
    """What the holder of the write lock may do."""

    def load(self) -> Stored | None:
        """The newest bytes, None where there are none."""
        ...

    def save(self, data: bytes, *, verify: Callable[[bytes], None] | None = None) -> Stored:
        """Put *data* in the place of what is there, whole or not at all, durably.

        *verify* is called with the bytes as they can be read back, before they replace the
        old ones, and raises to keep the old ones.
        """
        ...

    def remove(self) -> None:
        """Take away what is stored. Does nothing where there is nothing."""
        ...

    def set_aside(self, seen: Stored) -> str | None:
        """Rename what is stored if it is still *seen* (same identity and bytes).

        Returns the new path, None where something else stands there by now.
        """
        ...


class Store(Protocol):
    """A place for one vault.

    Raises `VaultPermissionError`, `VaultIOError`, `LockTimeoutError`, `StaleWriteError` or
    `StoreUnavailableError`, `VaultFormatError` and `VaultCorruptError` where the place itself
    (a database) is none or is damaged, and no other error of its own.

    It may have a `max_size`: the largest vault, in bytes, that is read from it or written to it.
    Without one that is 64 MiB.
    """

    @property
    def location(self) -> str:
        """The path, or the URL without its password, for messages."""
        ...

    def load(self) -> Stored | None:
        """The newest bytes without taking a lock, None where there are none."""
        ...

    def write_lock(self, timeout: float) -> AbstractContextManager[Writer]:
        """Hold the write lock; seconds to wait for it, 0 to try once (`LockTimeoutError`)."""
        ...

    def login_lock(self, tag: bytes) -> LoginLock:
        """The login lock of the account whose HMAC'd name is *tag* (32 bytes), not yet taken."""
        ...

    def close(self) -> None:
        """Let go of connections and descriptors. A store may be used again afterwards."""
        ...


class WatchingWriter(Writer, Protocol):
    """What the holder of the write lock of a `WatchingStore` may do."""

    def is_still(self, version: object) -> bool:
        """`WatchingStore.is_still`, under the lock."""
        ...


class WatchingStore(Store, Protocol):
    """A store that tells for less than it takes to load whether anything has changed."""

    def is_still(self, version: object) -> bool:
        """Whether what was loaded with this `Stored.version` is still the newest.

        False also where that is not known.
        """
        ...

    def is_gone(self) -> bool:
        """Whether nothing stands there, as far as one look tells."""
        ...

    def write_lock(self, timeout: float) -> AbstractContextManager[WatchingWriter]:
        """`Store.write_lock`."""
        ...


class PlacedStore(Store, Protocol):
    """A store that can tell, before anything is to be saved, whether it could be."""

    def seems_writable(self) -> bool:
        """Whether something could be saved, as far as one look tells."""
        ...

    def check_writable(self) -> None:
        """Raise where the place is set up wrong: `VaultPermissionError`, `VaultIOError`.

        Of a server that does not answer, `StoreUnavailableError`.
        """
        ...


Fence = tuple[bytes, int]
"""The HMAC'd name of the account whose login lock is held, and the `fence` of the lock."""


class RecordWriter(Writer, Protocol):
    """What the holder of the write lock of a `RecordStore` may do: one change, then it is spent.

    `save`, `remove`, `set_aside`, `commit` and `replace_all` are durable when they return, and
    the lock may be free from then on. A lock that was lost meanwhile is a `StaleWriteError`.
    """

    def load_record(self, vault_id: bytes, tag: bytes) -> LoadedRecord:
        """`RecordStore.load_record`, under the lock."""
        ...

    def save(
        self,
        data: bytes,
        *,
        verify: Callable[[bytes], None] | None = None,
        vault_id: bytes | None = None,
    ) -> Stored:
        """Put *data* in the place of the root, which is then the vault *vault_id* (16 bytes).

        Without *vault_id* it stays the vault that it was. Records are left as they are.
        """
        ...

    def remove(self) -> None:
        """Take away the root and the records of its vault."""
        ...

    def commit(
        self,
        vault_id: bytes,
        changes: Sequence[RecordWrite],
        *,
        root: bytes | None = None,
        fence: Fence | None = None,
    ) -> object:
        """Make all changes or none; *root* replaces the root in the same step.

        Returns the `LoadedRecord.version` of what was changed.

        Raises `StaleWriteError` and changes nothing where the root is no longer the vault
        *vault_id*, a record has another generation than expected, the write lock was lost, or
        the login lock that *fence* names has had a later holder.
        """
        ...

    def replace_all(
        self, root: bytes, *, old_id: bytes, new_id: bytes, records: Iterable[RecordWrite]
    ) -> None:
        """Write a new set of records beside the old one, swap the root, then drop the old set.

        A rotation: while it lasts, writers and logins of others are held back; readers see the
        old set. *records* is read as it is written, and its `expected` is not looked at. Raises
        `StaleWriteError` and leaves the old set where the root is no longer the vault *old_id*.
        """
        ...


class RecordStore(Store, Protocol):
    """A store that keeps each record on its own, under the vault's id.

    `load` and the `Writer`'s `load` and `save` concern the root.
    """

    def load_record(self, vault_id: bytes, tag: bytes) -> LoadedRecord:
        """One record of the vault *vault_id*, and whether that is still the vault. No lock."""
        ...

    def load_records(self, vault_id: bytes) -> Iterator[StoredRecord]:
        """All records, in no order, read in batches and each once.

        Not one moment in time: what is written meanwhile may or may not be seen. After a
        rotation meanwhile some are missing: look at the root again afterwards.
        """
        ...

    def commit(
        self,
        vault_id: bytes,
        changes: Sequence[RecordWrite],
        *,
        root: bytes | None = None,
        fence: Fence | None = None,
        timeout: float,
    ) -> object:
        """`RecordWriter.commit` under a write lock of its own, in one step (one round trip).

        Waits at most *timeout* seconds for another holder of the write lock
        (`LockTimeoutError`), and raises `StaleWriteError` as there.
        """
        ...

    def record_lock(self, timeout: float) -> AbstractContextManager[RecordWriter]:
        """`write_lock`, for what changes records."""
        ...


class WatchingRecordStore(WatchingStore, RecordStore, Protocol):
    """A `RecordStore` that tells for less than it takes to load whether anything has changed."""

    def load_record_since(
        self, version: object, vault_id: bytes, tag: bytes
    ) -> LoadedRecord | None:
        """`load_record`; None where nobody has written since a record had this version."""
        ...

    def record_lock(self, timeout: float) -> AbstractContextManager[WatchingRecordWriter]:
        """`write_lock`, for what changes records."""
        ...


class WatchingRecordWriter(WatchingWriter, RecordWriter, Protocol):
    """What the holder of the write lock of a `WatchingRecordStore` may do."""

    def load_record_since(
        self, version: object, vault_id: bytes, tag: bytes
    ) -> LoadedRecord | None:
        """`WatchingRecordStore.load_record_since`, under the lock."""
        ...

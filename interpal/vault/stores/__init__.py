"""What a vault needs of the place that keeps it: a small protocol over opaque bytes.

A store sees ciphertext, HMAC'd names, generations and times, and nothing else. `FileStore`
keeps one envelope that holds every record; a `RecordStore` keeps the vault itself (the root)
without records, and an envelope for each of them (FORMAT.md section 7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager


class Stored(NamedTuple):
    """Bytes as a store gave them.

    `identity` tells two files with the same bytes apart (for a file: device and inode); it is
    compared, never looked into.
    """

    data: bytes
    identity: object

    def __repr__(self) -> str:
        return f"<Stored: {len(self.data)} bytes>"


class LoginLock(Protocol):
    """The lock that lets one process at a time log in to an account. Taking it never blocks.

    `fence` counts the holders of the lock so far, this one included, where a lock can be lost
    to another holder while one lives (Redis); 0 where it cannot.
    """

    @property
    def fence(self) -> int: ...

    def try_acquire(self) -> bool:
        """Take the lock if it is free. True if this object now holds it."""
        ...

    def holder(self) -> str | None:
        """Who holds it, as far as that can be told: a pid on one machine, else host and pid."""
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

    Raises `VaultPermissionError`, `VaultIOError`, `LockTimeoutError` or
    `StoreUnavailableError`, and no other error of its own.
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


class Change(NamedTuple):
    """What is to become of one record of a `RecordStore`.

    *tag* is its HMAC'd name (32 bytes), *expected* the generation it had when it was read (0:
    there was none), *generation* that of *data*; None for *data* removes the record. After
    *expires_at* (epoch seconds, None for never) a store may drop it of its own accord.
    """

    tag: bytes
    expected: int
    data: bytes | None
    generation: int
    expires_at: float | None = None

    def __repr__(self) -> str:
        return f"<Change of {self.tag.hex()[:8]} to generation {self.generation}>"


class Sealed(NamedTuple):
    """One record as a `RecordStore` has it."""

    tag: bytes
    data: bytes


class RecordWriter(Writer, Protocol):
    """What the holder of the write lock of a `RecordStore` may do."""

    def commit(
        self,
        vault_id: bytes,
        changes: Sequence[Change],
        *,
        root: bytes | None = None,
        fence: tuple[bytes, int] | None = None,
    ) -> None:
        """Make all changes or none, durably; *root* replaces the root in the same step.

        Raises `StaleWriteError` and changes nothing where the root is no longer the vault
        *vault_id*, a record has another generation than expected, the write lock was lost, or
        the login lock of the account *fence* names (tag and count) has had a later holder.
        """
        ...

    def replace_all(
        self, root: bytes, *, old_id: bytes, new_id: bytes, records: Iterable[Change]
    ) -> None:
        """Write a whole new set of records beside the old one, then swap the root, then drop the old.

        A rotation: while it lasts, writers and logins of others are held back. Raises
        `StaleWriteError` and leaves the old set where the root is no longer the vault *old_id*.
        """
        ...


class RecordStore(Store, Protocol):
    """A store that keeps each record on its own, under the vault's id.

    `load` and the `Writer`'s `load` and `save` concern the root.
    """

    def load_record(self, vault_id: bytes, tag: bytes) -> bytes | None:
        """One record, None where there is none."""
        ...

    def load_records(self, vault_id: bytes) -> Iterator[Sealed]:
        """All records, in no order, read in batches."""
        ...

    def record_lock(self, timeout: float) -> AbstractContextManager[RecordWriter]:
        """`write_lock`, for what changes records."""
        ...

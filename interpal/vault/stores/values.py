"""What stores are given and give, and what a store can do beside the least.

The protocols are in `base.py`, which nobody needs who only reads a vault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal._hidden import Hidden
from interpal._tuples import NamedTuple

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from interpal.vault.stores.base import (
        PlacedStore,
        RecordStore,
        Store,
        WatchingRecordStore,
        WatchingStore,
    )


class Stored(Hidden[bytes]):
    """Bytes as a store gave them: `Stored(data, identity)`; `reveal` gives them back.

    `identity` tells two files with the same bytes apart (for a file: device and inode); it is
    compared, never looked into. `version` is for a `WatchingStore`, None in another. Hidden, since
    a file may turn out to be a session in clear.
    """

    __slots__ = ("identity", "version")
    __hash__ = None

    def __init__(self, data: bytes, identity: object, version: object = None) -> None:
        super().__init__(data)
        self.identity = identity
        self.version = version

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Stored)
            and self.identity == other.identity
            and self.reveal() == other.reveal()
        )

    def __repr__(self) -> str:
        return f"<Stored: {len(self.reveal())} bytes>"


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


def watches_records(store: RecordStore) -> TypeIs[WatchingRecordStore]:
    """Whether *store* is a `WatchingRecordStore`."""
    return hasattr(store, "load_record_since")


def watches(store: Store) -> TypeIs[WatchingStore]:
    """Whether *store* is a `WatchingStore`."""
    return hasattr(store, "is_still")


def keeps_records(store: Store) -> TypeIs[RecordStore]:
    """Whether *store* is a `RecordStore`."""
    return hasattr(store, "load_record")


def tells_whether_writable(store: Store) -> TypeIs[PlacedStore]:
    """Whether *store* is a `PlacedStore`."""
    return hasattr(store, "check_writable")

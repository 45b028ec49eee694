"""What stores are given and give, and what a store can do beside the least.

The protocols are in `base.py`, which nobody needs who only reads a vault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal._hidden import Hidden
from interpal._lazy import LateModule
from interpal.vault.format.header import MAX_FILE_BYTES

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from interpal.vault.stores import sizes
    from interpal.vault.stores.base import (
        PlacedStore,
        RecordStore,
        Store,
        WatchingRecordStore,
        WatchingStore,
    )
else:
    sizes = LateModule("interpal.vault.stores.sizes")

DEFAULT_MAX_SIZE = 64 * 2**20
"""The largest vault, in bytes, that is read or written where nobody asks for more."""


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


def check_max_size(size: int | None) -> int:
    """*size* in bytes, or the default for None. Raises `ValidationError`."""
    return DEFAULT_MAX_SIZE if size is None else sizes.checked(size)


def max_size_of(store: Store) -> int:
    """The largest vault, in bytes, that is read from *store* or written to it."""
    return min(int(getattr(store, "max_size", DEFAULT_MAX_SIZE)), MAX_FILE_BYTES)


def check_size(store: Store, size: int, *, written: bool = False) -> None:
    """Refuse to read or write a vault of *size* bytes that is too large: `VaultLimitError`."""
    if size > max_size_of(store):
        most, apart = max_size_of(store), keeps_records(store)
        raise sizes.too_large(store.location, size, most, written=written, apart=apart)


def watches_records(store: RecordStore) -> TypeIs[WatchingRecordStore]:
    """Whether *store* is a `WatchingRecordStore`."""
    return hasattr(store, "load_record_since")


def watches(store: Store) -> TypeIs[WatchingStore]:
    """Whether *store* is a `WatchingStore`."""
    return hasattr(store, "is_still")


def keeps_records(store: Store) -> TypeIs[RecordStore]:
    """Whether *store* is a `RecordStore`."""
    return hasattr(store, "load_record")


def _tells_whether_writable(store: Store) -> TypeIs[PlacedStore]:
    """Whether *store* is a `PlacedStore`."""
    return hasattr(store, "check_writable")


def seems_writable(store: Store) -> bool:
    """Whether something could be saved, as far as one look tells; False where it cannot tell."""
    return _tells_whether_writable(store) and store.seems_writable()


def check_writable(store: Store) -> None:
    """`PlacedStore.check_writable`, of a store that has it."""
    if _tells_whether_writable(store):
        store.check_writable()

"""What stores are given and give, and what a store can do beside the least.

The protocols are in `base.py`, which nobody needs who only reads a vault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal._hidden import Hidden
from interpal.exceptions import ValidationError, VaultLimitError
from interpal.vault.format.header import MAX_FILE_BYTES

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from interpal.vault.stores.base import (
        PlacedStore,
        RecordStore,
        Store,
        WatchingRecordStore,
        WatchingStore,
    )


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
    if size is None:
        return DEFAULT_MAX_SIZE
    if type(size) is int and 0 < size <= MAX_FILE_BYTES:
        return size
    raise ValidationError(
        f"max_size: expected a number of bytes, at most {_in_bytes(MAX_FILE_BYTES)}, not {size!r}"
    )


def max_size_of(store: Store) -> int:
    """The largest vault, in bytes, that is read from *store* or written to it."""
    return min(int(getattr(store, "max_size", DEFAULT_MAX_SIZE)), MAX_FILE_BYTES)


def check_size(store: Store, stored: Stored) -> None:
    """Refuse to read what is larger than `max_size_of` the store: `VaultLimitError`."""
    size, most = len(stored.reveal()), max_size_of(store)
    if size > most:
        raise too_large_to_read(store.location, size, most)


def too_large_to_read(location: str, size: int, most: int) -> VaultLimitError:
    """The error for a vault of *size* bytes where at most *most* are read."""
    remedy = "No vault is larger; check the path"
    if most < MAX_FILE_BYTES:
        remedy = f"If this is the right one, {_ALLOW_MORE}"
    return VaultLimitError(
        f"{location}: this has {size:,} bytes, and at most {_in_bytes(most)} are read. {remedy}.",
        path=location,
    )


def too_large_to_write(location: str, size: int, most: int) -> VaultLimitError:
    """The error for a vault that would have *size* bytes where at most *most* are written."""
    remedy = "Keep fewer records in it, or keep them in SQLite (`interpal-vault copy`)"
    if most < MAX_FILE_BYTES:
        remedy = f"Keep fewer records in it, or {_ALLOW_MORE}"
    return VaultLimitError(
        f"{location}: the vault would have {size:,} bytes, and at most {_in_bytes(most)} are "
        f"written. Nothing was changed. {remedy}.",
        path=location,
    )


def _in_bytes(size: int) -> str:
    mib, rest = divmod(size, 2**20)
    return f"{size:,}" if rest else f"{size:,} ({mib} MiB)"


_ALLOW_MORE = (
    f"allow more, up to {MAX_FILE_BYTES // 2**20} MiB: max_size= in Python, --max-size on the "
    "command line"
)


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

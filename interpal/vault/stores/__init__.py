"""What a vault needs of the place that keeps it: a small protocol over opaque bytes.

A store sees ciphertext, HMAC'd names, generations and times, and nothing else. `FileStore`
keeps one envelope that holds every record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
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
    """The lock that lets one process at a time log in to an account. Taking it never blocks."""

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

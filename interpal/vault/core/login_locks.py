"""The login lock of one account of a vault, under a name that reveals nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from interpal.vault.stores.base import Fence, LoginLock


class AccountLock:
    """The login lock of one account of a vault. Taking it never blocks.

    *identify* gives the vault's id and the account's HMAC'd name as they are now, *lock_of*
    the lock for such a name.
    """

    __slots__ = ("_identify", "_lock", "_lock_of", "_tag", "_taken")

    def __init__(
        self, identify: Callable[[], tuple[bytes, bytes]], lock_of: Callable[[bytes], LoginLock]
    ) -> None:
        self._identify = identify
        self._lock_of = lock_of
        self._lock: LoginLock | None = None
        self._tag = b""
        self._taken = False

    @property
    def fence(self) -> Fence | None:
        """What a save hands to the store, to fail where the lock was lost; None where it cannot."""
        count = self._lock.fence if self._lock is not None and self._taken else 0
        return (self._tag, count) if count else None

    def try_acquire(self) -> bool:
        """Take the lock if it is free. True if this object now holds it, or did already.

        Its name is an HMAC under the vault key: a vault that was re-keyed in between would
        give two processes two locks, so the vault's id is looked at again.
        """
        if self._lock is not None and self._taken:
            return self._lock.try_acquire()
        vault_id, tag = self._identify()
        self._tag = tag
        self._lock = lock = self._lock_of(tag)
        if not lock.try_acquire():
            return False
        try:
            self._taken = self._identify()[0] == vault_id
        finally:
            if not self._taken:
                lock.release()
        return self._taken

    def holder(self) -> str | None:
        """Who holds the lock, where that is known."""
        return self._lock.holder() if self._lock is not None else None

    def release(self) -> None:
        """Free the lock. Does nothing where this object does not hold it."""
        self._taken = False
        if self._lock is not None:
            self._lock.release()

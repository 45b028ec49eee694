"""A vault in Redis or Valkey: one key per record, for many workers on many hosts.

Every write is one Lua script that checks the vault's id, the write lock, the fence and each
generation before it changes anything (`scripts.py`). How durable a reply is, the server's
own settings say: with `appendonly yes` and `appendfsync always` nothing acknowledged is lost.
"""

from __future__ import annotations

import errno
import time
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from interpal._hidden import Hidden
from interpal._log import Logger
from interpal.exceptions import LockTimeoutError, StaleWriteError, VaultError, VaultIOError
from interpal.vault.files.waiting import Waiting
from interpal.vault.format.jwe import b64encode
from interpal.vault.stores.base import Stored
from interpal.vault.stores.redis import scripts
from interpal.vault.stores.redis.address import Address
from interpal.vault.stores.redis.keyspace import BATCH, Filled, Space
from interpal.vault.stores.redis.lock import RedisLock
from interpal.vault.stores.values import check_max_size

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from interpal.vault.stores.base import Fence, LoadedRecord, RecordWrite, StoredRecord

LOCK_SECONDS = 30.0
"""The life of a lock; it is renewed at a third of it."""

_log = Logger("interpal.vault.stores.redis.store")


class RedisStore:
    """The vault at a `redis://` or `rediss://` URL. A `RecordStore`.

    Connects when it is used. May be used from many threads, and in forked children. Raises
    `ValidationError` for what is no such URL.

    Args:
        url: The URL of a server, a group of sentinels or a cluster, as `Address.parse` reads it.
        lock_seconds: Seconds that a lock lives unless it is renewed, which it is at a third of
            them; the same for all who share the vault.
        max_size: The number of bytes that the vault may have beside its records to be read or
            written: 64 MiB unless given, at most 256 MiB.
    """

    __slots__ = ("_life", "_space", "max_size")

    def __init__(
        self,
        url: str | Address,
        *,
        lock_seconds: float = LOCK_SECONDS,
        max_size: int | None = None,
    ) -> None:
        given: Hidden[Any] = Hidden(url)
        # Whoever reports an error with local variables is to report no password.
        del url
        parsed = isinstance(given.reveal(), Address)
        self._space = Space(given.reveal() if parsed else Address.parse(given.reveal()))
        self._life = lock_seconds
        self.max_size = check_max_size(max_size)

    def __repr__(self) -> str:
        # A traceback with the variables of its frames shows one that was not made, too.
        return f"RedisStore({self.location if hasattr(self, '_space') else '…'!r})"

    @property
    def location(self) -> str:
        """The URL without its password."""
        return self._space.location

    def load(self) -> Stored | None:
        """The root, None where there is none."""
        return self._space.root()

    def is_still(self, version: object) -> bool:  # noqa: ARG002
        """False: to ask the server costs as much as to load."""
        return False

    def is_gone(self) -> bool:
        """False: to ask the server costs as much as to load."""
        return False

    def load_record(self, vault_id: bytes, tag: bytes) -> LoadedRecord:
        """One record of the vault *vault_id*, and whether that is still the vault."""
        return self._space.record(vault_id, tag)

    def load_records(self, vault_id: bytes) -> Iterator[StoredRecord]:
        """All records in no order, read in batches, each once."""
        return self._space.records(vault_id)

    def commit(
        self,
        vault_id: bytes,
        changes: Sequence[RecordWrite],
        *,
        root: bytes | None = None,
        fence: Fence | None = None,
        timeout: float,
    ) -> None:
        """Make all changes or none, in one round trip where nobody holds the write lock.

        Raises `StoreUnavailableError` where the server did not answer in time: the changes may
        or may not have been made, as it says.
        """
        wait = Waiting(timeout)
        while not self._space.commit("", vault_id, changes, root, fence):
            if not wait.pause():
                raise self._locked_out(self._write_lock(), timeout)

    @contextmanager
    def record_lock(self, timeout: float) -> Generator[RedisWriter, None, None]:
        """Hold the write lock; seconds to wait for it, 0 to try once."""
        lock = self._write_lock()
        waiting = Waiting(timeout)
        full: VaultIOError | None = None
        try:
            try:
                while not lock.try_acquire():
                    if not waiting.pause():
                        raise self._locked_out(lock, timeout)
            except VaultIOError as error:
                if error.errno != errno.ENOSPC:
                    raise
                full = error
            yield RedisWriter(self._space, lock, full)
        finally:
            lock.release()

    write_lock = record_lock

    def login_lock(self, tag: bytes) -> RedisLock:
        """The login lock of the account with this *tag*, not yet taken."""
        text = b64encode(tag)
        return self._lock(self._space.key(f"login:{text}"), text)

    def is_login_under_way(self) -> bool:
        """Whether anybody holds a login lock of this vault."""
        return self._space.has_login_lock()

    def seems_writable(self) -> bool:
        """False: what the server allows is not known before it is asked."""
        return False

    def check_writable(self) -> None:
        """Refuse a server that takes no changes, or not from this user; changes nothing there.

        Raises `VaultPermissionError`, `VaultIOError`, `StoreUnavailableError`.
        """
        self._space.client.run(scripts.TRY, (self._space.key("try"),), (), again=True)

    def close(self) -> None:
        """Close the connections."""
        self._space.client.close()

    def _write_lock(self) -> RedisLock:
        return self._lock(self._space.keys.write, "")

    def _lock(self, key: str, tag: str) -> RedisLock:
        space = self._space
        return RedisLock(space.client, key, space.keys, tag=tag, life=self._life)

    def _locked_out(self, lock: RedisLock, timeout: float) -> LockTimeoutError:
        holder = lock.holder()
        return LockTimeoutError(
            f"{self.location}: {holder or 'another process'} holds the write lock, after waiting "
            f"{timeout:g} s. Try again later; if that process is stuck, end it: the lock is free "
            f"at most {self._life:g} s after that.",
            path=self.location,
            holder=holder,
        )


class RedisWriter:
    """What the holder of the write lock may do, once. A `RecordWriter`."""

    __slots__ = ("_full", "_lock", "_space", "_spent")

    def __init__(self, space: Space, lock: RedisLock, full: VaultIOError | None = None) -> None:
        self._space = space
        self._lock = lock
        # Why there is no lock: no memory for one. What only removes can do without.
        self._full = full
        self._spent = False

    def load(self) -> Stored | None:
        """The root, None where there is none."""
        if self._full is not None and not self._spent:
            return self._space.root()
        self._token()
        root, self._lock.root = self._lock.root, None
        return self._space.root() if root is None else self._space.as_root(root)

    def is_still(self, version: object) -> bool:  # noqa: ARG002
        """False: to ask the server costs as much as to load."""
        return False

    def load_record(self, vault_id: bytes, tag: bytes) -> LoadedRecord:
        """One record of the vault *vault_id*, and whether that is still the vault."""
        return self._space.record(vault_id, tag)

    def save(
        self,
        data: bytes,
        *,
        verify: Callable[[bytes], None] | None = None,
        vault_id: bytes | None = None,
    ) -> Stored:
        """Put *data* in the place of the root; *verify* gets it before it is sent."""
        token = self._token()
        if verify is not None:
            verify(data)
        keys = self._space.keys
        values = (token, data, "" if vault_id is None else vault_id.hex())
        found = self._space.write(scripts.SAVE, (keys.root, keys.write), values)
        self._lock.forget()
        return Stored(data, bytes.fromhex(found))

    def remove(self) -> None:
        """Take away the root and the records of its vault."""
        found = self._space.write(scripts.REMOVE, self._space.keys, (self._token(),))
        self._lock.forget()
        if found:
            self._drop(bytes.fromhex(found))

    def set_aside(self, seen: Stored) -> str | None:
        """Give the root another key if it is still *seen*; its records stay with it."""
        token = self._token()
        if not isinstance(seen.identity, bytes):
            return None
        base = f"{self._space.keys.root}:corrupt-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        name, number = base, 1
        values = (token, seen.identity.hex(), seen.reveal())
        keys = self._space.keys
        while True:
            try:
                done = self._space.write(scripts.SET_ASIDE, (keys.root, keys.write, name), values)
            except StaleWriteError:
                return None
            if done == "ok":
                self._lock.forget()
                return f"{self._space.location}#{name}"
            number += 1
            name = f"{base}-{number}"

    def commit(
        self,
        vault_id: bytes,
        changes: Sequence[RecordWrite],
        *,
        root: bytes | None = None,
        fence: Fence | None = None,
    ) -> None:
        """Make all changes or none; *root* replaces the root in the same step."""
        if self._full is not None and not self._spent:
            if root is not None or any(change.data is not None for change in changes):
                raise self._full
            if not self._space.commit("", vault_id, changes, None, fence):
                where = self._space.location
                raise StaleWriteError(
                    f"{where}: another process holds the write lock; nothing was written. Start "
                    "again.",
                    path=where,
                )
            self._spent = True
            return
        self._space.commit(self._token(), vault_id, changes, root, fence)
        self._lock.forget()

    def replace_all(
        self, root: bytes, *, old_id: bytes, new_id: bytes, records: Iterable[RecordWrite]
    ) -> None:
        """Write a new set of records under a mark in the root, swap the root, drop the old set."""
        token = self._token()
        space, keys = self._space, self._space.keys
        old, new = old_id.hex(), new_id.hex()
        space.write(scripts.MARK, (keys.root, keys.write, keys.sets), (token, old, new))
        for left in space.left_over():
            if left not in (old_id, new_id):
                self._drop(left)
        rest, done = iter(records), Filled(0, 0)
        while batch := list(islice(rest, BATCH)):
            done = space.fill(token, new_id, batch, done)
        all_keys = (*keys, space.filled(new_id))
        space.write(scripts.SWAP, all_keys, (token, old, new, root, *done))
        self._lock.forget()
        self._drop(old_id)

    def _drop(self, vault_id: bytes) -> None:
        """Nothing depends on it any more: what stays now goes at the next rotation."""
        try:
            self._space.drop(vault_id)
        except VaultError as error:
            _log.warning("%s: old records stay for now: %s", self._space.location, error)

    def _token(self) -> str:
        if self._full is not None and not self._spent:
            raise self._full
        if not self._lock.held:
            where = self._space.location
            if self._lock.mine:
                raise StaleWriteError(
                    f"{where}: the write lock was lost, because its holder was delayed for too "
                    "long; nothing was written. Read again.",
                    path=where,
                )
            raise VaultIOError(
                f"{where}: this process does not hold the write lock (any more)", path=where
            )
        return self._lock.token

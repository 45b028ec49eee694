"""Hosts that share no file: a vault in a real Redis, whose locks run out.

What differs from processes of one machine: a lock outlives a host that has died, by its life; one
that is stopped for longer has lost its lock when it goes on, and does not know it; and what the
site refuses to one host says nothing of another.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

from interpal.exceptions import VaultNotFoundError
from interpal.vault.stores.redis.scripts import RELEASE
from interpal.vault.stores.redis.store import LOCK_SECONDS, RedisStore
from interpal.vault.vault import Vault
from tests.interleavings.world import CLOCK, KEY, Place, Process

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from typing import Any

    from interpal.vault.stores.base import Fence, RecordWrite
    from interpal.vault.stores.redis.lock import RedisLock
    from interpal.vault.stores.redis.store import RedisWriter
    from tests.redis_server import RedisServer


class Hosts:
    """A Redis server, and the connections of each host and of the witness."""

    def __init__(self, server: RedisServer) -> None:
        self._url = server.url(user=False)
        self._admin = server.admin()
        self._stores: dict[int, HostStore] = {}

    def place(self, record: Mapping[str, Any] | None, name: str) -> HostPlace:
        """A vault with this record at the start."""
        self._admin.flushall()
        place = HostPlace(self)
        for number, store in self._stores.items():
            store.belong(place, Process(number))
        vault = Vault.open(self.store(place, Process(-1)), key=KEY, create=True)
        if record is not None:
            vault[name] = dict(record)
        place.witness = vault
        return place

    def store(self, place: HostPlace, process: Process) -> HostStore:
        """What a process of one host uses."""
        found = self._stores.get(process.number)
        if found is None:
            found = self._stores[process.number] = HostStore(self._url)
        found.belong(place, process)
        return found

    def close(self) -> None:
        """Close the connections."""
        for store in self._stores.values():
            store.close()
        self._admin.close()


class HostPlace(Place):
    """One vault in Redis."""

    can_stall = True

    def __init__(self, hosts: Hosts) -> None:
        super().__init__()
        self._hosts = hosts
        self._changes = 0
        self._locks: list[tuple[Process, RedisLock]] = []
        # Locks of hosts that have died, and when they run out.
        self._left: list[tuple[float, RedisLock]] = []
        self.witness: Vault | None = None

    @property
    def version(self) -> object:
        """What is another after each save."""
        return self._changes

    def changed(self) -> None:
        """Something was written."""
        self._changes += 1

    def cookies(self) -> dict[str, str]:
        """The session cookies that are saved, by the name of the record."""
        assert self.witness is not None
        try:
            records = dict(self.witness.snapshot())
        except VaultNotFoundError:
            return {}
        return {name: record["session_cookie"] for name, record in records.items()}

    def store_of(self, process: Process) -> HostStore:
        """The vault, as a process of a host sees it."""
        return self._hosts.store(self, process)

    def note(self, process: Process, lock: RedisLock) -> None:
        """A process may come to hold this lock."""
        self._locks.append((process, lock))

    @property
    def is_locked(self) -> bool:
        """Whether somebody holds a login lock, by the word of the server."""
        for _, lock in self._left:
            _run_out(lock)
        return self._hosts.store(self, Process(-1)).is_login_under_way()

    @property
    def is_there(self) -> bool:
        """Whether there is a vault."""
        return self._hosts.store(self, Process(-1)).load() is not None

    def let_go(self, process: Process) -> None:
        """A host has died: its locks run out in their time."""
        until = CLOCK.seconds + LOCK_SECONDS
        self._left += [(until, lock) for one, lock in self._locks if one is process and lock.mine]

    def stall(self, process: Process) -> float:
        """A host is stopped for as long as its locks live; that many seconds."""
        for one, lock in self._locks:
            if one is process and lock.mine:
                _run_out(lock)
        return LOCK_SECONDS

    def pass_time(self) -> None:
        """Locks of the dead run out."""
        for due, lock in self._left:
            if due <= CLOCK.seconds:
                _run_out(lock)
        self._left = [one for one in self._left if one[0] > CLOCK.seconds]


def _run_out(lock: RedisLock) -> None:
    """What the server does at the end of a lock's life; its holder is not asked."""
    lock._client.run(RELEASE, (lock._key,), (lock.token,), again=True)


class HostStore(RedisStore):
    """A `RedisStore`, as the processes of one host see it."""

    _place: HostPlace
    _process: Process

    def belong(self, place: HostPlace, process: Process) -> None:
        """Be the store of a process of the next schedule."""
        self._place, self._process = place, process

    def commit(
        self,
        vault_id: bytes,
        changes: Sequence[RecordWrite],
        *,
        root: bytes | None = None,
        fence: Fence | None = None,
        timeout: float,
    ) -> None:
        """Make all changes or none."""
        super().commit(vault_id, changes, root=root, fence=fence, timeout=timeout)
        self._place.changed()

    @contextmanager
    def record_lock(self, timeout: float) -> Generator[RedisWriter, None, None]:
        """Hold the write lock."""
        with super().record_lock(timeout) as writer:
            yield writer
        self._place.changed()

    write_lock = record_lock

    def login_lock(self, tag: bytes) -> RedisLock:
        """The login lock of an account."""
        lock = super().login_lock(tag)
        self._place.note(self._process, lock)
        return lock


def chance_of(seed: int) -> random.Random:
    """What the plans of hosts are drawn by."""
    return random.Random(f"hosts {seed}")

"""A lock in Redis: a random token that expires, renewed while its holder lives.

A holder that is stopped for longer than the life of the lock loses it. That cannot be
prevented, so a write hands in what tells it: the fence of a login lock, the token of the write
lock (docs/fleets.md).
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, NamedTuple

from interpal._clock import monotonic
from interpal._log import Logger
from interpal.exceptions import StoreUnavailableError, VaultError
from interpal.vault.files.forks import Process
from interpal.vault.stores.redis.scripts import LOCK, RELEASE, RENEW

if TYPE_CHECKING:
    from interpal.vault.stores.redis.client import RedisClient

_log = Logger("interpal.vault.stores.redis.store")


class Keys(NamedTuple):
    """The keys that a vault has whatever its id: root, write lock, fence, left-over sets."""

    root: str
    write: str
    fence: str
    sets: str


class RedisLock:
    """A lock at *key*, not yet taken. A `LoginLock`; without *tag*, the write lock.

    It belongs to the object and the process, not to a thread; a child of the holder does not
    hold it.
    """

    __slots__ = (
        "__weakref__",
        "_client",
        "_fence",
        "_key",
        "_keys",
        "_life",
        "_process",
        "_tag",
        "_until",
        "root",
        "token",
    )  # fmt: skip

    def __init__(
        self,
        client: RedisClient,
        key: str,
        keys: Keys,
        *,
        tag: str = "",
        life: float,
    ) -> None:
        self._client = client
        self._key = key
        self._keys = keys
        self._tag = tag
        self._life = life
        self._fence = 0
        self._process = Process()
        self._until = 0.0
        self.token = ""
        # The id of the root and the root as they were when the write lock was taken.
        self.root: list[bytes | None] | None = None

    def __repr__(self) -> str:
        return f"<RedisLock {'held' if self.held else 'not held'}>"

    @property
    def fence(self) -> int:
        """Larger with every holder of the lock, 0 before it was taken."""
        return self._fence

    @property
    def life(self) -> float:
        """Seconds after which the lock is free if it is not renewed."""
        return self._life

    @property
    def held(self) -> bool:
        """Whether this object, in this process, holds the lock, as far as it knows."""
        return self._process.is_current and monotonic() < self._until

    @property
    def mine(self) -> bool:
        """Whether it was taken by this object in this process and not freed, if lost or not."""
        return self._process.is_current and self._until > 0

    def try_acquire(self) -> bool:
        """Take the lock if it is free. True if this object now holds it, or did already.

        Raises `StoreUnavailableError` and the other errors of a store.
        """
        if self.held:
            return True
        if not self.token or not self._process.is_current:
            self._process = Process()
            self.token = f"{os.urandom(16).hex()} {os.uname().nodename}:{self._process.pid}"
        asked = monotonic()
        values = (self.token, int(self._life * 1000), self._tag)
        keys = (self._key, *self._keys[:3])
        reply, confirmed = self._client.run_confirmed(LOCK, keys, values, again=True)
        if confirmed < self._client.address.replicas:
            self._free()
            raise self._client.unconfirmed(confirmed)
        if reply == 0:
            return False
        if self._tag:
            self._fence = int(reply)
        else:
            self.root = reply
        self._until = asked + self._life
        self._renewer.add(self)
        return True

    @property
    def _renewer(self) -> Renewer:
        """The one of the server: one that hangs holds up no lock of another."""
        server = self._client.server
        found = _renewers.get(server)
        return found or _renewers.setdefault(server, Renewer("{}:{}".format(*server)))

    def holder(self) -> str | None:
        """Host and pid of the holder, None where nobody holds it or it is not known."""
        try:
            value = self._client.ask("GET", self._key)
        except VaultError:
            return None
        return value.decode("utf-8", "replace").partition(" ")[2] or None if value else None

    def release(self) -> None:
        """Free the lock. Does nothing where this object and process do not hold it.

        Where the store does not answer, the lock is free at the end of its life.
        """
        if self.forget():
            self._free()

    def _free(self) -> None:
        try:
            self._client.run(RELEASE, (self._key,), (self.token,), again=True)
        except VaultError as error:
            _log.warning("a lock will not be free for %g s: %s", self._life, error)

    def forget(self) -> bool:
        """Do as if it were free, after a script that has freed it. False where it was not ours."""
        if not self.mine:
            return False
        self._renewer.drop(self)
        self._until = 0.0
        return True

    def renew(self) -> bool:
        """Begin its life anew. False where it is another's by now.

        Raises `StoreUnavailableError` and the other errors of a store.
        """
        asked = monotonic()
        values = (self.token, int(self._life * 1000))
        if self._client.run(RENEW, (self._key,), values, again=True):
            if self._until:
                self._until = asked + self._life
            return True
        if self._until:
            self._until = min(self._until, asked)
            where = self._client.location
            _log.warning("%s: a lock was lost, because it was not renewed in time", where)
        return False


class Renewer:
    """Renews the locks of this process at a third of their life, in one thread while needed.

    A lock that was dropped without a release is not kept: it ends with its life.
    """

    __slots__ = ("_change", "_due", "_process", "_running", "_server", "_wake")

    def __init__(self, server: str = "") -> None:
        self._server = server
        self._start()

    def _start(self) -> None:
        self._process = Process()
        self._due: weakref.WeakKeyDictionary[RedisLock, float] = weakref.WeakKeyDictionary()
        self._change = threading.Condition()
        self._running = False
        self._wake = 0.0

    def add(self, lock: RedisLock) -> None:
        """Renew *lock* from now on."""
        if not self._process.is_current:
            self._start()  # the thread and the locks are the parent's
        with self._change:
            self._due[lock] = due = monotonic() + lock.life / 3
            if self._running:
                if due < self._wake:
                    self._change.notify()
            else:
                name = f"interpal-locks {self._server}".strip()
                threading.Thread(target=self._run, name=name, daemon=True).start()
                self._running = True

    def drop(self, lock: RedisLock) -> None:
        """Stop renewing *lock*."""
        if self._process.is_current:
            with self._change:
                self._due.pop(lock, None)

    def _run(self) -> None:
        while (lock := self._next()) is not None:
            try:
                pause = lock.life / 3 if lock.renew() else None
            except StoreUnavailableError:
                pause = lock.life / 10
            except VaultError as error:
                _log.warning("a lock cannot be renewed: %s", error)
                pause = lock.life / 10
            with self._change:
                if lock in self._due:
                    if pause is None:
                        del self._due[lock]
                    else:
                        self._due[lock] = monotonic() + pause
            del lock

    def _next(self) -> RedisLock | None:
        """The next lock to renew, at the time to do so; None after a while without any."""
        with self._change:
            while True:
                if not self._due:
                    self._wait(1.0)
                # No reference stays while it waits.
                first = min(self._due.items(), key=lambda item: item[1], default=None)
                if first is None:
                    self._running = False
                    return None
                lock, due = first
                left = due - monotonic()
                if left <= 0:
                    return lock
                del lock, first
                self._wait(left)

    def _wait(self, seconds: float) -> None:
        self._wake = monotonic() + seconds
        self._change.wait(seconds)


# By server: the host and port.
_renewers: dict[tuple[str, int], Renewer] = {}

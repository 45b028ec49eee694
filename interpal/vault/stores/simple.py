"""A store of two methods: anything that can load bytes, and save them if nobody else has."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, cast

from interpal.exceptions import LockTimeoutError, StaleWriteError, VaultIOError
from interpal.vault.files.thread_lock import ThreadLock
from interpal.vault.stores.base import Stored
from interpal.vault.stores.values import check_max_size

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from interpal.vault.stores.base import LoginLock


class Place(Protocol):
    """Where one vault is kept. Its methods raise `OSError` or `StoreUnavailableError`.

    There may be more of them (see `SimpleStore`): `write_lock(timeout)`, a context manager that
    raises `LockTimeoutError`; `login_lock(tag)`, which gives a `LoginLock`; `remove()`;
    `set_aside(data)`, which renames *data*, if it is still there, and returns the new name.
    """

    def load(self) -> bytes | None:
        """What was saved last, None where nothing was."""
        ...

    def save(self, data: bytes, *, if_unchanged: bytes | None) -> bool:
        """Replace what is there, whole and durably, if it is still *if_unchanged*; True if so.

        None stands for nothing, and so does no bytes at all: that is how a vault is removed.
        The comparison and the change are one step, or two writers can both win, and what one of
        them has saved is lost.
        """
        ...


class SimpleStore:
    """A `Store` over a place of two methods, `load` and `save`.

        Vault.open(SimpleStore(MyPlace(), "s3://bucket/vault"), create=True)

    Without `write_lock` in the place, writers of this process wait for each other, and of two
    processes that save at the same moment the second gets a `StaleWriteError`, with nothing
    lost or changed: it has to do its change again. Without `login_lock`, one thread of this
    process at a time logs in, but two processes may both log in. Without `set_aside`, a damaged
    vault stays where it is: that is a `VaultIOError`, and up to you.

    Args:
        place: Where the vault is kept.
        location: What messages call it.
        max_size: The number of bytes that a vault may have to be read or written: 64 MiB unless
            given, at most 256 MiB.
    """

    def __init__(self, place: Place, location: str, *, max_size: int | None = None) -> None:
        self.max_size = check_max_size(max_size)
        self._place = place
        self._location = location
        self._guard = ThreadLock()

    def __repr__(self) -> str:
        return f"SimpleStore({self._location!r})"

    @property
    def location(self) -> str:
        """What messages call it."""
        return self._location

    def load(self) -> Stored | None:
        """The newest bytes, None where there are none."""
        with _reported(self._location):
            data = self._place.load()
        return Stored(data, None) if data else None

    @contextmanager
    def write_lock(self, timeout: float) -> Generator[SimpleWriter, None, None]:
        """Hold the write lock; seconds to wait for it, 0 to try once."""
        lock = cast(
            "Callable[[float], AbstractContextManager[object]]",
            getattr(self._place, "write_lock", self._own_lock),
        )
        with lock(timeout):
            writer = SimpleWriter(self, self._place)
            try:
                yield writer
            finally:
                writer.end()

    def login_lock(self, tag: bytes) -> LoginLock:
        """The login lock of an account, not yet taken."""
        own = cast("Callable[[bytes], LoginLock] | None", getattr(self._place, "login_lock", None))
        return own(tag) if own is not None else _LoginLock((self._location, tag))

    def close(self) -> None:
        """Nothing is kept open here."""

    @contextmanager
    def _own_lock(self, timeout: float) -> Generator[None, None, None]:
        if not self._guard.acquire(timeout=timeout):
            raise LockTimeoutError(
                f"{self._location}: a thread of this process has held the write lock for "
                f"{timeout:g} seconds",
                path=self._location,
            )
        try:
            yield
        finally:
            self._guard.release()


class SimpleWriter:
    """What the holder of the write lock may do: one change of what it has loaded."""

    def __init__(self, store: SimpleStore, place: Place) -> None:
        self._store = store
        self._place = place
        self._seen: Stored | None = None
        self._has_loaded = False
        self._pid = os.getpid()

    def end(self) -> None:
        """The lock is free again."""
        self._pid = 0

    def load(self) -> Stored | None:
        """The newest bytes, None where there are none."""
        self._check()
        self._seen, self._has_loaded = self._store.load(), True
        return self._seen

    def save(self, data: bytes, *, verify: Callable[[bytes], None] | None = None) -> Stored:
        """Put *data* in the place of what was loaded. Raises `StaleWriteError`."""
        self._check()
        if not self._has_loaded:
            self.load()
        if verify is not None:
            verify(data)
        self._replace(data)
        self._seen = Stored(data, None)
        return self._seen

    def remove(self) -> None:
        """Take away what is stored."""
        if self.load() is None:
            return
        remove = cast("Callable[[], object] | None", getattr(self._place, "remove", None))
        if remove is None:
            self._replace(b"")
            return
        with _reported(self._store.location):
            remove()

    def set_aside(self, seen: Stored) -> str | None:
        """Rename what is stored, if it is still *seen*, where the place can do that."""
        if self.load() != seen:
            return None
        own = cast("Callable[[bytes], str | None] | None", getattr(self._place, "set_aside", None))
        where = self._store.location
        if own is None:
            text = f"{where}: the vault is damaged; move it away, then try again"
            raise VaultIOError(text, path=where)
        with _reported(where):
            return own(seen.reveal())

    def _check(self) -> None:
        if self._pid != os.getpid():
            where = self._store.location
            text = f"{where}: this process does not hold the write lock (any more)"
            raise VaultIOError(text, path=where)

    def _replace(self, data: bytes) -> None:
        where, seen = self._store.location, self._seen
        with _reported(where):
            saved = self._place.save(data, if_unchanged=None if seen is None else seen.reveal())
        if not saved:
            raise StaleWriteError(
                f"{where}: another process has saved at the same moment; nothing was changed: try "
                "again",
                path=where,
            )


_held: dict[tuple[str, bytes], _LoginLock] = {}


class _LoginLock:
    """One login at a time in this process."""

    fence = 0

    def __init__(self, key: tuple[str, bytes]) -> None:
        self._key = key

    def try_acquire(self) -> bool:
        """Take it if it is free."""
        return _held.setdefault(self._key, self) is self

    def holder(self) -> str | None:
        """This process."""
        return str(os.getpid())

    def release(self) -> None:
        """Free it. Does nothing where this object does not hold it."""
        if _held.get(self._key) is self:
            del _held[self._key]


@contextmanager
def _reported(where: str) -> Generator[None, None, None]:
    """Raise what the system says as an error of the vault."""
    try:
        yield
    except OSError as error:
        raise VaultIOError(f"{where}: {error}", path=where, errno=error.errno) from error

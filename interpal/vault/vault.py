"""A vault: named records over a store and a key."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from interpal._secret import Secret
from interpal.exceptions import (
    VaultCorruptError,
    VaultError,
    VaultLimitError,
    VaultNotFoundError,
    VaultRollbackError,
)
from interpal.vault import envelope
from interpal.vault.envelope import Envelope, Header, Payload
from interpal.vault.keys import KeySource, find_source
from interpal.vault.opener import SlotOpener
from interpal.vault.draft import Draft, ReadOnlyRecord, Record, freeze

if TYPE_CHECKING:
    from interpal.vault.slots import KdfParameters, Slot
    from interpal.vault.stores import LoginLock, Store, Stored, Writer

MAX_TIME = 253402300799
MAX_GENERATION = 2**53 - 1


class _State(NamedTuple):
    """One version of the vault, as it was read and opened."""

    stored: Stored
    envelope: Envelope
    vault_key: Secret
    payload: Payload

    @property
    def header(self) -> Header:
        return self.envelope.header

    def __repr__(self) -> str:
        return f"<vault state: generation {self.header.generation}>"


class Vault(MutableMapping[str, Record]):
    """Named JSON records, encrypted at rest.

    `vault[name]` reads the newest file; the record is read-only. `vault[name] = record` and
    `del vault[name]` are transactions of their own and durable when they return. Several
    changes that belong together, and changes that depend on what is there, go into
    `with vault.transaction() as records`.

    A `Vault` may be used from several threads. It keeps the key-encryption key of the slot
    that it opened: Argon2id runs once, however many reads and saves follow.
    """

    def __init__(self, store: Store, source: KeySource, *, lock_timeout: float = 10.0) -> None:
        """A vault that is not yet read; `start` reads it. `Vault.open` does both."""
        self._store = store
        self._opener = SlotOpener(source)
        self._lock_timeout = lock_timeout
        self._state: _State | None = None
        self._opening = threading.Lock()
        self._writers: set[int] = set()
        self._closed = False

    @classmethod
    def open(
        cls,
        path_or_store: str | os.PathLike[str] | Store,
        *,
        passphrase: str | Callable[[], str] | None = None,
        key: bytes | str | None = None,
        create: bool = False,
        kdf: KdfParameters | None = None,
        lock_timeout: float = 10.0,
        min_generation: int | None = None,
    ) -> Vault:
        """Open the vault at a path (or in a store) and authenticate all of it.

        *passphrase* is text, or a callable that returns it when it is needed. *key* is 32
        bytes, or their base64, base64url or hex text. Without either the key comes from the
        environment, or from the key file of the user. *create* makes an empty vault where
        there is none, its slot at the cost *kdf* (`KdfParameters.DEFAULT`). *lock_timeout* is
        in seconds. A caller who remembers the last generation it saw passes it as
        *min_generation*, and an older copy that was put back is refused.

        Raises `VaultNotFoundError`, `WrongKeyError`, `KeyRequiredError` and the other
        `VaultKeyError`s, `VaultFormatError` (no vault), `VaultCorruptError` (damaged),
        `VaultPermissionError`, `VaultIOError`, `LockTimeoutError`, `VaultRollbackError`.
        """
        store = open_store(path_or_store)
        vault = cls(store, find_source(passphrase, key), lock_timeout=lock_timeout)
        vault.start(create=create, kdf=kdf)
        if min_generation is not None and vault.generation < min_generation:
            raise VaultRollbackError(
                f"{store.location}: this is generation {vault.generation}, older than the "
                f"{min_generation} seen before: an old copy was put back; restore the newer one",
                path=store.location,
                generation=vault.generation,
                minimum=min_generation,
            )
        return vault

    def start(
        self,
        *,
        create: bool = False,
        kdf: KdfParameters | None = None,
        records: Mapping[str, Record] | None = None,
        replacing: Stored | None = None,
    ) -> bool:
        """Read and open what is there; with *create*, make the vault where there is nothing.

        True where this call made it.

        *records* go into a new vault. *replacing* names bytes that are no vault and that a new
        one takes the place of in the same atomic save, if they are still there unchanged.
        """
        stored = self._store.load()
        if stored is not None and stored != replacing:
            self._advance(stored)
            return False
        if not create:
            raise self._not_found()
        made = self._new_vault(records or {}, kdf)
        with self._store.write_lock(self._lock_timeout) as writer:
            stored = writer.load()
            if stored is None or stored == replacing:
                self._save(writer, *made, verify=True)
                return True
        self._advance(stored)
        return False

    def close(self) -> None:
        """Forget the key and what was decrypted, and let go of the store."""
        self._closed = True
        self._state = None
        self._opener.forget()
        self._store.close()

    def __enter__(self) -> Vault:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Vault {self._store.location}>"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a Vault holds a key and cannot be pickled; open it in each process")

    # What it is.

    @property
    def path(self) -> str:
        """The path of the vault, or the URL of its store without a password."""
        return self._store.location

    @property
    def key_source(self) -> str:
        """Where the key came from: `argument`, the name of a variable, or the key file."""
        return self._opener.source.name

    @property
    def generation(self) -> int:
        """1 for a new vault, one more with every save."""
        return self._read().header.generation

    @property
    def id(self) -> bytes:
        """16 random bytes that name this vault; a rotation draws new ones."""
        return self._read().header.id

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The key slots, in the order in which they are tried."""
        return self._read().header.slots

    # Reading.

    def __getitem__(self, name: str) -> ReadOnlyRecord:
        return freeze(self._read().payload.records[name])

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._read().payload.records))

    def __len__(self) -> int:
        return len(self._read().payload.records)

    def __contains__(self, name: object) -> bool:
        return name in self._read().payload.records

    def snapshot(self) -> dict[str, ReadOnlyRecord]:
        """All records of one version of the vault, in one read."""
        return {name: freeze(record) for name, record in self._read().payload.records.items()}

    @property
    def attempts(self) -> Mapping[str, Mapping[str, Any]]:
        """Refused logins by name (FORMAT.md section 4), those past their time included."""
        return freeze(self._read().payload.attempts)

    def attempt_tag(self, name: str, password: bytes) -> str:
        """What tells one password from another for *name*: 20 bits under the vault key."""
        return envelope.attempt_tag(self._read().vault_key, name, password)

    # Writing.

    def __setitem__(self, name: str, record: Record) -> None:
        with self.transaction() as records:
            records[name] = record

    def __delitem__(self, name: str) -> None:
        with self.transaction() as records:
            del records[name]

    @contextmanager
    def transaction(self, *, lock_timeout: float | None = None) -> Iterator[Draft]:
        """Read, change and save under the write lock, whole or not at all.

        The body sees the newest records and changes copies of them; when it ends, what changed
        is saved with a new generation and is durable. A body that changes nothing saves
        nothing; one that raises saves nothing. *lock_timeout* is in seconds (0: try once).

        Raises `LockTimeoutError`, `VaultIOError` and its kind with the old content in place,
        `NotDurableError` with the new, `ValidationError` for what is no name or no record.
        """
        thread = threading.get_ident()
        if thread in self._writers:
            raise RuntimeError(
                "this thread is inside a transaction of this vault already: change the records "
                "that transaction() gave you"
            )
        timeout = self._lock_timeout if lock_timeout is None else lock_timeout
        self._writers.add(thread)
        try:
            with self._writing(timeout) as (writer, state):
                records = state.payload.records
                draft = Draft(lambda: iter(records), records.get, state.payload.attempts)
                yield draft
                changes = draft.changes()
                if changes or draft.attempts_changed:
                    self._save(writer, *self._next(state, changes, draft.attempts))
        finally:
            self._writers.discard(thread)

    def remove_file(self) -> None:
        """Take the file away, if this vault holds nothing else: no record, and one slot.

        Does nothing where there is more in it, and nothing where there is no file.
        """
        with self._store.write_lock(self._lock_timeout) as writer:
            stored = writer.load()
            if stored is None:
                return
            state = self._advance(stored)
            if not state.payload.records and len(state.header.slots) == 1:
                writer.remove()

    def set_aside_if_corrupt(self) -> str | None:
        """Rename a file that is found corrupt, after reading it again under the write lock.

        Returns the new path; None where what is there now can be read.
        """
        with self._store.write_lock(self._lock_timeout) as writer:
            stored = writer.load()
            if stored is None:
                return None
            try:
                self._advance(stored)
            except VaultCorruptError:
                return writer.set_aside(stored)
        return None

    def login_lock(self, name: str) -> AccountLock:
        """The login lock of an account, not yet taken."""

        def identify() -> tuple[bytes, bytes]:
            state = self._read()
            return state.header.id, envelope.name_tag(state.vault_key, name)

        return AccountLock(identify, self._store.login_lock)

    # How.

    def _not_found(self) -> VaultNotFoundError:
        where = self._store.location
        return VaultNotFoundError(
            f"{where}: there is no vault; open it with create=True to make one", path=where
        )

    def _read(self) -> _State:
        """The newest state, without a lock."""
        if self._closed:
            raise VaultError(f"{self.path}: this Vault was closed; open it again", path=self.path)
        stored = self._store.load()
        if stored is None:
            raise self._not_found()
        return self._advance(stored)

    def _advance(self, stored: Stored) -> _State:
        """The state for these bytes: the one at hand, or the bytes opened.

        Another process may have saved, rotated or replaced the vault since. The vault key at
        hand serves as long as id and commitment are the same; else the slots are opened anew.
        """
        with self._opening:
            state = self._state
            if state is not None and stored.data == state.stored.data:
                return state
            with self._located():
                parsed = envelope.parse(stored.data)
                if state is not None and _same_key(parsed.header, state.header):
                    vault_key = state.vault_key
                else:
                    vault_key = self._opener.open(parsed.header)
                payload = envelope.open_payload(parsed, vault_key)
            state = _State(stored, parsed, vault_key, payload)
            self._state = state
            return state

    @contextmanager
    def _writing(self, timeout: float) -> Iterator[tuple[Writer, _State]]:
        """The write lock and the state as read under it.

        Slots are opened outside the lock: where the file was re-keyed between the read and the
        lock, the lock is let go and the file read again.
        """
        while True:
            seen = self._read()
            with self._store.write_lock(timeout) as writer:
                stored = writer.load()
                if stored is None:
                    raise self._not_found()
                if stored.data != seen.stored.data:
                    with self._located():
                        header = envelope.parse(stored.data).header
                    if not _same_key(header, seen.header):
                        continue
                yield writer, self._advance(stored)
                return

    def _new_vault(
        self, records: Mapping[str, Record], kdf: KdfParameters | None
    ) -> tuple[Header, Payload, Secret]:
        now = _epoch_now()
        vault_id = os.urandom(16)
        vault_key = Secret(os.urandom(32))
        slot = self._opener.new_slot(vault_key, vault_id, now, kdf)
        header = Header(
            id=vault_id,
            generation=1,
            created_at=now,
            updated_at=now,
            commitment=envelope.commitment(vault_key, vault_id),
            slots=(slot,),
        )
        return header, Payload(dict(records), {}), vault_key

    def _next(
        self, state: _State, changes: Mapping[str, Record | None], attempts: Mapping[str, Record]
    ) -> tuple[Header, Payload, Secret]:
        """Header and payload of the next save. The header is the file's own, as read."""
        if state.header.generation >= MAX_GENERATION:
            raise VaultLimitError(
                f"{self.path}: the generation has reached its bound; export to a new vault",
                path=self.path,
            )
        now = _epoch_now()
        records = dict(state.payload.records)
        for name, record in changes.items():
            if record is None:
                del records[name]
            else:
                records[name] = record
        header = state.header._replace(generation=state.header.generation + 1, updated_at=now)
        current = {name: value for name, value in attempts.items() if value["until"] > now}
        return header, Payload(records, current), state.vault_key

    def _save(
        self,
        writer: Writer,
        header: Header,
        payload: Payload,
        vault_key: Secret,
        *,
        verify: bool = False,
    ) -> None:
        """Seal and save; with *verify*, what was written is opened before it replaces the old."""
        data = envelope.seal(
            header, payload, vault_key, content_key=os.urandom(32), iv=os.urandom(12)
        )

        def check(read_back: bytes) -> None:
            with self._located():
                envelope.open_payload(envelope.parse(read_back), self._opener.reopen(read_back))

        stored = writer.save(data, verify=check if verify else None)
        self._state = _State(stored, envelope.parse(data), vault_key, payload)

    @contextmanager
    def _located(self) -> Iterator[None]:
        """Give errors of the format, which knows no paths, the path of this vault."""
        try:
            yield
        except VaultError as error:
            if error.path is None:
                error.path = self.path
                error.args = (f"{self.path}: {error}",)
            raise


class AccountLock:
    """The login lock of one account of a vault. Taking it never blocks."""

    __slots__ = ("_identify", "_lock", "_lock_of")

    def __init__(
        self, identify: Callable[[], tuple[bytes, bytes]], lock_of: Callable[[bytes], LoginLock]
    ) -> None:
        self._identify = identify
        self._lock_of = lock_of
        self._lock: LoginLock | None = None

    def try_acquire(self) -> bool:
        """Take the lock if it is free.

        Its name is an HMAC under the vault key: a vault that was re-keyed in between would
        give two processes two locks, so the vault's id is looked at again.
        """
        vault_id, tag = self._identify()
        self._lock = lock = self._lock_of(tag)
        if not lock.try_acquire():
            return False
        same = False
        try:
            same = self._identify()[0] == vault_id
        finally:
            if not same:
                lock.release()
        return same

    def holder(self) -> str | None:
        """Who holds the lock, where that can be told."""
        return self._lock.holder() if self._lock is not None else None

    def release(self) -> None:
        if self._lock is not None:
            self._lock.release()


def open_store(path_or_store: str | os.PathLike[str] | Store) -> Store:
    """The store for a path or a URL; a store is handed through."""
    if isinstance(path_or_store, (str, os.PathLike)):
        from interpal.vault.stores.file import FileStore

        return FileStore(path_or_store)
    return path_or_store


def _same_key(one: Header, other: Header) -> bool:
    return one.id == other.id and one.commitment == other.commitment


def _epoch_now() -> int:
    return max(0, min(int(time.time()), MAX_TIME))

"""A vault: named records over a store and a key."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from interpal._hidden import Hidden
from interpal._lazy import late_members
from interpal.exceptions import (
    ValidationError,
    VaultCorruptError,
    VaultNotFoundError,
    VaultRollbackError,
)
from interpal.vault.core.record_views import ReadOnlyRecord, Record, Records, freeze
from interpal.vault.core.versions import (
    DEFAULT_LOCK_TIMEOUT,
    State,
    Versions,
    changed_payload,
    check_timeout,
    check_vault_id,
    current_payload,
    epoch_now,
    located,
    new_header,
)
from interpal.vault.format import envelope
from interpal.vault.format.envelope import Payload
from interpal.vault.format.payload import SALT_BYTES
from interpal.vault.keys.sources import KeySource, find_source
from interpal.vault.keys.unlock import SlotOpener
from interpal.vault.stores.opening import open_store
from interpal.vault.stores.values import check_writable, keeps_records, seems_writable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from datetime import datetime

    from interpal.vault.core.key_operations import KeySlots
    from interpal.vault.core.login_locks import AccountLock
    from interpal.vault.core.records_apart import RecordsApart
    from interpal.vault.core.transaction import Transaction
    from interpal.vault.format.key_slots import KdfParameters, Slot
    from interpal.vault.stores.base import Store, Stored
else:

    class KeySlots:
        """A vault's key slots, and the operations on them: loaded when one is asked for."""

        vars().update(
            late_members(
                "interpal.vault.core.key_operations",
                "KeySlots",
                "slots opened_slot add_slot change_slot remove_slot rotate _own_slot _rekey",
            )
        )


__all__ = ["Vault", "open_store"]


class Vault(Records, KeySlots):
    """Named JSON records, encrypted at rest.

    `vault[name]` reads the newest file; the record is read-only. `vault[name] = record` and
    `del vault[name]` are transactions of their own and durable when they return, and so are
    `update`, `pop` and the other methods of a dict that change it. Several changes that belong
    together, and changes that depend on what is there, go into
    `with vault.transaction() as records`.

    A `Vault` may be used from several threads. It keeps the key-encryption key of the slot
    that it opened: Argon2id runs once, however many reads and saves follow.
    """

    def __init__(
        self,
        store: Store,
        source: KeySource,
        *,
        lock_timeout: float = DEFAULT_LOCK_TIMEOUT,
        expected_vault_id: bytes | str | None = None,
    ) -> None:
        """A vault that is not yet read; `start` reads it. `Vault.open` does both."""
        expected = None if expected_vault_id is None else check_vault_id(expected_vault_id)
        self._store = store
        self._lock_timeout = check_timeout(lock_timeout)
        self._opener = SlotOpener(source)
        self._versions = Versions(store, self._opener, expected)
        # Where the store keeps each record apart.
        self._records_apart: RecordsApart | None = None
        if keeps_records(store):
            from interpal.vault.core import records_apart

            self._records_apart = records_apart.RecordsApart(store, self._versions)

    @classmethod
    def open(
        cls,
        path_or_store: str | os.PathLike[str] | Store,
        *,
        passphrase: str | Callable[[], str] | None = None,
        key: bytes | str | None = None,
        create: bool = False,
        kdf: KdfParameters | None = None,
        lock_timeout: float = DEFAULT_LOCK_TIMEOUT,
        min_generation: int | None = None,
        expected_vault_id: bytes | str | None = None,
        max_size: int | None = None,
    ) -> Vault:
        """Open the vault at a path (or in a store) and authenticate all of it.

        Args:
            path_or_store: A path, a URL (`open_store`) or a `Store`.
            passphrase: Text, or a callable that returns it when it is needed.
            key: 32 bytes, or their base64, base64url or hex text. Without both, the secret comes
                from the environment, or from the key file of the user.
            create: Make an empty vault where there is none.
            kdf: What Argon2id costs in the slot of a new vault; `KdfParameters.DEFAULT`.
            lock_timeout: Seconds to wait for the write lock; 0 tries once.
            min_generation: The last generation (a count) that was seen; an older copy is refused.
            expected_vault_id: The id of the only vault that is opened: 16 bytes or 32 hexadecimal
                digits, as `Vault.id` and `interpal-vault inspect` show it; a rotation changes it.
            max_size: The number of bytes that a vault may have to be read or written: 64 MiB
                unless given, at most 256 MiB. A store has its own, and none is given beside one.

        Raises `VaultNotFoundError`, `WrongKeyError`, `KeyRequiredError` and the other
        `VaultKeyError`s, `VaultFormatError` (no vault), `VaultLimitError` (a vault that is too
        large), `VaultCorruptError` (damaged),
        `VaultPermissionError`, `VaultIOError`, `LockTimeoutError`, `VaultRollbackError`,
        `VaultMismatchError`.
        """
        place, secrets = Hidden(path_or_store), Hidden((passphrase, key))
        # Whoever reports an error with local variables is to report no secret.
        del path_or_store, passphrase, key
        store = open_store(place.reveal(), max_size=max_size)
        del place
        with located(store.location):
            source = find_source(*secrets.reveal())
        vault = cls(store, source, lock_timeout=lock_timeout, expected_vault_id=expected_vault_id)
        try:
            # What was seen before is not made anew, empty, where it has gone.
            vault.start(create=create and not (min_generation or 0) > 1, kdf=kdf)
            vault._check_generation(min_generation)
        except BaseException:
            vault.close()
            raise
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

        *records* go into a new vault; where the store keeps each apart, in a step of their own
        right after it. *replacing* names bytes that are no vault and that a new one takes the
        place of in the same atomic save, if they are still there unchanged.
        """
        versions = self._versions
        if replacing is None and versions.open_newest():
            return False
        stored = versions.load()
        if stored is not None and stored != replacing:
            versions.open(stored)
            return False
        if not create:
            raise versions.not_found()
        versions.check_may_be_made()
        # A resume makes no vault and changes no slot: what does is imported where it is used.
        from interpal.vault.core.transaction import as_saved
        from interpal.vault.keys import rekey

        now = epoch_now()
        salt = os.urandom(SALT_BYTES)
        payload = Payload(
            {name: as_saved(name, one) for name, one in (records or {}).items()}, salt=salt
        )
        apart: dict[str, Record] = {}
        if self._records_apart is not None:
            apart, payload = payload.records, Payload({}, salt=salt)
        with located(self.path):
            change = rekey.creating(rekey.NewSlot(self._opener.source, None, kdf, now))
        header, vault_key = new_header(change, now), change.vault_key
        # What is too large is refused before anything is made, be it a lock or a folder.
        data = versions.sealed(header, payload, vault_key)
        with self._store.write_lock(self._lock_timeout) as writer:
            stored = writer.load()
            if stored is None or stored == replacing:
                versions.save(writer, header, payload, vault_key, change=change, data=data)
                versions.adopt(self._opener.source, change.slots[0], change)
                stored = None
        if stored is not None:
            versions.open(stored)
            return False
        if apart:
            self.update(apart)
        return True

    def close(self) -> None:
        """Forget the key and what was decrypted, and let go of the store."""
        self._versions.close()
        if self._records_apart is not None:
            self._records_apart.forget()

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
        return self._versions.path

    @property
    def key_source(self) -> str:
        """Where the key came from: `argument`, the name of a variable, or the key file."""
        return self._opener.source.name

    @property
    def source(self) -> KeySource:
        """Where the secret comes from that opens this vault, to open or make another with it."""
        return self._opener.source

    @property
    def generation(self) -> int:
        """1 for a new vault, one more with every save.

        Where the store keeps each record apart, records have generations of their own: there
        this one grows with slots, rotations and refused logins only.
        """
        return self._read().header.generation

    @property
    def id(self) -> bytes:
        """16 random bytes that name this vault; a rotation draws new ones."""
        return self._read().header.id

    @property
    def attempts(self) -> Mapping[str, Mapping[str, Any]]:
        """Refused logins by name (FORMAT.md section 4), those past their time included."""
        return freeze(self._read().payload.attempts)

    def attempt_tag(self, name: str, password: Hidden[bytes]) -> str:
        """What tells one password from another for *name*: 20 bits under the vault key."""
        envelope.check_name(name)
        return envelope.attempt_tag(self._read().vault_key, name, password)

    # Records.

    def stored_records(self) -> Mapping[str, Record]:
        """The newest records as they were decrypted: to be read, never to be changed."""
        return self._read().payload.records if self._records_apart is None else self._records_apart

    def __iter__(self) -> Iterator[str]:
        # What `tuple` asks of a mapping first, its length, would read all of them once more.
        return (
            super().__iter__()
            if self._records_apart is None
            else iter(self._records_apart.all().reveal())
        )

    def walk(self) -> Iterator[tuple[str, ReadOnlyRecord]]:
        """Names and records one by one, for more of them than should be in memory at once.

        Where the store keeps each record apart they are not of one moment, and a rotation
        meanwhile is a `StaleWriteError` at the end.
        """
        if self._records_apart is None:
            yield from self.snapshot().items()
        else:
            for one in self._records_apart.walk():
                yield one.name, freeze(one.record.reveal())

    def damaged(self, *, progress: Callable[[int], None] | None = None) -> int:
        """How many records do not open, though the vault does. None does that in a file.

        *progress* is called with how many were tried, where the store keeps each apart.
        """
        return 0 if self._records_apart is None else len(self._records_apart.damaged(progress))

    def drop_damaged(self) -> int:
        """Remove the records that do not open; how many there were.

        A damaged record is a `VaultCorruptError` for whoever reads it, and leaves the others as
        they are. `vault[name] = …` and `del vault[name]` replace and remove it too.
        """
        return (
            0
            if self._records_apart is None
            else self._records_apart.drop_damaged(self._lock_timeout)
        )

    def __setitem__(self, name: str, record: Record) -> None:
        # A traceback may show the values of variables; this one shows the name only.
        wanted = Hidden(record)
        del record
        if self._records_apart is None:
            with self.transaction() as records:
                records[name] = wanted.reveal()
        else:
            self._records_apart.assign(name, wanted, self._lock_timeout)

    def put(self, name: str, record: Record, *, expires: datetime | None = None) -> None:
        """`vault[name] = record`, and when the record is no longer needed.

        *expires* is an aware time. A Redis server may drop the record seven days after it, by
        its own clock, unless it was saved again meanwhile without one; file and SQLite keep it
        until it is replaced or pruned. Times inside a record say nothing to a store. Raises
        `ValidationError` for a time without an offset, and what assigning raises.
        """
        wanted = Hidden(record)
        del record
        ends = _epoch(expires)
        if self._records_apart is None:
            self[name] = wanted.reveal()
        else:
            self._records_apart.assign(name, wanted, self._lock_timeout, ends)

    def __delitem__(self, name: str) -> None:
        if self._records_apart is None:
            super().__delitem__(name)
        else:
            self._records_apart.remove(name, self._lock_timeout)

    @contextmanager
    def transaction(
        self,
        *,
        lock_timeout: float | None = None,
        lock: AccountLock | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Generator[Transaction, None, None]:
        """Read, change and save under the write lock, whole or not at all.

        The body sees the newest records and changes copies of them; when it ends, what changed
        is saved with a new generation and is durable. A body that changes nothing saves
        nothing; one that raises saves nothing. *lock_timeout* is in seconds (0: try once). With
        *lock*, nothing is saved either where that login lock has had a later holder
        (`StaleWriteError`). *progress* is called with how many of the changed records were
        encrypted, where the store keeps each apart.

        Raises `LockTimeoutError`, `VaultIOError` and its kind with the old content in place,
        `NotDurableError` with the new, `ValidationError` for what is no name or no record.
        """
        timeout = self._lock_timeout if lock_timeout is None else check_timeout(lock_timeout)
        if self._records_apart is not None:
            fence = None if lock is None else lock.fence
            with self._records_apart.transaction(timeout, fence, progress) as apart:
                yield apart
            return
        with self._versions.writing(timeout) as (writer, state):
            old = state.payload
            transaction = _draft_of(old)
            try:
                yield transaction
            finally:
                transaction.end()
            changes, attempts = transaction.changes(), transaction.changed_attempts()
            if changes or attempts is not None:
                payload = changed_payload(old, changes, attempts)
                header = self._versions.next_header(state.header)
                self._versions.save(writer, header, payload, state.vault_key)

    def remove_file(self) -> None:
        """Take the file away, if nothing else is lost with it.

        That is, where it holds no record and no refused login that still counts, and one slot
        with the name and the cost that it would be given again, and where nobody is logging in.
        Does nothing where there is more in it, and nothing where there is no file.
        """
        try:
            with self._versions.writing(self._lock_timeout) as (writer, state):
                records = (
                    state.payload.records if self._records_apart is None else self._records_apart
                )
                attempts = current_payload(state.payload, epoch_now()).attempts
                # Whoever logs in holds a lock whose place the salt in this vault has given.
                logins = getattr(self._store, "is_login_under_way", lambda: False)
                if records or attempts or logins():
                    return
                if _is_made_again(state.header.slots):
                    writer.remove()
        except VaultNotFoundError:
            pass

    def set_aside_if_corrupt(self) -> str | None:
        """Rename a file that is found corrupt, if it is still there, unchanged, under the lock.

        Returns the new path; None where what is there now can be read.
        """
        stored = self._versions.load()
        if stored is None:
            return None
        try:
            self._versions.open(stored)
        except VaultCorruptError:
            # Opened outside the lock (Argon2id); `set_aside` compares identity and bytes.
            with self._store.write_lock(self._lock_timeout) as writer:
                return writer.set_aside(stored)
        return None

    def ensure_salt(self) -> None:
        """Draw the salt that gives login locks their place, where an older vault has none.

        A rotation keeps it, so that the locks stay where they are.
        """
        if self._read().payload.salt is not None:
            return
        versions = self._versions
        with versions.writing(self._lock_timeout) as (writer, state):
            if state.payload.salt is None:
                payload = state.payload.replace(salt=os.urandom(SALT_BYTES))
                header = versions.next_header(state.header)
                versions.save(writer, header, payload, state.vault_key)

    def seems_writable(self) -> bool:
        """Whether something could be saved, as far as one look tells."""
        return seems_writable(self._store)

    def check_writable(self) -> None:
        """Refuse a place that is set up so that nothing can be saved (`PlacedStore`)."""
        check_writable(self._store)

    def check_room(self, name: str, record: Record, attempt: Record) -> None:
        """Refuse a vault that has no room for what a login may add: `VaultLimitError`.

        That is *record* under *name*, or where the store keeps each record apart, and has room for
        any, the refused login *attempt*. Saves nothing.
        """
        state = self._read()
        payload = state.payload
        if self._records_apart is None:
            payload = payload.replace(records={name: record, **payload.records})
        else:
            payload = payload.replace(attempts={name: attempt, **payload.attempts})
        header = self._versions.next_header(state.header)
        with self._versions.located():
            self._versions.sealed(header, payload, state.vault_key)

    def login_lock(self, name: str) -> AccountLock:
        """The login lock of an account, not yet taken."""
        from interpal.vault.core.login_locks import AccountLock

        envelope.check_name(name)

        def identify() -> tuple[bytes, bytes]:
            state = self._read()
            salt = state.payload.salt
            if salt is None:
                return state.header.id, envelope.name_tag(state.vault_key, name)
            return salt, envelope.lock_tag(salt, name)

        return AccountLock(identify, self._store.login_lock)

    # How.

    def _read(self) -> State:
        return self._versions.read()

    def _check_generation(self, minimum: int | None) -> None:
        if minimum is None:
            return  # What was not asked for need not be read once more.
        generation = self.generation
        if generation < minimum:
            raise VaultRollbackError(
                f"{self.path}: this is generation {generation}, older than the {minimum} seen "
                "before: an old copy was put back; restore the newer one",
                path=self.path,
                generation=generation,
                minimum=minimum,
            )


def _epoch(expires: datetime | None) -> float | None:
    if expires is None:
        return None
    if expires.tzinfo is None:
        raise ValidationError("expires: a time needs its offset: datetime.now(timezone.utc) + …")
    return expires.timestamp()


def _is_made_again(slots: Sequence[Slot]) -> bool:
    """Whether a new vault of the same secret would have just these slots, but for their keys."""
    from interpal.vault.format.key_slots import KdfParameters

    return [(slot.kid, slot.kdf) for slot in slots] in (
        [("slot-1", None)],
        [("slot-1", KdfParameters.DEFAULT)],
    )


def _draft_of(old: Payload) -> Transaction:
    # By itself: some reporters of errors evaluate the names in the source of a frame.
    from interpal.vault.core.transaction import Transaction

    return Transaction(lambda: iter(old.records), old.records.get, old.attempts)

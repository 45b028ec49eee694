"""The versions of one vault, as its store gives them and one secret opens them.

Reads take no lock and see the newest bytes. Writing holds the store's lock around
read-modify-write, with Argon2id outside it; what is written back is the header as read under
the lock, never a cached one.
"""

from __future__ import annotations

import os
import time
from _thread import RLock, get_ident  # `threading` itself is a good part of a start.
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from interpal._hidden import Hidden
from interpal._tuples import NamedTuple
from interpal.exceptions import (
    ValidationError,
    VaultError,
    VaultLimitError,
    VaultMismatchError,
    VaultNotFoundError,
    VaultRollbackError,
)
from interpal.vault.files.forks import Process
from interpal.vault.format import envelope
from interpal.vault.format.envelope import Header, Payload
from interpal.vault.format.header import MAX_GENERATION, MAX_TIME
from interpal.vault.stores.values import check_size, keeps_records, watches

DEFAULT_LOCK_TIMEOUT = 10.0
"""Seconds to wait for another process's write lock."""

# Of a larger version the bytes are not kept in memory.
_KEPT_BYTES = 2**16
# Holds the tag that authenticates all the rest.
_TAIL_BYTES = 64

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from interpal.vault.core.record_views import Record
    from interpal.vault.format.key_slots import Slot
    from interpal.vault.keys.rekey import Rekey
    from interpal.vault.keys.sources import KeySource
    from interpal.vault.keys.unlock import SlotOpener
    from interpal.vault.stores.base import (
        RecordWrite,
        RecordWriter,
        Store,
        Stored,
        WatchingWriter,
        Writer,
    )

    _Mark = bytes | tuple[int, int, bytes] | None


class State(NamedTuple):
    """One version of the vault: what its bytes say once they are opened.

    `mark` tells its bytes from others, `version` is that of `Stored`.
    """

    mark: _Mark
    header: Header
    vault_key: Hidden[bytes]
    payload: Payload
    version: object = None

    def __repr__(self) -> str:
        return f"<State: generation {self.header.generation}>"

    def is_of(self, data: bytes) -> bool:
        """Whether it was in these bytes."""
        return self.mark is not None and self.mark == _mark(data)


def _mark(data: bytes) -> _Mark:
    """Small data itself; of large data, which is not to stay in memory, what tells it apart."""
    return data if len(data) <= _KEPT_BYTES else (len(data), hash(data), data[-_TAIL_BYTES:])


class _Threads:
    """What the threads of one process share: who opens, and which of them are writing."""

    __slots__ = ("lock", "process", "writing")

    def __init__(self) -> None:
        self.process = Process()
        self.lock = RLock()
        self.writing: set[int] = set()


class Versions:
    """Reads and writes the versions of the vault in *store* with the key of *opener*.

    May be used from several threads, and on both sides of a fork: one that opens the slots
    makes the others wait for the key rather than derive it too.
    """

    __slots__ = ("_closed", "_expected_id", "_left", "_state", "_threads", "opener", "store")

    def __init__(self, store: Store, opener: SlotOpener, expected_id: bytes | None = None) -> None:
        """*expected_id* is the id of the only vault that is opened; None for any."""
        self._expected_id = expected_id
        self.store = store
        self.opener = opener
        self._state: State | None = None
        self._threads = _Threads()
        self._closed = False
        # The ids of the vaults that a rotation of ours has replaced.
        self._left: set[bytes] = set()

    @property
    def path(self) -> str:
        """Where the vault is, for messages."""
        return self.store.location

    def close(self) -> None:
        """Forget the key and what was decrypted, and let go of the store."""
        with self._here.lock:
            self._closed = True
            self._state = None
            self.opener.forget()
        self.store.close()

    def load(self) -> Stored | None:
        """The newest bytes, unopened."""
        self._check_not_closed()
        return self.store.load()

    def open_newest(self) -> bool:
        """Open what is there. False where there is nothing."""
        stored = self.load()
        if stored is None:
            return False
        # No name here keeps the bytes, of which there may be many.
        opening = [stored]
        del stored
        self.open(opening.pop())
        return True

    def known(self) -> State | None:
        """The version that was opened last, without a look at the store."""
        return self._state

    def located(self) -> located:
        """Errors inside the block get the path of this vault."""
        return located(self.path)

    def read(self) -> State:
        """The newest version, without a lock. Raises `VaultNotFoundError` where there is none."""
        known = self._state
        if known is not None and known.version is not None:
            self._check_not_closed()
            if watches(self.store) and self.store.is_still(known.version):
                return known
        return self.open(self._load_some())

    def _load_some(self) -> Stored:
        stored = self.load()
        if stored is None:
            raise self.not_found()
        return stored

    def open(self, stored: Stored) -> State:
        """The version in these bytes: the known one, or the bytes opened.

        Another process may have saved, rotated or replaced the vault since. The vault key at
        hand serves as long as id and commitment are the same; else the slots are opened anew.
        """
        with self._here.lock:
            self._check_not_closed()  # by another thread since it was read: no key is to stay
            known = self._state
            if known is not None and known.is_of(stored.reveal()):
                return self._keep(known._replace(version=stored.version))
            with self.located():
                check_size(self.store, len(stored.reveal()))
                # What is no vault may be a session in clear: it is in no variable here.
                parsed = envelope.parse(stored.reveal())
                mark, version = _mark_of(stored), stored.version
                self._check_expected(parsed.header.id)
                self._check_not_undone(parsed.header)
                # A large file is not to be in memory twice, as text and as what it says.
                del stored
                if known is not None and _same_key(parsed.header, known.header):
                    vault_key = known.vault_key
                else:
                    vault_key = self.opener.open(parsed.header)
                header, opening = parsed.header, [parsed]
                del parsed
                payload = envelope.open_payload(opening.pop(), vault_key)
            return self._keep(State(mark, header, vault_key, payload, version))

    @contextmanager
    def writing(self, timeout: float) -> Generator[tuple[Writer, State], None, None]:
        """The write lock, and the version as read under it.

        Slots are opened outside the lock: where the vault was re-keyed between the read and
        the lock, the lock is let go and the vault read again.
        """
        self.check_not_writing()
        writing, thread = self._here.writing, get_ident()
        writing.add(thread)
        try:
            seen = self._state
            # Nothing is made, not even a lock, where the vault is gone.
            if seen is None or not watches(self.store) or self.store.is_gone():
                seen = self.read()
            self._check_not_closed()
            while True:
                with self.store.write_lock(timeout) as writer:
                    state = self._locked(writer, seen)
                    if state is not None:
                        yield writer, state
                        return
                seen = self.read()
        finally:
            writing.discard(thread)

    def _locked(self, writer: Writer, seen: State) -> State | None:
        """The newest version under the write lock; None where its key is not that of *seen*."""
        if seen.version is not None and cast("WatchingWriter", writer).is_still(seen.version):
            return seen
        stored = writer.load()
        if stored is None:
            raise self.not_found()
        return self._follow(seen, stored)

    def _follow(self, seen: State, stored: Stored) -> State | None:
        """The version in these bytes by the key of *seen*; None where they have another key."""
        if seen.is_of(stored.reveal()):
            return seen
        with self.located():
            check_size(self.store, len(stored.reveal()))
            parsed = envelope.parse(stored.reveal())
            self._check_not_undone(parsed.header)
            if not _same_key(parsed.header, seen.header):
                return None
            payload = envelope.open_payload(parsed, seen.vault_key)
        mark = _mark_of(stored)
        return State(mark, parsed.header, seen.vault_key, payload, stored.version)

    def save(
        self,
        writer: Writer,
        header: Header,
        payload: Payload,
        vault_key: Hidden[bytes],
        *,
        change: Rekey | None = None,
        data: bytes | None = None,
    ) -> None:
        """Seal and save. With *change*, what was written has to open before it replaces the old.

        Refused logins whose time is over are dropped (FORMAT.md section 4). *data* is what
        `sealed` has given for the same.
        """
        payload = current_payload(payload, header.updated_at)
        if data is None:
            data = self.sealed(header, payload, vault_key)

        def verify(read_back: bytes) -> None:
            if change is not None:
                _prove(read_back, change, payload)

        with self.located():
            check = None if change is None else verify
            if keeps_records(self.store):
                cast("RecordWriter", writer).save(data, verify=check, vault_id=header.id)
            else:
                writer.save(data, verify=check)
        with self._here.lock:
            self._keep(State(_mark(data), header, vault_key, payload))

    def sealed(self, header: Header, payload: Payload, vault_key: Hidden[bytes]) -> bytes:
        """The bytes of a version, refused logins whose time is over left out of it.

        Raises `VaultLimitError` where they are more than the store takes.
        """
        data = envelope.seal(
            header,
            current_payload(payload, header.updated_at),
            vault_key,
            content_key=Hidden(os.urandom(32)),
            iv=os.urandom(12),
        )
        check_size(self.store, len(data), written=True)
        return data

    def rekey(
        self,
        prepare: Callable[[State], Rekey],
        timeout: float,
        *,
        reseal: Callable[[State, Rekey], Iterable[RecordWrite]] | None = None,
    ) -> Rekey:
        """Give the vault other slots, or another key too, in one atomic save.

        *prepare* says which, from a version as it was read; it runs outside the lock. Where
        somebody else has changed the slots meanwhile, it is asked again. *reseal* gives the
        records that are kept apart, anew for another key.
        """
        self.check_not_writing()
        while True:
            seen = self.read()
            with self.located():
                change = prepare(seen)
            with self.writing(timeout) as (writer, state):
                if state.header.slots != seen.header.slots:
                    continue
                payload = state.payload
                if change.vault_key != seen.vault_key:
                    # What tells refused passwords apart was made under the old key.
                    untagged = {n: one for n, one in payload.attempts.items() if "tag" not in one}
                    payload = payload.replace(attempts=untagged)
                header = self.next_header(state.header)._replace(
                    id=change.vault_id,
                    commitment=envelope.commitment(change.vault_key, change.vault_id),
                    slots=change.slots,
                )
                if reseal is None or change.vault_id == seen.header.id:
                    self.save(writer, header, payload, change.vault_key, change=change)
                else:
                    records = reseal(state, change)
                    old_id = state.header.id
                    self._replace_all(writer, old_id, header, payload, change, records)
                if change.vault_id != state.header.id:
                    self._left.add(state.header.id)
                return change

    def _replace_all(
        self,
        writer: Writer,
        old_id: bytes,
        header: Header,
        payload: Payload,
        change: Rekey,
        records: Iterable[RecordWrite],
    ) -> None:
        """Swap the root, and every record that is kept apart, for a rotation."""
        payload = current_payload(payload, header.updated_at)
        data = self.sealed(header, payload, change.vault_key)
        with self.located():
            _prove(data, change, payload)
            replace_all = cast("RecordWriter", writer).replace_all
            replace_all(data, old_id=old_id, new_id=header.id, records=records)
        with self._here.lock:
            self._keep(State(_mark(data), header, change.vault_key, payload))

    def _check_not_undone(self, header: Header) -> None:
        """Refuse the vault that a rotation of ours has replaced: `VaultRollbackError`.

        A server that another was put in the place of may lack the rotation, and the old key
        would go on being used by whoever believes that it is not.
        """
        if header.id in self._left:
            generation = header.generation
            raise VaultRollbackError(
                f"{self.path}: the rotation that was made here is undone: the store has the "
                "vault from before it again, as after a failover or a crash of the server, or "
                "where an old copy was put back. Open the vault anew and rotate it again.",
                path=self.path,
                generation=generation,
                minimum=generation + 1,
            )

    def adopt(self, source: KeySource, slot: Slot, change: Rekey) -> None:
        """From now on open with *source*, for which *change* made *slot*."""
        with self._here.lock:
            self.opener.adopt(source, slot, change.keys[slot.kid])

    def next_header(self, header: Header) -> Header:
        """The file's own header, for one save more. Raises `VaultLimitError` after 2^53 - 1."""
        if header.generation >= MAX_GENERATION:
            raise VaultLimitError(
                f"{self.path}: the generation has reached its limit; export to a new vault",
                path=self.path,
            )
        return header._replace(generation=header.generation + 1, updated_at=epoch_now())

    def not_found(self) -> VaultNotFoundError:
        """The error for a vault that is not there."""
        return VaultNotFoundError(
            f"{self.path}: no vault found; open it with create=True to create one",
            path=self.path,
        )

    def check_not_writing(self) -> None:
        """Raise RuntimeError where this thread is writing already: it would wait for itself."""
        if get_ident() in self._here.writing:
            raise RuntimeError(
                "this thread is already inside a transaction of this vault: change the records "
                "that transaction() gave you"
            )

    @property
    def _here(self) -> _Threads:
        # A lock that another thread held at the fork would stay locked in the child for ever.
        if not self._threads.process.is_current:
            self._threads = _Threads()
        return self._threads

    def check_may_be_made(self) -> None:
        """Raise `VaultMismatchError` where one that was made before is expected."""
        if self._expected_id is not None:
            self._check_expected(None)

    def _check_expected(self, found: bytes | None) -> None:
        if self._expected_id is None or found == self._expected_id:
            return
        expected, what = self._expected_id.hex(), "no vault"
        if found is not None:
            what = f"the vault {found.hex()}"
        raise VaultMismatchError(
            f"{self.path}: this is {what}, and not {expected}, which was expected: another file "
            "was put here, or the vault was rotated. Find out which, then put the right one back "
            "or give its new id.",
            path=self.path,
            expected=expected,
            found=None if found is None else found.hex(),
        )

    def _check_not_closed(self) -> None:
        if self._closed:
            raise VaultError(f"{self.path}: this Vault was closed; open it again", path=self.path)

    def _keep(self, state: State) -> State:
        if not self._closed:
            self._state = state
            if self._expected_id is not None:
                # A rotation of ours has drawn it.
                self._expected_id = state.header.id
        return state


def _mark_of(stored: Stored) -> _Mark:
    # Where the store tells what is unchanged, large data need not be looked through.
    if stored.version is not None and len(stored.reveal()) > _KEPT_BYTES:
        return None
    return _mark(stored.reveal())


def changed_payload(
    old: Payload, changes: Mapping[str, Hidden[Record] | None], attempts: dict[str, Record] | None
) -> Payload:
    """What a transaction leaves: *changes* of records, and *attempts* unless None."""
    records = dict(old.records)
    for name, record in changes.items():
        if record is None:
            records.pop(name, None)
        else:
            records[name] = record.reveal()
    return old.replace(records=records, attempts=attempts)


def _prove(data: bytes, change: Rekey, payload: Payload) -> None:
    # A resume changes no slot, so what does is imported where it is used.
    from interpal.vault.keys.rekey import prove

    prove(data, change, payload)


def new_header(change: Rekey, now: int) -> Header:
    """The header of a new vault's first generation."""
    return Header(
        id=change.vault_id,
        generation=1,
        created_at=now,
        updated_at=now,
        commitment=envelope.commitment(change.vault_key, change.vault_id),
        slots=change.slots,
    )


class located:  # noqa: N801  (read as a statement: `with located(path)`)
    """Give errors of parts that know no paths the path of the vault."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if isinstance(error, VaultError) and error.path is None:
            error.path = self._path
            error.args = (f"{self._path}: {error}",)


def epoch_now() -> int:
    """Now, in epoch seconds that the format can hold."""
    return max(0, min(int(time.time()), MAX_TIME))


def check_vault_id(value: object) -> bytes:
    """The id of a vault, from 16 bytes or 32 hexadecimal digits. Raises `ValidationError`."""
    if isinstance(value, str):
        try:
            value = bytes.fromhex(value)
        except ValueError:
            value = b""
    if isinstance(value, bytes) and len(value) == 16:
        return value
    raise ValidationError("expected_vault_id: expected 16 bytes, or 32 hexadecimal digits")


def check_timeout(seconds: float) -> float:
    """*seconds*, if they are some to wait. Raises `ValidationError`; NaN would be for ever."""
    if not _is_number(seconds) or not seconds >= 0:
        raise ValidationError(f"lock_timeout: expected seconds, 0 or more, not {seconds!r}")
    return seconds


def current_payload(payload: Payload, now: int) -> Payload:
    """The payload without the refused logins whose time is over at *now*, in epoch seconds."""
    attempts = {name: one for name, one in payload.attempts.items() if not _is_over(one, now)}
    return payload.replace(attempts=attempts)


def _is_over(attempt: Mapping[str, object], now: int) -> bool:
    ends = attempt.get("forget_at", attempt.get("until"))
    return isinstance(ends, int) and ends <= now


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _same_key(one: Header, other: Header) -> bool:
    return one.id == other.id and one.commitment == other.commitment

"""Saved sessions: expiry, account binding, login locks. The policy above the vault.

`SessionManager` keeps the names that users of interpal 1.x know (`save_session`,
`load_session`, `is_session_expired`, `clear_session`, `get_session_info`), and adds what the
flows of the clients are made of. Nothing here uses the network.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from interpal._clock import utc_now
from interpal._hidden import Hidden
from interpal._lazy import LateModule
from interpal.exceptions import (
    AmbiguousKeyError,
    KeySourceError,
    LockTimeoutError,
    ValidationError,
    VaultCorruptError,
    VaultFormatError,
    VaultLimitError,
    VaultNotFoundError,
    VaultVersionError,
)
from interpal.session import (
    DEFAULT_LIFETIME_HOURS,
    DEFAULT_NAME,
    EPOCH,
    Session,
    SessionInfo,
    check_expiration_hours,
    local_time,
    record_name,
)
from interpal.sessions.record_matching import RecordMatching
from interpal.transport import origin as origins
from interpal.transport import sendable
from interpal.vault.core.versions import DEFAULT_LOCK_TIMEOUT, check_vault_id
from interpal.vault.files.permissions import without_repairs
from interpal.vault.keys.sources import KeySource, find_source
from interpal.vault.stores.file import DEFAULT_FILE as DEFAULT_SESSION_FILE
from interpal.vault.stores.opening import open_store, resolve_place
from interpal.vault.stores.values import check_writable, seems_writable
from interpal.vault.vault import Vault

if TYPE_CHECKING:
    from pathlib import Path

    from interpal.sessions import refused_logins, set_up
    from interpal.sessions.damaged_files import Recovery
    from interpal.transport import protocol
    from interpal.vault.core.login_locks import AccountLock
    from interpal.vault.core.transaction import Transaction
    from interpal.vault.stores.base import Store
else:
    refused_logins = LateModule("interpal.sessions.refused_logins")
    set_up = LateModule("interpal.sessions.set_up")
    protocol = LateModule("interpal.transport.protocol")

T = TypeVar("T")

# The members that say which cookies a session has, beside its own.
_COOKIES = frozenset({"cookies", "cookie_attributes"})

Notify = Callable[[str, "dict[str, Any]"], None]
Guard = Callable[[], None]


def _nothing() -> None:
    """The guard of a save that nothing can overtake."""


class SessionManager:
    """The saved sessions in one vault. Nothing is read or made until it is needed.

    Args:
        session_file: The vault's path; `.interpals_session.json` by default.
        expiration_hours: Hours from a login to the end of its session.
        store: A `Store` or a URL, in place of *session_file*.
        passphrase: The passphrase of the vault, or a callable that returns it.
        key: 32 bytes or text. Without both: the environment, else the user's key file.
        username: The account where a call names none.
        origin: The server; a session of another one is neither used nor shown.
        patience: Seconds to wait for the write lock; 0 tries once.
        notify: Called with the name and the facts of an event.
        expected_vault_id: The id of the only vault that is opened, as for `Vault.open`.
    """

    DEFAULT_SESSION_FILE = DEFAULT_SESSION_FILE
    DEFAULT_EXPIRATION_HOURS = DEFAULT_LIFETIME_HOURS

    def __init__(
        self,
        session_file: str | os.PathLike[str] | None = None,
        expiration_hours: float = DEFAULT_LIFETIME_HOURS,
        *,
        store: Store | str | None = None,
        passphrase: str | Callable[[], str] | None = None,
        key: bytes | str | None = None,
        username: str | None = None,
        origin: str | None = None,
        patience: float = DEFAULT_LOCK_TIMEOUT,
        notify: Notify | None = None,
        expected_vault_id: bytes | str | None = None,
    ) -> None:
        if passphrase is not None and key is not None:
            del passphrase, key, store
            raise AmbiguousKeyError(
                "both a vault passphrase and a vault key were given: use only one of them"
            )
        hidden, passphrase, key = Hidden((passphrase, key)), None, None
        # A URL may hold a password.
        places = [Hidden(place) for place in (store, session_file) if place is not None]
        store = session_file = None
        if len(places) > 1:
            raise ValidationError("store, session_file: give one of them, not both")
        self._place = _checked_place(places[0] if places else Hidden(DEFAULT_SESSION_FILE))
        self._source: KeySource = find_source(*hidden.reveal())
        self.lifetime = check_expiration_hours(expiration_hours)
        self.expiration_hours = expiration_hours
        self._opened: Store | None = None
        self._username = username
        self._origin = origin
        self._matching = RecordMatching(origin, origins.DEFAULT_BASE_URL)
        self._patience = patience
        self._notify: Notify = notify or (lambda _name, _facts: None)
        self._vault: Vault | None = None
        self._expected_id = None if expected_vault_id is None else check_vault_id(expected_vault_id)

    def __repr__(self) -> str:
        store = vars(self).get("_opened")  # A traceback may ask in mid-construction.
        return f"<SessionManager of {'a vault' if store is None else store.location}>"

    @property
    def _store(self) -> Store:
        if self._opened is None:
            self._opened = open_store(self._place.reveal())
        return self._opened

    @property
    def path(self) -> str:
        """The vault's path, or the URL of its store without a password."""
        return self._store.location

    @property
    def session_file(self) -> Path | None:
        """The vault's path under its name of interpal 1.x; None where it is in another store."""
        from pathlib import Path

        from interpal.vault.stores.file import FileStore

        return Path(self.path) if isinstance(self._store, FileStore) else None

    @property
    def key_source(self) -> str:
        """Where the vault's key comes from."""
        return self._source.name

    def use_account(self, username: str) -> None:
        """The account that calls concern from now on."""
        self._username = username

    def save_session(
        self,
        session_cookie: str,
        auth_token: str | None = None,
        username: str | None = None,
        bot_id: str | None = None,
    ) -> None:
        """Save a session as made now; it ends after the manager's lifetime, or with its token.

        *session_cookie* is a bare value or a whole `Cookie` header. Raises `ValidationError`.
        """
        found = protocol.cookie_in(session_cookie)
        good, now = found and (auth_token is None or sendable.is_token(auth_token)), utc_now()
        session = Session(
            session_cookie=found[0] if found else "",
            auth_token=auth_token,
            cookies=found[1] if found else {},
            username=username if username is not None else self._username,
            user_id=None if bot_id is None else str(bot_id),
            origin=self._origin,
            created_at=now,
            expires_at=now + self.lifetime,
        )
        # A traceback may show the values of variables.
        del session_cookie, auth_token, found
        if not good:
            raise ValidationError(
                "session_cookie, auth_token: expected a cookie (or a Cookie header) and a token "
                "that can be sent"
            )
        self.put(session.no_longer_than(protocol.token_expiry(session.auth_token)))

    def load_session(self) -> Session | None:
        """The saved session; None where there is none or it has expired. Changes nothing."""
        session = self.peek()
        return None if session is None or self.is_session_expired(session) else session

    def is_session_expired(self, session_data: Session | Mapping[str, Any]) -> bool:
        """Whether now is past the session's expiry, without leeway.

        A dict of interpal 1.x is taken as well: there a time without an offset is local, and
        one that cannot be read counts as expired.
        """
        if isinstance(session_data, Session):
            return session_data.has_expired(utc_now(), leeway=False)
        return utc_now() >= (local_time(session_data.get("expires_at")) or EPOCH)

    def clear_session(self) -> None:
        """Remove the account's record; where nothing else would be lost, the file too.

        A record of another origin is not this account's and stays.
        """
        self.clear(self._username)

    def clear(self, username: str | None) -> None:
        """`clear_session`, for the account *username*; None for the only one there is."""

        def clear(vault: Vault) -> None:
            name = self._matching.find_name(vault, username)
            if name is not None:
                with vault.transaction() as records:
                    if name in records and self._matching.is_ours(records[name]):
                        del records[name]
                    records.attempts.pop(name, None)
            vault.remove_file()

        self._with_vault(clear, username=username)

    def get_session_info(self) -> SessionInfo | None:
        """What is known of the saved session, None where there is none. Changes nothing.

        Raises `AmbiguousAccountError` where no username was given and there are several.
        """
        return self.info(self._username)

    def info(self, username: str | None) -> SessionInfo | None:
        """`get_session_info`, for the account *username*; None for the only one there is."""
        session = self.peek(username)
        if session is None:
            return None
        return SessionInfo(session, now=utc_now(), path=self.path, key_source=self.key_source)

    # What the flows are made of.

    @without_repairs()
    def peek(self, username: str | None = None) -> Session | None:
        """The saved session, expired or not, from whatever lies there; changes nothing."""
        wanted = self._wanted(username)
        stored = self._store.load()
        if stored is None:
            return None
        vault = self._vault
        try:
            if vault is None:
                vault = self._new_handle()
                vault.start()
                self._vault = vault
            return self._matching.find(vault, wanted)
        except VaultNotFoundError:
            return None
        except VaultFormatError as error:
            if isinstance(error, (VaultVersionError, VaultLimitError)):
                raise
            plain = self._recovery(wanted).plain_record(stored, utc_now())
            if plain is None:
                raise
            if wanted is not None and record_name(wanted) != plain.name:
                return None
            return self._matching.session_of(plain.name, plain.record.reveal())

    def find(
        self, username: str | None = None, *, damage_is_an_error: bool = False
    ) -> Session | None:
        """The saved session of the account, expired or not (steps 1 to 3 of the resume table).

        A plain file of interpal 1.x is encrypted in place first; a damaged vault is set aside,
        and then there is no session, or where *damage_is_an_error* a `VaultCorruptError`.
        """
        wanted = self._wanted(username)
        return self._with_vault(
            lambda vault: self._matching.find(vault, wanted),
            username=wanted,
            damage_is_an_error=damage_is_an_error,
        )

    def ensure_vault(self, username: str | None = None) -> None:
        """Make the vault, empty, where there is none: its salt gives login locks their place."""
        self._with_vault(
            lambda vault: vault.ensure_salt(), create=True, username=self._wanted(username)
        )

    def seems_writable(self) -> bool:
        """Whether sessions could be saved, as far as one look tells. A server is not asked."""
        return seems_writable(self._store)

    def check_writable(self) -> None:
        """Raise where the vault's place is set up so that nothing can be saved there.

        Raises `VaultPermissionError`, `VaultIOError`, and `StoreUnavailableError` where a server
        does not answer.
        """
        check_writable(self._store)

    def check_room(self, username: str | None, session: Session | None = None) -> None:
        """Raise `VaultLimitError` where the vault has no room for *session* (None: of a login)."""
        name = self._name_for(username)
        record = None if session is None else session.to_record()
        self._with_vault(lambda vault: set_up.check_room(vault, name, record), username=username)

    def login_lock(self, username: str) -> AccountLock:
        """The login lock of an account in a vault that was read before."""
        vault = self._vault
        if vault is None:
            raise VaultNotFoundError(f"{self.path}: no vault found", path=self.path)
        return vault.login_lock(record_name(username))

    def put(
        self,
        session: Session,
        *,
        username: str | None = None,
        lock: AccountLock | None = None,
        guard: Guard = _nothing,
        may_replace: Callable[[Session], bool] | None = None,
    ) -> bool:
        """Save a session of a login or an import; makes record and vault where they are missing.

        It is kept under *username*, else its own. Members that are not known here stay as they
        are; a record of another origin is replaced. With the login *lock*, nothing is saved
        where it was lost (`StaleWriteError`). *guard* is called under the write lock, and
        raises where nothing is to be saved any more; *may_replace* there with the session that
        is saved, if one is. True where it was saved.
        """
        username = username or session.username or self._username
        name = self._name_for(username)

        def save(vault: Vault) -> bool:
            try:
                with vault.transaction(lock=lock) as records:
                    if name in records and self._matching.is_ours(records[name]):
                        stored = self._matching.session_of(name, records[name])
                        if stored is not None and may_replace and not may_replace(stored):
                            return False
                        records[name].update(session.to_record())
                    else:
                        records[name] = session.to_record()
                    records.attempts.pop(name, None)
                    guard()
            except VaultCorruptError:
                # Where records are kept apart, one that nobody can read is replaced whole.
                guard()
                vault[name] = session.to_record()
            return True

        return bool(self._with_vault(save, create=True, username=username))

    def update(
        self,
        seen: Session,
        session: Session,
        *,
        username: str | None = None,
        guard: Guard = _nothing,
    ) -> bool:
        """Save what became of a session, if the record is still the one that was *seen*.

        Only what changed is written, cookie by cookie, so that others' changes stay. A logout or
        a newer login elsewhere is not undone. True where it was saved.
        """

        def write(records: Transaction, name: str) -> None:
            from interpal.sessions.merging import merged_members

            changes = session.changes_since(seen)
            stored = Session.from_record(records[name])
            if stored is not None and not changes.keys().isdisjoint(_COOKIES):
                changes |= merged_members(seen, session, stored)
            records[name].update(changes)
            guard()

        return self._change(seen, write, username)

    def discard(self, seen: Session, *, username: str | None = None) -> bool:
        """Delete the record of a session that the server has ended, if it is still that one."""

        def drop(records: Transaction, name: str) -> None:
            del records[name]

        return self._change(seen, drop, username)

    def check_attempts(
        self, username: str, password: Hidden[bytes], *, force: bool = False
    ) -> None:
        """Raise the answer that another process got a moment ago (`refused_logins.check`)."""
        name, now = record_name(username), utc_now().timestamp()
        if self._vault is not None:
            refused_logins.check(self._vault, name, password, who=username, now=now, force=force)

    def note_refusal(
        self,
        username: str,
        password: Hidden[bytes],
        refusal: refused_logins.Refusal,
        *,
        guard: Guard = _nothing,
    ) -> None:
        """Remember a refused login for others (`refused_logins.note`)."""
        name, now = record_name(username), utc_now().timestamp()

        def note(vault: Vault) -> None:
            guard()
            refused_logins.note(vault, name, refusal, password, now=now)

        self._with_vault(note, username=username)

    # How.

    def close(self) -> None:
        """Forget what the key has opened, and let go of the store.

        The manager may be used again, so the key or passphrase that it was given stays until
        `forget_key`.
        """
        if self._vault is not None:
            self._vault.close()
            self._vault = None
        if self._opened is not None:
            self._opened.close()

    def forget_key(self) -> None:
        """Forget the key or passphrase for good. What needs it raises `KeySourceError` then."""
        source = self._source

        def gone() -> Hidden[bytes]:
            raise KeySourceError(f"{self.path}: {source.described} was forgotten with close()")

        self._source = KeySource(source.kind, source.name, gone)

    def _name_for(self, username: str | None) -> str:
        return record_name(username) if username else DEFAULT_NAME

    def _wanted(self, username: str | None) -> str | None:
        return self._username if username is None else username

    def _change(
        self, seen: Session, change: Callable[[Transaction, str], None], username: str | None
    ) -> bool:
        """Change the record of a session, if it is still the one that was *seen*."""
        wanted = self._wanted(username)

        def save(vault: Vault) -> bool:
            name = self._matching.name_of(vault, wanted, seen)
            if name is None:
                return False
            with vault.transaction() as records:
                if name not in records or not self._matching.holds(records[name], seen):
                    return False
                change(records, name)
                return True

        return bool(self._with_vault(save, username=wanted))

    def _new_handle(self) -> Vault:
        return Vault(
            self._store,
            self._source,
            lock_timeout=self._patience,
            expected_vault_id=self._expected_id,
        )

    def _recovery(self, username: str | None) -> Recovery:
        from interpal.sessions.damaged_files import Recovery

        return Recovery(
            self._store,
            username=username,
            origin=origins.DEFAULT_BASE_URL,
            lifetime=self.lifetime,
            patience=self._patience,
            notify=self._notify,
        )

    def _with_vault(
        self,
        action: Callable[[Vault], T],
        *,
        username: str | None = None,
        create: bool = False,
        damage_is_an_error: bool = False,
    ) -> T | None:
        """Do *action* with the open vault; None where there is none and none is to be made.

        A plain file that names no account is taken over for *username*. Another process may
        remove the file, or put something else there, at any moment.
        """
        damage: VaultCorruptError | None = None
        what = "other processes keep replacing the vault; stop them, then try again"
        trouble: Exception = LockTimeoutError(f"{self.path}: {what}", path=self.path)
        for _ in range(8):
            vault = self._new_handle() if self._vault is None else self._vault
            try:
                if self._vault is None:
                    vault.start(create=create)
                    self._vault = vault
                return action(vault)
            except VaultNotFoundError:
                self._vault = None
                if not create and self._store.load() is None:
                    return None
            except VaultCorruptError as error:
                self._vault = None
                damage = self._recovery(username).set_aside(vault, error)
                # Where records are kept apart, a damaged one stays.
                trouble = error if damage is None else trouble
            except VaultFormatError as error:
                self._vault = None
                if isinstance(error, (VaultVersionError, VaultLimitError)):
                    raise
                damage = self._recovery(username).take_in(self._new_handle(), error, utc_now())
            if damage is not None and damage_is_an_error:
                raise damage
        raise trouble


def _checked_place(place: Hidden[Any]) -> Hidden[str | Store]:
    """Where sessions are kept: a path made absolute, the URL of a store, or a store.

    Nothing is opened: making a client inside of an event loop is no time to wait for a disk.
    Raises `ValidationError`.
    """
    if isinstance(place.reveal(), (str, os.PathLike)):
        if not _is_text(os.fspath(place.reveal())):
            raise ValidationError("session_file: must not be empty and must not hold a NUL")
        return resolve_place(place)
    if isinstance(getattr(place.reveal(), "location", None), str):
        return place
    raise ValidationError("session_file, store: expected a path, a URL, or a Store")


def _is_text(path: object) -> bool:
    return isinstance(path, str) and bool(path) and "\0" not in path

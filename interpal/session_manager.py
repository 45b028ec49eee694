"""Saved sessions: expiry, account binding, login locks. The policy above the vault.

`SessionManager` keeps the names that users of interpal 1.x know (`save_session`,
`load_session`, `is_session_expired`, `clear_session`, `get_session_info`), and adds what the
flows of the clients are made of. Nothing here uses the network.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from interpal._log import Logger
from interpal._secret import Secret
from interpal.exceptions import (
    AmbiguousAccountError,
    InvalidCredentialsError,
    LockTimeoutError,
    RateLimitError,
    ValidationError,
    VaultCorruptError,
    VaultError,
    VaultFormatError,
    VaultLimitError,
    VaultNotFoundError,
    VaultVersionError,
)
from interpal.session import Session, SessionInfo
from interpal.vault.keys import KeySource, find_source
from interpal.vault.vault import AccountLock, Vault, open_store

if TYPE_CHECKING:
    from interpal.vault.stores import Store, Stored

T = TypeVar("T")

_log = Logger("interpal.session_manager")

DEFAULT_SESSION_FILE = ".interpals_session.json"
DEFAULT_EXPIRATION_HOURS = 24
REMEMBER_REFUSAL = 60.0
LONGEST_REFUSAL = 86400.0
VALIDATION_IS_SAVED_EVERY = timedelta(seconds=60)

Notify = Callable[[str, "dict[str, Any]"], None]


def _system_clock() -> datetime:
    return datetime.now(timezone.utc)


# Read by `utc_now` alone; tests turn it.
clock: Callable[[], datetime] = _system_clock


def utc_now() -> datetime:
    """The time by the one clock of sessions, aware UTC."""
    return clock()


def check_expiration_hours(hours: object) -> timedelta:
    """The lifetime that `session_expiration_hours` stands for; fractions are allowed.

    Raises `ValidationError` for anything but a number above zero.
    """
    good = isinstance(hours, (int, float)) and not isinstance(hours, bool) and hours > 0
    if not good:
        raise ValidationError(
            f"session_expiration_hours: expected a number of hours above 0, not {hours!r}"
        )
    try:
        lifetime = timedelta(hours=hours)  # type: ignore[arg-type]
        utc_now() + lifetime
    except (OverflowError, ValueError):
        raise ValidationError(f"session_expiration_hours: {hours!r} is too long") from None
    if not lifetime:
        raise ValidationError(f"session_expiration_hours: {hours!r} is too short")
    return lifetime


def record_name(username: str) -> str:
    """The name of an account's record: the NFC, casefolded username."""
    import unicodedata

    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", username).casefold())


class SessionManager:
    """The saved sessions in one vault.

    *session_file* is the vault's path (`.interpals_session.json` in the working directory
    where None), *expiration_hours* the lifetime given to a new session. *store* takes a `Store`
    in place of a path. Key: *passphrase* (text or a callable), *key* (32 bytes or text), else
    the environment, else the user's key file. *username* is the account where a call names
    none. A session of another *origin* than this one is neither used nor shown. *patience* is
    the seconds to wait for the write lock. Nothing is read or made until it is needed.
    """

    def __init__(
        self,
        session_file: str | os.PathLike[str] | None = None,
        expiration_hours: float = DEFAULT_EXPIRATION_HOURS,
        *,
        store: Store | str | None = None,
        passphrase: str | Callable[[], str] | None = None,
        key: bytes | str | None = None,
        username: str | None = None,
        origin: str | None = None,
        patience: float = 10.0,
        notify: Notify | None = None,
    ) -> None:
        if store is not None and session_file is not None:
            raise ValidationError("store, session_file: give one of them")
        self.lifetime = check_expiration_hours(expiration_hours)
        self.expiration_hours = expiration_hours
        place = store if store is not None else session_file
        self._store: Store = open_store(DEFAULT_SESSION_FILE if place is None else place)
        self._source: KeySource = find_source(passphrase, key)
        self._username = username
        self._origin = origin
        self._patience = patience
        self._notify: Notify = notify or (lambda _name, _facts: None)
        self._vault: Vault | None = None

    def __repr__(self) -> str:
        return f"<SessionManager of {self.path}>"

    @property
    def path(self) -> str:
        """The vault's path, or the URL of its store without a password."""
        return self._store.location

    @property
    def key_source(self) -> str:
        """Where the vault's key comes from."""
        return self._source.name

    def use_account(self, username: str) -> None:
        """The account that calls concern from now on."""
        self._username = username

    # The calls of interpal 1.x.

    def save_session(
        self,
        session_cookie: str,
        auth_token: str | None = None,
        username: str | None = None,
        bot_id: str | None = None,
    ) -> None:
        """Save a session as made now; it ends after the manager's lifetime."""
        now = utc_now()
        session = Session(
            session_cookie=session_cookie,
            auth_token=auth_token,
            username=username if username is not None else self._username,
            user_id=None if bot_id is None else str(bot_id),
            origin=self._origin,
            created_at=now,
            expires_at=now + self.lifetime,
        )
        self.put(session)

    def load_session(self) -> Session | None:
        """The saved session; None where there is none or it has expired. Changes nothing."""
        session = self.peek()
        return None if session is None or self.is_session_expired(session) else session

    def is_session_expired(self, session_data: Session | Mapping[str, Any]) -> bool:
        """Whether now is past the session's expiry, without leeway."""
        if not isinstance(session_data, Session):
            session = Session.from_record(session_data)
            if session is None:
                return True
            session_data = session
        return session_data.has_expired(utc_now(), leeway=False)

    def clear_session(self) -> None:
        """Remove the account's record; where nothing else would be lost, the file too."""

        def clear(vault: Vault) -> None:
            name = self._find_name(vault, self._username)
            if name is not None:
                with vault.transaction() as records:
                    records.pop(name, None)
                    records.attempts.pop(name, None)
            vault.remove_file()

        self._with_vault(clear)

    def get_session_info(self) -> SessionInfo | None:
        """What is known of the saved session, None where there is none. Changes nothing.

        Raises `AmbiguousAccountError` where no username was given and there are several.
        """
        session = self.peek()
        if session is None:
            return None
        return SessionInfo(session, now=utc_now(), path=self.path, key_source=self.key_source)

    # What the flows are made of.

    def peek(self) -> Session | None:
        """The saved session, expired or not, from whatever lies there; changes nothing."""
        stored = self._store.load()
        if stored is None:
            return None
        vault = self._vault
        try:
            if vault is None:
                vault = self._new_handle()
                vault.start()
                self._vault = vault
            return self._find_in(vault, self._username)
        except VaultNotFoundError:
            return None
        except VaultFormatError as error:
            if isinstance(error, (VaultVersionError, VaultLimitError)):
                raise
            record = self._plain_record(stored)
            if record is None:
                raise
            session = self._session_of(record[1])
            wanted = None if self._username is None else record_name(self._username)
            return session if wanted in (None, record[0]) else None

    def find(self) -> Session | None:
        """The saved session of the account, expired or not (steps 1 to 3 of the resume table).

        A plain file of interpal 1.x is encrypted in place first; a damaged vault is set aside.
        """
        return self._with_vault(lambda vault: self._find_in(vault, self._username))

    def ensure_vault(self) -> None:
        """Make the vault, empty, where there is none: its key names the login locks."""
        self._with_vault(lambda _vault: None, create=True)

    def login_lock(self, username: str) -> AccountLock:
        """The login lock of an account in a vault that is there (`ensure_vault`)."""
        vault = self._vault
        if vault is None:
            raise VaultNotFoundError(f"{self.path}: there is no vault", path=self.path)
        return vault.login_lock(record_name(username))

    def put(self, session: Session) -> None:
        """Save a session of a login or an import; makes record and vault where they are missing.

        Members of the record that are not known here stay as they are.
        """
        username = session.username or self._username
        name = record_name(username) if username else "default"

        def save(vault: Vault) -> None:
            with vault.transaction() as records:
                old = records.get(name, {})
                records[name] = {**old, **session.to_record()}
                records.attempts.pop(name, None)

        self._with_vault(save, create=True)

    def update(self, seen: Session, session: Session) -> bool:
        """Save what became of a session, if the record is still the one that was *seen*.

        A logout or a newer login elsewhere is not undone. True where it was saved.
        """

        def save(vault: Vault) -> bool:
            name = self._name_of(vault, seen)
            with vault.transaction() as records:
                record = records.get(name)
                if record is None or not seen.same_credentials(self._session_of(record)):
                    return False
                record.update(session.to_record())
                return True

        return bool(self._with_vault(save))

    def mark_validated(self, seen: Session, session: Session) -> bool:
        """Save that a session was found valid; at most once a minute."""
        last = seen.last_validated_at
        now = session.last_validated_at
        if last is not None and now is not None and timedelta(0) <= now - last:
            same = seen.replace(last_validated_at=now) == session
            if same and now - last < VALIDATION_IS_SAVED_EVERY:
                return False
        return self.update(seen, session)

    def discard(self, seen: Session) -> bool:
        """Delete the record of a session that the server has ended, if it is still that one."""

        def drop(vault: Vault) -> bool:
            name = self._name_of(vault, seen)
            with vault.transaction() as records:
                record = records.get(name)
                if record is None or not seen.same_credentials(self._session_of(record)):
                    return False
                del records[name]
                return True

        return bool(self._with_vault(drop))

    # Refused logins (FORMAT.md section 4, `attempts`).

    def check_attempts(self, username: str, password: Secret, *, force: bool = False) -> None:
        """Raise what another process was told a moment ago, in place of asking the server again.

        Raises `RateLimitError`, or `InvalidCredentialsError` where the password is the same
        one; *force* asks about that one again.
        """
        vault = self._vault
        if vault is None:
            return
        name = record_name(username)
        attempt = vault.attempts.get(name)
        if attempt is None:
            return
        left = attempt["until"] - utc_now().timestamp()
        tag = attempt.get("tag")
        if not 0 < left <= (LONGEST_REFUSAL if tag is None else REMEMBER_REFUSAL + 1):
            return  # Over, or written by a clock that was far ahead.
        if tag is None:
            raise RateLimitError(
                f"the server allows no login for {username} for another {left:.0f} seconds",
                retry_after=left,
            )
        if not force and tag == vault.attempt_tag(name, password):
            raise InvalidCredentialsError(
                f"the server refused this password for {username} less than a minute ago and it "
                "was not tried again; check it, or use login(force=True)",
                status_code=401,
            )

    def note_attempt(self, username: str, password: Secret | None, seconds: float) -> None:
        """Remember a refused login for others: with its *password*, or for a rate limit None."""
        name = record_name(username)

        def note(vault: Vault) -> None:
            until = int(utc_now().timestamp() + min(max(seconds, 1.0), LONGEST_REFUSAL)) + 1
            attempt: dict[str, Any] = {"until": until}
            if password is not None:
                attempt["tag"] = vault.attempt_tag(name, password)
            with vault.transaction() as records:
                records.attempts[name] = attempt

        self._with_vault(note)

    # How.

    def close(self) -> None:
        """Forget the key and let go of the store. The manager may be used again afterwards."""
        if self._vault is not None:
            self._vault.close()
            self._vault = None
        self._store.close()

    def _new_handle(self) -> Vault:
        return Vault(self._store, self._source, lock_timeout=self._patience)

    def _with_vault(self, action: Callable[[Vault], T], *, create: bool = False) -> T | None:
        """Do *action* with the open vault; None where there is none and none is to be made.

        Another process may remove the file, or put something else there, at any moment.
        """
        for _ in range(8):
            vault = self._vault
            try:
                if vault is None:
                    vault = self._new_handle()
                    vault.start(create=create)
                    self._vault = vault
                return action(vault)
            except VaultNotFoundError:
                self._vault = None
                if not create and self._store.load() is None:
                    return None
            except VaultCorruptError as error:
                self._vault = None
                self._set_aside(vault or self._new_handle(), error)
            except VaultFormatError as error:
                self._vault = None
                if isinstance(error, (VaultVersionError, VaultLimitError)):
                    raise
                self._take_in(error)
        raise LockTimeoutError(
            f"{self.path}: other processes keep replacing the vault; stop them, then try again",
            path=self.path,
        )

    def _set_aside(self, vault: Vault, error: VaultCorruptError) -> None:
        moved = vault.set_aside_if_corrupt()
        if moved is not None:
            self._quarantined(moved, error)

    def _quarantined(self, moved: str, error: VaultError) -> None:
        _log.warning("%s; it was set aside as %s and nothing of it was deleted", error, moved)
        self._notify("quarantined", {"path": self.path, "moved_to": moved, "reason": str(error)})

    def _take_in(self, error: VaultFormatError) -> None:
        """Make what lies at the path usable, or raise: migrate, or set aside what is cut off."""
        from interpal.vault.plain import classify

        stored = self._store.load()
        if stored is None:
            return
        kind = classify(stored.data)
        if kind == "plain":
            self._migrate(stored)
        elif kind in ("empty", "truncated"):
            with self._store.write_lock(self._patience) as writer:
                moved = writer.set_aside(stored)
            if moved is not None:
                what = "the file is empty" if kind == "empty" else "the file is cut off"
                self._quarantined(moved, VaultCorruptError(f"{self.path}: {what}", path=self.path))
        else:
            raise error

    def _migrate(self, stored: Stored) -> None:
        """Encrypt a plain file of interpal 1.x in place: one atomic save, nothing plain left."""
        name, record = self._plain_record(stored) or ("", {})
        vault = self._new_handle()
        if vault.start(create=True, records={name: record}, replacing=stored):
            _log.info(
                "%s: the plain session file of interpal 1.x is encrypted now; old copies of it "
                "may remain in backups and git, so a new login is advised",
                self.path,
            )
            self._notify("migrated", {"path": self.path, "username": record.get("username")})
        self._vault = vault

    def _plain_record(self, stored: Stored) -> tuple[str, dict[str, Any]] | None:
        from interpal.vault.plain import classify, parse

        if classify(stored.data) != "plain":
            return None
        plain = parse(
            stored.data,
            default_name=self._username,
            local=None,
            now=utc_now(),
            lifetime=self.lifetime,
        )
        return plain.name, plain.record

    def _session_of(self, record: Mapping[str, Any]) -> Session | None:
        """The session of a record, if it is one of this origin. One without takes the client's."""
        session = Session.from_record(record)
        if session is None or self._origin is None:
            return session
        if session.origin is None:
            return session.replace(origin=self._origin)
        return session if session.origin == self._origin else None

    def _find_in(self, vault: Vault, username: str | None) -> Session | None:
        name = self._find_name(vault, username)
        record = None if name is None else vault.get(name)
        return None if record is None else self._session_of(record)

    def _find_name(self, vault: Vault, username: str | None) -> str | None:
        """The name of the account's record; without a username the only one there is."""
        if username is not None:
            return record_name(username)
        names = [
            name for name, record in vault.snapshot().items() if self._session_of(record) is not None
        ]
        if len(names) > 1:
            accounts = sorted(names)
            raise AmbiguousAccountError(
                f"{self.path} holds several accounts and no username says which: "
                f"{', '.join(accounts)}; give username=",
                accounts=accounts,
            )
        return names[0] if names else None

    def _name_of(self, vault: Vault, session: Session) -> str:
        username = self._username or session.username
        return record_name(username) if username else (self._find_name(vault, None) or "default")

"""A login session and what can be said of it: frozen values, aware UTC times, redacted reprs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NoReturn, SupportsIndex, cast

from interpal._clock import datetime, timedelta, timezone
from interpal._dictlike import ReadMethods
from interpal.exceptions import ValidationError
from interpal.vault.format.session_record import DEFAULT_LIFETIME_HOURS as DEFAULT_LIFETIME_HOURS
from interpal.vault.format.session_record import DEFAULT_NAME as DEFAULT_NAME
from interpal.vault.format.session_record import from_text as from_text
from interpal.vault.format.session_record import record_name as record_name
from interpal.vault.format.session_record import to_text as to_text

SECONDS_OF_LEEWAY = 60.0
LONGEST_LIFETIME_HOURS = 1000 * 366 * 24
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

_TIMES = ("created_at", "expires_at", "last_validated_at")
_TEXTS = ("session_cookie", "auth_token", "username", "user_id", "origin")


def check_expiration_hours(hours: object) -> timedelta:
    """The lifetime that `session_expiration_hours` stands for; fractions are allowed.

    Raises `ValidationError` for anything but a number above zero.
    """
    if not isinstance(hours, (int, float)) or isinstance(hours, bool) or not hours > 0:
        raise ValidationError(
            f"session_expiration_hours: expected a number of hours above 0, not {hours!r}"
        )
    if hours > LONGEST_LIFETIME_HOURS:
        raise ValidationError("session_expiration_hours: this is too long")
    lifetime = timedelta(hours=hours)
    if not lifetime:
        raise ValidationError(f"session_expiration_hours: {hours!r} is too short")
    return lifetime


class _Value(ReadMethods[str, Any]):
    """A frozen value whose fields are attributes, and that answers like a dict as well.

    interpal 1.x handed out dicts; scripts written for it go on with `info["username"]`.
    """

    __slots__: tuple[str, ...] = ()

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be removed")

    def __setstate__(self, state: tuple[None, dict[str, Any]]) -> None:
        self._fill(**state[1])

    def _fill(self, **fields: object) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __getitem__(self, name: str) -> Any:
        # interpal 1.x: the dicts of saved sessions call the user's id so.
        name = "user_id" if name == "bot_id" else name
        if name in type(self).__slots__:
            return getattr(self, name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(type(self).__slots__)

    def __len__(self) -> int:
        return len(type(self).__slots__)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and dict(self) == dict(other)

    def __hash__(self) -> int:
        return hash(tuple(str(value) for value in self.values()))


class Session(_Value):
    """One login session of one account.

    `session_cookie` and `auth_token` (None where the server sent none) are what the server
    knows it by; `cookies` are the other cookies of the origin, and `cookie_attributes` what the
    server said of them all (`interpal.sessions.cookies`). `username` is what was typed at
    login, an e-mail address perhaps; `user_id` the server's id, once known. `origin` is the
    scheme, host and port that the session belongs to. Times are aware UTC; `expires_at` is None
    for a session that was handed over from outside and has no known end.
    """

    __slots__ = (
        "auth_token",
        "cookie_attributes",
        "cookies",
        "created_at",
        "expires_at",
        "last_validated_at",
        "origin",
        "session_cookie",
        "user_id",
        "username",
    )

    session_cookie: str
    auth_token: str | None
    cookies: Mapping[str, str]
    cookie_attributes: tuple[Mapping[str, Any], ...]
    username: str | None
    user_id: str | None
    origin: str | None
    created_at: datetime
    expires_at: datetime | None
    last_validated_at: datetime | None

    def __init__(
        self,
        *,
        session_cookie: str,
        created_at: datetime,
        expires_at: datetime | None,
        auth_token: str | None = None,
        cookies: Mapping[str, str] | None = None,
        cookie_attributes: Iterable[Mapping[str, Any]] = (),
        username: str | None = None,
        user_id: str | None = None,
        origin: str | None = None,
        last_validated_at: datetime | None = None,
    ) -> None:
        self._fill(
            session_cookie=session_cookie,
            auth_token=auth_token,
            cookies=MappingProxyType(dict(cookies or {})),
            cookie_attributes=tuple(MappingProxyType(dict(one)) for one in cookie_attributes),
            username=username,
            user_id=user_id,
            origin=origin,
            created_at=created_at,
            expires_at=expires_at,
            last_validated_at=last_validated_at,
        )

    def __repr__(self) -> str:
        until = "no known end" if self.expires_at is None else f"until {to_text(self.expires_at)}"
        return f"<Session of {self.username or 'an unknown account'}, {until}>"

    __str__ = __repr__

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a Session is secret and cannot be pickled; see export_session()")

    @property
    def bot_id(self) -> str | None:
        """The name of `user_id` in interpal 1.x."""
        return self.user_id

    def replace(self, **changes: Any) -> Session:
        """A copy with some fields changed."""
        return Session(**{**self, **changes})

    def same_credentials(self, other: Session | None) -> bool:
        """Whether the server would take the two for one session: same cookie, same token."""
        return (
            other is not None
            and self.session_cookie == other.session_cookie
            and self.auth_token == other.auth_token
        )

    def same_login(self, other: Session | None) -> bool:
        """Whether the two come of one login: the server may have given a new cookie since."""
        return other is not None and self.created_at == other.created_at

    def same_account(self, other: Session | None) -> bool:
        """Whether the two are known to be of one account: by the id, else by the username."""
        if other is None:
            return False
        if self.user_id and other.user_id:
            return self.user_id == other.user_id
        if not self.username or not other.username:
            return False
        return record_name(self.username) == record_name(other.username)

    def has_expired(self, now: datetime, *, leeway: bool = True) -> bool:
        """Whether the session is over at *now*.

        With leeway it ends a minute early, or a tenth of its lifetime where that is less, so
        that it does not end under a request that is on its way.
        """
        if self.expires_at is None:
            return False
        early = timedelta(0)
        if leeway:
            lifetime = max(timedelta(0), self.expires_at - self.created_at)
            early = min(timedelta(seconds=SECONDS_OF_LEEWAY), lifetime / 10)
        return now >= self.expires_at - early

    def no_longer_than(self, end: datetime | None) -> Session:
        """The session, expiring at *end* where that is earlier: no session outlives its token."""
        if end is None or (self.expires_at is not None and self.expires_at <= end):
            return self
        return self.replace(expires_at=end)

    def changes_since(self, seen: Session) -> dict[str, Any]:
        """The members of the record that differ from those of *seen*, and the origin."""
        before = seen.to_record()
        return {
            name: value
            for name, value in self.to_record().items()
            if value != before[name] or name == "origin"
        }

    def to_record(self) -> dict[str, Any]:
        """The record of a vault (FORMAT.md section 4); times as RFC 3339 UTC text."""
        record: dict[str, Any] = {name: self[name] for name in _TEXTS}
        record["cookies"] = dict(self.cookies)
        record["cookie_attributes"] = [dict(one) for one in self.cookie_attributes]
        for name in _TIMES:
            record[name] = None if self[name] is None else to_text(self[name])
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Session | None:
        """The session in a record; None where the record holds none.

        A record whose times cannot be read counts as expired: it is replaced by the next login
        and until then nothing of it is lost.
        """
        record = cast("Any", record).copy() if isinstance(record, ReadMethods) else record
        cookie = record.get("session_cookie")
        if not isinstance(cookie, str) or not cookie:
            return None
        expires_at = from_text(record.get("expires_at")) or EPOCH
        cookies, attributes = record.get("cookies"), record.get("cookie_attributes")
        return cls(
            session_cookie=cookie,
            auth_token=_text(record.get("auth_token")),
            cookies={
                name: value
                for name, value in (cookies if isinstance(cookies, Mapping) else {}).items()
                if isinstance(value, str)
            },
            cookie_attributes=[
                one
                for one in (attributes if isinstance(attributes, list) else [])
                if isinstance(one, Mapping)
            ],
            username=_text(record.get("username")),
            user_id=_text(record.get("user_id")),
            origin=_text(record.get("origin")),
            created_at=from_text(record.get("created_at")) or min(EPOCH, expires_at),
            expires_at=expires_at,
            last_validated_at=from_text(record.get("last_validated_at")),
        )


class SessionInfo(_Value):
    """What is known of a saved session, without its secrets. Answers like a dict as well.

    `created_at`, `expires_at` and `last_validated_at` are aware UTC; `time_remaining` has whole
    seconds and is never below zero; `is_expired` means now >= expires_at, without leeway.
    `path` is the vault's and `key_source` names where its key came from.
    """

    __slots__ = (
        "created_at",
        "expires_at",
        "is_expired",
        "key_source",
        "last_validated_at",
        "path",
        "time_remaining",
        "user_id",
        "username",
    )

    username: str | None
    user_id: str | None
    created_at: datetime
    expires_at: datetime | None
    time_remaining: timedelta
    is_expired: bool
    last_validated_at: datetime | None
    path: str
    key_source: str

    def __init__(self, session: Session, *, now: datetime, path: str, key_source: str) -> None:
        left = timedelta(0) if session.expires_at is None else session.expires_at - now
        self._fill(
            username=session.username,
            user_id=session.user_id,
            created_at=session.created_at,
            expires_at=session.expires_at,
            time_remaining=max(timedelta(0), timedelta(seconds=left // timedelta(seconds=1))),
            is_expired=session.has_expired(now, leeway=False),
            last_validated_at=session.last_validated_at,
            path=path,
            key_source=key_source,
        )

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!s}" for name, value in self.items())
        return f"SessionInfo({fields})"


def local_time(value: object) -> datetime | None:
    """The aware UTC time of a time or its text; one without an offset is local, as in 1.x."""
    if isinstance(value, str):
        from interpal.vault.format.legacy_file import loose_time

        return loose_time(value, None)
    try:
        return value.astimezone(timezone.utc) if isinstance(value, datetime) else None
    except (ValueError, OverflowError, OSError):
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None

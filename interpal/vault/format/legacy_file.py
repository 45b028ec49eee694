"""Records from the plain session files of interpal 1.x, of its JavaScript port, and by hand.

Pure: bytes in, a record of FORMAT.md section 4 out. What these files look like in the wild is
docs/migrating.md; what is read here is more than those clients read themselves, since
the one thing that must not happen on the way into a vault is to lose a session.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from interpal._hidden import Hidden
from interpal.exceptions import VaultFormatError
from interpal.vault.format import jwe
from interpal.vault.format.payload import (
    MAX_RECORD_BYTES,
    MAX_RECORD_DEPTH,
    name_fault,
    record_fault,
)
from interpal.vault.format.session_record import (
    DEFAULT_LIFETIME_HOURS,
    DEFAULT_NAME,
    parse_time,
    record_name,
    to_text,
)

if TYPE_CHECKING:
    from datetime import tzinfo

COOKIE = "interpals_sessid"
_LIFETIME = timedelta(hours=DEFAULT_LIFETIME_HOURS)

# The names of one thing, the earlier before the later.
_ALIASES = {
    "session_cookie": ("session_cookie", "sessionCookie"),
    "auth_token": ("auth_token", "authToken"),
    "user_id": ("user_id", "userId", "bot_id", "botId"),
    "username": ("username",),
    "created_at": ("created_at", "createdAt"),
    "expires_at": ("expires_at", "expiresAt"),
    "last_validated_at": ("last_validated_at", "lastValidatedAt"),
    "cookies": ("cookies",),
}
# The most that a plain file may have: 64 KiB of record may be written six times as long, and with
# every value on a line of its own.
LARGEST = 2**20
# What a crash leaves may end in NUL bytes, where the size was written and the data not.
_AFTER_THE_END = b" \t\r\n\0"
_VAULT = b'{"protected":"'
_LONG_RUN = re.compile(rb"([\w-]{16})[\w-]+", re.ASCII)

_KNOWN = {alias for aliases in _ALIASES.values() for alias in aliases}
_FIRST_NAMES = _KNOWN | {"protected", "encrypted_key", "iv", "ciphertext", "tag"}

# Cookie values by RFC 6265 section 4.1.1, and the comma that this site puts into one of them.
_COOKIE_VALUE = re.compile(r"[\x21\x23-\x3a\x3c-\x5b\x5d-\x7e]+")
_ATTRIBUTES = {"path", "domain", "expires", "max-age", "secure", "httponly", "samesite"}

_FRACTION = re.compile(r"\.\d+")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# Seconds since 1970 stay below this until the year 5138; milliseconds have passed it in 1973.
_MILLISECONDS = 1e11

# How a text goes on that breaks off where `json` gave up: literals, numbers, escapes.
_UNFINISHED = re.compile(
    r"(?:t|tr|tru|f|fa|fal|fals|n|nu|nul|N|Na|-|-?\d*[.eE][+-]?|\\?u?[0-9A-Fa-f]{0,4})", re.ASCII
)
_START = re.compile(r'\{\s*(?:"(?P<name>[^"\\]*)(?P<end>")?)?')


class LegacyRecord(NamedTuple):
    """A record and the name that it gets in the vault."""

    name: str
    record: Hidden[dict[str, Any]]


def classify(data: bytes) -> Literal["vault", "plain", "empty", "truncated", "foreign"]:
    """What lies where a vault is expected, by its looks alone.

    `vault`: a JSON object with a `protected` member, sound or not. `plain`: an object of at most
    1 MiB with a session cookie that can be used. `empty`: nothing, white space or NUL bytes.
    `truncated`: the beginning of one of the two and nothing else. `foreign`: anything else.
    """
    data = data.rstrip(_AFTER_THE_END)
    if not data:
        return "empty"
    if jwe.is_crowded(data, small=LARGEST):
        return "vault" if data.startswith(_VAULT) else "foreign"
    may_be_plain = len(data) <= LARGEST
    if not may_be_plain:
        # Much of it can be base64url only, whose length says nothing.
        data = _LONG_RUN.sub(rb"\1", data)
    members = _members(data)
    if members is not None:
        if "protected" in members:
            return "vault"
        is_plain = may_be_plain and _session_cookie(members) is not None
        return "plain" if is_plain else "foreign"
    if _object_names(data) >= {"protected"}:
        return "vault"
    return "truncated" if _is_beginning(data) else "foreign"


def parse(
    data: bytes,
    *,
    default_name: str | None,
    local: tzinfo | None,
    now: datetime,
    lifetime: timedelta = _LIFETIME,
) -> LegacyRecord:
    """The record of a plain session file.

    It is named after its own username, else *default_name*, else `default`. Times without an
    offset are in the zone *local*, None for the machine's. A missing expiry is *lifetime* after
    the login, a missing login that long before the expiry, but not after *now* (aware).

    Raises `VaultFormatError` where there is no session cookie to be used, and for more than 1 MiB.
    """
    data = data.rstrip(_AFTER_THE_END)
    if len(data) > LARGEST:
        del data
        raise VaultFormatError(
            f"not a session file of interpal 1.x: it is larger than {LARGEST // 2**20} MiB"
        )
    members = None if jwe.is_crowded(data, small=LARGEST) else _members(data)
    found = None if members is None else _session_cookie(members)
    if members is None or found is None:
        del data, members, found
        raise VaultFormatError("not a session file of interpal 1.x: it has no session cookie")
    cookie, others = found
    created, expires = _times(members, local, now, lifetime)
    record: dict[str, Any] = {
        "session_cookie": cookie,
        "auth_token": _text(_first(members, "auth_token")),
        "cookies": {**others, **_cookies(members.get("cookies"))},
        "username": _text(_first(members, "username")),
        "user_id": _text(_first(members, "user_id")),
        "created_at": to_text(created),
        "expires_at": to_text(expires),
        "last_validated_at": None,
    }
    for unknown in members:
        if unknown not in _KNOWN:
            record[unknown] = _kept(members[unknown])
    username = record["username"] or default_name or DEFAULT_NAME
    # Before it is made into a name, too: that can take the square of its length.
    fault = record_fault(record) or name_fault(username) or name_fault(record_name(username))
    if fault is not None:
        del data, members, found, cookie, others, record, username
        raise VaultFormatError(f"this session file of interpal 1.x cannot be kept: it {fault}")
    return LegacyRecord(record_name(username), Hidden(record))


def _members(data: bytes) -> dict[str, Any] | None:
    """The members of a JSON object; None for anything else."""
    try:
        value = jwe.parse_json(data, max_depth=MAX_RECORD_DEPTH, allow_float=True, any_int=True)
    except jwe.JsonError:
        return None
    return value if isinstance(value, dict) else None


def _object_names(data: bytes) -> set[str]:
    """The members of an object that is JSON, but not as strict as a vault has to be."""
    import json

    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    if jwe.is_deeper(data, MAX_RECORD_DEPTH):
        return set()
    try:
        value = json.loads(data.decode("utf-8", "replace"), parse_int=float)
    except ValueError:
        return set()
    return set(value) if isinstance(value, dict) else set()


def _is_beginning(data: bytes) -> bool:
    """Whether *data* is a vault or session file that breaks off before its end."""
    import json

    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            return False
        text = data[: error.start].decode("utf-8", "replace")
    text = text.lstrip(" \t\r\n")
    start = _START.match(text)
    if start is None:
        return False
    name = start["name"]
    if name is None:
        return start.end() == len(text)
    if start["end"] is None:
        return start.end() == len(text) and any(full.startswith(name) for full in _FIRST_NAMES)
    if name not in _FIRST_NAMES or jwe.is_deeper(data, MAX_RECORD_DEPTH):
        return False
    try:
        json.loads(text, parse_int=float)
    except json.JSONDecodeError as error:
        rest = text[error.pos :]
        return (
            error.msg.startswith("Unterminated string")
            or not rest
            or bool(_UNFINISHED.fullmatch(rest.lstrip()))
        )
    return False


def _first(members: dict[str, Any], name: str) -> Any:
    """The first of the aliases of *name* that says something."""
    values = (members.get(alias) for alias in _ALIASES[name])
    return next((value for value in values if value not in (None, "")), None)


def _text(value: object) -> str | None:
    """A text, or a number as one; None for anything else and for nothing but blanks."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return (value.strip() or None) if isinstance(value, str) else None


def _kept(value: Any) -> Any:
    """A member that nothing here knows; integers beyond what a record takes become text.

    Changed where it is: there may be much of it.
    """
    if isinstance(value, dict):
        for name, item in value.items():
            value[name] = _kept(item)
    elif isinstance(value, list):
        value[:] = map(_kept, value)
    if type(value) is int and not -jwe.MAX_INT <= value <= jwe.MAX_INT:
        return str(value)
    return value


def _session_cookie(members: dict[str, Any]) -> tuple[str, dict[str, str]] | None:
    """The bare session cookie, and the others of a whole `Cookie` header."""
    for alias in _ALIASES["session_cookie"]:
        value = members.get(alias)
        found = split_cookie(value) if isinstance(value, str) else None
        if found is not None:
            return found
    return None


def split_cookie(text: str) -> tuple[str, dict[str, str]] | None:
    """The session cookie's value in *text*, a bare value or a `Cookie` header, and the others.

    None where there is none that could be sent, and for more than a record may hold.
    """
    if len(text) > MAX_RECORD_BYTES:
        return None
    text = text.strip()
    if text[:7].lower() == "cookie:":
        text = text[7:].strip()
    if ";" not in text and not text.startswith(f"{COOKIE}="):
        # Padding is all that may look like the header of another cookie.
        bare = _COOKIE_VALUE.fullmatch(text) and "=" not in text.rstrip("=")
        return (text, {}) if bare else None
    cookies: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        if equals and name.lower() not in _ATTRIBUTES:
            cookies.setdefault(name, value)
    cookies = _cookies(cookies)
    session = cookies.pop(COOKIE, None)
    return None if session is None else (session, cookies)


def _cookies(value: object) -> dict[str, str]:
    """The cookies of *value* that can be sent."""
    if not isinstance(value, dict):
        return {}
    return {
        name: text
        for name, text in value.items()
        if isinstance(text, str)
        and _COOKIE_VALUE.fullmatch(text)
        and _COOKIE_VALUE.fullmatch(name)
        and "=" not in name
    }


def _times(
    members: dict[str, Any], local: tzinfo | None, now: datetime, lifetime: timedelta
) -> tuple[datetime, datetime]:
    created = loose_time(_first(members, "created_at"), local)
    expires = loose_time(_first(members, "expires_at"), local)
    try:
        if created is None:
            created = now if expires is None else min(now, expires - lifetime)
        return created, created + lifetime if expires is None else expires
    except OverflowError:
        return now, now + lifetime


def loose_time(value: object, local: tzinfo | None) -> datetime | None:
    """The aware UTC time in what is more, or says less, than RFC 3339 text; None where it is none.

    A text without an offset is in the zone *local*, None for the machine's. A number is seconds
    since 1970, or milliseconds, as JavaScript has them.
    """
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) > _MILLISECONDS else value
            return _EPOCH + timedelta(seconds=seconds)
        if not isinstance(value, str):
            return None
        # Python 3.10 reads a fraction of three or six digits only.
        text = _FRACTION.sub(lambda found: found[0][:7].ljust(7, "0"), value.strip(), count=1)
        time = parse_time(text)
        if time.tzinfo is None and local is not None:
            time = time.replace(tzinfo=local)
        return time.astimezone(timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None

"""The cookies of one session: what a reply sets or deletes, and what a request carries.

One jar for both clients. Cookies differ by name, domain and path, so that the deletion of an old
twin takes nothing from the one in use. What a `Set-Cookie` header means is read here, by RFC
6265bis (draft-ietf-httpbis-rfc6265bis-20, sections 5.1 and 5.6 to 5.8): the reader of the standard
library takes the year 70 for 2070, counts the first of two attributes where the last one counts,
deletes before it sets whatever the order in a reply, and lets one odd date take away the others.

A session keeps its cookies in three members: `session_cookie`, the value of its own; `cookies`,
the values of the others by name; `cookie_attributes`, what was said of them. The first two
count: where something else has written them, attributes of what is gone are passed over.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from interpal._hidden import Opaque
from interpal._log import Logger
from interpal._tuples import NamedTuple
from interpal.exceptions import AuthenticationError
from interpal.session import EPOCH, Session, from_text, to_text
from interpal.transport.protocol import SESSION_COOKIE
from interpal.transport.sendable import is_cookie_value, is_sendable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from interpal.transport.messages import Response

MOST_COOKIES = 50
# Characters: of name and value; and of all cookies together, with their paths and domains.
LARGEST_COOKIE = 4096
LARGEST_TOGETHER = 16 * 1024

_LONGEST_ATTRIBUTE = 1024
_LONGEST_LIFE = timedelta(days=400)
_HARDLY = timedelta(minutes=1)
_LONGEST_SHOWN = 60
_BLANKS = " \t"
_SAME_SITE = ("strict", "lax", "none")

_log = Logger("interpal.sessions")


class StoredCookie(Opaque):
    """One cookie. Its repr shows no value.

    *path* None: nothing is known of it but name and value, so that it is sent everywhere.
    *domain* None: it is only for the host that set it. *expires* is aware UTC.
    """

    __slots__ = (
        "domain",
        "expires",
        "http_only",
        "name",
        "path",
        "same_site",
        "secure",
        "value",
    )

    name: str
    value: str
    path: str | None
    domain: str | None
    expires: datetime | None
    secure: bool
    http_only: bool
    same_site: str | None

    def __init__(
        self,
        name: str,
        value: str,
        path: str | None = None,
        domain: str | None = None,
        expires: datetime | None = None,
        secure: bool = False,
        http_only: bool = False,
        same_site: str | None = None,
    ) -> None:
        self._fill(domain, expires, http_only, name, path, same_site, secure, value)

    def __repr__(self) -> str:
        return f"<cookie {_shown(self.name)}>"

    def ending(self, expires: datetime | None) -> StoredCookie:
        """The same cookie with another end."""
        return StoredCookie(
            self.name,
            self.value,
            self.path,
            self.domain,
            expires,
            self.secure,
            self.http_only,
            self.same_site,
        )

    @property
    def key(self) -> _Key:
        """What tells it from its twins: name, path and domain."""
        return self.name, self.path, self.domain

    @property
    def size(self) -> int:
        """What it takes of a record, in characters."""
        return sum(len(text or "") for text in (self.name, self.value, self.path, self.domain))

    def has_expired(self, now: datetime) -> bool:
        """Whether its end, where it has one, has come."""
        return self.expires is not None and self.expires <= now

    def is_sent_to(self, path: str) -> bool:
        """Whether it is for requests for *path* (RFC 6265bis section 5.1.4)."""
        own = self.path
        if own is None or path == own:
            return True
        return path.startswith(own) and (own.endswith("/") or path[len(own)] == "/")


_Key = tuple[str, "str | None", "str | None"]


class Exchange(NamedTuple):
    """A request and when its reply came (aware UTC).

    *home* is the URL that a session's own cookie has to be sent to; one with its name that is
    for other paths is another cookie.
    """

    url: str
    home: str
    now: datetime


class Received(Opaque):
    """The cookies of a session after a reply. Its repr shows none of them.

    *own* is the value of the session's own cookie. *expires* is when that one ends (aware UTC,
    None where nothing was said of it), *expired* when it would have ended before this reply.
    """

    __slots__ = ("attributes", "expired", "expires", "others", "own")

    own: str
    others: Mapping[str, str]
    attributes: tuple[Mapping[str, Any], ...]
    expires: datetime | None
    expired: datetime | None

    def __init__(
        self,
        own: str,
        others: Mapping[str, str],
        attributes: tuple[Mapping[str, Any], ...],
        expires: datetime | None,
        expired: datetime | None,
    ) -> None:
        self._fill(attributes, expired, expires, others, own)

    def __repr__(self) -> str:
        return f"<{len(self.others)} cookies beside the session's own>"


# What a request carries.


def cookie_header(session: Session, url: str, now: datetime) -> str:
    """The `Cookie` header of a request for *url* with *session*.

    The session's own cookie comes first, then the others as they came; of twins the one with the
    longer path.
    """
    path = _path_of(url)
    # Every request is one of the session, and its end is a matter of its `expires_at`.
    own, *others = cookies_of(session)
    sent = [own, *(c for c in others if c.is_sent_to(path) and not c.has_expired(now))]
    places: dict[str, int] = {}
    for cookie in sent:
        places.setdefault(cookie.name, len(places))
    sent.sort(key=lambda cookie: (places[cookie.name], -len(cookie.path or "")))
    return "; ".join(dict.fromkeys(f"{cookie.name}={cookie.value}" for cookie in sent))


def cookies_of(session: Session) -> list[StoredCookie]:
    """The cookies of a session with what is known of them; its own one first."""
    values = {SESSION_COOKIE: session.session_cookie, **session.cookies}
    known: dict[str, list[StoredCookie]] = {}
    for member in session.cookie_attributes:
        cookie = _from_member(member, values)
        if cookie is not None:
            known.setdefault(cookie.name, []).append(cookie)
    found: list[StoredCookie] = []
    for name, value in values.items():
        twins = known.get(name, [])
        first = next((cookie for cookie in twins if cookie.value == value), None)
        found.append(StoredCookie(name, value) if first is None else first)
        found += [cookie for cookie in twins if cookie is not first]
    return found


# What a reply changes.


def after_login(response: Response, exchange: Exchange) -> Received:
    """The cookies that the reply to a login gives.

    Raises `AuthenticationError`, which says why, where the session's own is not among them.
    """
    kept, own, faults = _receive([], response, exchange)
    if own is None:
        reasons = [fault.reason for fault in faults if fault.name == SESSION_COOKIE]
        if any(SESSION_COOKIE in text for key, text in response.headers if key == "set-cookie"):
            reasons.append("it is deleted, or has ended by the clock of this machine")
        raise AuthenticationError(
            f"login failed: the reply has no {SESSION_COOKIE} cookie"
            + (f" that can be used: {reasons[0]}" if reasons else ""),
            status_code=response.status,
        )
    return within_limits(own, kept, faults, None)


def after_reply(session: Session, response: Response, exchange: Exchange) -> Received | None:
    """The cookies of a session after a reply; None where the reply names none.

    The session's own is replaced, never deleted: that a session is over, a refusal says.
    """
    if response.header("set-cookie") is None:
        return None
    before = cookies_of(session)
    kept, own, faults = _receive(before, response, exchange)
    return within_limits(own or before[0], kept, faults, before[0].expires)


class _Fault(NamedTuple):
    """A cookie that was not taken, and why."""

    name: str
    reason: str


def _receive(
    before: list[StoredCookie], response: Response, exchange: Exchange
) -> tuple[list[StoredCookie], StoredCookie | None, list[_Fault]]:
    """The cookies after a reply; the session's own that it gives; what was not taken of it."""
    jar, home = _Jar(before), _path_of(exchange.home)
    own: StoredCookie | None = None
    faults: list[_Fault] = []
    for header, text in response.headers:
        read = read_set_cookie(text, exchange) if header == "set-cookie" else None
        if read is None:
            continue
        cookie, fault = read
        if fault is not None:
            faults.append(_Fault(cookie.name, fault))
            continue
        if cookie.has_expired(exchange.now) or not (cookie.value or cookie.name != SESSION_COOKIE):
            jar.delete(cookie)
            own = None if own is not None and own.key == cookie.key else own
            continue
        cookie = _hardly_later(jar.get(cookie.key), cookie, exchange.now)
        if cookie.name != SESSION_COOKIE:
            jar.put(cookie, in_place_of=lambda twin: twin.path is None)
        elif cookie.is_sent_to(home):
            # There is one session, whatever became of the domain of its cookie.
            jar.put(cookie, in_place_of=lambda twin: twin.is_sent_to(home))
            own = cookie
        else:
            jar.put(cookie)
            if not before:
                faults.append(_Fault(cookie.name, f"it is for the path {_shown(cookie.path)}"))
    return list(jar), own, faults


def _hardly_later(old: StoredCookie | None, new: StoredCookie, now: datetime) -> StoredCookie:
    """The *old* cookie where the *new* one says the same, and ends hardly later.

    A server that prolongs a cookie with each reply must not make each reply a write to the disk.
    """
    if old is None or old.expires is None or new.expires is None:
        return new
    later = new.expires - old.expires
    hardly = min(_HARDLY, (new.expires - now) / 10)
    return old if new.ending(old.expires) == old and timedelta(0) <= later < hardly else new


def within_limits(
    own: StoredCookie, kept: list[StoredCookie], faults: list[_Fault], expired: datetime | None
) -> Received:
    """What is kept: the session's own cookie in any case, of the others what there is room for.

    What is not is reported.
    """
    taken, size = [own], own.size
    for cookie in kept:
        if cookie.key == own.key:
            continue
        if len(taken) == MOST_COOKIES:
            faults.append(_Fault(cookie.name, f"a session has at most {MOST_COOKIES}"))
        elif size + cookie.size > LARGEST_TOGETHER:
            why = f"those of a session have at most {LARGEST_TOGETHER} characters together"
            faults.append(_Fault(cookie.name, why))
        else:
            taken.append(cookie)
            size += cookie.size
    for name, reason in faults:
        _log.warning("the cookie %s of a reply was dropped: %s", _shown(name), reason)
    values: dict[str, str] = {}
    attributes: list[Mapping[str, Any]] = []
    for cookie in taken:
        is_twin = cookie.name in values
        values.setdefault(cookie.name, cookie.value)
        if cookie.path is not None:
            attributes.append(_to_member(cookie, is_twin=is_twin))
    del values[SESSION_COOKIE]
    return Received(own.value, values, tuple(attributes), own.expires, expired)


class _Jar:
    """Cookies by name, path and domain, in the order in which they were first set."""

    def __init__(self, cookies: list[StoredCookie]) -> None:
        self._cookies: dict[_Key, StoredCookie] = {}
        self._places: dict[_Key, int] = {}
        self._next = 0
        for cookie in cookies:
            self.put(cookie)

    def __iter__(self) -> Iterator[StoredCookie]:
        return iter(sorted(self._cookies.values(), key=lambda one: self._places[one.key]))

    def get(self, key: _Key) -> StoredCookie | None:
        """The cookie with this key."""
        return self._cookies.get(key)

    def put(
        self, cookie: StoredCookie, *, in_place_of: Callable[[StoredCookie], bool] | None = None
    ) -> None:
        """Set a cookie, in the place of the one with its key and of those twins."""
        place = self._places.get(cookie.key, self._next)
        if in_place_of is not None:
            for twin in [c for c in self if c.name == cookie.name and in_place_of(c)]:
                place = min(place, self._places[twin.key])
                self._remove(twin.key)
        self._cookies[cookie.key] = cookie
        self._places[cookie.key] = place
        self._next += 1

    def delete(self, cookie: StoredCookie) -> None:
        """Delete the cookie with the key of this one."""
        self._remove(cookie.key)
        if cookie.path == "/" and cookie.domain is None:
            # What most servers set and delete; of one without attributes nothing else is known.
            self._remove((cookie.name, None, None))

    def _remove(self, key: _Key) -> None:
        if self._cookies.pop(key, None) is not None:
            del self._places[key]


# The record.


def _to_member(cookie: StoredCookie, *, is_twin: bool) -> dict[str, Any]:
    """A member of `cookie_attributes`. The value of a twin stands nowhere else."""
    member: dict[str, Any] = {"name": cookie.name, "path": cookie.path}
    if is_twin:
        member["value"] = cookie.value
    if cookie.domain is not None:
        member["domain"] = cookie.domain
    if cookie.expires is not None:
        member["expires"] = to_text(cookie.expires)
    if cookie.same_site is not None:
        member["same_site"] = cookie.same_site
    member.update((name, True) for name in ("secure", "http_only") if getattr(cookie, name))
    return member


def _from_member(member: Mapping[str, Any], values: Mapping[str, str]) -> StoredCookie | None:
    """The cookie that a member of `cookie_attributes` speaks of; None where there is none."""
    name, path = member.get("name"), member.get("path")
    if not isinstance(name, str) or name not in values or not isinstance(path, str):
        return None
    value = member.get("value", values[name])
    if not isinstance(value, str) or not is_sendable(value):
        return None
    domain, same_site = member.get("domain"), member.get("same_site")
    return StoredCookie(
        name,
        value,
        path or None,
        domain if isinstance(domain, str) and domain else None,
        from_text(member.get("expires")),
        member.get("secure") is True,
        member.get("http_only") is True,
        same_site if same_site in _SAME_SITE else None,
    )


# The header.


def read_set_cookie(text: str, exchange: Exchange) -> tuple[StoredCookie, str | None] | None:
    """The cookie of a `Set-Cookie` header, and why it cannot be taken (None: it can).

    One that is to be deleted has an end that is past. None for a header without a name.
    RFC 6265bis section 5.6; of an attribute that is given twice the last one counts.
    """
    pair, *parts = text.split(";")
    name, equals, value = (part.strip(_BLANKS) for part in pair.partition("="))
    if not equals or not name:
        return None
    given: dict[str, str] = {}
    for part in parts:
        attribute, _, setting = part.partition("=")
        setting = setting.strip(_BLANKS)
        if len(setting) <= _LONGEST_ATTRIBUTE:
            given[attribute.strip(_BLANKS).lower()] = setting
    domain = given.get("domain", "").removeprefix(".").lower() or None
    path = given.get("path", "")
    same_site = given.get("samesite", "").lower()
    cookie = StoredCookie(
        name,
        value,
        path if path.startswith("/") else _default_path(name, exchange.url),
        domain,
        _end(given, exchange.now),
        "secure" in given,
        "httponly" in given,
        same_site if same_site in _SAME_SITE else None,
    )
    return cookie, _fault(cookie, _host_of(exchange.url))


def _fault(cookie: StoredCookie, host: str) -> str | None:
    """Why a cookie cannot be taken (RFC 6265bis section 5.7)."""
    name, value = cookie.name, cookie.value
    if not is_cookie_value(name):
        return "no request can carry its name"
    if not is_sendable(value):
        return "its value has a control character, or one that is not ASCII"
    if name != SESSION_COOKIE and len(name) + len(value) > LARGEST_COOKIE:
        return f"it has more than {LARGEST_COOKIE} characters"
    if cookie.domain is not None and not _domain_matches(host, cookie.domain):
        return f"it is for the domain {_shown(cookie.domain)}"
    prefix = name.lower()
    if prefix.startswith(("__secure-", "__host-")) and not cookie.secure:
        return "its name asks for the attribute Secure"
    if prefix.startswith("__host-") and (cookie.domain is not None or cookie.path != "/"):
        return "its name asks for Path=/ and no Domain"
    return None


def _domain_matches(host: str, domain: str) -> bool:
    """RFC 6265bis section 5.1.3, and never a whole top-level domain."""
    if host == domain:
        return True
    is_address = ":" in host or host.rpartition(".")[2].isdigit()
    return host.endswith("." + domain) and "." in domain and not is_address


def _end(given: Mapping[str, str], now: datetime) -> datetime | None:
    """When a cookie ends: `Max-Age` before `Expires`; None where neither can be read."""
    age = given.get("max-age", "")
    if re.fullmatch(r"-?[0-9]+", age):
        seconds = min(int(age[:12]), _LONGEST_LIFE.total_seconds())
        return EPOCH if seconds <= 0 else (now + timedelta(seconds=seconds)).replace(microsecond=0)
    date = read_cookie_date(given.get("expires", ""))
    return None if date is None else min(date, (now + _LONGEST_LIFE).replace(microsecond=0))


_DELIMITERS = re.compile(r"[\t\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_DAY = re.compile(r"([0-9]{1,2})(?![0-9])")
_YEAR = re.compile(r"([0-9]{2,4})(?![0-9])")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def read_cookie_date(text: str) -> datetime | None:
    """The aware UTC time of `Expires`; None where it is none (RFC 6265bis section 5.1.1)."""
    time: tuple[int, int, int] | None = None
    day = month = year = None
    for token in _DELIMITERS.split(text):
        if time is None and (match := _TIME.match(token)):
            time = int(match[1]), int(match[2]), int(match[3])
        elif day is None and (match := _DAY.match(token)):
            day = int(match[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (match := _YEAR.match(token)):
            year = int(match[1])
    if time is None or day is None or month is None or year is None:
        return None
    if year < 100:
        year += 1900 if year >= 70 else 2000
    try:
        return datetime(year, month, day, *time, tzinfo=timezone.utc) if year > 1600 else None
    except ValueError:
        return None


def _path_of(url: str) -> str:
    """The path of a URL, `/` at least."""
    _, _, rest = url.partition("://")
    path = rest.partition("#")[0].partition("?")[0]
    return path[path.index("/") :] if "/" in path else "/"


def _default_path(name: str, url: str) -> str:
    """RFC 6265bis section 5.1.4; but a session is rotated as a whole, at whatever path."""
    return "/" if name == SESSION_COOKIE else _path_of(url).rpartition("/")[0] or "/"


def _host_of(url: str) -> str:
    from urllib.parse import urlsplit

    return (urlsplit(url).hostname or "").lower()


def _shown(text: str | None) -> str:
    """Text of a server as a log line or an error can show it."""
    shown = "".join(c if c.isprintable() else " " for c in (text or "")[:_LONGEST_SHOWN])
    return shown.encode("ascii", "replace").decode("ascii")

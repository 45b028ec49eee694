"""Cookies as the jars of HTTP libraries have them: read, written, merged, and kept in a record.

One value for all jars, so that a session that requests has saved goes on with aiohttp. A cookie is
known by name, domain and path (RFC 6265 section 5.3).
"""

from __future__ import annotations

import os
from _thread import RLock
from contextlib import nullcontext
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol, SupportsIndex

from interpal.exceptions import ValidationError
from interpal.session import from_text, to_text
from interpal.sessions.cookies import read_cookie_date

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping
    from contextlib import AbstractContextManager
    from http.cookiejar import Cookie, CookieJar
    from http.cookies import Morsel

    import aiohttp

_FLAGS = ("host_only", "secure", "http_only")
# Attributes of the standard library's `rest` that have members of their own.
_NAMED = {"httponly", "samesite"}

# Of a jar of the standard library: its lock, and the process that this is of.
_LOCK, _PID = "_cookies_lock", "_kept_in_process"

Key = tuple[str, str, str]
"""Name, domain and path of a cookie."""


class JarCookie(NamedTuple):
    """One cookie with its attributes. Its repr shows no value.

    *domain* is without a leading dot, empty where a cookie is for every host; with *host_only* it
    is for that host and none below it. *expires* is aware UTC, None for a session cookie.
    *others* are attributes that have no field, such as `Priority`.
    """

    name: str
    value: str
    domain: str
    path: str = "/"
    expires: datetime | None = None
    host_only: bool = False
    secure: bool = False
    http_only: bool = False
    same_site: str | None = None
    others: tuple[tuple[str, str | None], ...] = ()

    def __repr__(self) -> str:
        return f"<cookie {self.name!a} of {self.domain!a}>"

    def __reduce_ex__(self, _: SupportsIndex) -> NoReturn:
        raise TypeError("a cookie is secret and cannot be pickled")

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return self.name, self.domain, self.path

    def has_expired(self, now: datetime) -> bool:
        """Whether its end, where it has one, has come."""
        return self.expires is not None and self.expires <= now

    def to_member(self) -> dict[str, Any]:
        """The cookie in a record: what is not said is left out."""
        member: dict[str, Any] = {"name": self.name, "value": self.value, "domain": self.domain}
        member["path"] = self.path
        if self.expires is not None:
            member["expires"] = to_text(self.expires)
        member.update((flag, True) for flag in _FLAGS if getattr(self, flag))
        if self.same_site is not None:
            member["same_site"] = self.same_site
        if self.others:
            member["others"] = dict(self.others)
        return member

    @classmethod
    def from_member(cls, member: object) -> JarCookie | None:
        """The cookie of `to_member`; None for what is none."""
        if not isinstance(member, dict):
            return None
        texts = [member.get(name) for name in ("name", "value", "domain", "path")]
        if not all(isinstance(text, str) for text in texts):
            return None
        name, value, domain, path = map(str, texts)
        same_site, others = member.get("same_site"), member.get("others")
        return cls(
            name,
            value,
            domain,
            path,
            from_text(member.get("expires")),
            host_only=member.get("host_only") is True,
            secure=member.get("secure") is True,
            http_only=member.get("http_only") is True,
            same_site=same_site if isinstance(same_site, str) else None,
            others=tuple(sorted(others.items())) if isinstance(others, dict) else (),
        )


Cookies = dict[Key, JarCookie]


def end_of(cookies: Mapping[Key, JarCookie]) -> datetime | None:
    """The latest end of the cookies; None where one of them has no end, or there are none."""
    ends = [cookie.expires for cookie in cookies.values()]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


class Jar(Protocol):
    """The cookies and the headers of a client of some library."""

    def cookies(self, now: datetime) -> Cookies:
        """Those that have not ended."""
        ...

    def put(self, cookie: JarCookie) -> None:
        """Set a cookie in the place of the one with its key."""
        ...

    def drop(self, key: Key) -> None:
        """Take a cookie away."""
        ...

    @property
    def headers(self) -> MutableMapping[str, Any]:
        """What the client sends with every request."""
        ...


class StandardJar:
    """A jar of `http.cookiejar`, as requests and httpx have it."""

    def __init__(
        self, jar: Callable[[], CookieJar], headers: Callable[[], MutableMapping[str, Any]]
    ) -> None:
        # Asked for each time: a program may put another into its place.
        self._jar = jar
        self._headers = headers

    @property
    def headers(self) -> MutableMapping[str, Any]:
        """What the client sends with every request."""
        return self._headers()

    def cookies(self, now: datetime) -> Cookies:
        """Those that have not ended."""
        jar = self._jar()
        with locked(jar):
            found = [_from_standard(item) for item in jar]
        return {cookie.key: cookie for cookie in found if not cookie.has_expired(now)}

    def put(self, cookie: JarCookie) -> None:
        """Set a cookie in the place of the one with its key."""
        jar, item = self._jar(), _to_standard(cookie)
        with locked(jar):
            # First: a request that another thread makes meanwhile is to have one of the two.
            jar.set_cookie(item)
            self._clear(jar, cookie.key, but=item)

    def drop(self, key: Key) -> None:
        """Take a cookie away."""
        jar = self._jar()
        with locked(jar):
            self._clear(jar, key)

    @staticmethod
    def _clear(jar: CookieJar, key: Key, *, but: Cookie | None = None) -> None:
        for item in list(jar):
            if item is not but and _from_standard(item).key == key:
                jar.clear(item.domain, item.path, item.name)


def locked(jar: CookieJar) -> AbstractContextManager[object]:
    """The jar's own lock: its reader fails where another thread sets a cookie meanwhile.

    A forked child has one of its own, as another thread of the parent may have held that.
    """
    known, here = vars(jar), os.getpid()
    if _LOCK in known and known.setdefault(_PID, here) != here:
        known[_LOCK], known[_PID] = RLock(), here
    lock: AbstractContextManager[object] = known.get(_LOCK, nullcontext())
    return lock


def _from_standard(item: Cookie) -> JarCookie:
    rest: dict[str, str | None] = vars(item).get("_rest", {})
    named = {name.lower(): value for name, value in rest.items()}
    # A host without a dot has one of these added by the standard library (RFC 2965 section 1).
    domain = item.domain.removeprefix(".").removesuffix(".local") if item.domain else ""
    return JarCookie(
        item.name,
        item.value or "",
        domain,
        item.path,
        None if item.expires is None else _moment(item.expires),
        bool(domain) and not item.domain_specified,
        item.secure,
        "httponly" in named,
        named.get("samesite"),
        tuple(sorted((name, value) for name, value in rest.items() if name.lower() not in _NAMED)),
    )


def _to_standard(cookie: JarCookie) -> Cookie:
    from http.cookiejar import Cookie

    domain = cookie.domain
    if domain and "." not in domain and ":" not in domain:
        domain += ".local"
    rest: dict[str, Any] = dict(cookie.others)
    if cookie.http_only:
        rest["HttpOnly"] = None
    if cookie.same_site is not None:
        rest["SameSite"] = cookie.same_site
    specified = bool(domain) and not cookie.host_only
    return Cookie(
        version=0,
        name=cookie.name,
        value=cookie.value,
        port=None,
        port_specified=False,
        domain=f".{domain}" if specified else domain,
        domain_specified=specified,
        domain_initial_dot=specified,
        path=cookie.path,
        path_specified=True,
        secure=cookie.secure,
        expires=None if cookie.expires is None else int(cookie.expires.timestamp()),
        discard=cookie.expires is None,
        comment=None,
        comment_url=None,
        rest=rest,
    )


def _moment(seconds: float) -> datetime:
    longest = datetime(9999, 1, 1, tzinfo=timezone.utc).timestamp()
    return datetime.fromtimestamp(max(0.0, min(float(seconds), longest)), timezone.utc)


class AiohttpJar:
    """The jar of an `aiohttp.ClientSession`."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        import aiohttp

        if not isinstance(session.cookie_jar, aiohttp.CookieJar):
            kind = type(session.cookie_jar).__name__
            raise ValidationError(f"client: expected an aiohttp.CookieJar as its jar, not {kind}")
        self._session = session
        # `Max-Age` counts from when a cookie was set: its end is noted when it is first seen.
        self._ends: dict[Key, tuple[tuple[str, str, str], datetime | None]] = {}

    @property
    def headers(self) -> MutableMapping[str, Any]:
        """What the client sends with every request."""
        return self._session.headers

    def cookies(self, now: datetime) -> Cookies:
        """Those that have not ended."""
        jar: Any = self._session.cookie_jar
        # aiohttp 3.13 has no public names for them, and no path for a cookie of the host alone.
        cookies = getattr(jar, "cookies", None) or vars(jar)["_cookies"]
        alone = getattr(jar, "host_only_cookies", None) or vars(jar)["_host_only_cookies"]
        found: Cookies = {}
        ends = {}
        for (domain, path), morsels in list(cookies.items()):
            for name, morsel in morsels.items():
                # The path of the two is without its last slash.
                key = name, domain, morsel["path"] or path or "/"
                said = (morsel.value, str(morsel["max-age"]), str(morsel["expires"]))
                known = self._ends.get(key)
                end = known[1] if known is not None and known[0] == said else _end(said, now)
                ends[key] = said, end
                host_only = not {(domain, path, name), (domain, name)}.isdisjoint(alone)
                found[key] = _from_morsel(morsel, key, end, host_only=host_only)
        self._ends = ends
        return {key: cookie for key, cookie in found.items() if not cookie.has_expired(now)}

    def put(self, cookie: JarCookie) -> None:
        """Set a cookie in the place of the one with its key, if aiohttp can send it."""
        from http.cookies import CookieError, Morsel, SimpleCookie

        from yarl import URL

        morsel: Morsel[str] = Morsel()
        value, coded = SimpleCookie().value_decode(cookie.value)
        state: dict[str, Any] = {"key": cookie.name, "value": value, "coded_value": coded}
        try:
            # As aiohttp does it, since `set` refuses names that sites use.
            morsel.__setstate__(state)  # type: ignore[attr-defined]
        except CookieError:
            return
        morsel["path"] = cookie.path
        if not cookie.host_only:
            morsel["domain"] = cookie.domain
        if cookie.expires is not None:
            morsel["expires"] = f"{cookie.expires:%a, %d %b %Y %H:%M:%S} GMT"
        morsel["secure"] = cookie.secure
        morsel["httponly"] = cookie.http_only
        if cookie.same_site is not None:
            morsel["samesite"] = cookie.same_site
        url = URL.build(scheme="https", host=cookie.domain, path="/") if cookie.domain else URL()
        self._session.cookie_jar.update_cookies([(cookie.name, morsel)], url)

    def drop(self, key: Key) -> None:
        """Take a cookie away."""
        name, domain, path = key
        self._session.cookie_jar.clear(
            lambda morsel: (
                (morsel.key, morsel["domain"], morsel["path"] or "/") == (name, domain, path)
            )
        )


def _from_morsel(
    morsel: Morsel[str], key: Key, end: datetime | None, *, host_only: bool
) -> JarCookie:
    return JarCookie(
        key[0],
        # In quotes as it was received, so that others send it so.
        morsel.coded_value if morsel.coded_value.startswith('"') else morsel.value,
        key[1],
        key[2],
        end,
        host_only and bool(key[1]),
        bool(morsel["secure"]),
        bool(morsel["httponly"]),
        morsel["samesite"] or None,
    )


def _end(said: tuple[str, str, str], now: datetime) -> datetime | None:
    """When a cookie ends that is seen now: `Max-Age` before `Expires`."""
    _, age, date = said
    if age.removeprefix("-").isdigit():
        longest = datetime(9999, 1, 1, tzinfo=timezone.utc) - now
        return (now + min(timedelta(seconds=int(age[:12])), longest)).replace(microsecond=0)
    return read_cookie_date(date)

"""A session out of what a browser and its extensions write: cookies.txt, JSON, HAR.

Pure: text or parsed JSON in, the cookies of one site out. Read are

- cookies.txt of Netscape, as curl, wget, yt-dlp and the extensions named after it write it
  (https://curl.se/docs/http-cookies.html), `#HttpOnly_` lines too;
- the JSON lists of EditThisCookie, Cookie-Editor, Cookie Quick Manager, Selenium and Puppeteer,
  bare or as the member `cookies`, as Playwright's `storage_state` and J2TEAM have them;
- HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec/), whose requests and replies are gone
  through in order, and whose `X-Auth-Token` is the session's token;
- an object of names and values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, SupportsIndex
from urllib.parse import urlsplit

from interpal.session import Session, from_text
from interpal.transport.origin import DEFAULT_BASE_URL
from interpal.transport.protocol import SESSION_COOKIE, TOKEN_HEADER, token_expiry
from interpal.transport.sendable import is_cookie_value, is_sendable, is_token

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import timedelta

LARGEST_FILE = 256 * 1024 * 1024
"""Bytes of a file with cookies; a HAR with the bodies of a long visit has some hundred MiB."""

_HTTP_ONLY = "#HttpOnly_"
_FIELDS = 7
_FLAGS = ("TRUE", "FALSE")
# The domain below which the site has its hosts: a cookie of one is the session of all.
_SITE = str(urlsplit(DEFAULT_BASE_URL).hostname).partition(".")[2]


class BrowserCookie(NamedTuple):
    """One cookie. *domain* None: the file does not say whose it is. *expires* is aware UTC."""

    name: str
    value: str
    domain: str | None = None
    expires: datetime | None = None

    def __repr__(self) -> str:
        return "<a cookie of a browser>"


class BrowserSession(NamedTuple):
    """The session that was found: its cookie, its token, the other cookies. Its repr shows none.

    *expires* is when the cookie ends (aware UTC, None where it ends with the browser). *fault*
    says what is missing where there is no session in it, and then *cookie* is empty.
    """

    cookie: str = ""
    token: str | None = None
    others: Mapping[str, str] = {}
    expires: datetime | None = None
    fault: str = ""

    def __repr__(self) -> str:
        return f"<BrowserSession: {self.fault or 'a session'}>"

    def __reduce_ex__(self, _: SupportsIndex) -> NoReturn:
        raise TypeError("a session is secret and cannot be pickled")

    def to_session(self, site: str, now: datetime, lifetime: timedelta, **account: Any) -> Session:
        """It as a `Session` of *site* (an origin), with the *account*'s `username` and `user_id`.

        It is over with its cookie or token, or where neither says so after *lifetime*.
        """
        session = Session(
            session_cookie=self.cookie,
            auth_token=self.token,
            cookies=self.others,
            origin=site,
            created_at=now,
            expires_at=self.expires or now + lifetime,
            **account,
        )
        return session.no_longer_than(token_expiry(self.token))


def session_in(content: object, origin: str, now: datetime) -> BrowserSession | None:
    """The session for *origin* in the text of a file, or in the JSON that was parsed of it.

    None where it is in none of the forms. Never raises: a traceback would hold the cookies.
    """
    found = _read(content)
    if found is None:
        return None
    host = urlsplit(origin).hostname or ""
    cookies, token = found
    ranked = [(_rank(cookie.domain, host), cookie) for cookie in cookies]
    of_site = [(rank, cookie) for rank, cookie in ranked if rank is not None]
    own = [pair for pair in of_site if pair[1].name == SESSION_COOKIE and pair[1].value]
    if not own:
        return BrowserSession(fault=_missing(len(cookies), len(of_site), host))
    # Of the closest domain, the last one: later lines are newer.
    best = min(rank for rank, _ in own)
    chosen = [cookie for rank, cookie in own if rank == best][-1]
    if not is_sendable(chosen.value):
        return BrowserSession(fault=f"the cookie {SESSION_COOKIE} in it cannot be sent")
    if chosen.expires is not None and chosen.expires <= now:
        return BrowserSession(
            fault=f"the cookie {SESSION_COOKIE} in it ended on {chosen.expires:%Y-%m-%d}: log in "
            "at the site, and export the cookies anew"
        )
    others = {
        cookie.name: cookie.value
        for rank, cookie in of_site
        if rank == 0
        and cookie.name != SESSION_COOKIE
        and cookie.name
        and is_cookie_value(cookie.name)
        and is_sendable(cookie.value)
        and not (cookie.expires is not None and cookie.expires <= now)
    }
    return BrowserSession(chosen.value, token(host), others, chosen.expires)


def _missing(all_cookies: int, of_site: int, host: str) -> str:
    if not all_cookies:
        return (
            "it has no cookies at all; browsers leave them out of a HAR unless you export it "
            "with sensitive data"
        )
    return (
        f"none of its {all_cookies} cookies is {SESSION_COOKIE} of {_site_of(host)} ({of_site} are "
        "of that site): log in there first, then export"
    )


class _Tokens:
    """The tokens that were sent, by host; the last one counts."""

    def __init__(self) -> None:
        self._by_host: list[tuple[str | None, str]] = []

    def add(self, host: str | None, token: str) -> None:
        if is_token(token):
            self._by_host.append((host, token))

    def __call__(self, host: str) -> str | None:
        found = [token for of, token in self._by_host if _rank(of, host) is not None]
        return found[-1] if found else None


def _read(content: object) -> tuple[list[BrowserCookie], _Tokens] | None:
    """The cookies in one of the forms; None where it is in none."""
    if isinstance(content, str):
        text = content.lstrip("\ufeff").lstrip()
        if not text.startswith(("{", "[")):
            lines = _netscape(text)
            return None if lines is None else (lines, _Tokens())
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            return None
    tokens = _Tokens()
    if isinstance(content, Mapping):
        log = content.get("log")
        if isinstance(log, Mapping) and isinstance(log.get("entries"), list):
            return _har(log["entries"], tokens), tokens
        if isinstance(content.get("cookies"), list):
            return _objects(content["cookies"]), tokens
        if SESSION_COOKIE in content and all(isinstance(v, str) for v in content.values()):
            return [BrowserCookie(str(n), v) for n, v in content.items()], tokens
        return None
    if isinstance(content, list) and all(isinstance(item, Mapping) for item in content):
        return _objects(content), tokens
    return None


def _netscape(text: str) -> list[BrowserCookie] | None:
    cookies = []
    for whole in text.splitlines():
        line = whole.removeprefix(_HTTP_ONLY)
        if not line.strip() or (line.startswith("#") and line == whole):
            continue
        fields = line.split("\t")
        # A cookie without a value has its last field empty, which some editors take away.
        if len(fields) == _FIELDS - 1:
            fields.append("")
        if len(fields) != _FIELDS or fields[1] not in _FLAGS or fields[3] not in _FLAGS:
            return None
        domain, _, _, _, ends, name, value = fields
        cookies.append(BrowserCookie(name, value, domain, _moment(ends)))
    return cookies or None


def _objects(items: Iterable[Any]) -> list[BrowserCookie]:
    cookies = []
    for item in items:
        if not isinstance(item, Mapping):
            continue
        name = _first(item, "name", "Name raw")
        value = _first(item, "value", "Content raw")
        domain = _first(item, "domain", "Host raw", "host")
        if isinstance(domain, str) and "://" in domain:
            # Cookie Quick Manager: the URL of a host, or of a domain with a dot before it.
            domain = domain.partition("://")[2].partition("/")[0]
        if isinstance(name, str) and isinstance(value, str):
            ends = _moment(_first(item, "expirationDate", "expires", "expiry", "Expires raw"))
            whose = domain if isinstance(domain, str) and domain else None
            cookies.append(BrowserCookie(name, value, whose, ends))
    return cookies


def _har(entries: Iterable[Any], tokens: _Tokens) -> list[BrowserCookie]:
    jar: dict[tuple[str, str], BrowserCookie] = {}
    for entry in entries:
        request, reply = _part(entry, "request"), _part(entry, "response")
        url = request.get("url")
        try:
            host = urlsplit(url).hostname if isinstance(url, str) else None
        except ValueError:
            host = None
        if host is None:
            continue
        for cookie in _sent(request):
            jar[(host, cookie.name)] = cookie._replace(domain=host)
        for name, value in _headers(request):
            if name.lower() == TOKEN_HEADER.lower():
                tokens.add(host, value)
        for cookie in _objects(_items(reply, "cookies")):
            # What is sent back says which of them the browser has taken.
            key = (host, cookie.name)
            jar.pop(key, None)
            jar[key] = cookie if cookie.domain else cookie._replace(domain=host)
    return list(jar.values())


def _sent(request: Mapping[str, Any]) -> Iterator[BrowserCookie]:
    cookies = [cookie for cookie in _objects(_items(request, "cookies")) if cookie.value]
    if cookies:
        # Their ends are not sent with them, whatever a tool writes there.
        yield from (BrowserCookie(cookie.name, cookie.value) for cookie in cookies)
        return
    for name, text in _headers(request):
        if name.lower() == "cookie":
            for pair in text.split(";"):
                name_of, _, value = pair.partition("=")
                yield BrowserCookie(name_of.strip(), value.strip())


def _headers(message: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for item in _items(message, "headers"):
        if isinstance(item, Mapping):
            name, value = item.get("name"), item.get("value")
            if isinstance(name, str) and isinstance(value, str):
                yield name, value


def _part(value: object, name: str) -> Mapping[str, Any]:
    part = value.get(name) if isinstance(value, Mapping) else None
    return part if isinstance(part, Mapping) else {}


def _items(value: Mapping[str, Any], name: str) -> list[Any]:
    items = value.get(name)
    return items if isinstance(items, list) else []


def _first(item: Mapping[str, Any], *names: str) -> object:
    return next((item[name] for name in names if item.get(name) is not None), None)


def _moment(value: object) -> datetime | None:
    """The end of a cookie, from seconds since 1970 or a date; None where it names none."""
    if isinstance(value, str):
        text = value.strip()
        try:
            value = float(text)
        except ValueError:
            return from_text(text)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not math.isfinite(value) or value <= 0:
        return None
    # Some extensions write milliseconds, which are past this since 1973.
    seconds = value / 1000 if value > 1e11 else value
    try:
        return datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


def _site_of(host: str) -> str:
    return _SITE if host == _SITE or host.endswith(f".{_SITE}") else host


def _rank(domain: str | None, host: str) -> int | None:
    """How close a domain is: 0 where its cookies are sent to *host*, 1 for others of the site.

    None for another site.
    """
    if domain is None:
        return 0
    bare = domain.lstrip(".").lower()
    if host == bare or (host.endswith(f".{bare}") and "." in bare):
        return 0
    site = _site_of(host)
    return 1 if bare == site or bare.endswith(f".{site}") else None

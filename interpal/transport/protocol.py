"""The Interpals HTTP protocol as pure functions and values: no network, no clock, no state.

What is known of the protocol, and how surely, is in docs/endpoints.md.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex, TypeGuard

from interpal._hidden import Opaque
from interpal.exceptions import (
    APIError,
    AuthenticationError,
    InvalidCredentialsError,
    LoginAPIError,
    LoginRateLimitError,
    NotFoundError,
    PermissionError,  # noqa: A004  (the name of interpal 1.x)
    RateLimitError,
)
from interpal.transport.bodies import encode_form
from interpal.transport.messages import Request, Response, TooManyValuesError
from interpal.transport.sendable import is_cookie_value, is_sendable, is_token

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SESSION_COOKIE = "interpals_sessid"
TOKEN_HEADER = "X-Auth-Token"  # noqa: S105  (the name of a header)
LOGIN_PATH = "/v1/token"
SELF_PATH = "/v1/account/self"

LONGEST_SERVER_TEXT = 200
LONGEST_WAIT = 86400.0
LONGEST_ERROR = 65536
_HEADERS_WITH_SECRETS = frozenset({"set-cookie", TOKEN_HEADER.lower(), "authorization"})
_ID_NAMES = ("bot_id", "botId", "id", "uid", "user_id", "userId", "account_id", "accountId")
_ID_HOLDERS = ("bot", "user", "account", "profile", "data")
_TOKEN_NAMES = ("auth_token", "token")
_LONGEST_NAME = 200


class Login(Opaque):
    """What a successful login gives beside its cookies. Its repr shows no token."""

    __slots__ = ("auth_token", "user_id")

    auth_token: str | None
    user_id: str | None

    def __init__(self, auth_token: str | None, user_id: str | None) -> None:
        self._fill(auth_token, user_id)

    def __repr__(self) -> str:
        return f"<Login of user {self.user_id}>"


# Requests.


def login_request(base_url: str, username: str, password: str, user_agent: str) -> Request:
    """`POST /v1/token` with username and password as a form."""
    return Request(
        "POST",
        base_url + LOGIN_PATH,
        {
            "User-Agent": user_agent,
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        },
        encode_form({"username": username, "password": password}),
    )


def session_headers(cookies: str, auth_token: str | None) -> dict[str, str]:
    """The headers that carry a session: cookies and token; the official app sends both."""
    headers = {"Cookie": cookies}
    if auth_token:
        headers[TOKEN_HEADER] = auth_token
    return headers


# Replies.


def read_login(response: Response, now: datetime, secrets: Secrets | None = None) -> Login:
    """What the reply to a login gives; its cookies are for `interpal.sessions.cookies`.

    Raises `InvalidCredentialsError` (401), `LoginRateLimitError` (429), `LoginAPIError` (the
    server is in trouble, or redirects) and `AuthenticationError` (any other refusal), each with
    the server's own words.
    """
    status = response.status
    if 200 <= status < 300:
        body = response.json_object() or {}
        return Login(token_of(body), user_id_of(body))
    said = _without_tokens(error_text(response, Secrets(()) if secrets is None else secrets))
    said = f": {said}" if said else ""
    if status == 401:
        raise InvalidCredentialsError(
            f"the server refused this username and password; check both{said}", status_code=status
        )
    if status == 429:
        wait = retry_after(response, now)
        # An absurd one, as of a wrong date in front of the site, holds nobody back for good.
        wait = None if wait is None else min(wait, LONGEST_WAIT)
        raise LoginRateLimitError(
            "the server refused the login: too many attempts"
            + ("; wait a minute or more" if wait is None else f"; wait {wait:.0f} seconds")
            + said,
            retry_after=wait,
        )
    text = f"login failed: the server answered {status}{said}"
    if status >= 500 or 300 <= status < 400:
        raise LoginAPIError(text, status_code=status)
    raise AuthenticationError(text, status_code=status)


def _without_tokens(text: str) -> str:
    """Text of a server without what looks like a session or a token that is not known here."""
    import re

    def shown(word: re.Match[str]) -> str:
        letters, digits = sum(map(str.isalpha, word[0])), sum(map(str.isdigit, word[0]))
        return "<hidden>" if letters > 2 and digits else word[0]

    return re.sub(r"[A-Za-z0-9_+/=.%-]{12,}", shown, text)


def token_of(body: Mapping[str, Any]) -> str | None:
    """The auth token in a JSON reply: `auth_token`, else `token`, at top level."""
    return next(filter(None, (_usable(body.get(name)) for name in _TOKEN_NAMES)), None)


def new_token(response: Response) -> str | None:
    """A token that a reply gives in place of the one in use: its header, or `auth_token`.

    No other name in a body counts: an upload's `token`, say, is another thing.
    """
    token = response.header(TOKEN_HEADER.lower())
    if token is None and b'"auth_token"' in response.body:
        return _usable((response.json_object() or {}).get("auth_token"))
    return _usable(token)


def _usable(token: object) -> str | None:
    return token if is_token(token) else None


def user_id_of(body: Mapping[str, Any]) -> str | None:
    """The user's id in a JSON reply, under the names that clients of the site look for."""
    holders = [body, *(body[name] for name in _ID_HOLDERS if isinstance(body.get(name), dict))]
    for holder in holders:
        for name in _ID_NAMES:
            value = holder.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                value = str(value)
            if is_name(value):
                return value
    return None


def is_name(value: object) -> TypeGuard[str]:
    """Whether *value* may be a name or an id of the site: short text that can be printed."""
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable()


def cookie_in(text: object, *, exported: bool = False) -> tuple[str, dict[str, str]] | None:
    """The session cookie and the others, from a bare value or a whole `Cookie` header.

    A bare value is one by RFC 6265; of an *exported* session it is whatever a server may have
    set. None where there is no session cookie in it that could be sent.
    """
    if not isinstance(text, str):
        return None
    text = text.strip()
    if text[:7].lower() == "cookie:":
        text = text[7:].strip()
    is_good = is_sendable if exported else is_cookie_value
    bare: tuple[str, dict[str, str]] | None = (text, {}) if text and is_good(text) else None
    if "=" not in text.rstrip("="):  # which a value in base64 ends with
        return bare
    cookies: dict[str, str] = {}
    for pair in text.split(";"):
        name, _, value = (part.strip() for part in pair.partition("="))
        if name and is_cookie_value(name) and is_sendable(value):
            cookies[name] = value
    own = cookies.pop(SESSION_COOKIE, "")
    if not own:
        return bare if exported else None
    return own, cookies


def retry_after(response: Response, now: datetime) -> float | None:
    """Seconds to wait by `Retry-After` (RFC 9110 section 10.2.3); None where it says nothing.

    Seconds, a fraction of them, or an HTTP date; rubbish counts as absent.
    """
    text = (response.header("retry-after") or "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        from email.utils import parsedate_to_datetime

        try:
            date = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        if date.tzinfo is None:
            date = date.replace(tzinfo=timezone.utc)
        return max(0.0, (date - now).total_seconds())
    return seconds if 0 <= seconds < float("inf") else None


def token_expiry(token: str | None) -> datetime | None:
    """The `exp` of a token that is a readable JWT (RFC 7519 section 4.1.4), else None.

    The signature is the server's business; a token that lies about its end harms nobody but
    its owner.
    """
    import binascii

    parts = (token or "").split(".")
    if len(parts) != 3:
        return None
    claims = parts[1].replace("-", "+").replace("_", "/")
    try:
        parsed = json.loads(binascii.a2b_base64(claims + "=" * (-len(claims) % 4)))
        exp = parsed["exp"]
        if isinstance(exp, bool) or not isinstance(exp, (int, float)):
            return None
        return datetime.fromtimestamp(exp, timezone.utc)
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        return None


def fresh_token_expiry(token: str | None, now: datetime) -> datetime | None:
    """The `exp` of a token that the server gives out now.

    None as well where that is past: then the clock here is wrong, and tells nothing of it.
    """
    end = token_expiry(token)
    return None if end is None or end <= now else end


PERHAPS_ENDED = ". If it is the session that was refused, login(force=True) replaces it"
"""Of replies that end no session, as only 401 does, and that some site may give an ended one."""


class Secrets:
    """What no text of a server may carry into a message. Its repr shows nothing of it."""

    __slots__ = ("_texts",)

    def __init__(self, texts: Iterable[str]) -> None:
        from urllib.parse import quote, quote_plus

        # A server that echoes a request echoes it in the form that it came in, or inside of JSON.
        forms = {
            form
            for text in texts
            if text
            for form in (text, quote(text), quote_plus(text), json.dumps(text)[1:-1])
        }
        self._texts = sorted(forms, key=len, reverse=True)

    def __repr__(self) -> str:
        return f"<{len(self._texts)} secrets>"

    def __reduce_ex__(self, _: SupportsIndex) -> NoReturn:
        raise TypeError("secrets cannot be pickled")

    def hide(self, text: str) -> str:
        """Text without these."""
        for secret in self._texts:
            text = text.replace(secret, "<secret>")
        return text

    def scrub(self, text: str) -> str:
        """Text of a server without these, without control characters, at most 200 characters."""
        text = "".join(
            character if character.isprintable() else " " for character in self.hide(text)
        )
        return text[:LONGEST_SERVER_TEXT]


def read_reply(response: Response, request: Request, now: datetime, secrets: Secrets) -> Any:
    """The parsed JSON of a reply, None for an empty one.

    Raises `RateLimitError` for 429 and `APIError` for any other status than 2xx, and for a
    reply that is no JSON. A 401 is not interpreted here: what it means depends on the session.
    """
    status = response.status
    what = f"{request.method} {request.url.partition('?')[0]}"
    if 200 <= status < 300:
        try:
            return response.json()
        except TooManyValuesError:
            kind = None
        except (ValueError, RecursionError):
            kind = response.header("content-type") or "unknown type"
        if kind is None:
            raise APIError(f"{what}: the reply holds too many values", status_code=status)
        kind = secrets.scrub(kind)
        raise APIError(f"{what}: the reply is not JSON ({kind}){PERHAPS_ENDED}", status_code=status)
    text = error_text(response, secrets)
    message = f"{what}: the server answered {status}" + (f": {text}" if text else "")
    if status == 403 or 300 <= status < 400:
        message += PERHAPS_ENDED
    kept = Refusal(response, secrets)
    if status == 429:
        raise RateLimitError(message, retry_after=retry_after(response, now), response=kept)
    error = {403: PermissionError, 404: NotFoundError}.get(status, APIError)
    raise error(message, status_code=status, response=kept)


def _values_of_cookies(response: Response) -> list[str]:
    set_cookies = (text for name, text in response.headers if name == "set-cookie")
    return [text.partition(";")[0].partition("=")[2].strip(' "') for text in set_cookies]


class Refusal:
    """A reply that is an error, as `APIError.response`: what may be shown of it.

    It has what a response of requests has: `status_code, headers` (names in lower case), `text`
    and `content` (the first 64 KiB), `json()`. Cookies and tokens are not in it.
    """

    __slots__ = ("headers", "status_code", "text")

    def __init__(self, response: Response, secrets: Secrets) -> None:
        self.status_code = response.status
        kept = (pair for pair in response.headers if pair[0] not in _HEADERS_WITH_SECRETS)
        self.headers = {name: secrets.hide(value) for name, value in kept}
        text = secrets.hide(response.body[:LONGEST_ERROR].decode("utf-8", "replace"))
        tokens = [response.header(TOKEN_HEADER.lower()), token_of(response.json_object() or {})]
        given = [*filter(None, tokens), *_values_of_cookies(response)]
        self.text = Secrets(given).hide(text)

    def __repr__(self) -> str:
        return f"<Refusal: {self.status_code}>"

    @property
    def content(self) -> bytes:
        """The text in UTF-8."""
        return self.text.encode("utf-8")

    def json(self) -> Any:
        """The parsed text. Raises ValueError where it is no JSON."""
        return json.loads(self.text)


def error_text(response: Response, secrets: Secrets) -> str:
    """What the server says went wrong: `error`, else `message`; at most 200 characters."""
    body = response.json_object() or {}
    said = body.get("error") or body.get("message") or ""
    return secrets.scrub(said if isinstance(said, str) else json.dumps(said))

"""The Interpals HTTP protocol as pure functions and values: no network, no clock, no state.

What is known of the protocol, and how surely, is told in docs/endpoints.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

from interpal.exceptions import (
    APIError,
    AuthenticationError,
    InvalidCredentialsError,
    RateLimitError,
    ValidationError,
)

DEFAULT_BASE_URL = "https://api.interpals.net"
SESSION_COOKIE = "interpals_sessid"
TOKEN_HEADER = "X-Auth-Token"  # noqa: S105  (the name of a header)
LOGIN_PATH = "/v1/token"
SELF_PATH = "/v1/account/self"

IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
LONGEST_SERVER_TEXT = 200
LARGEST_REPLY = 16 * 2**20

_ID_NAMES = ("bot_id", "botId", "id", "uid", "user_id", "userId", "account_id", "accountId")
_ID_HOLDERS = ("bot", "user", "account", "profile", "data")
_TOKEN_NAMES = ("auth_token", "token")


class Request(NamedTuple):
    """One HTTP request, ready to be sent. Its repr shows neither headers nor body.

    *body* is bytes, None, or an iterable of bytes, which can be sent once only.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | Iterable[bytes] | None = None

    def __repr__(self) -> str:
        return f"<Request: {self.method} {self.url.partition('?')[0]}>"

    @property
    def repeatable(self) -> bool:
        """Whether the body can be sent a second time."""
        return self.body is None or isinstance(self.body, bytes)

    @property
    def idempotent(self) -> bool:
        """Whether sending it twice has the effect of once (RFC 9110 section 9.2.2)."""
        return self.method in IDEMPOTENT_METHODS


class Response(NamedTuple):
    """One HTTP response, whole. Header names are lower case, in the order received."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __repr__(self) -> str:
        return f"<Response: {self.status}, {len(self.body)} bytes>"

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:
        """The parsed body, None for an empty one. Raises ValueError where it is no JSON."""
        return json.loads(self.body) if self.body.strip() else None

    def json_object(self) -> dict[str, Any] | None:
        """The body where it is a JSON object, else None."""
        try:
            parsed = self.json()
        except (ValueError, RecursionError):
            return None
        return parsed if isinstance(parsed, dict) else None


class Pause(NamedTuple):
    """A flow has to wait this many seconds."""

    seconds: float


class Login(NamedTuple):
    """What a successful login gives. Its repr shows nothing of it."""

    session_cookie: str
    auth_token: str | None
    user_id: str | None
    cookies: Mapping[str, str]

    def __repr__(self) -> str:
        return f"<Login of user {self.user_id}>"


# Addresses.


def check_base_url(url: str) -> str:
    """*url* without a slash at its end. Raises `ValidationError`.

    Plain http would show password and session to the network, so it is for loopback alone.
    """
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except (ValueError, AttributeError, TypeError):
        raise ValidationError("base_url: this is no URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValidationError("base_url: expected https://host, or http:// for a loopback host")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValidationError("base_url: no credentials, query or fragment may be in it")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValidationError(
            f"base_url: plain http to {host} would show the session to the network; use https"
        )
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether *host* names this machine: `localhost`, 127.0.0.0/8 or ::1."""
    if host in ("localhost", "::1"):
        return True
    parts = host.split(".")
    return (
        len(parts) == 4
        and parts[0] == "127"
        and all(part.isascii() and part.isdigit() and int(part) < 256 for part in parts)
    )


def origin_of(base_url: str) -> str:
    """Scheme, host and port of a URL, as a session is bound to it (RFC 6454)."""
    from urllib.parse import urlsplit

    parts = urlsplit(base_url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    default = 443 if parts.scheme == "https" else 80
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def url_of(base_url: str, path: str, params: Mapping[str, Any] | None = None) -> str:
    """The URL of *path* below *base_url*. A path cannot name another host."""
    if "://" in path.partition("?")[0]:
        raise ValidationError("path: expected a path such as /v1/account/self, not a URL")
    if any(character <= " " or character == "\x7f" for character in path):
        raise ValidationError("path: blanks and control characters must be percent-encoded")
    url = base_url + ("" if path.startswith("/") else "/") + path
    if params:
        url += ("&" if "?" in path else "?") + encode_form(params).decode("ascii")
    return url


# Requests.


def encode_form(fields: Mapping[str, Any]) -> bytes:
    """`application/x-www-form-urlencoded`; None is left out, a list repeats its name."""
    from urllib.parse import urlencode

    present = {name: value for name, value in fields.items() if value is not None}
    return urlencode(present, doseq=True).encode("ascii")


def encode_body(
    data: Any = None, json_value: Any = None, files: Mapping[str, Any] | None = None
) -> tuple[bytes | Iterable[bytes] | None, str | None]:
    """The body of a request and its content type.

    *data* is a mapping (a form), bytes, text, or an iterable of bytes or open file, which is
    streamed and can be sent once only. Raises `ValidationError`.
    """
    if json_value is not None and (data is not None or files is not None):
        raise ValidationError("json: cannot be sent together with data or files")
    if json_value is not None:
        try:
            return json.dumps(json_value, allow_nan=False).encode("utf-8"), "application/json"
        except (TypeError, ValueError) as error:
            raise ValidationError(f"json: {error}") from None
    if files is not None:
        return _multipart(data, files)
    if data is None:
        return None, None
    if isinstance(data, Mapping):
        return encode_form(data), "application/x-www-form-urlencoded"
    if isinstance(data, str):
        return data.encode("utf-8"), "text/plain; charset=utf-8"
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data), "application/octet-stream"
    if isinstance(data, Iterable):
        return data, "application/octet-stream"
    raise ValidationError("data: expected a mapping, bytes, text, or an iterable of bytes")


def _multipart(data: Any, files: Mapping[str, Any]) -> tuple[bytes, str]:
    """`multipart/form-data` (RFC 7578). Files are read whole, so that it can be sent again."""
    from urllib3.filepost import encode_multipart_formdata

    if data is not None and not isinstance(data, Mapping):
        raise ValidationError("data: beside files it must be a mapping")
    fields: list[tuple[str, Any]] = [
        (name, str(value)) for name, value in (data or {}).items() if value is not None
    ]
    for name, file in files.items():
        parts = file if isinstance(file, tuple) else (_file_name(file, name), file)
        if len(parts) not in (2, 3):
            raise ValidationError(f"files: {name}: expected content, or (name, content[, type])")
        content = parts[1].read() if hasattr(parts[1], "read") else parts[1]
        fields.append((name, (parts[0], content, *parts[2:])))
    body, content_type = encode_multipart_formdata(fields)
    return bytes(body), content_type


def _file_name(file: object, default: str) -> str:
    name = getattr(file, "name", None)
    return name.rpartition("/")[2] if isinstance(name, str) else default


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


def session_headers(
    session_cookie: str, auth_token: str | None, cookies: Mapping[str, str]
) -> dict[str, str]:
    """The headers that carry a session: its cookie and its token, as the official app sends both."""
    pairs = [f"{name}={value}" for name, value in cookies.items() if name != SESSION_COOKIE]
    headers = {"Cookie": "; ".join([f"{SESSION_COOKIE}={session_cookie}", *pairs])}
    if auth_token:
        headers[TOKEN_HEADER] = auth_token
    return headers


# Replies.


def read_login(response: Response, now: datetime) -> Login:
    """The session in the reply to a login.

    Raises `InvalidCredentialsError` (401), `RateLimitError` (429), `APIError` (the server is
    in trouble) and `AuthenticationError` (any other refusal, or no session in the reply).
    """
    status = response.status
    if status == 401:
        raise InvalidCredentialsError(
            "the server refused this username and password; check both", status_code=status
        )
    if status == 429:
        wait = retry_after(response, now)
        raise RateLimitError(
            "the server refused the login: too many attempts"
            + ("; wait a minute or more" if wait is None else f"; wait {wait:.0f} seconds"),
            retry_after=wait,
        )
    if status >= 500 or 300 <= status < 400:
        raise APIError(f"login failed: the server answered {status}", status_code=status)
    if not 200 <= status < 300:
        raise AuthenticationError(
            f"login failed: the server answered {status}", status_code=status
        )
    cookies = cookies_of(response)
    cookie = cookies.pop(SESSION_COOKIE, None)
    if not cookie:
        raise AuthenticationError(
            f"login failed: the reply has no {SESSION_COOKIE} cookie", status_code=status
        )
    body = response.json_object() or {}
    kept = {name: value for name, value in cookies.items() if value}
    return Login(cookie, token_of(body), user_id_of(body), kept)


def token_of(body: Mapping[str, Any]) -> str | None:
    """The auth token in a JSON reply: `auth_token`, else `token`, at top level."""
    return next(
        (body[name] for name in _TOKEN_NAMES if isinstance(body.get(name), str) and body[name]),
        None,
    )


def new_token(response: Response) -> str | None:
    """A token that a reply gives in place of the one in use: its header, or `auth_token`.

    No other name in a body counts: an upload's `token`, say, is another thing.
    """
    token = response.header(TOKEN_HEADER.lower())
    if token is None and b'"auth_token"' in response.body:
        token = (response.json_object() or {}).get("auth_token")
    return token if isinstance(token, str) and token else None


def user_id_of(body: Mapping[str, Any]) -> str | None:
    """The user's id in a JSON reply, under the names that clients of the site look for."""
    holders = [body, *(body[name] for name in _ID_HOLDERS if isinstance(body.get(name), dict))]
    for holder in holders:
        for name in _ID_NAMES:
            value = holder.get(name)
            if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
                return str(value)
    return None


def cookies_of(response: Response) -> dict[str, str]:
    """The cookies that a reply sets (RFC 6265); one that it deletes has an empty value."""
    cookies: dict[str, str] = {}
    for key, text in response.headers:
        if key != "set-cookie":
            continue
        pair, *attributes = text.split(";")
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            continue
        gone = any(
            attribute.strip().lower().replace(" ", "") in ("max-age=0", "max-age=-1")
            for attribute in attributes
        )
        cookies[name.strip()] = "" if gone else value.strip().strip('"')
    return cookies


def cookie_in(text: str) -> tuple[str, dict[str, str]]:
    """The session cookie and the others, from a bare value or a whole `Cookie` header.

    Raises `ValidationError` where there is no session cookie in it.
    """
    text = text.strip()
    if text[:7].lower() == "cookie:":
        text = text[7:].strip()
    others: dict[str, str] = {}
    if "=" in text:
        for pair in text.split(";"):
            name, _, value = pair.partition("=")
            if name.strip():
                others[name.strip()] = value.strip()
        text = others.pop(SESSION_COOKIE, "")
    if not text or any(character <= " " or character in ';,"\x7f' for character in text):
        raise ValidationError(
            f"session_cookie: expected the value of {SESSION_COOKIE}, or a Cookie header with it"
        )
    return text, others


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


def read_reply(response: Response, request: Request, now: datetime, secrets: Iterable[str]) -> Any:
    """The parsed JSON of a reply, None for an empty one.

    Raises `RateLimitError` for 429 and `APIError` for any other status than 2xx, and for a
    reply that is no JSON. A 401 is not judged here: what it means depends on the session.
    """
    status = response.status
    what = f"{request.method} {request.url.partition('?')[0]}"
    if 200 <= status < 300:
        try:
            return response.json()
        except (ValueError, RecursionError):
            kind = response.header("content-type") or "unknown type"
        raise APIError(f"{what}: the reply is no JSON ({scrub(kind, secrets)})", status_code=status)
    text = error_text(response, secrets)
    message = f"{what}: the server answered {status}" + (f": {text}" if text else "")
    if status == 429:
        raise RateLimitError(message, retry_after=retry_after(response, now))
    raise APIError(message, status_code=status)


def error_text(response: Response, secrets: Iterable[str]) -> str:
    """What the server says went wrong: `error`, else `message`; at most 200 characters."""
    body = response.json_object() or {}
    said = body.get("error") or body.get("message") or ""
    return scrub(said if isinstance(said, str) else json.dumps(said), secrets)


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Text of a server without the client's own secrets, control characters, and length."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "<secret>")
    text = "".join(character if character.isprintable() else " " for character in text)
    return text[:LONGEST_SERVER_TEXT]

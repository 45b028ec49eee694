"""Addresses: the base URL, the origin that a session is bound to, and what lies below them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from interpal.exceptions import ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_BASE_URL = "https://api.interpals.net"
BASE_URL_VARIABLE = "INTERPALS_BASE_URL"

_URL_CHARACTERS = "!#$%&'()*+,/:;=?@[]~"


def configured_base_url() -> str:
    """What `INTERPALS_BASE_URL` says, else the site. Raises `ValidationError` naming it."""
    url = os.environ.get(BASE_URL_VARIABLE, DEFAULT_BASE_URL)
    if not url.strip():
        raise ValidationError(
            f"{BASE_URL_VARIABLE} is set, but empty: give it the address to use, or unset it for "
            f"{DEFAULT_BASE_URL}"
        )
    return check_base_url(url, BASE_URL_VARIABLE)


def check_base_url(url: str, name: str = "base_url") -> str:
    """*url* without a slash at its end. Raises `ValidationError` naming *name*.

    Plain http would show password and session to the network, so it is for loopback alone.
    """
    if url == DEFAULT_BASE_URL:
        return url  # Known to be good, and parsing it is a good part of a start.
    from urllib.parse import urlsplit

    try:
        # What `urlsplit` would pass over or stumble on, and the next to read it would not.
        odd = " " in url or not url.isprintable() or url != url.strip("\"'`")
        parts = urlsplit("" if odd else url)
        host = parts.hostname
        _ = parts.port
    except (ValueError, AttributeError, TypeError):
        raise ValidationError(f"{name}: this is not a URL; write https://HOST") from None
    if odd:
        raise ValidationError(
            f"{name}: there is a quote, a blank or an invisible character in it; remove it (an env "
            "file of docker keeps quotes, and one with Windows line ends has CRs)"
        )
    if parts.scheme not in ("http", "https") or not host:
        raise ValidationError(
            f"{name}: expected https://HOST, or http://HOST:PORT for a server on this machine"
        )
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValidationError(f"{name}: must not contain credentials, a query or a fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValidationError(
            f"{name}: plain http to {host} would show the session to the network; use https"
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
    if base_url == DEFAULT_BASE_URL:
        return base_url
    from urllib.parse import urlsplit

    parts = urlsplit(base_url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    default = 443 if parts.scheme == "https" else 80
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def path_of(url: str) -> str:
    """The path of a URL, without what is asked of it."""
    from urllib.parse import urlsplit

    return urlsplit(url).path


def url_of(base_url: str, path: str, params: Mapping[str, Any] | None = None) -> str:
    """The URL of *path* below *base_url*. A path cannot name another host."""
    if not isinstance(path, str):
        raise ValidationError(f"path: expected text, not {type(path).__name__}")
    if "://" in path.partition("?")[0]:
        raise ValidationError("path: expected a path such as /v1/account/self, not a URL")
    if any(character <= " " or character == "\x7f" for character in path):
        raise ValidationError("path: blanks and control characters must be percent-encoded")
    if not path.isascii():
        from urllib.parse import quote

        try:
            path = quote(path, safe=_URL_CHARACTERS)
        except UnicodeEncodeError:
            raise ValidationError("path: this text cannot be written as UTF-8") from None
    url = base_url + ("" if path.startswith("/") else "/") + path
    if params:
        from interpal.transport.bodies import encode_form

        url += ("&" if "?" in path else "?") + encode_form(params).decode("ascii")
    return url

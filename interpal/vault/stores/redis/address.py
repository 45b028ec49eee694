"""The URL of a Redis store: read, and shown without its password."""

from __future__ import annotations

from typing import NamedTuple

from interpal._hidden import Hidden
from interpal.exceptions import ValidationError

DEFAULT_PREFIX = "interpal"

_OPTIONS = {"prefix", "ca", "cert", "key"}


class Address(NamedTuple):
    """Where the server is, how to be let in, and the prefix of every key."""

    host: str
    port: int
    database: int
    username: str | None
    password: Hidden[bytes] | None
    tls: bool
    ca: str | None
    cert: str | None
    key: str | None
    prefix: str

    def __repr__(self) -> str:
        return f"<Address {self.location}>"

    @property
    def location(self) -> str:
        """The URL without its password."""
        user = f"{self.username}@" if self.username else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "rediss" if self.tls else "redis"
        prefix = "" if self.prefix == DEFAULT_PREFIX else f"?prefix={self.prefix}"
        return f"{scheme}://{user}{host}:{self.port}/{self.database}{prefix}"

    @classmethod
    def parse(cls, url: str) -> Address:
        """`redis[s]://[[user]:password@]host[:port][/database][?prefix=…&ca=…&cert=…&key=…]`.

        User and password may be percent-encoded. *prefix* begins every key (`interpal`); *ca*,
        *cert* and *key* are paths of PEM files and for `rediss` only. Raises `ValidationError`,
        which never shows the URL.
        """
        given = Hidden(url)
        # Whoever reports an error with local variables is to report no password.
        del url
        found = _parsed(given.reveal())
        if isinstance(found, str):
            raise ValidationError(f"store: the URL of the Redis store: {found}")
        return found


def _parsed(url: str) -> Address | str:
    """The address, or what is wrong with it. Raises nothing, with the URL in its variables."""
    from urllib.parse import parse_qsl, unquote, urlsplit

    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        # What cannot be sent, or asked the way to, is told here and without its text.
        parts.netloc.encode("utf-8")
        (host or "").encode("idna")
        options = parse_qsl(parts.query, True, True) if parts.query else []
    except ValueError:
        host, port, options, parts = None, None, [], None
    if parts is None or not host or parts.scheme not in ("redis", "rediss") or parts.fragment:
        return "expected redis://user:password@host:port/database"
    database = parts.path.strip("/") or "0"
    if not (database.isascii() and database.isdigit() and len(database) <= 6):
        return "the database after the host must be a number"
    found = dict(options)
    unknown = sorted(found.keys() - _OPTIONS)
    if unknown or len(found) != len(options):
        return f"the options after the ? are, once each: {', '.join(sorted(_OPTIONS))}"
    tls = parts.scheme == "rediss"
    files = [found.get(name) for name in ("ca", "cert", "key")]
    if any(files) and not tls:
        return "ca, cert and key need rediss://, which encrypts the connection"
    prefix = found.get("prefix", DEFAULT_PREFIX)
    if not 1 <= len(prefix) <= 64 or not all(c.isalnum() or c in "._-:" for c in prefix):
        return "prefix must be 1 to 64 letters, digits and . _ - :"
    username = unquote(parts.username or "") or None
    password = unquote(parts.password) if parts.password else None
    if username is not None and password is None:
        return "a user needs a password: redis://user:password@host"
    return Address(
        host=host,
        port=6379 if port is None else port,
        database=int(database),
        username=username,
        password=None if password is None else Hidden(password.encode()),
        tls=tls,
        ca=files[0],
        cert=files[1],
        key=files[2],
        prefix=prefix,
    )

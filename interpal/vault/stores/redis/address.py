"""The URL of a Redis store: read, and shown without its password."""

from __future__ import annotations

from typing import NamedTuple

from interpal._hidden import Hidden
from interpal.exceptions import ValidationError

DEFAULT_PREFIX = "interpal"

SERVER, SENTINEL, CLUSTER = "server", "sentinel", "cluster"

_KINDS = {"": SERVER, "+sentinel": SENTINEL, "+cluster": CLUSTER}
SCHEMES = frozenset(scheme + kind for scheme in ("redis", "rediss") for kind in _KINDS)
"""The schemes of the URLs that are addresses of this store, in small letters."""

_PORTS = {SERVER: 6379, SENTINEL: 26379, CLUSTER: 6379}
_OPTIONS = {"prefix", "ca", "cert", "key", "replicas"}
_SENTINEL_OPTIONS = {"sentinel_username", "sentinel_password"}
_MOST_HOSTS = 32


class Address(NamedTuple):
    """Where the server is, how to be let in, and the prefix of every key.

    *kind* is `SERVER`; `SENTINEL`, where *hosts* are Sentinels, which know the primary of
    *service*; or `CLUSTER`, where they are some of its nodes. So many *replicas* confirm each
    lock and each write.
    """

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
    kind: str = SERVER
    hosts: tuple[tuple[str, int], ...] = ()
    service: str = ""
    replicas: int = 0
    sentinel_username: str | None = None
    sentinel_password: Hidden[bytes] | None = None

    def __repr__(self) -> str:
        return f"<Address {self.location}>"

    @property
    def location(self) -> str:
        """The URL without its passwords."""
        user = f"{self.username}@" if self.username else ""
        scheme = ("rediss" if self.tls else "redis") + _SCHEME_ENDS[self.kind]
        hosts = ",".join(map(_shown, self.hosts or ((self.host, self.port),)))
        place = f"{self.service}/{self.database}" if self.service else str(self.database)
        prefix = "" if self.prefix == DEFAULT_PREFIX else f"?prefix={self.prefix}"
        return f"{scheme}://{user}{hosts}/{place}{prefix}"

    @property
    def server(self) -> tuple[str, int]:
        """Host and port that name this server in messages: the first of the URL."""
        return self.host, self.port

    @classmethod
    def parse(cls, url: str) -> Address:
        """`redis[s]://[[user:]password@]host[:port][/database][?prefix=…&ca=…&cert=…&key=…]`.

        `redis[s]+sentinel://…host[:port],…/service[/database]` asks Sentinels for the primary of
        *service*; `redis[s]+cluster://…host[:port],…` is a cluster, some of whose nodes are named.
        User and password may be percent-encoded. *prefix* begins every key (`interpal`); *ca*,
        *cert* and *key* are paths of PEM files and for TLS only; *replicas* is the number of
        replicas that have to confirm each lock and each write; *sentinel_username* and
        *sentinel_password* are what the Sentinels ask for. Raises `ValidationError`, which never
        shows the URL.
        """
        given = Hidden(url)
        # Whoever reports an error with local variables is to report no password.
        del url
        found = _parsed(given.reveal())
        if isinstance(found, str):
            raise ValidationError(f"store: the URL of the Redis store: {found}")
        return found


_SCHEME_ENDS = {kind: end for end, kind in _KINDS.items()}


def _shown(host: tuple[str, int]) -> str:
    return f"[{host[0]}]:{host[1]}" if ":" in host[0] else f"{host[0]}:{host[1]}"


def _hosts(netloc: str, port: int) -> list[tuple[str, int]]:
    """The hosts after the password, each with a port; ValueError where one is none."""
    from urllib.parse import urlsplit

    found = []
    for text in netloc.rpartition("@")[2].split(","):
        part = urlsplit(f"//{text}")
        # What cannot be sent or resolved is reported here, without its text.
        (part.hostname or "").encode("idna")
        if not part.hostname:
            raise ValueError
        found.append((part.hostname, port if part.port is None else part.port))
    if len(found) > _MOST_HOSTS:
        raise ValueError
    return found


def _place(kind: str, path: str) -> tuple[str, str] | str:
    """The service and the database in the path of a URL, or what is wrong with it."""
    pieces = [piece for piece in path.split("/") if piece]
    service = ""
    if kind == SENTINEL:
        service = pieces.pop(0) if pieces else ""
        if not service or not all(c.isalnum() or c in "._-" for c in service):
            return "after the Sentinels comes the name of the primary: …:26379/mymaster"
    database = "".join(pieces) or "0"
    if len(pieces) > 1 or not (database.isascii() and database.isdigit() and len(database) <= 6):
        return "the database after the host must be a number"
    if kind == CLUSTER and int(database):
        return "a cluster has the database 0 only"
    return service, database


def _parsed(url: str) -> Address | str:
    """The address, or what is wrong with it. Raises nothing, with the URL in its variables."""
    from urllib.parse import parse_qsl, unquote, urlsplit

    try:
        parts = urlsplit(url)
        scheme, plus, end = parts.scheme.partition("+")
        kind = _KINDS.get(plus + end, "")
        parts.netloc.encode("utf-8")
        hosts = _hosts(parts.netloc, _PORTS.get(kind, 0))
        options = parse_qsl(parts.query, True, True) if parts.query else []
    except ValueError:
        return "expected redis://user:password@host:port/database"
    if not kind or scheme not in ("redis", "rediss") or parts.fragment:
        return "expected redis://user:password@host:port/database"
    if kind == SERVER and len(hosts) > 1:
        return "of several hosts it is redis+sentinel://…/service or redis+cluster://…"
    place = _place(kind, parts.path)
    if isinstance(place, str):
        return place
    found = dict(options)
    known = _OPTIONS | _SENTINEL_OPTIONS if kind == SENTINEL else _OPTIONS
    if not known.issuperset(found) or len(found) != len(options):
        return f"the options after the ? are, once each: {', '.join(sorted(known))}"
    tls = scheme == "rediss"
    files = [found.get(name) for name in ("ca", "cert", "key")]
    if any(files) and not tls:
        return "ca, cert and key need rediss://, which encrypts the connection"
    prefix = found.get("prefix", DEFAULT_PREFIX)
    if not 1 <= len(prefix) <= 64 or not all(c.isalnum() or c in "._-:" for c in prefix):
        return "prefix must be 1 to 64 letters, digits and . _ - :"
    replicas = found.get("replicas", "0")
    if not (replicas.isascii() and replicas.isdigit() and len(replicas) == 1):
        return "replicas must be a number from 0 to 9"
    username = unquote(parts.username or "") or None
    password = unquote(parts.password) if parts.password else None
    if username is not None and password is None:
        return "a user needs a password: redis://user:password@host"
    watcher = found.get("sentinel_password")
    return Address(
        host=hosts[0][0],
        port=hosts[0][1],
        database=int(place[1]),
        username=username,
        password=None if password is None else Hidden(password.encode()),
        tls=tls,
        ca=files[0],
        cert=files[1],
        key=files[2],
        prefix=prefix,
        kind=kind,
        hosts=() if kind == SERVER else tuple(hosts),
        service=place[0],
        replicas=int(replicas),
        sentinel_username=found.get("sentinel_username"),
        sentinel_password=None if watcher is None else Hidden(watcher.encode()),
    )

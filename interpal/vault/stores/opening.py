"""The store for a path or a URL: `file:`, `sqlite:`, `redis://` and its kin."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING, Any, cast

from interpal._hidden import Hidden
from interpal.exceptions import ValidationError

if TYPE_CHECKING:
    from interpal.vault.stores.base import Store

_SQLITE = b"SQLite format 3\0"
_POOL = "interpal.vault.stores.sqlite.connections"
# Those of `Address`, which is not loaded for them.
_REDIS = tuple(
    scheme + kind for scheme in ("redis", "rediss") for kind in ("", "+sentinel", "+cluster")
)
_PATHS = ("file", "sqlite")
_AROUND = " \t\r\n\v\f\ufeff\"'`<>\u2018\u2019\u201c\u201d"


def open_store(
    path_or_store: str | os.PathLike[str] | Store, *, max_size: int | None = None
) -> Store:
    """The store for a path or a URL; a store is handed through.

    `file:PATH` and a plain path are a vault in one file, `sqlite:PATH` and the plain path of an
    SQLite database a `SqliteStore`; `redis://…`, `rediss://…` and both with `+sentinel` or
    `+cluster` are a `RedisStore` (its URL: `Address.parse`). A scheme may be in capitals. Paths
    are not percent-decoded. Nothing is connected to or made. *max_size* is the largest vault, in
    bytes, that is read or written: 64 MiB unless given, at most 256 MiB.

    Raises `ValidationError` for what looks like another URL, such as `postgres://…`, `host:6379`
    or a URL in quotes, without showing any of it: it may hold a password. A file of such a name
    is `./NAME`, and for a *max_size* beside a store, which has its own.
    """
    place = Hidden(path_or_store)
    # Whoever reports an error with local variables is to report no password of a store.
    del path_or_store
    if not isinstance(place.reveal(), (str, os.PathLike)):
        if max_size is not None:
            raise ValidationError("max_size: give it to the store itself, not beside the store")
        return cast("Store", place.reveal())
    kind, rest = _checked(place)
    if kind == "redis":
        from interpal.vault.stores.redis.store import RedisStore

        return RedisStore(rest.reveal(), max_size=max_size)
    path = rest.reveal()
    if kind == "sqlite" or (kind == "path" and _is_sqlite(os.fspath(path))):
        from interpal.vault.stores.sqlite.store import SqliteStore

        return SqliteStore(path, max_size=max_size)
    from interpal.vault.stores.file import FileStore

    return FileStore(path, max_size=max_size)


def resolve_place(place: Hidden[Any]) -> Hidden[str | Store]:
    """*place* as `open_store` takes it, checked, with its path made absolute.

    Nothing is opened and no disk is asked. Raises `ValidationError` as `open_store` does.
    """
    if not isinstance(place.reveal(), (str, os.PathLike)):
        return place
    kind, rest = _checked(place)
    if kind == "redis":
        from interpal.vault.stores.redis.address import Address

        Address.parse(rest.reveal())
        return rest
    from interpal.vault.stores.file import absolute

    path = absolute(rest.reveal())
    return Hidden(path if kind == "path" else f"{kind}:{path}")


def kind_of_place(place: str | os.PathLike[str]) -> str:
    """`path`, `file`, `sqlite` or `redis`. Raises `ValidationError` as `open_store` does."""
    given = Hidden(place)
    del place
    return _checked(given)[0]


def _checked(place: Hidden[Any]) -> tuple[str, Hidden[Any]]:
    """`path`, `file`, `sqlite` or `redis`, and what comes after the scheme (of Redis, the URL)."""
    kind, rest, fault = _split(place.reveal())
    if fault:
        raise ValidationError(f"store: {fault}")
    return kind, rest


def _split(place: str | os.PathLike[str]) -> tuple[str, Hidden[Any], str]:
    """Kind, rest and what is wrong. Raises nothing: the text may hold a password."""
    text: object = os.fspath(place)
    nothing = Hidden(None)
    if not isinstance(text, str):
        return "path", Hidden(text), ""  # `FileStore` says so.
    scheme, rest = _scheme(text)
    if not isinstance(place, str):
        # A `Path` makes one slash of two.
        if not os.path.isabs(text) and _looks_like_url(text):
            return "", nothing, "a URL is given as text, and a path of such a name absolute"
        return "path", Hidden(place), ""
    if scheme in _REDIS and rest.startswith("//") and rest == rest.strip(_AROUND):
        return "redis", Hidden(f"{scheme}:{rest}"), ""
    if scheme in _PATHS:
        if rest.startswith("//") and not rest.startswith("///"):
            return "", nothing, f"{scheme}: is followed by a path, not by a host"
        if not _looks_like_url(rest):
            return scheme, Hidden(rest), ""
    bare = text.strip(_AROUND)
    if bare != text and (_scheme(bare)[0] in _PATHS or _looks_like_url(bare)):
        return "", nothing, "give the URL without the blanks or quotes around it"
    if _looks_like_url(text):
        return (
            "",
            nothing,
            (
                "this looks like a URL, but it is none of file:PATH, sqlite:PATH, "
                "redis://[user:password@]host[:port], rediss://…, redis+sentinel://… and "
                "redis+cluster://…; for a file of such a name give ./NAME"
            ),
        )
    return "path", Hidden(text), ""


def _scheme(text: str) -> tuple[str, str]:
    scheme, colon, rest = text.partition(":")
    return (scheme.lower(), rest) if colon else ("", text)


def _looks_like_url(text: str) -> bool:
    """Whether it could be meant as a URL, or as a part of one. `/x`, `./x` and `../x` are paths."""
    if text.startswith(("./", "../")) or (text.startswith("/") and not text.startswith("//")):
        return False
    if text.startswith("//"):
        return "@" in text.lstrip("/").partition("/")[0]
    scheme, rest = _scheme(text)
    name = scheme.replace("+", "").replace("-", "").replace(".", "").replace("_", "")
    return (
        "://" in text
        or scheme in _REDIS
        # USER:PASSWORD@HOST, with a scheme and without.
        or (":" in text and "@" in rest and (not name or name.isalnum()))
        # HOST:PORT.
        or (name.isalnum() and rest.partition("/")[0].isdigit())
    )


def _is_sqlite(path: str) -> bool:
    """Whether an SQLite database stands at *path*. What cannot be read is none."""
    pool = sys.modules.get(_POOL)
    if pool is None:
        return _begins(path)
    # To close the file would free the locks that this process has on it by way of SQLite.
    with pool.guarded():
        return pool.is_open(path) or _begins(path)


def _begins(path: str) -> bool:
    try:
        found = os.stat(path, follow_symlinks=False)
        # A database is made of whole pages, the smallest of which has 512 bytes: most files
        # need not be opened.
        if not stat.S_ISREG(found.st_mode) or not found.st_size or found.st_size % 512:
            return False
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return os.read(fd, len(_SQLITE)) == _SQLITE
        finally:
            os.close(fd)
    except (OSError, ValueError, TypeError):
        return False

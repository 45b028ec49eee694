"""The store for a path or a URL: `file:`, `sqlite:`, `redis://`, `rediss://`."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

from interpal.exceptions import ValidationError

if TYPE_CHECKING:
    from interpal.vault.stores.base import Store

_SQLITE = b"SQLite format 3\0"
_POOL = "interpal.vault.stores.sqlite.connections"


def open_store(path_or_store: str | os.PathLike[str] | Store) -> Store:
    """The store for a path or a URL; a store is handed through.

    `file:PATH` and a plain path are a vault in one file, `sqlite:PATH` and the plain path of an
    SQLite database a `SqliteStore`, `redis://…` and `rediss://…` a `RedisStore` (its URL:
    `redis_address.Address.parse`). Paths are not percent-decoded. Nothing is connected to or
    made. Raises `ValidationError`.
    """
    if not isinstance(path_or_store, (str, os.PathLike)):
        return path_or_store
    if isinstance(path_or_store, str):
        scheme, colon, rest = path_or_store.partition(":")
        if colon and scheme in ("redis", "rediss") and rest.startswith("//"):
            from interpal.vault.stores.redis.store import RedisStore

            return RedisStore(path_or_store)
        if colon and scheme in ("file", "sqlite"):
            if rest.startswith("//") and not rest.startswith("///"):
                raise ValidationError(f"store: {scheme}: is followed by a path, not by a host")
            return _sqlite(rest) if scheme == "sqlite" else _file(rest)
    return _sqlite(path_or_store) if _is_sqlite(os.fspath(path_or_store)) else _file(path_or_store)


def _file(path: str | os.PathLike[str]) -> Store:
    from interpal.vault.stores.file import FileStore

    return FileStore(path)


def _sqlite(path: str | os.PathLike[str]) -> Store:
    from interpal.vault.stores.sqlite.store import SqliteStore

    return SqliteStore(path)


def _is_sqlite(path: str) -> bool:
    """Whether an SQLite database stands at *path*. What cannot be told is none."""
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

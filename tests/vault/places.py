"""Where a vault may be: a file, an SQLite database, a real Redis; the same test runs at each."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any

from interpal.vault import Vault
from interpal.vault.format.envelope import name_tag
from interpal.vault.format.jwe import b64encode
from interpal.vault.stores.file import FileStore
from interpal.vault.stores.redis.store import RedisStore
from interpal.vault.stores.sqlite.store import SqliteStore
from tests.vault import KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from tests.redis_server import RedisServer


class Place:
    """Where a vault is, and what only its administrator can do there."""

    url = ""

    def open(self, *, create: bool = False, **opening: Any) -> Vault:
        """The vault, opened as another process would; with KEY unless told otherwise."""
        if "passphrase" not in opening:
            opening.setdefault("key", KEY)
        return Vault.open(self.url, create=create, **opening)

    def new(self, records: dict[str, Any] | None = None, **opening: Any) -> Vault:
        """A new vault with these records."""
        vault = self.open(create=True, **opening)
        if records:
            vault.update(records)
        return vault

    def generation_after(self, saves: int) -> int:
        """That of a new vault after so many saves of records."""
        return 1  # the root's own; each record has one beside it

    @property
    def store_class(self) -> type[Any]:
        raise NotImplementedError

    def everything(self) -> bytes:
        """All bytes at the place, names included."""
        raise NotImplementedError

    def names(self) -> list[Any]:
        """What is there: the files and folders, or the keys."""
        raise NotImplementedError

    def saved(self) -> object:
        """What a save would change, to compare; None where no vault is."""
        raise NotImplementedError

    def records(self) -> dict[bytes, bytes]:
        """The records that are stored, of all vaults."""
        raise NotImplementedError

    def damage(self, vault: Vault, name: str, change: Callable[[bytes], bytes]) -> None:
        """Change the bytes of one record behind the vault's back."""
        raise NotImplementedError

    def damage_root(self, change: Callable[[bytes], bytes]) -> None:
        raise NotImplementedError

    def take_away(self) -> None:
        """Remove the vault, or its root, behind everybody's back."""
        raise NotImplementedError


def everything_below(folder: Path) -> bytes:
    """The bytes and the names of all files there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return b"".join(path.read_bytes() + str(path).encode() for path in files)


class FilePlace(Place):
    def __init__(self, folder: Path) -> None:
        self.path = folder / "vault.json"
        self.url = str(self.path)

    def generation_after(self, saves: int) -> int:
        return 1 + saves

    def names(self) -> list[Any]:
        return os.listdir(self.path.parent)

    @property
    def store_class(self) -> type[Any]:
        return FileStore

    def everything(self) -> bytes:
        return everything_below(self.path.parent)

    def saved(self) -> object:
        if not self.path.exists():
            return None
        status = self.path.stat()
        return self.path.read_bytes(), status.st_ino, status.st_mtime_ns

    def take_away(self) -> None:
        self.path.unlink()


class SqlitePlace(Place):
    def __init__(self, folder: Path) -> None:
        self.path = folder / "vault.db"
        self.url = f"sqlite:{self.path}"

    def names(self) -> list[Any]:
        return os.listdir(self.path.parent)

    @property
    def store_class(self) -> type[Any]:
        return SqliteStore

    def everything(self) -> bytes:
        assert self.path.exists()
        return everything_below(self.path.parent)

    def saved(self) -> object:
        if not self.path.exists():
            return None
        root = self._run("SELECT * FROM root")
        return (root, self._run("SELECT * FROM records ORDER BY tag")) if root else None

    def records(self) -> dict[bytes, bytes]:
        return dict(self._run("SELECT tag, data FROM records"))

    def damage(self, vault: Vault, name: str, change: Callable[[bytes], bytes]) -> None:
        tag = name_tag(vault._read().vault_key, name)
        ((data,),) = self._run("SELECT data FROM records WHERE tag = ?", tag)
        self._run("UPDATE records SET data = ? WHERE tag = ?", change(data), tag)

    def damage_root(self, change: Callable[[bytes], bytes]) -> None:
        ((data,),) = self._run("SELECT data FROM root")
        self._run("UPDATE root SET data = ?", change(data))

    def take_away(self) -> None:
        self._run("DELETE FROM root")

    def _run(self, statement: str, *values: Any) -> list[Any]:
        database = sqlite3.connect(self.path, timeout=10)
        try:
            with database:
                return database.execute(statement, values).fetchall()
        finally:
            database.close()


class RedisPlace(Place):
    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.prefix = f"test-{os.urandom(4).hex()}"
        self.root = f"{{{self.prefix}}}:root"
        self.url = server.url(prefix=self.prefix)

    def names(self) -> list[Any]:
        with self.server.admin() as admin:
            return list(admin.scan_iter(f"{{{self.prefix}}}:*"))

    @property
    def store_class(self) -> type[Any]:
        return RedisStore

    def everything(self) -> bytes:
        return self.server.everything()

    def saved(self) -> object:
        root = self._data(self.root)
        return (root, self.records()) if root else None

    def records(self) -> dict[bytes, bytes]:
        with self.server.admin() as admin:
            keys: list[bytes] = list(admin.scan_iter(f"{{{self.prefix}}}:*:r:*"))
        found = {key.rpartition(b":")[2]: self._data(key) for key in keys}
        return {tag: data for tag, data in found.items() if data is not None}

    def damage(self, vault: Vault, name: str, change: Callable[[bytes], bytes]) -> None:
        tag = b64encode(name_tag(vault._read().vault_key, name))
        with self.server.admin() as admin:
            (key,) = admin.scan_iter(f"{{{self.prefix}}}:*:r:{tag}")
        self._change(key, change)

    def damage_root(self, change: Callable[[bytes], bytes]) -> None:
        self._change(self.root, change)

    def take_away(self) -> None:
        with self.server.admin() as admin:
            admin.delete(self.root)

    def end_write_lock(self) -> None:
        """What the end of its life does to the lock of a writer that was killed."""
        with self.server.admin() as admin:
            admin.delete(f"{{{self.prefix}}}:write")

    def _data(self, key: str | bytes) -> bytes | None:
        with self.server.admin() as admin:
            data: Any = admin.hget(key, "d")
        return None if data is None else bytes(data)

    def _change(self, key: str | bytes, change: Callable[[bytes], bytes]) -> None:
        data = self._data(key)
        assert data is not None
        with self.server.admin() as admin:
            admin.hset(key, "d", change(data))


def place_of(request: pytest.FixtureRequest, folder: Path) -> Place:
    """The place that a fixture has as its parameter, nothing there yet."""
    if request.param == "file":
        return FilePlace(folder)
    if request.param == "sqlite":
        return SqlitePlace(folder)
    return RedisPlace(request.getfixturevalue("redis_server"))

"""The Vault and the clients over stores that keep each record apart: SQLite and a real Redis."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any

from interpal.vault import Vault
from interpal.vault.envelope import name_tag
from interpal.vault.jwe import b64encode
from interpal.vault.stores.redis import RedisStore
from interpal.vault.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.redis_server import RedisServer

KEY = bytes(range(32))
OTHER_KEY = bytes(range(32, 64))


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

    @property
    def store_class(self) -> type[Any]:
        raise NotImplementedError

    def everything(self) -> bytes:
        """All bytes at the place, names included."""
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
        """Remove the root behind everybody's back."""
        raise NotImplementedError


class SqlitePlace(Place):
    def __init__(self, folder: Path) -> None:
        self.path = folder / "vault.db"
        self.url = f"sqlite:{self.path}"

    @property
    def store_class(self) -> type[Any]:
        return SqliteStore

    def everything(self) -> bytes:
        files = sorted(path for path in self.path.parent.rglob("*") if path.is_file())
        assert self.path in files
        return b"".join(path.read_bytes() + str(path).encode() for path in files)

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
        self.url = server.url(prefix=self.prefix)

    @property
    def store_class(self) -> type[Any]:
        return RedisStore

    def everything(self) -> bytes:
        return self.server.everything()

    def records(self) -> dict[bytes, bytes]:
        with self.server.admin() as admin:
            keys = list(admin.scan_iter(f"{{{self.prefix}}}:*:r:*"))
            found = {key.rpartition(b":")[2]: admin.hget(key, "d") for key in keys}
        return {tag: data for tag, data in found.items() if data is not None}

    def damage(self, vault: Vault, name: str, change: Callable[[bytes], bytes]) -> None:
        tag = b64encode(name_tag(vault._read().vault_key, name))
        with self.server.admin() as admin:
            (key,) = admin.scan_iter(f"{{{self.prefix}}}:*:r:{tag}")
            admin.hset(key, "d", change(admin.hget(key, "d")))

    def damage_root(self, change: Callable[[bytes], bytes]) -> None:
        with self.server.admin() as admin:
            key = f"{{{self.prefix}}}:root"
            admin.hset(key, "d", change(admin.hget(key, "d")))

    def take_away(self) -> None:
        with self.server.admin() as admin:
            admin.delete(f"{{{self.prefix}}}:root")


def flipped(data: bytes) -> bytes:
    """*data* with one bit of its last part, the tag of the content, turned."""
    at = data.rindex(b".") + 3 if b"." in data else len(data) // 2
    return data[:at] + (b"A" if data[at : at + 1] != b"A" else b"B") + data[at + 1 :]


class Keeping:
    """Changes nothing, and keeps the bytes that it was shown."""

    data = b""

    def __call__(self, data: bytes) -> bytes:
        self.data = data
        return data

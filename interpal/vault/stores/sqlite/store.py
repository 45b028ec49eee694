"""A vault in an SQLite database: one envelope per record, for thousands of accounts on one machine.

The file is in WAL mode with synchronous=FULL, so a commit is durable when it returns, and a
record is found by its primary key, however many there are. A write lock is BEGIN IMMEDIATE, a
login lock the same `flock` as beside a file. Everything beside the database starts with its
name: `-wal`, `-shm`, `.locks/`.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from interpal._clock import monotonic
from interpal.exceptions import StaleWriteError, VaultError, VaultIOError
from interpal.vault.files.locks import FileLock, is_login_under_way, login_lock
from interpal.vault.files.permissions import shown
from interpal.vault.stores.base import LoadedRecord, Stored, StoredRecord
from interpal.vault.stores.file import FileStore, may_take
from interpal.vault.stores.sizes import too_large
from interpal.vault.stores.sqlite.connections import PATIENCE, Pool, SqliteConnection
from interpal.vault.stores.sqlite.database_files import SIDE_FILES, check_writable
from interpal.vault.stores.values import check_max_size

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from interpal.vault.stores.base import Fence, RecordWrite

_BATCH = 256

# A column takes a value of any type: the cast makes bytes of what a stranger has put there.
_ROOT = "SELECT vault_id, CAST(data AS BLOB) FROM root WHERE name = 'root'"
# The length of bytes is known without reading them.
_ROOT_WITHIN = """
    SELECT vault_id, size, CASE WHEN size <= ?1 THEN CAST(data AS BLOB) END FROM (
    SELECT vault_id, data, CASE typeof(data) WHEN 'blob' THEN length(data)
    ELSE length(CAST(data AS BLOB)) END AS size FROM root WHERE name = 'root')"""
_ROOT_ID = "SELECT vault_id FROM root WHERE name = 'root'"
_SET_ROOT = """
    INSERT INTO root (name, vault_id, data) VALUES ('root', ?, ?)
    ON CONFLICT (name) DO UPDATE SET vault_id = excluded.vault_id, data = excluded.data"""
# One row where there is a root; its second column is None for another vault's too.
_ONE = """
    SELECT root.vault_id, CAST(records.data AS BLOB) FROM root
    LEFT JOIN records ON records.vault_id = ?1 AND records.tag = ?2 WHERE root.name = 'root'"""
_SOME = """
    SELECT tag, CAST(data AS BLOB) FROM records WHERE vault_id = ?1 AND tag > ?2
    ORDER BY tag LIMIT ?3"""
_IS_VAULT = "EXISTS (SELECT 1 FROM root WHERE name = 'root' AND vault_id = ?1)"
_PUT = """
    INSERT OR REPLACE INTO records (vault_id, tag, generation, expires_at, data)
    VALUES (?, ?, ?, ?, ?)"""
_ADD = f"""
    INSERT INTO records (vault_id, tag, generation, expires_at, data)
    SELECT ?1, ?2, ?3, ?4, ?5 WHERE {_IS_VAULT} ON CONFLICT DO NOTHING"""
_REPLACE = f"""
    UPDATE records SET generation = ?3, expires_at = ?4, data = ?5
    WHERE vault_id = ?1 AND tag = ?2 AND generation = ?6 AND {_IS_VAULT}"""  # noqa: S608
_DROP = f"""
    DELETE FROM records
    WHERE vault_id = ?1 AND tag = ?2 AND generation = ?3 AND {_IS_VAULT}"""  # noqa: S608


class SqliteStore:
    """The vault in an SQLite database. A `RecordStore`.

    Opens nothing until it is used. May be used from many threads, and in forked children.
    Raises `ValidationError` for what is no path.
    """

    __slots__ = ("_pool", "max_size", "path")

    def __init__(self, path: str | os.PathLike[str], *, max_size: int | None = None) -> None:
        self.max_size = check_max_size(max_size)
        self.path = FileStore(path).path
        self._pool = Pool(self.path)

    def __repr__(self) -> str:
        return f"SqliteStore({self.location!r})"

    @property
    def location(self) -> str:
        """The path, printable."""
        return shown(self.path)

    def load(self) -> Stored | None:
        """The root, None where there is none."""
        with self._reading() as connection:
            return None if connection is None else _root(connection, self.location, self.max_size)

    def is_still(self, version: object) -> bool:
        """Whether nobody has written since the root had this version."""
        with self._reading() as connection:
            if connection is None:
                return False
            connection.watch()
            return connection.root_version == version

    def is_gone(self) -> bool:
        """Whether nothing is at the path."""
        return not os.path.lexists(self.path)

    def load_record(self, vault_id: bytes, tag: bytes) -> LoadedRecord:
        """One record of the vault *vault_id*, and whether that is still the vault."""
        return self.load_record_since(None, vault_id, tag) or _NOTHING

    def load_record_since(
        self, version: object, vault_id: bytes, tag: bytes
    ) -> LoadedRecord | None:
        """The same; None where nobody has written since a record had this version."""
        connection = self._pool.take()
        if connection is None:
            return _NOTHING
        try:
            return _record_since(connection, version, vault_id, tag)
        finally:
            self._pool.give(connection)

    def load_records(self, vault_id: bytes) -> Iterator[StoredRecord]:
        """All records by their tags, read in batches; no lock and no connection is held."""
        last = b""
        while True:
            with self._reading() as connection:
                rows = (
                    []
                    if connection is None
                    else connection.execute(_SOME, (vault_id, last, _BATCH))
                )
            for tag, data in rows:
                yield StoredRecord(tag, data)
            if len(rows) < _BATCH:
                return
            last = rows[-1][0]

    def commit(
        self,
        vault_id: bytes,
        changes: Sequence[RecordWrite],
        *,
        root: bytes | None = None,
        fence: Fence | None = None,
        timeout: float,
    ) -> object:
        """Make all changes or none, under a write lock of its own."""
        if len(changes) == 1 and root is None:
            return self._commit_one(vault_id, changes[0], timeout)
        with self.record_lock(timeout) as writer:
            return writer.commit(vault_id, changes, root=root, fence=fence)

    def _commit_one(self, vault_id: bytes, change: RecordWrite, timeout: float) -> object:
        """A transaction of one statement, which checks all that it depends on."""
        deadline = monotonic() + timeout
        connection = self._pool.take()
        if connection is None:
            raise _stale(self.location)
        try:
            connection.commits += 1
            if not _write(connection, vault_id, change, max(0.0, deadline - monotonic())):
                raise _stale(self.location)
            return connection.version
        finally:
            self._pool.give(connection)

    @contextmanager
    def record_lock(self, timeout: float) -> Generator[SqliteWriter, None, None]:
        """Hold the write lock; seconds to wait for it, 0 to try once. Makes the database."""
        deadline = monotonic() + timeout
        connection = self._pool.take(create=True, timeout=timeout)
        if connection is None:
            raise VaultIOError(f"{self.location}: it was removed", path=self.location)
        try:
            connection.begin(max(0.0, deadline - monotonic()))
            try:
                yield SqliteWriter(connection, self.location, self.max_size)
            finally:
                connection.rollback()
        finally:
            self._pool.give(connection)

    write_lock = record_lock

    def login_lock(self, tag: bytes) -> FileLock:
        """The login lock of the account with this *tag*, not yet taken."""
        return login_lock(self.path, tag)

    def is_login_under_way(self) -> bool:
        """Whether anybody holds a login lock of this vault."""
        return is_login_under_way(self.path)

    def seems_writable(self) -> bool:
        """Whether the database and what is beside it can be changed, as far as one look tells."""
        files = (self.path + suffix for suffix in ("", *SIDE_FILES))
        may_write = all(may_take(file, os.R_OK | os.W_OK) for file in files)
        return may_write and FileStore(self.path).seems_writable()

    def check_writable(self) -> None:
        """Refuse a database that could not be changed (`database_files.check_writable`)."""
        check_writable(self.path)

    def close(self) -> None:
        """Close the connections. The last one that closes takes `-wal` and `-shm` away."""
        self._pool.close()

    @contextmanager
    def _reading(self) -> Generator[SqliteConnection | None, None, None]:
        connection = self._pool.take()
        try:
            yield connection
        finally:
            if connection is not None:
                self._pool.give(connection)


class SqliteWriter:
    """What the holder of the write lock may do, once. A `RecordWriter`."""

    __slots__ = ("_link", "_location", "_max_size")

    def __init__(self, connection: SqliteConnection, location: str, max_size: int) -> None:
        self._link = connection
        self._location = location
        self._max_size = max_size

    def load(self) -> Stored | None:
        """The root, None where there is none."""
        return _root(self._locked(), self._location, self._max_size)

    def is_still(self, version: object) -> bool:
        """Whether nobody has written since the root had this version."""
        connection = self._locked()
        connection.watch()
        return connection.root_version == version

    def load_record(self, vault_id: bytes, tag: bytes) -> LoadedRecord:
        """One record of the vault *vault_id*, and whether that is still the vault."""
        return self.load_record_since(None, vault_id, tag) or _NOTHING

    def load_record_since(
        self, version: object, vault_id: bytes, tag: bytes
    ) -> LoadedRecord | None:
        """One record; None where nobody has written since a record had this version."""
        return _record_since(self._locked(), version, vault_id, tag)

    def save(
        self,
        data: bytes,
        *,
        verify: Callable[[bytes], None] | None = None,
        vault_id: bytes | None = None,
    ) -> Stored:
        """Put *data* in the place of the root, whole or not at all, durably."""
        connection = self._locked()
        if vault_id is None:
            vault_id = self._current_id()
            if vault_id is None:
                raise StaleWriteError(
                    f"{self._location}: the vault is gone; nothing was written",
                    path=self._location,
                )
        connection.execute(_SET_ROOT, (vault_id, data))
        connection.root_commits += 1
        connection.commits += 1
        if verify is not None:
            verify(connection.execute(_ROOT)[0][1])
        connection.execute("COMMIT")
        return Stored(data, vault_id)

    def remove(self) -> None:
        """Take away the root and the records of its vault.

        The file stays, with empty tables: another process may be waiting to write into it, and
        what is committed into a file that has no name any more is lost.
        """
        connection = self._locked()
        connection.execute(f"DELETE FROM records WHERE vault_id = ({_ROOT_ID})")  # noqa: S608
        connection.execute("DELETE FROM root WHERE name = 'root'")
        connection.root_commits += 1
        connection.commits += 1
        connection.execute("COMMIT")
        _overwrite(connection)

    def set_aside(self, seen: Stored) -> str | None:
        """Give the root another name if it is still *seen*; its records stay with it."""
        connection = self._locked()
        if _root(connection, self._location, self._max_size) != seen:
            return None
        base = name = f"corrupt-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        number = 1
        while connection.execute("SELECT 1 FROM root WHERE name = ?", (name,)):
            number += 1
            name = f"{base}-{number}"
        connection.execute("UPDATE root SET name = ? WHERE name = 'root'", (name,))
        connection.root_commits += 1
        connection.execute("COMMIT")
        return f"{self._location}#{name}"

    def commit(
        self,
        vault_id: bytes,
        changes: Sequence[RecordWrite],
        *,
        root: bytes | None = None,
        fence: Fence | None = None,  # noqa: ARG002  (the kernel's locks are not lost)
    ) -> object:
        """Make all changes or none, durably; *root* replaces the root in the same step."""
        connection = self._locked()
        self._check_vault(vault_id)
        for change in changes:
            if not _write(connection, vault_id, change, PATIENCE):
                raise _stale(self._location)
        if root is not None:
            connection.execute(_SET_ROOT, (vault_id, root))
            connection.root_commits += 1
        connection.commits += 1
        connection.execute("COMMIT")
        return connection.version

    def replace_all(
        self, root: bytes, *, old_id: bytes, new_id: bytes, records: Iterable[RecordWrite]
    ) -> None:
        """Write a new set of records, swap the root, drop the old set: one transaction."""
        connection = self._locked()
        self._check_vault(old_id)
        for change in records:
            connection.execute(_PUT, (new_id, *_values(change)))
        connection.execute(_SET_ROOT, (new_id, root))
        connection.root_commits += 1
        connection.commits += 1
        connection.execute("DELETE FROM records WHERE vault_id = ?", (old_id,))
        connection.execute("COMMIT")
        _overwrite(connection)

    def _locked(self) -> SqliteConnection:
        if not (self._link.in_process and self._link.sql.in_transaction):
            raise VaultIOError(
                f"{self._location}: this process does not hold the write lock (any more)",
                path=self._location,
            )
        return self._link

    def _current_id(self) -> bytes | None:
        rows = self._link.execute(_ROOT_ID)
        return rows[0][0] if rows else None

    def _check_vault(self, vault_id: bytes) -> None:
        if self._current_id() != vault_id:
            raise StaleWriteError(
                f"{self._location}: the vault was rotated or replaced; nothing was "
                "written. Open it again.",
                path=self._location,
            )


def _overwrite(connection: SqliteConnection) -> None:
    """What is gone is not to stay in the file and its log. Readers may be in the way: no matter."""
    with suppress(VaultError):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _root(connection: SqliteConnection, location: str, most: int) -> Stored | None:
    # First: what is written between the two is then seen at the next look.
    connection.watch()
    rows = connection.execute(_ROOT_WITHIN, (most,))
    if not rows:
        return None
    vault_id, size, data = rows[0]
    if size is not None and size > most:
        raise too_large(location, size, most)
    return Stored(data, vault_id, connection.root_version)


_NOTHING = LoadedRecord(None, current=False)


def _record_since(
    connection: SqliteConnection, version: object, vault_id: bytes, tag: bytes
) -> LoadedRecord | None:
    connection.watch()
    seen = connection.version
    if seen == version:
        return None
    rows = connection.execute(_ONE, (vault_id, tag))
    if not rows or rows[0][0] != vault_id:
        return _NOTHING
    return LoadedRecord(rows[0][1], True, seen)


def _write(
    connection: SqliteConnection, vault_id: bytes, change: RecordWrite, timeout: float
) -> bool:
    """Make one change where the vault and the record's generation are what is expected."""
    values: tuple[object, ...] = (vault_id, *_values(change))
    if change.data is None:
        statement, values = _DROP, (vault_id, change.tag, change.expected)
    elif change.expected:
        statement, values = _REPLACE, (*values, change.expected)
    else:
        statement = _ADD
    return connection.change(statement, values, timeout) == 1


def _values(change: RecordWrite) -> tuple[object, ...]:
    return change.tag, change.generation, change.expires_at, change.data


def _stale(location: str) -> StaleWriteError:
    return StaleWriteError(
        f"{location}: another process has changed the record, or the vault was "
        "rotated or replaced; nothing was written. Read it again.",
        path=location,
    )

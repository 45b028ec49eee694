"""Connections to one SQLite database: its files private, one thread at a time, none across a fork.

What SQLite knows of its locks is kept for each process and file: a child that opens the database
while it has inherited connections of its parent would believe that it holds their locks. So all
connections that nobody uses are closed before a fork, and those that are in a transaction, in the
child (https://www.sqlite.org/howtocorrupt.html section 2.6).
"""

from __future__ import annotations

import fcntl
import itertools
import os
import re
import sqlite3
import sys
import threading
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from interpal._clock import monotonic
from interpal._hidden import Hidden
from interpal.exceptions import (
    VaultError,
    VaultFormatError,
    VaultIOError,
    VaultNotFoundError,
    VaultPermissionError,
    VaultVersionError,
)
from interpal.vault.files.forks import Process
from interpal.vault.files.locks import FileLock
from interpal.vault.files.mounts import network_filesystem, second_view
from interpal.vault.files.permissions import EFFECTIVE, may_repair, shown, warn_once
from interpal.vault.files.private_files import Folder
from interpal.vault.files.waiting import Waiting
from interpal.vault.stores.sqlite.database_files import SIDE_FILES, check_file, identity_of, uri_of
from interpal.vault.stores.sqlite.errors import in_the_way, timed_out, translate_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

_T = TypeVar("_T")

APPLICATION_ID = 0x69706C76
"""`PRAGMA application_id` of a vault's database: "iplv"."""

SCHEMA_VERSION = 1

PATIENCE = 10.0
"""Seconds to wait for what others hold for an instant only."""

# Not WITHOUT ROWID: there a row of more than a quarter of a page, as records are, takes a page
# of its own (three times the space, and two pages to write instead of one).
_SCHEMA = (
    """CREATE TABLE root (
        name TEXT PRIMARY KEY, vault_id BLOB NOT NULL, data BLOB NOT NULL
    )""",
    """CREATE TABLE records (
        vault_id BLOB NOT NULL, tag BLOB NOT NULL, generation INTEGER NOT NULL,
        expires_at REAL, data BLOB NOT NULL, PRIMARY KEY (vault_id, tag)
    )""",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)
_SPACE = re.compile("[ \t\n\f\r]+")


def _one_line(statement: str) -> str:
    """A statement with one space in place of every white space that SQLite knows."""
    return _SPACE.sub(" ", statement)


# Another program may have made the tables, with the statements laid out in another way.
_TABLES = set(map(_one_line, _SCHEMA[:2]))
# Deleted records are overwritten, no temporary lies elsewhere, nothing in a schema has effects.
_SETTINGS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA trusted_schema = OFF",
)
# As `flush` of vault/files/folders.py does: on macOS fsync alone leaves data in the drive's cache.
_MAC_SETTINGS = ("PRAGMA fullfsync = ON", "PRAGMA checkpoint_fullfsync = ON")


def _settings() -> tuple[str, ...]:
    return (*_SETTINGS, *_MAC_SETTINGS) if sys.platform == "darwin" else _SETTINGS


_KEPT = 4
_FORK_PATIENCE = 1.0
_FORK_PAUSE = 0.001

_numbers = itertools.count()
_guard = threading.RLock()
_change = threading.Condition(_guard)
# The thread that is about to fork, 0 for none: others are to take no connection meanwhile.
_forking = 0
_all: weakref.WeakSet[Pool] = weakref.WeakSet()
_left: list[sqlite3.Connection] = []
# Device and inode of databases that were in use at the fork that made this process.
_lost: set[tuple[int, int]] = set()


Version = tuple[int, int, int]
"""What a connection has seen: its number, SQLite's count of the commits of others, its own."""


class SqliteConnection:
    """A connection, the file that it is open on, and the thread that uses it.

    `commits` and `root_commits` count what it has written itself, before it does so: SQLite's
    own count, `PRAGMA data_version`, is that of what others have written.
    """

    __slots__ = (
        "begun",
        "calling",
        "commits",
        "data_version",
        "identity",
        "looks_only",
        "number",
        "opened",
        "path",
        "process",
        "retired",
        "root_commits",
        "sql",
        "thread",
    )

    def __init__(self, sql: sqlite3.Connection, path: str, identity: tuple[int, int]) -> None:
        self.sql = sql
        self.number = next(_numbers)
        self.data_version = -1
        self.commits = self.root_commits = 0
        self.path = path
        self.identity = identity
        self.process = Process()
        self.thread = threading.get_ident()
        self.retired = False
        self.looks_only = False
        # Whether a thread is inside SQLite with it, and the changes before its transaction.
        self.calling = False
        self.begun = 0
        self.opened = False

    @property
    def is_unsettled(self) -> bool:
        """Whether it is at work, or has changed what it has not committed."""
        return self.calling or (self.sql.in_transaction and self.sql.total_changes != self.begun)

    @property
    def in_process(self) -> bool:
        """False in a child that was forked since."""
        return self.process.is_current

    def execute(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        """All rows of one statement. Waits where others are in the way."""
        self.calling = True
        if _forking:
            self._let_fork()
        try:
            return self.sql.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            # Not again: a disk that is full has undone the transaction, and what follows is none.
            if not in_the_way(error):
                raise translate_error(error, self.path) from error
            return self.patiently(lambda: self.sql.execute(statement, values).fetchall(), PATIENCE)
        finally:
            self.calling = False

    def change(self, statement: str, values: Sequence[object], timeout: float) -> int:
        """How many rows one statement has changed. Waits *timeout* seconds for others."""
        return self.patiently(lambda: self.sql.execute(statement, values).rowcount, timeout)

    def watch(self) -> None:
        """Find out what others have written (https://www.sqlite.org/pragma.html#pragma_data_version)."""
        ((self.data_version,),) = self.execute("PRAGMA data_version")

    @property
    def version(self) -> Version:
        """Of the records, as `watch` last found them or this connection left them."""
        return self.number, self.data_version, self.commits

    @property
    def root_version(self) -> Version:
        """Of the root, likewise."""
        return self.number, self.data_version, self.root_commits

    def begin(self, timeout: float) -> None:
        """Take the write lock of the database (BEGIN IMMEDIATE), in *timeout* seconds."""
        if self.looks_only:
            # SQLite says so with the first change alone.
            error = sqlite3.OperationalError("attempt to write a readonly database")
            raise translate_error(error, self.path)
        self.patiently(lambda: self.sql.execute("BEGIN IMMEDIATE"), timeout)
        self.begun = self.sql.total_changes

    def rollback(self) -> None:
        """Undo what was not committed, if there is something."""
        if self.in_process and self.sql.in_transaction:
            self.execute("ROLLBACK")

    def _let_fork(self) -> None:
        """Be outside of SQLite while another thread forks, which waits for those that open one."""
        if not self.opened:
            return
        thread = threading.get_ident()
        while _forking not in (0, thread):
            self.calling = False
            with _guard:
                while _forking not in (0, thread):
                    _change.wait(_FORK_PATIENCE)
            self.calling = True

    def patiently(self, run: Callable[[], _T], timeout: float) -> _T:
        """Run until nobody is in the way, and give the errors of SQLite the package's words."""
        waiting = Waiting(timeout)
        while True:
            self.calling = True
            if _forking:
                self._let_fork()
            try:
                return run()
            except sqlite3.Error as error:
                if not in_the_way(error):
                    raise translate_error(error, self.path) from error
            finally:
                self.calling = False
            if not waiting.pause():
                raise timed_out(self.path, timeout)


class Pool:
    """The connections of this process to the database at *path* (absolute)."""

    __slots__ = ("__weakref__", "_busy", "_idle", "_opening", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._idle: list[SqliteConnection] = []
        self._busy: set[SqliteConnection] = set()
        self._opening: list[int] = []
        with _guard:
            _all.add(self)

    def take(self, *, create: bool = False, timeout: float = PATIENCE) -> SqliteConnection | None:
        """A connection that nobody else uses until `give`; None where there is no database.

        *create* makes one, waiting *timeout* seconds for another process that does the same.
        """
        thread = threading.get_ident()
        with _guard:
            # Who has one already is let through, or would never give it back.
            while _forking not in (0, thread) and thread not in self._users():
                _change.wait(_FORK_PATIENCE)
            while self._idle:
                connection = self._idle.pop()
                if identity_of(connection.path) == connection.identity:
                    connection.thread = thread
                    self._busy.add(connection)
                    return connection
                connection.sql.close()  # the file was taken away or replaced
            self._opening.append(thread)
        opened = None
        try:
            opened = self._open(create=create, timeout=timeout)
        finally:
            with _guard:
                self._opening.remove(thread)
                if opened is not None:
                    opened.opened = True
                    self._busy.add(opened)
                _change.notify_all()
        return opened

    def give(self, connection: SqliteConnection) -> None:
        """Give back what `take` gave. A connection of the parent of this process is left alone."""
        if not connection.in_process:
            return
        with _guard:
            self._busy.discard(connection)
            if len(self._idle) < _KEPT and not (
                connection.retired or connection.sql.in_transaction
            ):
                self._idle.append(connection)
            else:
                connection.sql.close()
            if _forking:
                _change.notify_all()

    def close(self) -> None:
        """Close the connections that nobody uses, and the others when they are given back."""
        with _guard:
            for connection in self._busy:
                connection.retired = True
            while self._idle:
                self._idle.pop().sql.close()

    def __del__(self) -> None:
        while self._idle:
            self._idle.pop().sql.close()

    def has_open(self, identity: tuple[int, int]) -> bool:
        """Whether a connection to this file is open (or being opened)."""
        connections = [*self._idle, *self._busy]
        return bool(self._opening) or any(
            connection.identity == identity for connection in connections
        )

    # Opening.

    def _open(self, *, create: bool, timeout: float) -> SqliteConnection | None:
        folder, name = os.path.split(self.path)
        connection, spare = None, False
        try:
            with Folder.open(folder) as found:
                file = found.look(name)
                # A dying `create` leaves a second name for the file.
                spare = file is not None and file.st_nlink > 1 and bool(found.leftovers(name))
                if not spare:
                    connection = self._connect(found, name)
        except VaultNotFoundError:
            pass
        if connection is not None or not (create or spare):
            return connection
        self._warn_of_network(folder)
        lock = FileLock(self.path, "write.lock")
        lock.acquire(timeout)
        try:
            with Folder.open(folder, create=create) as found:
                found.sweep(name)
                if create:
                    found.create(name, Hidden(b""))
                return self._connect(found, name, make=create)
        finally:
            lock.release()

    def _connect(self, folder: Folder, name: str, *, make: bool = False) -> SqliteConnection | None:
        identity = check_file(folder, name)
        if identity is None:
            return None
        if identity in _lost:
            raise VaultIOError(
                f"{self._shown}: this process was forked while its parent was changing the "
                "database, so SQLite cannot use it here. Fork at another moment, or start the "
                "process with `spawn`.",
                path=self._shown,
            )
        for suffix in SIDE_FILES:
            check_file(folder, name + suffix)
        path = folder.path_of(name)
        connection = _connected(path, identity, uri_of(path))
        try:
            try:
                ready = self._ready(connection)
            except VaultError as error:
                connection.sql.close()
                connection = _to_look_only(path, identity, error)
                ready = self._ready(connection)
            if ready:
                self._restore_log(connection)
            else:
                if not make:
                    connection.sql.close()
                    return None
                self._keep_log(connection)
                connection.begin(PATIENCE)
                for statement in _SCHEMA:
                    connection.execute(statement)
                connection.execute("COMMIT")
            for statement in _settings():
                connection.execute(statement)
        except BaseException:
            connection.sql.close()
            raise
        return connection

    def _keep_log(self, connection: SqliteConnection) -> None:
        """Have a write-ahead log, as every vault has from its first moment."""
        if connection.execute("PRAGMA journal_mode = WAL")[0][0] != "wal":
            raise VaultIOError(
                f"{self._shown}: SQLite cannot keep a write-ahead log here: use a local disk or "
                "the Redis store",
                path=self._shown,
            )

    def _restore_log(self, connection: SqliteConnection) -> None:
        """The same for a copy by VACUUM INTO, which has none.

        Where that cannot be, on a read-only disk or while another process reads the copy, it
        works as it is.
        """
        if connection.execute("PRAGMA journal_mode")[0][0] != "wal":
            with suppress(sqlite3.Error):
                connection.sql.execute("PRAGMA journal_mode = WAL").fetchall()

    def _ready(self, connection: SqliteConnection) -> bool:
        """Whether this is the database of a vault; False for one that nothing is in yet."""
        # In one transaction: another process may be making the tables at this moment.
        connection.execute("BEGIN")
        try:
            rows = connection.execute("SELECT CAST(sql AS TEXT) FROM sqlite_master")
            found = {_one_line(row[0]) for row in rows if row[0] is not None}
            mark = connection.execute("PRAGMA application_id")[0][0]
            version = connection.execute("PRAGMA user_version")[0][0]
        finally:
            connection.execute("COMMIT")
        if mark == 0 and not found:
            return False
        if mark != APPLICATION_ID:
            raise VaultFormatError(
                f"{self._shown} is an SQLite database of another program; it was left unchanged. "
                "Use another path.",
                path=self._shown,
            )
        if version != SCHEMA_VERSION:
            raise VaultVersionError(
                f"{self._shown}: the tables are of version {version}, and this program knows "
                f"version {SCHEMA_VERSION}: use a newer one",
                path=self._shown,
            )
        # A view in the place of a table may never end, a trigger may keep what is deleted. What
        # else there is in tables (of `.recover`, of ANALYZE) is never looked at.
        others = found - _TABLES
        if not found >= _TABLES or any(not sql.startswith("CREATE TABLE ") for sql in others):
            raise VaultFormatError(
                f"{self._shown}: the tables of this vault were changed, or views, triggers or "
                "indexes were added; it was left unchanged. Drop what was added (`sqlite3 FILE "
                ".schema` shows it), or restore a backup.",
                path=self._shown,
            )
        return True

    def _warn_of_network(self, folder: str) -> None:
        kind = network_filesystem(folder)
        if kind is not None:
            warn_once(
                "network",
                folder,
                "%s is on a network file system (%s), where SQLite's locks between hosts cannot "
                "be relied on. For several hosts use the Redis store.",
                self._shown,
                kind,
            )
        other = second_view(folder)
        if other is not None:
            warn_once(
                "view",
                folder,
                "%s is on a FUSE file system that is mounted at %s too: the locks of one mount are "
                "not seen by the other. Reach it by one path.",
                self._shown,
                shown(other),
            )

    @property
    def _shown(self) -> str:
        return shown(self.path)

    # Forking; all with the guard held.

    def _before_fork(self, deadline: float) -> None:
        while any(thread != _forking for thread in self._opening) or any(
            connection.is_unsettled for connection in self._busy if connection.thread != _forking
        ):
            left = deadline - monotonic()
            if left <= 0:
                break
            _change.wait(min(left, _FORK_PAUSE))
        while self._idle:
            self._idle.pop().sql.close()

    def _in_child(self) -> None:
        for connection in self._busy:
            if connection.is_unsettled or not _is_held(connection.path):
                _left.append(connection.sql)  # to close it would touch the files of the parent
                _lost.add(connection.identity)
            else:
                connection.sql.close()
        if self._opening:
            identity = identity_of(self.path)
            if identity is not None:
                _lost.add(identity)
        self._busy = set()
        self._opening = []

    def _users(self) -> list[int]:
        return [*self._opening, *(connection.thread for connection in self._busy)]


def _is_held(path: str) -> bool:
    """Whether another process has the database open, as the parent has that was forked just now.

    Then it is not the last connection that is closed here, which would empty the log and take it
    away. The lock is that of SQLite's readers (https://www.sqlite.org/src/file/src/os.h).
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(fd)


def _connected(path: str, identity: tuple[int, int], uri: str) -> SqliteConnection:
    try:
        sql = sqlite3.connect(
            uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise translate_error(error, path) from error
    connection = SqliteConnection(sql, path, identity)
    # One that left mode bits as they were is for this once.
    connection.retired = not may_repair()
    return connection


def _to_look_only(path: str, identity: tuple[int, int], error: VaultError) -> SqliteConnection:
    """A connection that reads what is there where none can be had that writes; used once.

    Raises *error* where there is none.
    """
    if not isinstance(error, (VaultIOError, VaultPermissionError)):
        raise error
    if os.access(os.path.dirname(path), os.W_OK, effective_ids=EFFECTIVE):
        # A disk that is full, as a rule: there is no room for the index of the log (`-shm`), which
        # who has the database for himself does without.
        connection = _connected(path, identity, uri_of(path))
        connection.sql.execute("PRAGMA locking_mode = EXCLUSIVE")
    elif _has_log(path):
        raise error
    else:
        # https://www.sqlite.org/wal.html#read_only_databases: no log can be made here, and none
        # is there that had to be read.
        connection = _connected(path, identity, f"{uri_of(path)}&immutable=1")
        connection.looks_only = True
    connection.retired = True
    return connection


def _has_log(path: str) -> bool:
    try:
        return os.stat(f"{path}-wal", follow_symlinks=False).st_size > 0
    except OSError:
        return False


def is_open(path: str) -> bool:
    """Whether this process has a connection to the file at *path*. To be asked under `guarded`."""
    identity = identity_of(path)
    return identity is not None and any(pool.has_open(identity) for pool in tuple(_all))


def guarded() -> AbstractContextManager[object]:
    """The lock under which nobody in this process opens a connection."""
    return _guard


def _before_fork() -> None:
    global _forking
    _guard.acquire()
    _forking = threading.get_ident()
    deadline = monotonic() + _FORK_PATIENCE
    for pool in tuple(_all):
        pool._before_fork(deadline)  # noqa: SLF001


def _in_parent() -> None:
    global _forking
    _forking = 0
    _change.notify_all()
    _guard.release()


def _in_child() -> None:
    global _change, _forking
    _forking = 0
    _change = threading.Condition(_guard)  # those who waited are not in this process
    for pool in tuple(_all):
        pool._in_child()  # noqa: SLF001
    _guard.release()


os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)

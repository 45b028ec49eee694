"""What happens to a store once in a million times."""

from __future__ import annotations

import gc
import logging
import os
import sqlite3
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import StoreUnavailableError, ValidationError, VaultIOError
from interpal.vault.stores.base import LoadedRecord, RecordWrite, Stored, StoredRecord
from interpal.vault.stores.redis import client as client_module
from interpal.vault.stores.redis import servers
from interpal.vault.stores.redis.address import Address
from interpal.vault.stores.redis.lock import RedisLock, Renewer
from interpal.vault.stores.redis.store import RedisStore, RedisWriter
from interpal.vault.stores.sqlite import connections
from interpal.vault.stores.sqlite.connections import Pool, SqliteConnection
from interpal.vault.stores.sqlite.errors import translate_error
from interpal.vault.stores.sqlite.store import SqliteStore
from tests.files import descriptors
from tests.stores.contract import ID, TAG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.redis_server import RedisServer

OTHER_ID = bytes(16)


def test_what_a_store_hands_over_shows_nothing_of_it() -> None:
    for value in (
        RecordWrite(TAG, 0, b"canary", 1),
        StoredRecord(TAG, b"canary"),
        LoadedRecord(b"canary", True),
        LoadedRecord(None, False),
        Stored(b"canary", b"canary"),
    ):
        assert "canary" not in repr(value)


# SQLite.


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    with store.record_lock(10) as writer:
        writer.save(b"root", vault_id=ID)
    yield store
    store.close()


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("database or disk is full", "Free some space"),
        ("attempt to write a readonly database", "writable"),
        ("unable to open database file", "owner, mode and folder"),
        ("disk I/O error", "the disk and"),
    ],
)
def test_each_error_of_sqlite_says_what_to_do(text: str, remedy: str) -> None:
    error = translate_error(sqlite3.OperationalError(text), "/v.db")
    assert isinstance(error, VaultIOError)
    assert remedy in str(error)


def test_a_database_that_goes_while_it_is_made_is_an_error(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pool, "take", lambda *arguments, **more: None)
    with pytest.raises(VaultIOError, match="it was removed"), store.record_lock(1):
        pass


def test_a_store_that_nobody_holds_any_more_leaves_no_connection_open(path: Path) -> None:
    gc.collect()
    before = descriptors()
    store = SqliteStore(path)
    with store.record_lock(10) as writer:
        writer.save(b"root", vault_id=ID)
    assert descriptors() > before
    del store, writer
    gc.collect()
    assert descriptors() == before


def test_a_second_name_that_a_dying_process_left_is_taken_away(
    path: Path, store: SqliteStore
) -> None:
    store.close()
    spare = path.with_name("vault.db.0123456789abcdef.tmp")
    os.link(path, spare)
    stored = SqliteStore(path).load()
    assert stored is not None
    assert stored.reveal() == b"root"
    assert not spare.exists()


def test_a_database_that_cannot_be_opened_is_told(
    path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **more: Any) -> sqlite3.Connection:
        raise sqlite3.OperationalError("unable to open database file")

    store.close()
    monkeypatch.setattr(sqlite3, "connect", fail)
    with pytest.raises(VaultIOError, match="unable to open"):
        store.load()


def test_a_place_without_a_write_ahead_log_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = SqliteConnection.execute

    def no_wal(link: SqliteConnection, statement: str, *values: Any) -> Any:
        return [("delete",)] if "journal_mode" in statement else execute(link, statement, *values)

    monkeypatch.setattr(SqliteConnection, "execute", no_wal)
    with pytest.raises(VaultIOError, match="write-ahead log"), SqliteStore(path).record_lock(1):
        pass


def test_a_network_file_system_is_warned_of(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "network_filesystem", lambda folder: "nfs4")
    with caplog.at_level(logging.WARNING), SqliteStore(path).record_lock(1) as writer:
        writer.save(b"root", vault_id=ID)
    assert "is on a network file system (nfs4)" in caplog.text


def test_a_store_may_be_closed_while_it_is_used(store: SqliteStore) -> None:
    before = descriptors()
    with store.record_lock(1) as writer:
        store.close()
        writer.save(b"new", vault_id=ID)
    assert descriptors() < before
    stored = store.load()
    assert stored is not None
    assert stored.reveal() == b"new"


def test_a_fork_does_not_wait_for_ever_for_a_thread_that_holds_a_connection(path: Path) -> None:
    pool = Pool(str(path))
    pool._opening.append(-1)
    pool._before_fork(time.monotonic() - 1)
    pool._in_child()
    assert pool._opening == []
    pool._opening.append(-1)
    # What a thread of the parent was opening is not to be touched in the child.
    path.write_bytes(b"")
    pool._in_child()
    try:
        assert pool._opening == []
        with pytest.raises(VaultIOError, match="forked while"):
            SqliteStore(path).load()
    finally:
        connections._lost.clear()


# Redis.


@pytest.fixture
def remote(redis_server: RedisServer) -> Iterator[RedisStore]:
    store = RedisStore(redis_server.url(prefix=f"rare-{os.urandom(4).hex()}"))
    with store.record_lock(10) as writer:
        writer.save(b"root", vault_id=ID)
    yield store
    store.close()


def until(what: Any) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_was_read_from_elsewhere_is_not_set_aside(remote: RedisStore) -> None:
    with remote.record_lock(1) as writer:
        assert writer.set_aside(Stored(b"root", (1, 2))) is None
    assert remote.load() is not None


def test_old_records_that_cannot_be_dropped_do_not_undo_a_rotation(
    remote: RedisStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(space: object, vault_id: bytes) -> None:
        raise StoreUnavailableError("gone")

    remote.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
    with caplog.at_level(logging.WARNING), remote.record_lock(1) as writer:
        assert isinstance(writer, RedisWriter)
        monkeypatch.setattr(type(writer._space), "drop", fail)
        writer.replace_all(b"new", old_id=ID, new_id=OTHER_ID, records=[])
    assert "old records stay for now: gone" in caplog.text
    stored = remote.load()
    assert stored is not None
    assert stored.reveal() == b"new"


def test_the_records_of_the_vault_that_is_there_are_never_dropped(remote: RedisStore) -> None:
    remote.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
    with remote.record_lock(1) as writer:
        assert isinstance(writer, RedisWriter)
        writer._space.drop(ID)
    assert remote.load_record(ID, TAG).data == b"one"


def test_an_error_of_the_system_below_redis_is_one_of_ours(
    remote: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    import redis

    def fail(*arguments: Any, **more: Any) -> None:
        raise OSError("no route")

    monkeypatch.setattr(redis.Connection, "send_packed_command", fail)
    with pytest.raises(StoreUnavailableError, match="no route"):
        remote.load()


def test_without_the_library_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ValidationError, match=r"interpal-vault\[redis\]"):
        RedisStore("redis://127.0.0.1:1/0").load()


def test_an_older_library_is_kept_from_naming_itself_too(monkeypatch: pytest.MonkeyPatch) -> None:
    import redis

    def older(**settings: Any) -> None:
        raise TypeError("driver_info")

    monkeypatch.setattr(redis, "Connection", older)
    assert servers._quiet() == {"lib_name": None, "lib_version": None}


def test_an_older_library_tells_a_redirection_with_its_parser_for_clusters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import redis.cluster

    parser = object()
    monkeypatch.setattr(redis.cluster, "ClusterParser", parser, raising=False)
    client = client_module._client(Address.parse("redis://host"), "host", 1)
    assert client.connection_pool.connection_kwargs["parser_class"] is parser


def test_a_lock_that_is_freed_while_it_is_renewed_stays_free(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = RedisStore(redis_server.url(), lock_seconds=3).login_lock(TAG)
    assert lock.try_acquire()
    link, run = lock._client, type(lock._client).run

    def freed_meanwhile(*arguments: Any, **more: Any) -> Any:
        lock.forget()
        return run(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(type(link), "run", freed_meanwhile)
        assert lock.renew()
    assert not lock.held
    until(lambda: lock.holder() is None)
    assert not lock.renew()


def test_a_child_leaves_the_locks_of_its_parent_to_it(remote: RedisStore) -> None:
    lock = remote.login_lock(TAG)
    renewer = Renewer()
    renewer._due[lock] = time.monotonic() + 60
    renewer._process.pid = -1
    renewer.drop(lock)
    assert list(renewer._due) == [lock]
    assert repr(lock) == "<RedisLock not held>"


def test_a_lock_whose_renewal_is_refused_is_tried_again_and_one_that_was_dropped_is_not(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lock = RedisStore(redis_server.url(), lock_seconds=0.6).login_lock(TAG)
    tried: list[int] = []
    renewer = Renewer()

    def renew(one: RedisLock) -> bool:
        tried.append(1)
        if len(tried) < 3:
            raise VaultIOError("the disk of the server is full")
        renewer.drop(one)
        return True

    monkeypatch.setattr(RedisLock, "renew", renew)
    with caplog.at_level(logging.WARNING):
        renewer.add(lock)
        until(lambda: not renewer._running)
    assert len(tried) == 3
    assert "cannot be renewed: the disk of the server is full" in caplog.text

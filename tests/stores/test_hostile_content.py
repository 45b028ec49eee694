"""What somebody who may write to a database or a server can put there: an error, never a hang."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import StoreUnavailableError, VaultCorruptError, VaultFormatError
from interpal.vault import Vault
from interpal.vault.stores.base import RecordWrite
from interpal.vault.stores.redis.lock import Renewer
from interpal.vault.stores.redis.store import RedisStore
from interpal.vault.stores.sqlite.store import SqliteStore
from tests.stores.contract import ID, TAG

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from tests.redis_server import RedisServer

KEY = bytes(range(32))


# A database.


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "vault.db"
    with Vault.open(f"sqlite:{path}", key=KEY, create=True) as vault:
        vault.update({"maple_ink": {"n": 1}, "pedro_k": {"n": 2}})
    return path


def altered(path: Path, *statements: str) -> None:
    sql = sqlite3.connect(path)
    try:
        for statement in statements:
            sql.execute(statement)
        sql.commit()
    finally:
        sql.close()


def read_all(path: Path) -> dict[str, dict[str, Any]]:
    with Vault.open(path, key=KEY) as vault:
        return {name: dict(record) for name, record in vault.items()}


@pytest.mark.parametrize("value", ["'text'", "5", "1.5", "x'00ff'"])
def test_a_root_of_another_type_is_no_vault(database: Path, value: str) -> None:
    altered(database, f"UPDATE root SET data = {value}")
    with pytest.raises(VaultFormatError):
        read_all(database)


@pytest.mark.parametrize("value", ["'text'", "5", "1.5", "x'00ff'"])
def test_a_record_of_another_type_is_a_damaged_one(database: Path, value: str) -> None:
    altered(database, f"UPDATE records SET data = {value}")
    with Vault.open(database, key=KEY) as vault:
        assert vault.damaged() == 2
        with pytest.raises(VaultCorruptError):
            vault["maple_ink"]


def test_content_that_was_made_text_reads_as_it_was(database: Path) -> None:
    altered(
        database,
        "UPDATE root SET data = CAST(data AS TEXT)",
        "UPDATE records SET data = CAST(data AS TEXT)",
    )
    assert read_all(database) == {"maple_ink": {"n": 1}, "pedro_k": {"n": 2}}


ENDLESS = (
    "ALTER TABLE root RENAME TO elsewhere",
    """CREATE VIEW root AS WITH RECURSIVE more(name, vault_id, data) AS
        (SELECT 'x', x'00', x'00' UNION ALL SELECT 'x', x'00', x'00' FROM more)
        SELECT * FROM more""",
)
KEEPER = (
    "CREATE TABLE kept (data)",
    "CREATE TRIGGER keeper AFTER DELETE ON records BEGIN INSERT INTO kept VALUES (old.data); END",
)


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(ENDLESS, id="a view that never ends"),
        pytest.param(KEEPER, id="a trigger that keeps what is deleted"),
        pytest.param(("CREATE INDEX slow ON records (zeroblob(9))",), id="an index"),
        pytest.param(("ALTER TABLE records ADD COLUMN more",), id="a column more"),
        pytest.param(("DROP TABLE records",), id="a table less"),
    ],
)
def test_tables_that_somebody_has_changed_are_refused(
    database: Path, statements: tuple[str, ...]
) -> None:
    altered(database, *statements)
    before = database.read_bytes()
    with pytest.raises(VaultFormatError, match="the tables of this vault were changed"):
        Vault.open(database, key=KEY)
    with pytest.raises(VaultFormatError), SqliteStore(database).record_lock(1):
        pass
    assert database.read_bytes() == before


def test_tables_that_the_tools_of_sqlite_leave_are_no_fault(database: Path) -> None:
    altered(database, "ANALYZE", "CREATE TABLE lost_and_found (pgno, data)")
    assert len(read_all(database)) == 2


def test_a_removed_vault_is_overwritten_in_database_and_log(database: Path) -> None:
    store, other = SqliteStore(database), SqliteStore(database)
    root = other.load()
    found = [sealed.data for sealed in store.load_records(Vault.open(store, key=KEY).id)]
    assert root is not None
    assert len(found) == 2
    with store.record_lock(1) as writer:
        writer.remove()
    # The other connection is still open, so nothing is tidied up by the closing of the last one.
    for path in (database, database.with_name("vault.db-wal")):
        content = path.read_bytes()
        assert not any(data[:200] in content for data in [root.reveal(), *found])
    assert other.load() is None
    for one in (store, other):
        one.close()
    with Vault.open(f"sqlite:{database}", key=KEY, create=True) as vault:
        assert dict(vault) == {}


# A server.


@pytest.fixture
def remote(redis_server: RedisServer) -> Iterator[RedisStore]:
    store = RedisStore(redis_server.url(prefix=f"test-{os.urandom(4).hex()}"))
    with store.record_lock(10) as writer:
        writer.save(b"root", vault_id=ID)
    store.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
    yield store
    store.close()


@pytest.mark.parametrize("garbage", [b"zz", b"\xff", "\N{SNOWMAN}".encode(), b"0"])
def test_a_root_whose_id_is_none_is_damage(
    redis_server: RedisServer, remote: RedisStore, garbage: bytes
) -> None:
    with redis_server.admin() as admin:
        admin.hset(remote._space.keys.root, "id", garbage)
    with pytest.raises(VaultCorruptError, match="no vault id") as caught:
        remote.load()
    assert caught.value.path == remote.location


@pytest.mark.parametrize("garbage", [b"a=b", b"\xff\xfe", b""])
def test_what_is_no_tag_in_the_index_leads_to_no_record(
    redis_server: RedisServer, remote: RedisStore, garbage: bytes
) -> None:
    start = f"{remote._space._prefix}{ID.hex()}:"
    with redis_server.admin() as admin:
        admin.sadd(f"{start}index", garbage)
        assert [one.tag for one in remote.load_records(ID)] == [TAG]
        # With a record, it stays in the index, and goes with the others.
        admin.sadd(f"{start}index", garbage)
        admin.hset(f"{start}r:".encode() + garbage, mapping={"g": "1", "d": "x"})
        found = [one.tag for one in remote.load_records(ID)]
        assert TAG in found
        with remote.record_lock(1) as writer:
            writer.remove()
        assert list(admin.scan_iter(f"{start}*")) == []


def test_a_rotation_passes_over_what_is_no_id_among_the_sets(
    redis_server: RedisServer, remote: RedisStore
) -> None:
    with redis_server.admin() as admin:
        admin.sadd(remote._space.keys.sets, b"zz", b"\xff")
    with remote.record_lock(1) as writer:
        writer.replace_all(
            b"new", old_id=ID, new_id=bytes(16), records=[RecordWrite(TAG, 0, b"2", 1)]
        )
    assert [one.data for one in remote.load_records(bytes(16))] == [b"2"]


@contextmanager
def answering(reply: bytes) -> Generator[str, None, None]:
    """The URL of a server that says who it is as Redis does, and then *reply* to everything."""
    info = b"maxmemory_policy:noeviction\r\n"

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    while asked := connection.recv(65536):
                        known = b"$%d\r\n%s\r\n" % (len(info), info)
                        connection.sendall(known if b"INFO" in asked else reply)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    "reply",
    [b":abc\r\n", b"$abc\r\n", b"*abc\r\n", b"*1\r\n" * 5000 + b":1\r\n", b"HTTP/1.1 400\r\n"],
)
def test_what_is_no_reply_of_redis_is_told(reply: bytes) -> None:
    with answering(reply) as url:
        store = RedisStore(url)
        with pytest.raises(StoreUnavailableError, match="does not answer"):
            store.load()
        with pytest.raises(StoreUnavailableError, match="may or may not have been saved"):
            store.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=0)
        store.close()


def test_a_thread_that_cannot_be_started_does_not_end_the_renewing_of_later_locks(
    remote: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, renewer = remote.login_lock(TAG), Renewer()

    def full(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", full)
        with pytest.raises(RuntimeError):
            renewer.add(lock)
    renewed = threading.Event()
    monkeypatch.setattr(type(lock), "renew", lambda _lock: renewed.set())
    monkeypatch.setattr(type(lock), "life", 0.01)
    renewer.add(lock)
    assert renewed.wait(30)
    renewer.drop(lock)

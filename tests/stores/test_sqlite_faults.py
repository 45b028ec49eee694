"""The SQLite store when things go wrong: killed writers, strangers' files, full disks, forks."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
import time
from contextlib import suppress
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

import pytest

from interpal.exceptions import (
    LockTimeoutError,
    ValidationError,
    VaultCorruptError,
    VaultError,
    VaultFormatError,
    VaultPermissionError,
    VaultVersionError,
)
from interpal.vault.files.permissions import may_repair
from interpal.vault.stores.base import RecordWrite
from interpal.vault.stores.sqlite import connections, database_files
from interpal.vault.stores.sqlite import store as module
from interpal.vault.stores.sqlite.store import SqliteStore, SqliteWriter
from tests.files import fork, in_child, in_mount, mode_of
from tests.stores.contract import ID, TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "vault.db")
    with store.record_lock(10) as writer:
        writer.save(b"root", vault_id=ID)
    yield store
    store.close()


# Private files.


def test_the_database_and_all_beside_it_are_private_and_named_after_it(
    tmp_path: Path, store: SqliteStore
) -> None:
    store.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
    assert store.login_lock(TAG).try_acquire()
    names = sorted(os.listdir(tmp_path))
    assert names == ["vault.db", "vault.db-shm", "vault.db-wal", "vault.db.locks"]
    assert [mode_of(tmp_path / name) for name in names] == [0o600, 0o600, 0o600, 0o700]
    assert {mode_of(path) for path in (tmp_path / "vault.db.locks").iterdir()} == {0o600}
    store.close()
    assert sorted(os.listdir(tmp_path)) == ["vault.db", "vault.db.locks"]


def test_missing_folders_are_made_private_and_looking_makes_none(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a" / "b" / "vault.db")
    assert store.load() is None
    assert os.listdir(tmp_path) == []
    with store.record_lock(1) as writer:
        writer.save(b"root", vault_id=ID)
    assert mode_of(tmp_path / "a") == mode_of(tmp_path / "a" / "b") == 0o700
    store.close()


def test_a_path_of_any_characters_works(tmp_path: Path) -> None:
    for name in ("white space.db", "per%41cent?mode=ro#x.db", "ütf.db", os.fsdecode(b"raw\xff.db")):
        store = SqliteStore(tmp_path / name)
        with store.record_lock(1) as writer:
            writer.save(b"root", vault_id=ID)
        assert (tmp_path / name).exists()
        assert store.load() is not None
        store.close()


def test_looser_mode_bits_are_tightened(
    tmp_path: Path, store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
    for name in ("vault.db", "vault.db-wal"):
        (tmp_path / name).chmod(0o664)
    other = SqliteStore(tmp_path / "vault.db")
    assert other.load() is not None
    other.close()
    assert mode_of(tmp_path / "vault.db") == mode_of(tmp_path / "vault.db-wal") == 0o600
    assert "mode 0664 was too open" in caplog.text


@pytest.mark.parametrize("how", ["link", "file"])
def test_what_takes_the_place_of_a_database_keeps_its_mode(
    tmp_path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A neighbour who may write to the folder swaps it between the look and the `chmod`."""
    store.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
    path, other = tmp_path / "vault.db", tmp_path / "for-all.txt"
    path.chmod(0o640)
    other.write_text("for all")
    other.chmod(0o644)

    def swap() -> bool:
        if not other.samefile(path):
            path.rename(tmp_path / "away.db")
            if how == "link":
                path.symlink_to(other)
            else:
                path.hardlink_to(other)
        return may_repair()

    monkeypatch.setattr(database_files, "may_repair", swap)
    later = SqliteStore(path)
    with suppress(VaultError):
        later.load()
    later.close()
    assert mode_of(other) == 0o644


@pytest.mark.parametrize("name", ["vault.db", "vault.db-wal", "vault.db-shm"])
@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "hard"])
def test_what_is_no_file_of_ours_is_refused_and_left_alone(
    tmp_path: Path, name: str, kind: str
) -> None:
    store = SqliteStore(tmp_path / "vault.db")
    if name != "vault.db":
        with store.record_lock(1) as writer:
            writer.save(b"root", vault_id=ID)
        store.close()
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    if kind == "link":
        (tmp_path / name).symlink_to(precious)
    elif kind == "hard":
        os.link(precious, tmp_path / name)
    elif kind == "fifo":
        os.mkfifo(tmp_path / name)
    else:
        (tmp_path / name).mkdir()
    for use in (store.load, lambda: store.record_lock(0.5).__enter__()):
        with pytest.raises(VaultPermissionError, match=str(tmp_path / name)):
            use()
    assert precious.read_bytes() == b"precious"


def test_a_folder_that_all_may_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(VaultPermissionError, match="chmod o-w"):
        SqliteStore(tmp_path / "vault.db").load()
    tmp_path.chmod(0o700)


def test_a_strangers_database_is_refused(tmp_path: Path, store: SqliteStore) -> None:
    store.close()
    os.chown(tmp_path / "vault.db", 1001, 1001)
    with pytest.raises(VaultPermissionError, match="belongs to user 1001"):
        store.load()


def test_what_is_no_path_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        SqliteStore("")
    with pytest.raises(ValidationError):
        SqliteStore("a\0b")


# Strange databases.


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "library.db"
    with sqlite3.connect(path) as sql:
        sql.execute("CREATE TABLE books (title)")
    sql.close()
    path.chmod(0o600)
    before = path.read_bytes()
    store = SqliteStore(path)
    for use in (store.load, lambda: store.record_lock(1).__enter__()):
        with pytest.raises(VaultFormatError, match="another program"):
            use()
    store.close()
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "vault.db"
    path.write_bytes(b'{"protected": "a vault in a file"}' * 100)
    path.chmod(0o600)
    with pytest.raises(VaultFormatError, match="not an SQLite database"):
        SqliteStore(path).load()


def test_tables_of_a_newer_program_are_left_alone(tmp_path: Path, store: SqliteStore) -> None:
    store.close()
    sql = sqlite3.connect(tmp_path / "vault.db")
    sql.execute("PRAGMA user_version = 2")
    sql.close()
    with pytest.raises(VaultVersionError, match="version 2"):
        store.load()


def test_a_damaged_database_is_told_with_the_remedy(tmp_path: Path, store: SqliteStore) -> None:
    changes = [RecordWrite(bytes([n]) * 32, 0, os.urandom(3000), 1) for n in range(1, 100)]
    store.commit(ID, changes, timeout=1)
    store.close()
    path = tmp_path / "vault.db"
    data = bytearray(path.read_bytes())
    data[4096 * 2 :] = b"\xa5" * (len(data) - 4096 * 2)
    path.write_bytes(data)
    with pytest.raises(VaultCorruptError, match="recover"):
        list(store.load_records(ID))
    with pytest.raises(VaultCorruptError):
        store.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)


def test_an_empty_file_is_a_vault_that_is_not_made_yet(tmp_path: Path) -> None:
    (tmp_path / "vault.db").touch(0o600)
    store = SqliteStore(tmp_path / "vault.db")
    assert store.load() is None
    with store.record_lock(1) as writer:
        writer.save(b"root", vault_id=ID)
    assert store.load() is not None
    store.close()


def test_a_database_that_was_taken_away_is_not_written_into(
    tmp_path: Path, store: SqliteStore
) -> None:
    assert store.load() is not None
    for path in tmp_path.glob("vault.db*"):
        if path.is_file():
            path.unlink()
    assert store.load() is None
    with store.record_lock(1) as writer:
        writer.save(b"a new root", vault_id=ID)
    other = SqliteStore(tmp_path / "vault.db")
    loaded = other.load()
    assert loaded is not None
    assert loaded.reveal() == b"a new root"
    other.close()


# Killed, stopped, full.


HOLD = """
import sys, time
from interpal.vault.stores.base import RecordWrite
from interpal.vault.stores.sqlite.store import SqliteStore, SqliteWriter
store = SqliteStore(sys.argv[1])
with store.record_lock(5) as writer:
    print("held", flush=True)
    time.sleep(60)
"""

WRITE = """
import os, sys
from interpal.vault.stores.base import RecordWrite
from interpal.vault.stores.sqlite.store import SqliteStore, SqliteWriter
store, number = SqliteStore(sys.argv[1]), 0
tags = [bytes([n]) * 32 for n in (1, 2)]
while True:
    text = b"%d " % (number + 1) + b"x" * 5000
    changes = [RecordWrite(t, number, text, number + 1) for t in tags]
    store.commit(bytes(range(16)), changes, timeout=5)
    number += 1
    os.write(1, b"%d\\n" % number)
"""


def test_a_writer_that_is_killed_at_any_moment_loses_nothing_it_acknowledged(
    tmp_path: Path,
) -> None:
    kills = 8
    for turn in range(kills):
        path = tmp_path / f"vault-{turn}.db"
        store = SqliteStore(path)
        with store.record_lock(10) as writer:
            writer.save(b"root", vault_id=ID)
        store.close()
        with Popen([sys.executable, "-c", WRITE, str(path)], stdout=PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(0.003 * turn)
            child.kill()
            lines = child.stdout.read().split(b"\n")
        acknowledged = max([1, *(int(line) for line in lines[:-1])])
        found = {record.tag: record.data for record in store.load_records(ID)}
        numbers = {int(data.split()[0]) for data in found.values()}
        assert len(found) == 2
        assert len(numbers) == 1, "half of a commit"
        assert numbers.pop() in (acknowledged, acknowledged + 1)
        store.close()
    print(f"{kills} writers killed")


def test_the_write_lock_of_a_killed_process_is_free(tmp_path: Path, store: SqliteStore) -> None:
    with Popen([sys.executable, "-c", HOLD, store.path], stdout=PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        os.kill(child.pid, signal.SIGSTOP)
        with pytest.raises(LockTimeoutError, match=r"vault\.db"):
            store.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=0.3)
        assert store.load() is not None, "readers do not wait"
        child.kill()
        child.wait()
    store.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=5)


def test_a_full_disk_keeps_the_old_content() -> None:
    script = """
import os, sys
from interpal.exceptions import VaultIOError
from interpal.vault.stores.base import RecordWrite
from interpal.vault.stores.sqlite.store import SqliteStore, SqliteWriter
store, vault_id = SqliteStore("/mnt/vault.db"), bytes(16)
with store.record_lock(5) as writer:
    writer.save(b"root", vault_id=vault_id)
done = 0
try:
    while True:
        store.commit(vault_id, [RecordWrite(bytes([done]) * 32, 0, os.urandom(9000), 1)], timeout=5)
        done += 1
except VaultIOError as error:
    print(error)
print(len(list(store.load_records(vault_id))) == done > 3, store.load().reveal())
"""
    told = in_mount("mount -t tmpfs -o size=400k,mode=700 none /mnt", script)
    assert "/mnt/vault.db" in told
    assert "Free some space" in told
    assert "True b'root'" in told


def test_a_read_only_disk_is_read_and_told(tmp_path: Path, store: SqliteStore) -> None:
    store.close()
    script = """
import sys
from interpal.exceptions import VaultIOError
from interpal.vault.stores.sqlite.store import SqliteStore, SqliteWriter
store = SqliteStore(sys.argv[1])
print(store.load().reveal())
try:
    store.record_lock(1).__enter__()
except VaultIOError as error:
    print(error)
"""
    mount = f"mount --bind {tmp_path} /mnt && mount -o remount,ro,bind /mnt"
    read, told = in_mount(mount, script, "/mnt/vault.db").splitlines()
    assert read == "b'root'"
    assert told.startswith("/mnt/vault.db: cannot save: Read-only file system.")


# Forks and threads.


def test_a_fork_amid_the_work_of_other_threads_harms_neither_side(store: SqliteStore) -> None:
    store.commit(ID, [RecordWrite(bytes([n]) * 32, 0, b"1", 1) for n in range(3)], timeout=1)
    stop = threading.Event()
    done = [0, 0, 0]

    def work(number: int) -> None:
        while not stop.is_set():
            generation = done[number] + 1
            change = RecordWrite(bytes([number]) * 32, generation, b"x", generation + 1)
            store.commit(ID, [change], timeout=30)
            done[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(6):
            tag = bytes([100 + turn]) * 32
            pid = fork()
            if pid == 0:
                try:
                    store.commit(ID, [RecordWrite(tag, 0, b"child", 1)], timeout=20)
                    os._exit(0)
                finally:
                    os._exit(1)
            assert os.waitpid(pid, 0)[1] == 0
            assert store.load_record(ID, tag).data == b"child"
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert all(done)
    sql = sqlite3.connect(store.path)
    assert sql.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    sql.close()


def test_a_child_forked_in_a_transaction_uses_the_database(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the thread that is in it, and by another; the transaction of the parent goes on."""
    monkeypatch.setattr(connections, "_FORK_PATIENCE", 3600)  # the fork need not wait for anybody
    forked: list[str] = []
    for number in range(2):
        tag = bytes([number]) * 32
        with store.record_lock(1) as writer:
            if number:
                other = threading.Thread(target=lambda: forked.append(in_child(read(store))))
                other.start()
                other.join(30)
                (told,) = forked
            else:
                told = in_child(read(store))
            assert told == "(True, b'root')"
            writer.commit(ID, [RecordWrite(tag, 0, b"one", 1)])
        assert in_child(lambda tag=tag: store.load_record(ID, tag).data) == "b'one'"  # type: ignore[misc]
    sql = sqlite3.connect(store.path)
    assert sql.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    sql.close()


def read(store: SqliteStore) -> Callable[[], tuple[bool, bytes]]:
    def run() -> tuple[bool, bytes]:
        with pytest.raises(LockTimeoutError), store.record_lock(0.1):
            raise AssertionError("two holders")
        loaded = store.load()
        assert loaded is not None
        return store.load_record(ID, TAG).current, loaded.reveal()

    return run


def test_a_child_forked_amid_a_change_is_told_how_to_start_otherwise(store: SqliteStore) -> None:
    with store.record_lock(1) as writer:
        assert isinstance(writer, SqliteWriter)
        writer._link.execute("UPDATE root SET data = data")
        told = in_child(store.load)
        writer.commit(ID, [RecordWrite(TAG, 0, b"one", 1)])
    assert told.startswith("VaultIOError")
    assert "spawn" in told
    assert in_child(lambda: store.load_record(ID, TAG).data) == "b'one'"


def test_children_forked_among_transactions_lose_nothing(store: SqliteStore) -> None:
    stop = threading.Event()
    done = [0] * 3
    through = 0

    def work(number: int) -> None:
        tag = bytes([number + 7]) * 32
        while not stop.is_set():
            with store.record_lock(20) as writer:
                time.sleep(0.001)
                data = b"%d" % done[number]
                writer.commit(ID, [RecordWrite(tag, done[number], data, done[number] + 1)])
            done[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(8):
            tag = bytes([turn + 50]) * 32
            change = RecordWrite(tag, 0, b"child", 1)
            said = in_child(lambda change=change: store.commit(ID, [change], timeout=20))  # type: ignore[misc]
            data = store.load_record(ID, tag).data
            if "spawn" in said:  # Forked amid a change: it is told so, and has saved nothing.
                assert data is None
            else:
                assert data == b"child", said
                through += 1
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert all(done)
    assert through
    for number, count in enumerate(done):
        assert store.load_record(ID, bytes([number + 7]) * 32).data == b"%d" % (count - 1)
    sql = sqlite3.connect(store.path)
    assert sql.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    sql.close()


def test_connections_are_shared_and_few(tmp_path: Path, store: SqliteStore) -> None:
    for _ in range(3):
        threads = [threading.Thread(target=store.load) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert 1 <= len(store._pool._idle) <= 4


# Cost: counted, not timed.


def test_the_work_of_a_read_and_a_write_does_not_grow_with_the_accounts(
    store: SqliteStore,
) -> None:
    """100,000 records: the steps of SQLite's virtual machine stay what they were with 100."""

    known = (50).to_bytes(4, "little") * 8
    store.commit(ID, [RecordWrite(known, 0, b"x" * 200, 1)], timeout=10)

    def fill(count: int) -> None:
        link = store._pool.take()
        assert link is not None
        link.execute(
            "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number LIMIT ?)"
            " INSERT INTO records SELECT ?, randomblob(32), 1, NULL, randomblob(200) FROM number",
            (count, ID),
        )
        store._pool.give(link)

    def steps() -> dict[str, int]:
        link = store._pool.take()
        assert link is not None
        counted = {}
        for name, statement, values in (
            ("read", module._ONE, (ID, known)),
            ("add", module._ADD, (ID, known, 1, None, b"y" * 200)),
            ("replace", module._REPLACE, (ID, known, 1, None, b"y" * 200, 1)),
            ("remove", module._DROP, (ID, known, 9)),
        ):
            plan = [row[-1] for row in link.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
            assert not any("SCAN records" in step for step in plan), plan
            count = [0]

            def tick(count: list[int] = count) -> None:
                count[0] += 1

            link.sql.set_progress_handler(tick, 1)
            link.execute(statement, values)
            link.sql.set_progress_handler(None, 0)
            counted[name] = count[0]
        store._pool.give(link)
        return counted

    fill(99)
    few = steps()
    fill(99_900)
    many = steps()
    print(f"steps with 100 records: {few}; with 100,000: {many}")
    assert many == few

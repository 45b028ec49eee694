"""The Redis store when its server or its holders are killed, stopped, full or cut off."""

from __future__ import annotations

import gc
import os
import re
import signal
import socket
import sys
import threading
import time
import traceback
from contextlib import contextmanager, nullcontext
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

import pytest
import redis
import redis.exceptions

from interpal.exceptions import (
    LockTimeoutError,
    StaleWriteError,
    StoreUnavailableError,
    VaultError,
    VaultIOError,
    VaultPermissionError,
)
from interpal.vault.stores.base import RecordWrite
from interpal.vault.stores.redis import servers as redis_servers
from interpal.vault.stores.redis.address import Address
from interpal.vault.stores.redis.client import translate_error
from interpal.vault.stores.redis.lock import RedisLock
from interpal.vault.stores.redis.store import RedisStore, RedisWriter
from tests.files import fork, in_child
from tests.redis_server import PASSWORD, RedisServer
from tests.sandbox.web import eventually
from tests.stores.contract import ID, TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

DURABLE = "appendonly yes\nappendfsync always"


@contextmanager
def stopped(server: RedisServer) -> Generator[RedisStore, None, None]:
    """A store that is connected to the server, which does not answer any more.

    The bound is what is tried, not its length.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redis_servers, "CONNECT_SECONDS", 1.0)
        patch.setattr(redis_servers, "COMMAND_SECONDS", 1.0)
        store = RedisStore(server.url())
        store.load()
        server.stop()
        try:
            yield store
        finally:
            server.go_on()
            store.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis", settings=DURABLE) as server:
        yield server


@pytest.fixture
def store(server: RedisServer) -> Iterator[RedisStore]:
    with_root = vault_at(server)
    yield with_root
    with_root.close()


def vault_at(server: RedisServer, *, lock_seconds: float = 30.0) -> RedisStore:
    store = RedisStore(server.url(), lock_seconds=lock_seconds)
    with store.record_lock(10) as writer:
        writer.save(b"root", vault_id=ID)
    return store


@pytest.fixture
def own(redis_server: RedisServer) -> Iterator[Callable[..., RedisStore]]:
    """Stores on the shared server, one vault for each test."""
    prefix, made = f"test-{os.urandom(4).hex()}", []

    def make(*, lock_seconds: float = 30.0) -> RedisStore:
        made.append(RedisStore(redis_server.url(prefix=prefix), lock_seconds=lock_seconds))
        return made[-1]

    with make().record_lock(10) as writer:
        writer.save(b"root", vault_id=ID)
    yield make
    for store in made:
        store.close()


def operations(store: RedisStore) -> dict[str, Callable[[], object]]:
    change = RecordWrite(TAG, 0, b"one", 1)
    return {
        "load": store.load,
        "load_record": lambda: store.load_record(ID, TAG),
        "load_records": lambda: list(store.load_records(ID)),
        "commit": lambda: store.commit(ID, [change], timeout=5),
        "record_lock": lambda: store.record_lock(5).__enter__(),
        "login_lock": lambda: store.login_lock(TAG).try_acquire(),
    }


NAMES = ["load", "load_record", "load_records", "commit", "record_lock", "login_lock"]


# The server is gone, or does not answer.


@pytest.mark.parametrize("name", NAMES)
def test_each_operation_tells_that_the_server_is_gone(
    server: RedisServer, store: RedisStore, name: str
) -> None:
    server.kill()
    for _ in range(2):  # with an open connection, and with none
        with pytest.raises(StoreUnavailableError) as caught:
            operations(store)[name]()
        assert caught.value.path == store.location
    server.start()
    operations(store)[name]()


@pytest.mark.parametrize("name", NAMES)
def test_each_operation_on_a_stopped_server_ends_in_time(
    server: RedisServer, store: RedisStore, name: str
) -> None:
    with stopped(server) as waiting:
        before = time.monotonic()
        with pytest.raises(StoreUnavailableError) as caught:
            operations(waiting)[name]()
        assert time.monotonic() - before >= 0.9
        assert ("may or may not have been saved" in str(caught.value)) == (name == "commit")
    assert store.load() is not None


def test_a_start_without_a_server_is_told_and_makes_nothing(tmp_path: Path) -> None:
    store = RedisStore("redis://127.0.0.1:1/0")
    with pytest.raises(StoreUnavailableError, match=r"redis://127\.0\.0\.1:1/0"):
        store.load()
    store = RedisStore("redis://name-that-is-nowhere.invalid/0")
    with pytest.raises(StoreUnavailableError, match="nowhere"):
        store.load()


def test_connections_that_the_server_closed_are_made_again(
    server: RedisServer, store: RedisStore
) -> None:
    for generation in range(5):
        with server.admin() as admin:
            admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        change = RecordWrite(TAG, generation, b"one", generation + 1)
        store.commit(ID, [change], timeout=1)


WRITE = """
import os, sys
from interpal.vault.stores.base import RecordWrite
from interpal.vault.stores.redis.store import RedisStore
store, number = RedisStore(sys.argv[1]), int(sys.argv[2])
tags = [bytes([n]) * 32 for n in (1, 2)]
while True:
    text = b"%d " % (number + 1) + b"x" * 2000
    changes = [RecordWrite(t, number, text, number + 1) for t in tags]
    store.commit(bytes(range(16)), changes, timeout=5)
    number += 1
    os.write(1, b"%d\\n" % number)
"""


def test_a_server_killed_in_mid_operation_loses_nothing_that_it_acknowledged(
    server: RedisServer, store: RedisStore
) -> None:
    kills, number = 6, 0
    for turn in range(kills):
        command = [sys.executable, "-c", WRITE, server.url(), str(number)]
        with Popen(command, stdout=PIPE, stderr=PIPE) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            child.stdout.readline()
            time.sleep(0.005 * turn)
            server.kill()
            lines = child.stdout.read().split(b"\n")
            assert b"StoreUnavailableError" in child.stderr.read()
        acknowledged = max([number + 1, *(int(line) for line in lines[:-1])])
        server.start()
        found = {r.tag: int(r.data.split()[0]) for r in store.load_records(ID)}
        assert len(found) == 2
        assert len(set(found.values())) == 1, "half of a commit"
        number = set(found.values()).pop()
        assert number in (acknowledged, acknowledged + 1)
    print(f"{kills} servers killed, {number} commits")


class Cutter:
    """A proxy that may swallow the next reply: the server has done it, and nobody is told."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.swallow = False
        self.requests = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._to)) as server:
            while data := client.recv(65536):
                self.requests += 1
                server.sendall(data)
                reply = server.recv(65536)
                if self.swallow:
                    return
                client.sendall(reply)

    def close(self) -> None:
        self._listener.close()


def test_a_write_whose_reply_is_lost_is_not_sent_again_and_says_so(
    server: RedisServer, store: RedisStore
) -> None:
    cutter = Cutter(server.port)
    url = server.url().replace(f":{server.port}/", f":{cutter.port}/")
    behind = RedisStore(url)
    behind.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
    cutter.swallow, before = True, cutter.requests
    with pytest.raises(StoreUnavailableError, match="may or may not have been saved"):
        behind.commit(ID, [RecordWrite(TAG, 1, b"two", 2)], timeout=1)
    assert cutter.requests == before + 1
    assert store.load_record(ID, TAG).data == b"two", "this time it was"
    cutter.swallow = False
    assert behind.load_record(ID, TAG).data == b"two"
    behind.close()
    cutter.close()


def test_a_lock_whose_reply_is_lost_is_taken_by_trying_again(
    server: RedisServer, store: RedisStore
) -> None:
    cutter = Cutter(server.port)
    behind = RedisStore(server.url().replace(f":{server.port}/", f":{cutter.port}/"))
    behind.load()
    lock = behind.login_lock(TAG)
    cutter.swallow = True
    with pytest.raises(StoreUnavailableError):
        lock.try_acquire()
    cutter.swallow = False
    assert not store.login_lock(TAG).try_acquire()
    assert lock.try_acquire()
    lock.release()
    behind.close()
    cutter.close()


# Locks outlive neither their holders nor their lives.


HOLD = """
import os, sys
from interpal.vault.stores.base import RecordWrite
from interpal.vault.stores.redis.store import RedisStore
from interpal.exceptions import StaleWriteError
store = RedisStore(sys.argv[1], lock_seconds=2)
tag = bytes(range(32))
change = RecordWrite(tag, 0, b"late", 1)
if sys.argv[2] == "login":
    lock = store.login_lock(tag)
    assert lock.try_acquire()
    print("held", flush=True)
    sys.stdin.readline()
    commit = lambda: store.commit(bytes(range(16)), [change], fence=(tag, lock.fence), timeout=5)
else:
    context = store.record_lock(5)
    writer = context.__enter__()
    print("held", flush=True)
    sys.stdin.readline()
    commit = lambda: writer.commit(bytes(range(16)), [change])
try:
    commit()
except StaleWriteError as error:
    print("stale:", error)
else:
    print("written")
"""


def are_renewed(server: RedisServer, *keys: str) -> None:
    """Wait until the life of each of these locks has begun anew."""
    with server.admin() as admin:
        seen = {key: admin.pttl(key) for key in keys}
        while seen:
            time.sleep(0.01)
            for key, before in tuple(seen.items()):
                left = admin.pttl(key)
                assert left > 0, "it has ended"
                seen[key] = left
                if left > before:
                    del seen[key]


@pytest.mark.parametrize("kind", ["login", "write"])
def test_a_holder_stopped_past_the_life_of_its_lock_cannot_write(
    own: Callable[..., RedisStore], redis_server: RedisServer, kind: str
) -> None:
    store = own()
    prefix = store.location.partition("prefix=")[2]
    command = [sys.executable, "-c", HOLD, redis_server.url(prefix=prefix), kind]
    with Popen(command, stdout=PIPE, stdin=PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == "held\n"
        lock = store.login_lock(TAG)
        are_renewed(redis_server, lock._key if kind == "login" else f"{{{prefix}}}:write")
        change = RecordWrite(TAG, 0, b"mine", 1)
        if kind == "login":
            assert not lock.try_acquire()
        else:
            with pytest.raises(LockTimeoutError, match=str(child.pid)):
                store.commit(ID, [change], timeout=0)
        os.kill(child.pid, signal.SIGSTOP)
        if kind == "login":
            assert eventually(lock.try_acquire)
        else:
            store.commit(ID, [RecordWrite(bytes(32), 0, b"of another record", 1)], timeout=60)
        os.kill(child.pid, signal.SIGCONT)
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline().startswith("stale:")
    assert store.load_record(ID, TAG).data is None
    lock.release()


def test_a_killed_holder_loses_its_lock_at_the_end_of_its_life(
    own: Callable[..., RedisStore], redis_server: RedisServer
) -> None:
    store = own(lock_seconds=600)
    pid = fork()
    if pid == 0:
        store.login_lock(TAG).try_acquire()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    lock = store.login_lock(TAG)
    assert not lock.try_acquire()
    assert str(pid) in (lock.holder() or "")
    with redis_server.admin() as admin:
        assert 0 < admin.pttl(lock._key) <= 600_000
        admin.pexpire(lock._key, 1)  # as if it were over
    assert eventually(lock.try_acquire)
    lock.release()


def test_a_forked_child_does_not_keep_its_parents_lock_alive(
    own: Callable[..., RedisStore],
) -> None:
    """The holder forks a child and dies; the child lives, and the lock ends all the same."""
    store = own(lock_seconds=0.6)
    reader, writer = os.pipe()
    parent = fork()
    if parent == 0:
        lock = store.login_lock(TAG)
        lock.try_acquire()
        if fork() == 0:
            store.load()
            os.close(writer)
            os.read(reader, 1)
        os._exit(0)
    os.waitpid(parent, 0)
    time.sleep(0.8)
    lock = store.login_lock(TAG)
    assert lock.try_acquire()
    lock.release()
    os.close(writer)
    os.close(reader)


def test_a_forked_child_keeps_its_own_lock_alive(
    own: Callable[..., RedisStore], redis_server: RedisServer
) -> None:
    store = own(lock_seconds=3)
    mine = store.login_lock(TAG)
    assert mine.try_acquire()  # so that the parent's thread runs

    def work() -> bool:
        lock = store.login_lock(bytes(32))
        assert lock.try_acquire()
        are_renewed(redis_server, lock._key)
        free = store.login_lock(bytes(32)).try_acquire()
        lock.release()
        return free

    assert in_child(work) == "False"
    assert not own().login_lock(TAG).try_acquire()
    mine.release()


@pytest.mark.parametrize("thief", [None, "another token"])
def test_a_write_lock_that_the_server_has_lost_protects_nothing(
    own: Callable[..., RedisStore], redis_server: RedisServer, thief: str | None
) -> None:
    """A failover: the holder believes that it holds the lock, and the server knows better."""
    store = own()
    store.commit(ID, [RecordWrite(TAG, 0, b"old", 1)], timeout=1)
    prefix = store.location.partition("prefix=")[2]
    root = store.load()
    assert root is not None

    def lose() -> None:
        with redis_server.admin() as admin:
            key = f"{{{prefix}}}:write"
            admin.delete(key)
            if thief is not None:
                admin.set(key, thief)

    def late() -> Iterator[RecordWrite]:
        lose()
        yield RecordWrite(TAG, 0, b"new", 1)

    new = [RecordWrite(TAG, 1, b"new", 2)]
    uses: list[Callable[[RedisWriter], object]] = [
        lambda writer: writer.commit(ID, new),
        lambda writer: writer.save(b"new root"),
        lambda writer: writer.remove(),
        lambda writer: writer.replace_all(b"new", old_id=ID, new_id=bytes(16), records=late()),
    ]
    for use in uses:
        with redis_server.admin() as admin:
            admin.delete(f"{{{prefix}}}:write")
        with pytest.raises(StaleWriteError, match="write lock was lost"):  # noqa: SIM117
            with store.record_lock(1) as writer:
                if use is not uses[-1]:
                    lose()
                use(writer)
    assert store.load() == root
    assert [r.data for r in store.load_records(ID)] == [b"old"]


def test_locks_are_renewed_by_one_thread_that_ends(
    own: Callable[..., RedisStore], redis_server: RedisServer
) -> None:
    store = own(lock_seconds=3)
    gc.collect()  # what other tests have left

    host, port = store._space.client.server

    def threads() -> int:
        name = f"interpal-locks {host}:{port}"
        return sum(thread.name == name for thread in threading.enumerate())

    locks = [store.login_lock(bytes([n]) * 32) for n in range(5)]
    assert all(lock.try_acquire() for lock in locks)
    assert threads() == 1
    are_renewed(redis_server, *(lock._key for lock in locks))
    assert not any(own().login_lock(bytes([n]) * 32).try_acquire() for n in range(5))
    for lock in locks:
        lock.release()
    assert eventually(lambda: threads() == 0)
    assert locks[0].try_acquire()
    assert threads() == 1
    locks[0].release()


def test_a_lock_survives_a_server_that_is_away_for_a_moment(
    server: RedisServer, store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = RedisStore(server.url(), lock_seconds=6)
    lock = short.login_lock(TAG)
    missed = threading.Event()
    renew = RedisLock.renew

    def noted(lock: RedisLock) -> bool:
        try:
            return renew(lock)
        except StoreUnavailableError:
            missed.set()
            raise

    monkeypatch.setattr(RedisLock, "renew", noted)
    assert lock.try_acquire()
    server.kill()
    assert missed.wait(60)
    server.start()
    are_renewed(server, lock._key)
    assert not store.login_lock(TAG).try_acquire()
    lock.release()
    short.close()


def test_a_lock_that_was_dropped_is_not_renewed(own: Callable[..., RedisStore]) -> None:
    assert own(lock_seconds=0.6).login_lock(TAG).try_acquire()
    gc.collect()
    time.sleep(0.8)
    lock = own().login_lock(TAG)
    assert lock.try_acquire()
    lock.release()


def test_releasing_a_lock_without_a_server_is_no_error(
    server: RedisServer, store: RedisStore
) -> None:
    lock = store.login_lock(TAG)
    assert lock.try_acquire()
    server.kill()
    lock.release()
    assert not lock.held
    assert lock.holder() is None


def test_the_fence_grows_though_the_server_has_forgotten_it(
    server: RedisServer, store: RedisStore
) -> None:
    """A failover to a replica that lags: the counter is lost, and no old count is given again."""
    lock = store.login_lock(TAG)
    assert lock.try_acquire()
    old = lock.fence
    with server.admin() as admin:
        admin.delete("{interpal}:fence", f"{{interpal}}:login:{_b64(TAG)}")
    time.sleep(0.01)
    again = store.login_lock(TAG)
    assert again.try_acquire()
    assert again.fence > old
    again.release()


def _b64(tag: bytes) -> str:
    from interpal.vault.format.jwe import b64encode

    return b64encode(tag)


# The server is full, or set up in a way that loses things.


def test_a_full_server_keeps_what_it_has(server: RedisServer, store: RedisStore) -> None:
    with server.admin() as admin:
        admin.config_set("maxmemory", admin.info("memory")["used_memory"] + 300_000)
    done = 0
    with pytest.raises(VaultIOError, match="memory is used up"):
        while True:
            changes = [RecordWrite(bytes([done, n]) * 16, 0, os.urandom(9000), 1) for n in (1, 2)]
            store.commit(ID, changes, root=b"root %d" % done, timeout=1)
            done += 1
    assert done > 3
    assert len(list(store.load_records(ID))) == 2 * done, "whole or nothing"
    loaded = store.load()
    assert loaded is not None
    assert loaded.reveal() == b"root %d" % (done - 1)
    with server.admin() as admin:
        # What the server frees by itself leaves no room either.
        admin.config_set("maxmemory", admin.info("memory")["used_memory"] - 100_000)
    with pytest.raises(VaultIOError):
        store.login_lock(TAG).try_acquire()
    mixed = [RecordWrite(bytes([0, 1]) * 16, 1, None, 2), RecordWrite(TAG, 0, b"x" * 9000, 1)]
    with pytest.raises(VaultIOError):
        store.commit(ID, mixed, timeout=1)
    assert store.load_record(ID, bytes([0, 1]) * 16).data is not None, "not even the deletion"
    store.commit(ID, mixed[:1], timeout=1)
    assert store.load_record(ID, bytes([0, 1]) * 16).data is None


POLICIES = (
    "allkeys-lru allkeys-lfu allkeys-random volatile-lru volatile-lfu volatile-random volatile-ttl"
)


@pytest.mark.parametrize("policy", POLICIES.split())
def test_a_policy_that_evicts_locks_or_records_is_refused(server: RedisServer, policy: str) -> None:
    with server.admin() as admin:
        admin.config_set("maxmemory-policy", policy)
        store = RedisStore(server.url())
        for use in operations(store).values():
            with pytest.raises(VaultIOError, match=f"maxmemory-policy is {policy}.*noeviction"):
                use()
        admin.config_set("maxmemory-policy", "noeviction")
        assert store.load() is None
        store.close()


def test_the_policy_is_found_out_where_only_one_command_is_allowed(server: RedisServer) -> None:
    url = server.url().replace("bot:", "other:")
    rights = f">{PASSWORD} ~* -@all +evalsha +eval +hmget"
    with server.admin() as admin:
        for more in ("+info", "+config|get"):
            admin.execute_command("ACL", "SETUSER", "other", "reset", "on", *rights.split(), more)
            store = RedisStore(url)
            assert store.load() is None
            store.close()
        admin.execute_command("ACL", "SETUSER", "other", "reset", "on", *rights.split())
        with pytest.raises(VaultPermissionError, match="Allow the user"):
            RedisStore(url).load()


def test_a_replica_is_told_from_a_primary(server: RedisServer, store: RedisStore) -> None:
    with server.admin() as admin:
        admin.execute_command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(VaultIOError, match="primary"):
            store.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
        assert store.load() is not None
        admin.execute_command("REPLICAOF", "NO", "ONE")
    assert store.load_record(ID, TAG).data is None


WRITING = ("set", "del", "hset", "hdel", "sadd", "srem", "pexpire", "persist", "time")


@pytest.mark.parametrize("command", WRITING)
def test_a_user_who_lacks_a_command_of_a_save_is_told_before_it(
    server: RedisServer, store: RedisStore, command: str
) -> None:
    store.check_writable()
    with server.admin() as admin:
        before = sorted(admin.scan_iter())
        admin.execute_command("ACL", "SETUSER", "bot", f"-{command}")
        with pytest.raises(VaultPermissionError, match="Allow the user"):
            store.check_writable()
        assert sorted(admin.scan_iter()) == before


def test_a_server_that_cannot_save_to_its_disk_is_told(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis", settings="save 3600 1000000") as server:
        store = vault_at(server)
        (tmp_path / "redis" / "dump.rdb" / "in the way").mkdir(parents=True)
        with server.admin() as admin:
            admin.bgsave()
            while admin.info("persistence")["rdb_last_bgsave_status"] != "err":
                time.sleep(0.02)
        with pytest.raises(VaultIOError, match="its disk"):
            store.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
        assert store.load() is not None
        store.close()


# Who may, and what is told.


def captured(run: Callable[[], object]) -> tuple[VaultError, str]:
    """The error that *run* raises, and its traceback as a debugger would show it."""
    with pytest.raises(VaultError) as caught:
        run()
    error = caught.value
    whole = traceback.TracebackException.from_exception(error, capture_locals=True)
    return error, "".join(whole.format())


def test_a_wrong_password_is_told_and_never_shown(server: RedisServer) -> None:
    store = RedisStore(server.url().replace("p%40ss", "canary-wrong"))
    error, shown = captured(store.load)
    assert isinstance(error, VaultPermissionError)
    assert "password in the URL" in str(error)
    assert "canary" not in shown
    assert "canary" not in repr(store)


@pytest.mark.parametrize("fault", ["killed", "stopped", "forbidden"])
def test_no_error_shows_the_password(server: RedisServer, store: RedisStore, fault: str) -> None:
    if fault == "killed":
        server.kill()
    elif fault == "forbidden":
        with server.admin() as admin:
            admin.execute_command("ACL", "SETUSER", "bot", "-hget")
    with stopped(server) if fault == "stopped" else nullcontext(store) as asked:
        error, shown = captured(lambda: asked.load_record(ID, TAG))
    kind = VaultPermissionError if fault == "forbidden" else StoreUnavailableError
    assert isinstance(error, kind)
    assert PASSWORD not in shown
    assert "canary" not in shown
    for text in (repr(store), store.location, str(error), repr(error), str(error.path)):
        assert "canary" not in text


def test_a_certificate_of_another_authority_is_refused(
    tmp_path: Path, tls_server: RedisServer
) -> None:
    from tests.redis_server import make_certificates

    make_certificates(tmp_path)
    store = RedisStore(tls_server.url().replace(tls_server.ca, str(tmp_path / "ca.pem")))
    with pytest.raises(StoreUnavailableError, match=r"(?i)certificate"):
        store.load()
    without = RedisStore(tls_server.url().partition("&ca=")[0])
    with pytest.raises(StoreUnavailableError, match=r"(?i)certificate"):
        without.load()


def test_speaking_in_clear_to_a_tls_server_is_told(tls_server: RedisServer) -> None:
    url = tls_server.url().replace("rediss://", "redis://").partition("&ca=")[0]
    with pytest.raises(StoreUnavailableError):
        RedisStore(url).load()


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (redis.exceptions.BusyLoadingError("loading"), StoreUnavailableError, "not ready"),
        (redis.ResponseError("BUSY Redis is busy running a script"), StoreUnavailableError, "not"),
        (
            redis.AuthenticationError("Authentication required."),
            VaultPermissionError,
            "refused the",
        ),
        (
            redis.ResponseError("NOAUTH Authentication required."),
            VaultPermissionError,
            "refused the",
        ),
        (redis.TimeoutError("Timeout reading"), StoreUnavailableError, "does not answer"),
        # As Redis 6 tells what happened inside of a script.
        (redis.ResponseError("ERR Error running script: -OOM command not"), VaultIOError, "memory"),
        (redis.ResponseError("ERR: -READONLY You can't write"), VaultIOError, "primary"),
        (redis.ResponseError("MISCONF Redis is configured to"), VaultIOError, "disk"),
        (redis.ResponseError("MOVED 1 host:1"), VaultIOError, "cluster"),
        (redis.ResponseError("WRONGTYPE Operation"), VaultIOError, "version"),
    ],
    ids=str,
)
def test_the_errors_of_redis_get_our_words(
    error: redis.RedisError, kind: type[VaultError], says: str
) -> None:
    address = Address.parse("redis://bot:canary@host")
    problem = translate_error(error, address, wrote=False)
    assert type(problem) is kind
    assert re.search(says, str(problem))
    assert problem.path == "redis://bot@host:6379/0"
    with_secret = translate_error(redis.ResponseError("ERR the canary sings"), address, wrote=False)
    assert "canary" not in str(with_secret)


def test_only_ciphertext_names_generations_times_and_holders_leave_the_host(
    own: Callable[..., RedisStore], redis_server: RedisServer
) -> None:
    """Not even the name and version of the library are told to the server."""
    store = own()
    store.load()
    with redis_server.admin() as admin:
        mine = [c for c in admin.client_list() if c["user"] == "bot"]
    assert mine
    assert all(not c.get("lib-name") and not c["name"] for c in mine)


def test_a_child_that_is_forked_amid_a_stopped_server_is_told_too(server: RedisServer) -> None:
    with stopped(server) as waiting:
        assert in_child(waiting.load).startswith("StoreUnavailableError")


def test_a_stale_write_is_no_store_that_is_away(own: Callable[..., RedisStore]) -> None:
    with pytest.raises(StaleWriteError):
        own().commit(bytes(16), [], timeout=1)

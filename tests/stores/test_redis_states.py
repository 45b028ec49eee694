"""What a Redis server says for a while is an error to try again after, and no wait is endless."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
import redis.exceptions

from interpal.exceptions import (
    StoreUnavailableError,
    VaultIOError,
    VaultLimitError,
)
from interpal.vault import Vault
from interpal.vault.stores.base import RecordWrite
from interpal.vault.stores.redis import client as redis_client
from interpal.vault.stores.redis import keyspace
from interpal.vault.stores.redis.address import Address
from interpal.vault.stores.redis.client import translate_error
from interpal.vault.stores.redis.store import RedisStore
from tests.redis_server import RedisServer
from tests.stores.contract import ID, TAG
from tests.vault import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

ADDRESS = Address.parse("redis://127.0.0.1:6379")


@pytest.mark.parametrize(
    "error",
    [
        redis.exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."),
        redis.exceptions.ResponseError("NOREPLICAS Not enough good replicas. script: 1f, on @x:2."),
        redis.exceptions.ClusterDownError("The cluster is down"),
        redis.exceptions.TryAgainError("Multiple keys request during rehashing of slot"),
        redis.exceptions.AskError("7 127.0.0.1:7002"),
        redis.exceptions.MasterDownError("Link with MASTER is down"),
        redis.exceptions.BusyLoadingError("Redis is loading the dataset in memory"),
        redis.exceptions.ResponseError("BUSY Redis is busy running a script."),
        redis.exceptions.NoScriptError("No matching script."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_passing_state_is_an_unavailable_store(error: redis.RedisError) -> None:
    translated = translate_error(error, ADDRESS, wrote=True)
    assert isinstance(translated, StoreUnavailableError)
    assert "Nothing was written" in str(translated)


def test_what_a_server_says_of_our_scripts_is_left_out() -> None:
    said = "NOREPLICAS Not enough good replicas to write. script: {}on @user_script:9."
    for which in ("fa25d8944d829e73d01f271d24a1d0258e17e4ef, ", ""):
        error = redis.exceptions.ResponseError(said.format(which))
        text = str(translate_error(error, ADDRESS, wrote=True))
        assert "not ready (NOREPLICAS Not enough good replicas to write). Nothing" in text
    denied = "ACL failure in script: No permissions to access a key script: on @user_script:1."
    error = redis.exceptions.NoPermissionError(denied)
    assert "script: No permissions to access a key" in str(
        translate_error(error, ADDRESS, wrote=True)
    )


def test_a_limit_of_memory_is_named() -> None:
    error = redis.exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")
    translated = translate_error(error, ADDRESS, wrote=True)
    assert isinstance(translated, VaultIOError)
    assert "maxmemory" in str(translated)


@contextmanager
def served(answer: Callable[[socket.socket, bytes], None]) -> Generator[int, None, None]:
    """The port of a server that gives *answer* each piece that it is sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        clients: list[socket.socket] = []

        def talk(client: socket.socket) -> None:
            with suppress(OSError):
                while data := client.recv(65536):
                    answer(client, data)

        def run() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                clients.append(client)
                threading.Thread(target=talk, args=(client,), daemon=True).start()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            for client in clients:
                with suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
                client.close()


POLICY = b"maxmemory_policy:noeviction\r\n"
INFO = b"$%d\r\n%b\r\n" % (len(POLICY), POLICY)


def test_a_server_that_knows_no_script_is_asked_twice_and_no_more() -> None:
    asked = []

    def answer(client: socket.socket, data: bytes) -> None:
        if b"INFO" in data:
            client.sendall(INFO)
        elif b"EVAL" in data:
            asked.append(data)
            client.sendall(b"-NOSCRIPT No matching script.\r\n")
        else:
            client.sendall(b"*2\r\n$-1\r\n$-1\r\n")

    with served(answer) as port:
        store = RedisStore(f"redis://127.0.0.1:{port}")
        with pytest.raises(StoreUnavailableError), store.record_lock(1):
            pass
        store.close()
    assert len(asked) == 2


def test_a_reply_that_comes_in_drops_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_client, "MOST_SECONDS", 0.6)
    stop = threading.Event()

    def answer(client: socket.socket, data: bytes) -> None:
        if b"INFO" in data:
            client.sendall(INFO)
            return
        client.sendall(b"*2\r\n$100000\r\n")
        while not stop.wait(0.1):
            client.sendall(b"x")

    with served(answer) as port:
        store = RedisStore(f"redis://127.0.0.1:{port}")
        try:
            with pytest.raises(StoreUnavailableError):
                store.load()
        finally:
            stop.set()
            store.close()


def test_what_only_removes_works_on_a_full_server(tmp_path: Path) -> None:
    with (
        RedisServer(tmp_path / "redis") as server,
        Vault.open(server.url(), key=KEY, create=True) as vault,
        server.admin() as admin,
    ):
        vault.update({name: {"n": 1} for name in "abc"})
        admin.config_set("maxmemory", "1mb")
        with pytest.raises(VaultIOError, match="maxmemory"):
            vault["d"] = {"n": 2}
        with vault.transaction() as records:
            del records["a"], records["b"]
        assert list(vault) == ["c"]
        with pytest.raises(VaultIOError, match="maxmemory"), vault.transaction() as records:
            records["c"]["n"] = 2
        admin.config_set("maxmemory", "0")
        assert dict(vault["c"]) == {"n": 1}
        vault["c"] = {"n": 3}
        assert dict(vault["c"]) == {"n": 3}


def test_a_transaction_that_would_hold_the_server_up_is_refused_whole(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyspace, "MOST_WRITES", 3)
    store = RedisStore(redis_server.url(prefix=f"limit-{time.monotonic_ns()}"))
    with store.record_lock(5) as writer:
        writer.save(b"root", vault_id=ID)
    changes = [RecordWrite(bytes([n]) * 32, 0, b"x", 1) for n in range(4)]
    with pytest.raises(VaultLimitError, match="at most 3"):
        store.commit(ID, changes, timeout=1)
    with store.record_lock(5) as writer, pytest.raises(VaultLimitError, match="at most 3"):
        writer.commit(ID, changes)
    assert list(store.load_records(ID)) == []
    store.commit(ID, changes[:3], timeout=1)
    assert store.load_record(ID, TAG).current
    store.close()


def test_the_locks_of_one_server_wait_for_no_other() -> None:
    one, same, other = (
        RedisStore(f"redis://127.0.0.1:{port}/{database}").login_lock(TAG)
        for port, database in ((1, 0), (1, 3), (2, 0))
    )
    assert one._renewer is same._renewer
    assert one._renewer is not other._renewer

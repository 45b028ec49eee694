"""A rotation in Redis loses nothing: in a failover, in a crash, killed at every command."""

from __future__ import annotations

import shutil
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import (
    StaleWriteError,
    StoreUnavailableError,
    VaultError,
    VaultRollbackError,
)
from interpal.vault import Vault
from interpal.vault.stores.redis.client import RedisClient
from tests.redis_groups import until
from tests.redis_server import ADMIN, RedisServer
from tests.vault import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAMES = [f"user{number}" for number in range(600)]
RECORDS = {name: {"session_cookie": name} for name in NAMES}


class Proxy:
    """A loopback port that leads to a server, and can be turned to another."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pumps: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._run, daemon=True)
        self._accepting.start()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            self._pairs.append((client, server))
            for ends in ((client, server), (server, client)):
                thread = threading.Thread(target=self._pump, args=ends, daemon=True)
                thread.start()
                self._pumps.append(thread)

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def turn_to(self, target: int) -> None:
        self._target = target
        for pair in self._pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join(10)
        self._listener.close()
        self.turn_to(self._target)
        for thread in self._pumps:
            thread.join(10)
        for pair in self._pairs:
            for end in pair:
                end.close()


class Pair:
    """A primary, its replica, and the address that leads to whichever is in charge."""

    def __init__(self, primary: RedisServer, replica: RedisServer, proxy: Proxy) -> None:
        self.primary, self.replica, self._proxy = primary, replica, proxy

    @property
    def url(self) -> str:
        return f"redis://:{ADMIN}@127.0.0.1:{self._proxy.port}"

    def cut(self) -> None:
        """The replica has all of the primary, and nothing more from now on."""
        with self.primary.admin() as admin:
            assert admin.wait(1, 10_000) == 1
        with self.replica.admin() as admin:
            # A replica in its first synchronization confirms what it has not loaded yet.
            until(lambda: admin.info("replication")["master_link_status"] == "up", "it is loaded")
            admin.replicaof("NO", "ONE")

    def fail_over(self) -> None:
        self.primary.kill()
        self._proxy.turn_to(self.replica.port)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with RedisServer(tmp_path / "primary") as primary:
        settings = f"replicaof 127.0.0.1 {primary.port}\nmasterauth {ADMIN}"
        with RedisServer(tmp_path / "replica", settings=settings) as replica:
            proxy = Proxy(primary.port)
            try:
                yield Pair(primary, replica, proxy)
            finally:
                proxy.close()


def at(number: int, action: Callable[[], object]) -> Callable[[int], None]:
    """Told of each record, does *action* at one of them."""

    def progress(done: int) -> None:
        if done == number:
            action()

    return progress


def several(*steps: Callable[[int], None]) -> Callable[[int], None]:
    def progress(done: int) -> None:
        for step in steps:
            step(done)

    return progress


def vault_at(url: str) -> Vault:
    vault = Vault.open(url, key=KEY, create=True)
    vault.update(RECORDS)
    return vault


@pytest.mark.long
def test_a_failover_in_the_middle_is_an_error_and_loses_nothing(pair: Pair) -> None:
    """The second of three batches is acknowledged by a primary that dies with it."""
    with vault_at(pair.url) as vault:
        with pytest.raises(StaleWriteError, match="rotate again"):
            vault.rotate(progress=several(at(260, pair.cut), at(600, pair.fail_over)))
        assert len(vault) == 600
        vault.rotate()
    with Vault.open(pair.url, key=KEY) as after:
        assert dict(after.items()) == RECORDS


@pytest.mark.long
def test_a_rotation_that_a_failover_undoes_is_told_to_who_made_it(pair: Pair) -> None:
    with vault_at(pair.url) as vault:
        pair.cut()
        vault.rotate()
        pair.fail_over()
        for use in (lambda: vault["user1"], vault.rotate, lambda: vault.update({"a": {}})):
            with pytest.raises(VaultRollbackError, match="rotate it again"):
                use()
    with Vault.open(pair.url, key=KEY) as after:
        assert dict(after.items()) == RECORDS
        after.rotate()
        assert len(after) == 600


def test_a_crash_that_loses_the_last_second_loses_no_record(tmp_path: Path) -> None:
    """The append-only files are put back as they were, as the disk has them under `everysec`."""
    with RedisServer(tmp_path / "redis", settings="appendonly yes") as server:
        kept = tmp_path / "kept"
        # A folder since Redis 7, one file before and in KeyDB.
        (files,) = (path for path in server.folder.glob("appendonly*") if ".rdb" not in path.name)

        def keep() -> None:
            with server.admin() as admin:
                admin.config_set("appendfsync", "always")
                admin.set("{interpal}:flushed", "1")
            shutil.copytree(files, kept) if files.is_dir() else shutil.copy(files, kept)

        def crash() -> None:
            server.kill()
            shutil.rmtree(files) if files.is_dir() else files.unlink()
            shutil.copytree(kept, files) if kept.is_dir() else shutil.copy(kept, files)
            server.start()

        with vault_at(server.url(user=False)) as vault:
            with pytest.raises(StaleWriteError, match="rotate again"):
                vault.rotate(progress=several(at(260, keep), at(600, crash)))
            assert dict(vault.items()) == RECORDS
            vault.rotate()
            assert dict(vault.items()) == RECORDS


@pytest.mark.long
def test_a_kill_at_every_command_of_a_rotation_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = "appendonly yes\nappendfsync always"
    with RedisServer(tmp_path / "redis", settings=settings) as server:
        send = RedisClient._send
        left, before = [0], [False]

        def deadly(self: RedisClient, *arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] == 0 and before[0]:
                server.kill()
            reply = send(self, *arguments, **options)
            if left[0] == 0 and not before[0]:
                server.kill()
            return reply

        vault_at(server.url(user=False)).close()
        points = undone = 0
        for before[0] in (True, False):
            number = 0
            while True:
                number += 1
                with Vault.open(server.url(user=False), key=KEY) as vault:
                    left[0] = number
                    monkeypatch.setattr(RedisClient, "_send", deadly)
                    try:
                        vault.rotate()
                    except (StoreUnavailableError, VaultError):
                        undone += 1
                    finally:
                        monkeypatch.setattr(RedisClient, "_send", send)
                if left[0] > 0:
                    break
                points += 1
                # Nobody holds the lock of the dead rotation any more.
                server.start()
                with server.admin() as admin:
                    admin.delete("{interpal}:write")
                with Vault.open(server.url(user=False), key=KEY) as after:
                    assert dict(after.items()) == RECORDS, (before[0], number)
        print(f"{points} points, {undone} rotations broke off")
        assert points > 16

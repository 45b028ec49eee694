"""Real groups of servers for tests: a primary with a replica under three Sentinels, a cluster."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import redis

from tests.redis_server import ADMIN, USER, RedisServer, find_binary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typing_extensions import Self

    from tests.redis_server import Binary

SERVICE = "mymaster"
SLOTS = 16384
DURABLE = "appendonly yes\nappendfsync everysec"
# A primary that no replica has answered for a second refuses writes.
MIN_REPLICAS = f"{DURABLE}\nmin-replicas-to-write 1\nmin-replicas-max-lag 1"
_WHO = f"{USER}:p%40ss%2Fw%3Ard-canary"


def free_port() -> int:
    """A port whose neighbour 10,000 above, that of a cluster's bus, is one too."""
    while True:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        if port < 55_000:
            return port


def until(true: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until *true* says so; AssertionError after that many *seconds*."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if true():
                return
        except redis.RedisError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"not in {seconds:g} s: {what}")


def has_replicas(server: RedisServer, number: int) -> bool:
    """Whether so many replicas have all that *server* has."""
    with server.admin() as admin:
        confirmed: Any = admin.execute_command("WAIT", number, 100)
    return int(confirmed) >= number


class Sentinel:
    """One Sentinel, in a folder of its own."""

    def __init__(self, folder: Path, binary: Binary, watched: int, down_after_ms: int) -> None:
        self.port = free_port()
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True)
        conf = folder / "sentinel.conf"
        conf.write_text(
            f"bind 127.0.0.1\nport {self.port}\ndir {folder}\nlogfile log\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {watched} 2\n"
            f"sentinel auth-pass {SERVICE} {ADMIN}\n"
            f"sentinel down-after-milliseconds {SERVICE} {down_after_ms}\n"
            f"sentinel failover-timeout {SERVICE} 6000\n"
        )
        self.process = subprocess.Popen(
            [binary.path, str(conf), "--sentinel"],
            cwd=folder,
            env=binary.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def admin(self) -> redis.Redis:
        return redis.Redis(host="127.0.0.1", port=self.port, protocol=2, socket_timeout=10)

    def primary(self) -> int:
        """The port of the primary that it names."""
        with self.admin() as client:
            found: Any = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return int(found[1])

    def is_ready(self, replicas: int) -> bool:
        """Whether it knows the replicas and both of the other Sentinels."""
        with self.admin() as client:
            state: Any = client.sentinel_master(SERVICE)
        return bool(state["num-slaves"] >= replicas and state["num-other-sentinels"] == 2)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Watched:
    """A primary and so many *replicas*, watched by three Sentinels."""

    def __init__(
        self,
        folder: Path,
        *,
        replicas: int = 1,
        settings: str = DURABLE,
        down_after_ms: int = 1000,
    ) -> None:
        self._replicas = replicas
        self._stack = ExitStack()
        self._folder = folder
        self._settings = f"{settings}\nmasterauth {ADMIN}\nrepl-diskless-sync-delay 0"
        self._down_after_ms = down_after_ms
        self.servers: list[RedisServer] = []
        self.sentinels: list[Sentinel] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for number in range(1 + self._replicas):
                replica = f"\nreplicaof 127.0.0.1 {self.servers[0].port}" if number else ""
                server = RedisServer(
                    self._folder / f"server{number}", settings=self._settings + replica
                )
                self.servers.append(stack.enter_context(server))
            binary = find_binary()
            for number in range(3):
                sentinel = Sentinel(
                    self._folder / f"sentinel{number}",
                    binary,
                    self.servers[0].port,
                    self._down_after_ms,
                )
                stack.callback(sentinel.kill)
                self.sentinels.append(sentinel)
            self.wait_for_replica()
            until(
                lambda: all(s.is_ready(self._replicas) for s in self.sentinels),
                "the Sentinels know all",
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *problem: object) -> None:
        self._stack.close()

    def url(self, *, prefix: str = "interpal", replicas: int = 0, database: int = 0) -> str:
        """The URL of a store by its Sentinels, as the user with the ACL."""
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        more = f"&replicas={replicas}" if replicas else ""
        return f"redis+sentinel://{_WHO}@{hosts}/{SERVICE}/{database}?prefix={prefix}{more}"

    @property
    def primary(self) -> RedisServer:
        """The one that most Sentinels name."""
        named = [sentinel.primary() for sentinel in self.sentinels]
        port = max(named, key=named.count)
        return next(server for server in self.servers if server.port == port)

    def wait_for_replica(self) -> None:
        """Until a replica has all that the primary has."""
        until(lambda: has_replicas(self.primary, 1), "a replica is connected")

    def fail_over(self, *, how: signal.Signals = signal.SIGKILL) -> RedisServer:
        """End or stop the primary; the one that took over, once all Sentinels name it."""
        before = self.primary
        if how == signal.SIGKILL:
            before.kill()
        else:
            before.stop()
        self.wait_for_another(before)
        return self.primary

    def wait_for_another(self, before: RedisServer) -> None:
        """Until all Sentinels name another primary."""
        until(
            lambda: all(sentinel.primary() != before.port for sentinel in self.sentinels),
            "another primary",
        )


class Cluster:
    """Three nodes with the slots, and as many *replicas* as are asked for, each of one of them."""

    def __init__(self, folder: Path, *, replicas: int = 0, settings: str = DURABLE) -> None:
        self._stack = ExitStack()
        self._folder = folder
        self._replicas = replicas
        self._settings = (
            f"{settings}\nmasterauth {ADMIN}\ncluster-enabled yes\ncluster-node-timeout 2000\n"
            "cluster-config-file nodes.conf\ncluster-replica-validity-factor 0\n"
            "repl-diskless-sync-delay 0"
        )
        self.nodes: list[RedisServer] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for number in range(3 + self._replicas):
                node = RedisServer(self._folder / f"node{number}", settings=self._settings)
                node.port = free_port()
                self.nodes.append(stack.enter_context(node))
            first, *others = self.nodes
            for number, node in enumerate(self.nodes[:3]):
                begin, end = number * SLOTS // 3, (number + 1) * SLOTS // 3
                self.run(node, "ADDSLOTS", *range(begin, end))
            for number, node in enumerate(self.nodes):
                # Nodes of the same epoch agree by themselves, in a while.
                self.run(node, "SET-CONFIG-EPOCH", number + 1)
            for node in others:
                self.run(node, "MEET", "127.0.0.1", first.port)
            until(lambda: all(map(self._is_up, self.nodes)), "the cluster is up")
            for number, node in enumerate(self.nodes[3:]):
                self.run(node, "REPLICATE", self.id(self.nodes[number % 3]))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *problem: object) -> None:
        self._stack.close()

    def wait_for_replicas(self) -> None:
        """Until each of the three has its own."""
        for number, node in enumerate(self.nodes[:3]):
            wanted = len(self.nodes[3 + number :: 3])
            until(lambda node=node, wanted=wanted: has_replicas(node, wanted), "replicas")  # type: ignore[misc]

    def run(self, node: RedisServer, *command: object) -> Any:
        """What *node* replies to a CLUSTER command."""
        with node.admin() as admin:
            return admin.execute_command("CLUSTER", *command)

    def _is_up(self, node: RedisServer) -> bool:
        lines = set(self.run(node, "INFO").decode().splitlines())
        return {"cluster_state:ok", f"cluster_known_nodes:{len(self.nodes)}"} <= lines

    def id(self, node: RedisServer) -> str:
        """The name that the nodes have for it."""
        found = self.run(node, "MYID")
        return found.decode() if isinstance(found, bytes) else str(found)

    def url(self, *, prefix: str, replicas: int = 0, nodes: int = 3) -> str:
        """The URL of a store, with the addresses of the first *nodes*."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:nodes])
        more = f"&replicas={replicas}" if replicas else ""
        return f"redis+cluster://{_WHO}@{hosts}/0?prefix={prefix}{more}"

    def slot(self, prefix: str) -> int:
        """The slot of all keys of a vault."""
        return int(self.run(self.running[0], "KEYSLOT", f"{{{prefix}}}:root"))

    @property
    def running(self) -> list[RedisServer]:
        """The nodes that were not killed."""
        return [node for node in self.nodes if node.is_running]

    def owner(self, prefix: str) -> RedisServer:
        """The node that has them, as the first node that answers knows."""
        slot = self.slot(prefix)
        for node in self.running:
            for begin, end, (_, port, *_), *_ in self._ranges(node):
                if begin <= slot <= end:
                    return next(node for node in self.nodes if node.port == port)
        raise AssertionError("no node has the slot")

    def _ranges(self, node: RedisServer) -> list[Any]:
        with node.admin() as admin:
            admin.response_callbacks.clear()
            ranges: Any = admin.execute_command("CLUSTER", "SLOTS")
        return list(ranges)

    def move(self, prefix: str, to: RedisServer, *, halfway: Callable[[], object]) -> None:
        """Move the slot of a vault to another node, and call *halfway* when half is there."""
        slot, source = self.slot(prefix), self.owner(prefix)
        self.run(to, "SETSLOT", slot, "IMPORTING", self.id(source))
        self.run(source, "SETSLOT", slot, "MIGRATING", self.id(to))
        keys = self.run(source, "GETKEYSINSLOT", slot, 100_000)
        for number, key in enumerate(keys):
            if number == len(keys) // 2:
                halfway()
            self._migrate(source, to, key)
        while keys := self.run(source, "GETKEYSINSLOT", slot, 1000):
            for key in keys:
                self._migrate(source, to, key)
        for node in (to, source):
            self.run(node, "SETSLOT", slot, "NODE", self.id(to))

    def _migrate(self, source: RedisServer, to: RedisServer, key: bytes) -> None:
        """Move one key; some servers have to be asked again."""
        for last in (False, False, True):
            with source.admin() as admin:
                try:
                    admin.execute_command(
                        "MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "REPLACE", "AUTH", ADMIN,
                        "KEYS", key,
                    )  # fmt: skip
                except redis.ResponseError:
                    if last:
                        raise
                else:
                    return

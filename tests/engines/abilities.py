"""What a server can do that the store or its administrator may want, tried on a server of it."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

import redis

from interpal.exceptions import VaultError
from interpal.vault import Vault
from tests.redis_groups import Cluster, has_replicas, until
from tests.redis_server import ADMIN, PASSWORD, USER, RedisServer
from tests.vault import KEY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.redis_server import Binary

NAMES = {"redis": "Redis", "valkey": "Valkey", "keydb": "KeyDB"}


class Engine(NamedTuple):
    """A server program: its name, its version, and whether TLS was built in."""

    name: str
    version: str
    tls: bool


def engine(binary: Binary, folder: Path) -> Engine:
    """What *binary* is, by what it says of itself."""
    said = subprocess.run(
        [binary.path, "--version"],
        env=binary.environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.search(r"^(\w+).* v=([\d.]+)", said)
    assert found, f"not the version of a server: {said}"
    name = NAMES.get(found[1].lower(), found[1])
    if "keydb" in binary.path.lower():
        name = "KeyDB"
    return Engine(name, found[2], _speaks_tls(folder / "tls"))


def _speaks_tls(folder: Path) -> bool:
    try:
        with RedisServer(folder, tls=True):
            return True
    except AssertionError:
        return False


def abilities(folder: Path) -> list[str]:
    """Of WAITAOF, a cluster node, `min-replicas-to-write` for scripts, and the ACL."""
    return [
        _waitaof(folder / "aof"),
        _cluster(folder / "cluster"),
        _min_replicas(folder / "replicas"),
        _acl(folder / "acl"),
    ]


def _waitaof(folder: Path) -> str:
    with RedisServer(folder, settings="appendonly yes") as server, server.admin() as admin:
        admin.set("{x}:one", "1")
        try:
            found: Any = admin.execute_command("WAITAOF", 1, 0, 1000)
        except redis.ResponseError:
            return "no"
        return "yes" if int(found[0]) == 1 else "not confirmed"


def _cluster(folder: Path) -> str:
    with Cluster(folder) as group:
        try:
            with Vault.open(group.url(prefix="engine"), key=KEY, create=True) as vault:
                vault["one"] = {"n": 1}
                return "yes" if dict(vault["one"]) == {"n": 1} else "no"
        except VaultError as error:
            return f"no: {type(error).__name__}"


def _min_replicas(folder: Path) -> str:
    """Whether a script that writes is refused where there is no replica, and not with one."""
    with RedisServer(folder / "primary") as primary, primary.admin() as admin:
        admin.config_set("min-replicas-to-write", 1)
        try:
            admin.eval("return redis.call('SET', KEYS[1], '1')", 1, "{x}:one")
        except redis.ResponseError as error:
            if "NOREPLICAS" not in str(error):
                return f"another error: {error}"
        else:
            return "not enforced"
        replica = RedisServer(
            folder / "replica",
            settings=f"replicaof 127.0.0.1 {primary.port}\nmasterauth {ADMIN}",
        )
        with replica:
            until(lambda: has_replicas(primary, 1), "the replica is connected")
            admin.eval("return redis.call('SET', KEYS[1], '1')", 1, "{x}:one")
        return "enforced"


def _acl(folder: Path) -> str:
    """Whether the user of docs/scaling.md can do what the store does, and no more."""
    with RedisServer(folder) as server:
        with Vault.open(server.url(database=3), key=KEY, create=True) as vault:
            vault["one"] = {"n": 1}
            vault.rotate()
        mine: Any = redis.Redis(port=server.port, username=USER, password=PASSWORD, protocol=2)
        outside = (
            ("GET", "outside"),
            ("KEYS", "*"),
            ("CONFIG", "GET", "*"),
            ("EVAL", "return redis.call('SET', KEYS[1], '1')", 1, "outside"),
        )
        with mine:
            for command in outside:
                try:
                    mine.execute_command(*command)
                except redis.ResponseError:
                    continue
                return f"lets {command[0]} through"
        return "yes"

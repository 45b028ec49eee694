"""The Redis store by Sentinels and in a cluster: the contract, failovers, slots that move."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING

import pytest
import redis

from interpal.exceptions import StoreUnavailableError, VaultIOError
from interpal.vault import Vault
from interpal.vault.stores.base import RecordWrite
from interpal.vault.stores.redis import client as redis_client
from interpal.vault.stores.redis.keyspace import BATCH
from interpal.vault.stores.redis.store import RedisStore
from tests.redis_groups import MIN_REPLICAS, Cluster, Watched, until
from tests.redis_server import ADMIN
from tests.stores.contract import ID, TAG
from tests.stores.records import RecordContract
from tests.vault import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.redis_server import RedisServer


# See `make long`.
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def sentinels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with Watched(tmp_path_factory.mktemp("watched")) as group:
        yield group


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as group:
        yield group


def patience(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(redis_client, "FAILOVER_SECONDS", seconds)
    monkeypatch.setattr(redis_client, "SAVE_SECONDS", seconds)


def a_prefix() -> str:
    return f"test-{os.urandom(4).hex()}"


class TestRedisStoreBySentinels(RecordContract):
    @pytest.fixture
    def make(self, sentinels: Watched) -> Callable[[], RedisStore]:
        self.group = sentinels
        url = sentinels.url(prefix=a_prefix(), database=3)
        return lambda: RedisStore(url)

    def everything(self) -> bytes:
        return b"".join(server.everything(3) for server in self.group.servers)


class TestRedisStoreInACluster(RecordContract):
    @pytest.fixture
    def make(self, cluster: Cluster) -> Callable[[], RedisStore]:
        self.group = cluster
        url = cluster.url(prefix=a_prefix(), nodes=1)
        return lambda: RedisStore(url)

    def everything(self) -> bytes:
        return b"".join(node.everything() for node in self.group.nodes)


# Sentinels.


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_an_open_vault_goes_on_at_the_server_that_takes_over(
    tmp_path: Path, how: signal.Signals
) -> None:
    with Watched(tmp_path) as group:
        vault = Vault.open(group.url(replicas=1), key=KEY, create=True)
        vault.update({f"account {number}": {"n": number} for number in range(3)})
        lock = vault.login_lock("account 0")
        assert lock.try_acquire()
        before = group.primary
        after = group.fail_over(how=how)
        assert after is not before
        assert dict(vault["account 1"]) == {"n": 1}
        assert not vault.login_lock("account 0").try_acquire(), "the lock was confirmed"
        lock.release()
        # The one that is back is a replica by what its Sentinels tell it.
        before.go_on() if how == signal.SIGSTOP else before.start()
        group.wait_for_replica()
        vault["account 2"] = {"n": 20}
        assert dict(vault["account 2"]) == {"n": 20}
        assert sorted(vault) == ["account 0", "account 1", "account 2"]
        vault.close()
        with Vault.open(group.url(), key=KEY) as another:
            assert dict(another["account 2"]) == {"n": 20}


def test_what_no_replica_has_confirmed_is_an_error_and_holds_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience(monkeypatch, 1.5)
    with Watched(tmp_path, down_after_ms=60_000) as group:
        vault = Vault.open(group.url(replicas=1), key=KEY, create=True)
        vault["maple_ink"] = {"n": 1}
        replica = next(server for server in group.servers if server is not group.primary)
        replica.stop()
        try:
            lock = vault.login_lock("maple_ink")
            with pytest.raises(StoreUnavailableError, match="0 of 1 replicas"):
                lock.try_acquire()
            with group.primary.admin() as admin:
                assert not list(admin.scan_iter("*:login:*"))
            with pytest.raises(StoreUnavailableError, match="0 of 1 replicas"):
                vault["maple_ink"] = {"n": 2}
        finally:
            replica.go_on()
        group.wait_for_replica()
        assert lock.try_acquire()
        lock.release()
        vault.close()


def test_a_save_waits_for_the_replica_without_which_its_primary_takes_none(tmp_path: Path) -> None:
    with Watched(tmp_path, settings=MIN_REPLICAS, down_after_ms=60_000) as group:
        vault = Vault.open(group.url(replicas=1), key=KEY, create=True)
        replica = next(server for server in group.servers if server is not group.primary)
        replica.stop()
        try:
            until(lambda: takes_none(group.primary), "a primary that refuses writes")
            with ThreadPoolExecutor(1) as pool:
                saving = pool.submit(vault.__setitem__, "maple_ink", {"n": 1})
                with pytest.raises(FutureTimeoutError):
                    saving.result(0.5)
                replica.go_on()
                saving.result(60)
        finally:
            replica.go_on()
        assert dict(vault["maple_ink"]) == {"n": 1}
        vault.close()


def takes_none(primary: RedisServer) -> bool:
    try:
        with primary.admin() as admin:
            admin.set("another", 1)
    except redis.ResponseError as error:
        return str(error).startswith("NOREPLICAS")
    return False


def test_a_service_that_no_sentinel_knows_is_told_in_bounded_time(
    sentinels: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience(monkeypatch, 0.5)
    url = sentinels.url(prefix=a_prefix()).replace("/mymaster/", "/another/")
    with pytest.raises(StoreUnavailableError, match="another"):
        RedisStore(url).load()


def test_the_address_of_a_sentinel_is_told_from_that_of_a_server(
    sentinels: Watched, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(VaultIOError, match=r"a Sentinel.*redis\+sentinel://"):
        RedisStore(f"redis://127.0.0.1:{sentinels.sentinels[0].port}").load()
    where = f"redis+sentinel://127.0.0.1:{redis_server.port}/m?sentinel_password={ADMIN}"
    with pytest.raises(VaultIOError, match=r"not a Sentinel.*redis://"):
        RedisStore(where).load()
    patience(monkeypatch, 0.3)
    with pytest.raises(StoreUnavailableError, match="no Sentinel knows a primary called 'm'"):
        RedisStore("redis+sentinel://127.0.0.1:1/m").load()


def test_a_tls_port_and_one_without_are_told_apart(
    tls_server: RedisServer, redis_server: RedisServer
) -> None:
    with pytest.raises(StoreUnavailableError, match=r"begins with rediss://"):
        RedisStore(tls_server.url().replace("rediss", "redis").partition("&ca=")[0]).load()
    with pytest.raises(StoreUnavailableError, match=r"this is its TLS port"):
        RedisStore(redis_server.url().replace("redis:", "rediss:")).load()
    with pytest.raises(StoreUnavailableError, match=r"\?ca=FILE"):
        RedisStore(tls_server.url().partition("&ca=")[0]).load()


# A cluster.


def other_than(cluster: Cluster, owner: RedisServer) -> RedisServer:
    return next(node for node in cluster.nodes[:3] if node is not owner)


def test_a_vault_follows_its_slot(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    patience(monkeypatch, 0.3)
    prefix = a_prefix()
    names = [f"account {number}" for number in range(2 * BATCH)]
    vault = Vault.open(cluster.url(prefix=prefix), key=KEY, create=True)
    vault.update({name: {"name": name} for name in names})
    records = iter(vault.items())
    first = next(records)

    def halfway() -> None:
        assert [vault[name]["name"] for name in names] == names
        assert "nobody" not in vault
        with pytest.raises(StoreUnavailableError, match="Nothing was written"):
            vault["new"] = {"name": "new"}

    source = cluster.owner(prefix)
    target = other_than(cluster, source)
    cluster.move(prefix, target, halfway=halfway)
    assert cluster.owner(prefix) is target
    assert sorted([first[0], *(name for name, _ in records)]) == sorted(names)
    vault["new"] = {"name": "new"}
    assert sorted(vault) == sorted([*names, "new"])
    vault.rotate()
    lock = vault.login_lock("new")
    assert lock.try_acquire()
    lock.release()
    vault.close()
    with Vault.open(cluster.url(prefix=prefix, nodes=1), key=KEY) as another:
        assert dict(another["new"]) == {"name": "new"}


def test_the_node_of_a_vault_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Cluster(tmp_path, replicas=3) as cluster:
        cluster.wait_for_replicas()
        prefix = a_prefix()
        vault = Vault.open(cluster.url(prefix=prefix, replicas=1), key=KEY, create=True)
        vault["maple_ink"] = {"n": 1}
        cluster.owner(prefix).kill()
        until(lambda: reads(vault) == 1, "a replica has taken over")
        patience(monkeypatch, 1.5)
        with pytest.raises(StoreUnavailableError, match="0 of 1 replicas"):
            vault["maple_ink"] = {"n": 2}
        vault.close()
        with Vault.open(cluster.url(prefix=prefix), key=KEY) as another:
            another["maple_ink"] = {"n": 3}
            assert dict(another["maple_ink"]) == {"n": 3}


def reads(vault: Vault) -> object:
    try:
        return vault["maple_ink"]["n"]
    except StoreUnavailableError:
        return None


def test_a_cluster_that_is_down_is_told_in_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience(monkeypatch, 0.5)
    with Cluster(tmp_path) as cluster:
        prefix = a_prefix()
        store = RedisStore(cluster.url(prefix=prefix))
        with store.record_lock(5) as writer:
            writer.save(b"root", vault_id=ID)
        cluster.owner(prefix).kill()
        with pytest.raises(StoreUnavailableError):
            store.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
        with pytest.raises(StoreUnavailableError):
            store.load()
        store.close()


def test_a_node_and_a_server_are_told_from_a_cluster(
    cluster: Cluster, redis_server: RedisServer
) -> None:
    prefix = a_prefix()
    node = other_than(cluster, cluster.owner(prefix))
    with pytest.raises(VaultIOError, match=r"redis\+cluster://"):
        RedisStore(node.url(prefix=prefix)).load()
    where = redis_server.url(prefix=prefix).replace("redis://", "redis+cluster://")
    with pytest.raises(VaultIOError, match=r"not in a cluster.*redis://"):
        RedisStore(where).load()


def test_a_scan_goes_on_when_its_server_has_started_anew(tmp_path: Path) -> None:
    """Another run of a server has another order of the members of a set."""
    from tests.redis_server import RedisServer

    with RedisServer(tmp_path, settings="appendonly yes\nappendfsync always") as server:
        store = RedisStore(server.url())
        with store.record_lock(5) as writer:
            writer.save(b"root", vault_id=ID)
        tags = [number.to_bytes(32, "big") for number in range(4000)]
        for start in range(0, len(tags), 1000):
            some = [RecordWrite(tag, 0, b"data", 1) for tag in tags[start : start + 1000]]
            store.commit(ID, some, timeout=5)
        found = store.load_records(ID)
        seen = [next(found).tag for _ in range(1000)]
        server.kill()
        server.start()
        seen += [record.tag for record in found]
        assert sorted(seen) == tags
        store.close()

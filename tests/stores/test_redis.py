"""The Redis store: the contract, in clear and over TLS, as a user that may do little else."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from interpal.exceptions import StaleWriteError
from interpal.vault import Vault
from interpal.vault.format.jwe import b64encode
from interpal.vault.stores.base import RecordStore, RecordWrite
from interpal.vault.stores.redis.store import RedisStore
from tests.stores.contract import ID, TAG
from tests.stores.records import NEW_ID, RecordContract

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.redis_server import RedisServer


class TestRedisStore(RecordContract):
    server: RedisServer

    @pytest.fixture
    def make(self, redis_server: RedisServer) -> Callable[[], RedisStore]:
        self.server = redis_server
        url = redis_server.url(prefix=f"test-{os.urandom(4).hex()}")
        return lambda: RedisStore(url)

    def everything(self) -> bytes:
        return self.server.everything()

    def life(self, records: RecordStore) -> float:
        """Days until the server drops the record; 0 for never."""
        assert isinstance(records, RedisStore)
        key = records._space._record(ID, b64encode(TAG).encode())
        with self.server.admin() as admin:
            left = int(admin.pttl(key))
        return 0 if left < 0 else left / 86_400_000

    @pytest.mark.parametrize(("expires_in", "days"), [(20, 27), (0, 7), (-3, 7), (-400, 7)])
    def test_the_server_may_drop_a_record_a_week_after_its_expiry(
        self, records: RecordStore, expires_in: int, days: int
    ) -> None:
        ends = time.time() + expires_in * 86400
        records.commit(ID, [RecordWrite(TAG, 0, b"short", 1, ends)], timeout=1)
        assert records.load_record(ID, TAG).data == b"short"
        assert days - 0.01 < self.life(records) <= days

    def test_a_record_written_again_without_expiry_stays(self, records: RecordStore) -> None:
        records.commit(ID, [RecordWrite(TAG, 0, b"short", 1, time.time())], timeout=1)
        records.commit(ID, [RecordWrite(TAG, 1, b"for good", 2)], timeout=1)
        assert self.life(records) == 0

    def test_a_record_that_the_server_has_dropped_is_no_more(self, records: RecordStore) -> None:
        assert isinstance(records, RedisStore)
        records.commit(ID, [RecordWrite(TAG, 0, b"short", 1, time.time())], timeout=1)
        key = records._space._record(ID, b64encode(TAG).encode())
        with self.server.admin() as admin:
            admin.pexpire(key, 1)
        time.sleep(0.05)
        assert records.load_record(ID, TAG).data is None
        assert list(records.load_records(ID)) == []
        with pytest.raises(StaleWriteError):
            records.commit(ID, [RecordWrite(TAG, 1, b"late", 2)], timeout=1)
        records.commit(ID, [RecordWrite(TAG, 0, b"long", 1)], timeout=1)
        assert records.load_record(ID, TAG).data == b"long"

    def test_the_fence_grows_with_every_holder(self, records: RecordStore) -> None:
        fences = []
        for _ in range(5):
            lock = records.login_lock(TAG)
            assert lock.try_acquire()
            fences.append(lock.fence)
            assert lock.try_acquire()
            assert lock.fence == fences[-1]
            lock.release()
        assert fences == sorted(set(fences))
        assert fences[0] > 0

    def test_a_write_with_an_old_fence_is_refused(
        self, records: RecordStore, others: RecordStore
    ) -> None:
        mine = records.login_lock(TAG)
        assert mine.try_acquire()
        mine.release()
        theirs = others.login_lock(TAG)
        assert theirs.try_acquire()
        change = RecordWrite(TAG, 0, b"late", 1)
        with pytest.raises(StaleWriteError, match="login lock was lost"):
            records.commit(ID, [change], fence=(TAG, mine.fence), timeout=1)
        assert records.load_record(ID, TAG).data is None
        others.commit(ID, [change], fence=(TAG, theirs.fence), timeout=1)
        theirs.release()

    def test_a_rotation_holds_logins_back(self, records: RecordStore, others: RecordStore) -> None:
        tried = []

        def moved() -> list[RecordWrite]:
            lock = others.login_lock(TAG)
            tried.append(lock.try_acquire())
            return []

        def lazily() -> object:
            yield from moved()

        with records.record_lock(1) as writer:
            writer.replace_all(b"new", old_id=ID, new_id=NEW_ID, records=lazily())  # type: ignore[arg-type]
        assert tried == [False]
        lock = others.login_lock(TAG)
        assert lock.try_acquire()
        lock.release()

    def test_two_prefixes_are_two_vaults(self, make: Callable[[], RedisStore]) -> None:
        one, two = make(), RedisStore(self.server.url(prefix=f"test-{os.urandom(4).hex()}"))
        self.put(one, b"one")
        assert two.load() is None
        one.close()
        two.close()


class TestRedisStoreOverTls(TestRedisStore):
    @pytest.fixture
    def make(self, tls_server: RedisServer) -> Callable[[], RedisStore]:
        self.server = tls_server
        url = tls_server.url(prefix=f"test-{os.urandom(4).hex()}")
        return lambda: RedisStore(url)


def test_the_documented_user_may_use_any_database(redis_server: RedisServer) -> None:
    url = redis_server.url(prefix=f"test-{os.urandom(4).hex()}", database=3)
    with Vault.open(url, key=bytes(32), create=True) as vault:
        vault["maple_ink"] = {"session_cookie": "7f3k"}
        assert dict(vault["maple_ink"]) == {"session_cookie": "7f3k"}

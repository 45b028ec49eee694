"""Writes without a lock, and holders of a lock that die, are held up or lose it."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from interpal.exceptions import LockTimeoutError, StaleWriteError
from interpal.vault.core import versions
from interpal.vault.keys.sources import explicit_source
from interpal.vault.stores.redis.store import RedisStore
from interpal.vault.vault import Vault
from tests.children import Children
from tests.vault import KEY
from tests.vault.places import RedisPlace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.redis_server import RedisServer
    from tests.vault.places import Place


def test_writes_without_a_lock_of_many_processes_all_take_place(place: Place) -> None:
    place.new({"shared": {"n": 0}}).close()

    def work(index: int) -> None:
        with place.open(lock_timeout=60) as vault:
            for number in range(25):
                vault[f"process-{index}"] = {"n": number}
                vault["shared"] = {"n": number, "by": index}
                del vault[f"process-{index}"]

    assert Children(6, work).codes() == [0] * 6
    vault = place.open()
    assert list(vault) == ["shared"]
    assert vault["shared"]["n"] == 24


def test_a_writer_that_is_killed_leaves_all_or_nothing(place: Place) -> None:
    names = [f"account-{number}" for number in range(20)]
    place.new({name: {"n": 0} for name in names}).close()

    def work(index: int) -> None:
        with place.open(lock_timeout=60) as vault:
            while True:
                with vault.transaction() as records:
                    for name in names:
                        records[name]["n"] += 1

    for turn in range(8):
        child = Children(1, work)
        time.sleep(0.03 + 0.01 * turn)
        os.kill(child.pids[0], signal.SIGKILL)
        child.codes()
        if isinstance(place, RedisPlace):
            place.end_write_lock()
        with place.open() as vault:
            assert len({record["n"] for record in vault.values()}) == 1


def test_a_holder_that_was_stopped_for_too_long_saves_nothing(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    place = RedisPlace(redis_server)
    place.new({"a": {"n": 1}}).close()
    inside = tmp_path / "inside"

    def work(index: int) -> None:
        store = RedisStore(place.url, lock_seconds=3)
        with Vault(store, explicit_source(key=KEY)) as vault:
            vault.start()
            with pytest.raises(StaleWriteError), vault.transaction() as records:
                records["a"]["n"] = 666
                inside.touch()
                os.kill(os.getpid(), signal.SIGSTOP)
                assert records["a"]["n"] == 666

    child = Children(1, work)
    while not inside.exists():
        time.sleep(0.01)
    with place.open(lock_timeout=60) as vault:
        with pytest.raises(LockTimeoutError) as caught, vault.transaction(lock_timeout=0):
            raise AssertionError
        assert str(child.pids[0]) in str(caught.value.holder)
        with vault.transaction() as records:
            records["a"]["n"] += 1
        os.kill(child.pids[0], signal.SIGCONT)
        assert child.codes() == [0]
        assert vault["a"] == {"n": 2}


def test_a_writer_whose_login_lock_has_a_later_holder_saves_nothing(
    redis_server: RedisServer,
) -> None:
    place = RedisPlace(redis_server)
    vault, other = place.new({"a": {"n": 1}}), place.open()
    mine, theirs = vault.login_lock("a"), other.login_lock("a")
    assert mine.try_acquire()
    with redis_server.admin() as admin:
        (key,) = admin.scan_iter(f"{{{place.prefix}}}:login:*")
        admin.delete(key)  # as its life had ended
    assert theirs.try_acquire()
    with other.transaction(lock=theirs) as records:
        records["a"]["n"] = 2
    with pytest.raises(StaleWriteError, match="login lock"), vault.transaction(lock=mine) as late:
        late["a"]["n"] = 666
        late.attempts["a"] = {"until": versions.epoch_now() + 60}
    assert dict(vault) == {"a": {"n": 2}}
    assert vault.attempts == {}
    mine.release()
    theirs.release()

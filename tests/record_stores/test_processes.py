"""Many processes and threads, forks, and holders of the write lock that die or are held up."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from interpal.exceptions import LockTimeoutError, StaleWriteError, VaultError
from interpal.vault.keys import explicit_source
from interpal.vault.stores.redis import RedisStore
from interpal.vault.vault import Vault
from tests.children import Children
from tests.files import fork
from tests.record_stores import KEY, RedisPlace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.record_stores import Place
    from tests.redis_server import RedisServer

ROUNDS = 100


def test_eight_processes_lose_nothing(place: Place) -> None:
    place.new({"shared": {"n": 0}}).close()

    def work(index: int) -> None:
        with place.open(lock_timeout=60) as vault:
            for number in range(ROUNDS):
                with vault.transaction() as records:
                    records["shared"]["n"] += 1
                    records[f"process-{index}"] = {"n": number + 1}

    assert Children(8, work).codes() == [0] * 8
    vault = place.open()
    assert vault["shared"]["n"] == 8 * ROUNDS
    assert [vault[f"process-{index}"]["n"] for index in range(8)] == [ROUNDS] * 8
    assert len(vault) == 9


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


def test_of_many_that_make_the_vault_at_once_one_makes_it(place: Place) -> None:
    def work(index: int) -> None:
        with place.open(create=True, lock_timeout=60) as vault:
            vault[f"process-{index}"] = {"n": index}

    assert Children(6, work).codes() == [0] * 6
    assert dict(place.open()) == {f"process-{index}": {"n": index} for index in range(6)}


def test_threads_of_one_vault_lose_nothing_and_never_read_backwards(place: Place) -> None:
    vault = place.new({"shared": {"n": 0}}, lock_timeout=60)
    stop, backwards = threading.Event(), []

    def write() -> None:
        for _ in range(30):
            with vault.transaction() as records:
                records["shared"]["n"] += 1

    def read() -> None:
        last = 0
        while not stop.is_set():
            now = vault["shared"]["n"]
            if now < last:
                backwards.append((last, now))
            last = now

    writers = [threading.Thread(target=write) for _ in range(3)]
    reader = threading.Thread(target=read)
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    assert vault["shared"]["n"] == 90
    assert backwards == []


def test_a_child_uses_the_vault_of_its_parent(place: Place) -> None:
    vault = place.new({"a": {"n": 0}})

    def work(index: int) -> None:
        with vault.transaction() as records:
            records["a"]["n"] += 1

    assert Children(4, work).codes() == [0] * 4
    assert vault["a"]["n"] == 4


def test_a_child_that_leaves_the_block_of_its_parent_saves_nothing(place: Place) -> None:
    vault = place.new({"a": {"n": 0}})
    pid = 1
    try:
        with vault.transaction() as records:
            pid = fork()
            if pid == 0:
                records["a"]["n"] = 666
            else:
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
                records["a"]["n"] = 1
    except VaultError:
        assert pid == 0
    finally:
        if pid == 0:
            os._exit(0)
    assert place.open()["a"] == {"n": 1}


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
            with place.server.admin() as admin:  # as the life of its lock had ended
                admin.delete(f"{{{place.prefix}}}:write")
        with place.open() as vault:
            assert len({record["n"] for record in vault.values()}) == 1


def test_a_holder_that_was_stopped_for_too_long_saves_nothing(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    place = RedisPlace(redis_server)
    place.new({"a": {"n": 1}}).close()
    inside = tmp_path / "inside"

    def work(index: int) -> None:
        store = RedisStore(place.url, lock_seconds=0.5)
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
    with place.open(lock_timeout=10) as vault:
        with pytest.raises(LockTimeoutError) as caught, vault.transaction(lock_timeout=0):
            raise AssertionError
        assert str(child.pids[0]) in str(caught.value.holder)
        with vault.transaction() as records:
            records["a"]["n"] += 1
        os.kill(child.pids[0], signal.SIGCONT)
        assert child.codes() == [0]
        assert vault["a"] == {"n": 2}

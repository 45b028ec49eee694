"""I: many processes on one vault: none of their changes is lost, whoever is killed."""

from __future__ import annotations

import mmap
import multiprocessing
import os
import random
import struct
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from interpal.vault.files.locks import FileLock
from interpal.vault.vault import Vault
from tests.reliability import Row, logins
from tests.reliability.children import Child, in_child, scratch
from tests.reliability.subjects import KEY, path_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.process import BaseProcess

PROCESSES = (
    multiprocessing.get_context("fork").Process,
    multiprocessing.get_context("forkserver").Process,
    multiprocessing.get_context("spawn").Process,
)
PATIENCE = 600.0


def run(*, full: bool) -> Iterator[Row]:
    processes, each = (64, 200) if full else (9, 12)
    reads = count_together(processes, each)
    yield Row(
        "I",
        f"{processes} processes x {each} transactions: plain, of four threads, and of a fork with "
        "the vault open; started by fork, forkserver and spawn",
        processes * each,
        f"{processes * each:,} of {processes * each:,}; {reads:,} reads without a lock, none "
        "failed and none was older than the one before",
    )
    kills, holders = kill_writers(1000 if full else 15)
    yield Row(
        "I",
        f"SIGKILL among 8 writers, {holders:,} times the holder of the lock",
        kills,
        "acknowledged <= counter <= started; the folder holds the vault and its locks only",
    )
    yield from logins.run(full=full)


def count_together(processes: int, each: int) -> int:
    """Let so many processes count to *each*, every one, in one record; the reads meanwhile."""
    with scratch() as folder:
        with Vault.open(path_in(folder), key=KEY, create=True) as vault:
            vault["counter"] = {"n": 0}
        readers = [Child(lambda: _read_until_done(folder)) for _ in range(2)]
        try:
            workers: list[BaseProcess] = []
            for number in range(processes):
                start = PROCESSES[number % len(PROCESSES)]
                workers.append(start(target=count, args=(folder, each, number // 3)))
                workers[-1].start()
            for worker in workers:
                worker.join()
                assert worker.exitcode == 0, f"a writer failed: exit code {worker.exitcode}"
        finally:
            with open(os.path.join(folder, "done"), "wb"):
                pass
            told = [reader.wait().said for reader in readers]
        with Vault.open(path_in(folder), key=KEY) as vault:
            counted, generation = vault["counter"]["n"], vault.generation
        assert counted == processes * each, f"{processes * each - counted} changes were lost"
        assert generation == counted + 2, f"generation {generation} after {counted} changes"
        for said in told:
            assert said.isdigit(), f"a reader failed: {said}"
        return sum(map(int, told))


def count(folder: str, each: int, number: int) -> None:
    """The work of one process: *each* transactions, in one of three ways."""
    vault = Vault.open(path_in(folder), key=KEY, lock_timeout=PATIENCE)
    way = number % 3
    if way == 0:
        _count(vault, each)
    elif way == 1:
        shares = [each // 4 + (extra < each % 4) for extra in range(4)]
        threads = [threading.Thread(target=_count, args=(vault, share)) for share in shares]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        child = Child(lambda: _count(vault, each // 2))
        _count(vault, each - each // 2)
        assert child.wait().said == "None"


def _count(vault: Vault, times: int) -> None:
    for _ in range(times):
        with vault.transaction() as records:
            records["counter"]["n"] += 1


def _read_until_done(folder: str) -> int:
    vault = Vault.open(path_in(folder), key=KEY)
    reads = last = 0
    while not os.path.exists(os.path.join(folder, "done")):
        generation = vault.generation
        if generation < last:
            raise AssertionError(f"generation {generation} after {last}")
        last = generation
        reads += 1
        time.sleep(0.001)  # the writers are to have the processor
    return reads


class Tally:
    """Counts of transactions started and acknowledged, shared with forked writers."""

    def __init__(self, writers: int) -> None:
        self._writers = writers
        self._map = mmap.mmap(-1, 16 * writers)

    def add(self, column: int, writer: int) -> None:
        at = 8 * (column * self._writers + writer)
        (value,) = struct.unpack_from("<q", self._map, at)
        struct.pack_into("<q", self._map, at, value + 1)

    def total(self, column: int) -> int:
        values = struct.unpack_from(f"<{self._writers}q", self._map, 8 * column * self._writers)
        return sum(values)


def kill_writers(wanted: int) -> tuple[int, int]:
    """Kill one of eight writers, again and again; how many, and how many that held the lock."""
    chance = random.Random(wanted)
    tally = Tally(8)
    with scratch() as folder:
        with Vault.open(path_in(folder), key=KEY, create=True) as vault:
            vault["counter"] = {"n": 0}

        def write(number: int) -> None:
            vault = Vault.open(path_in(folder), key=KEY, lock_timeout=PATIENCE)
            while True:
                tally.add(0, number)
                _count(vault, 1)
                tally.add(1, number)

        def writer(number: int) -> Child:
            return Child(lambda: write(number))

        lock = FileLock(path_in(folder), "write.lock")
        children = [writer(number) for number in range(8)]
        kills = holders = 0
        with Vault.open(path_in(folder), key=KEY) as vault:
            last = 0
            try:
                while kills < wanted:
                    time.sleep(chance.random() * 0.02)
                    holder = lock.holder() if kills % 2 else None
                    pids = [child.pid for child in children]
                    known = holder is not None and int(holder) in pids
                    number = pids.index(int(holder or 0)) if known else chance.randrange(8)
                    children[number].kill()
                    ended = children[number].wait()
                    assert ended.killed, f"a writer failed: {ended}"
                    children[number] = writer(number)
                    kills, holders = kills + 1, holders + known
                    generation = vault.generation
                    assert generation >= last, "an older generation was read"
                    last = generation
            finally:
                for child in children:
                    child.kill()
                    with suppress(AssertionError):
                        child.wait()
        with Vault.open(path_in(folder), key=KEY, lock_timeout=1) as vault:
            counted = vault["counter"]["n"]
            vault["last"] = {}
        started, acknowledged = tally.total(0), tally.total(1)
        assert acknowledged <= counted <= started, f"{acknowledged} <= {counted} <= {started}"
        assert acknowledged > kills, "the writers hardly wrote"
        assert sorted(os.listdir(folder)) == ["vault", "vault.locks"], os.listdir(folder)
        assert os.listdir(f"{path_in(folder)}.locks") == ["write.lock"]
        assert in_child(lambda: lock.try_acquire()).said == "True"
    return kills, holders

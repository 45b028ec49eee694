"""What every store promises. A store's tests inherit this and say how to make one."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import LockTimeoutError
from interpal.vault.files.waiting import Waiting
from tests.files import in_child, is_inside
from tests.sandbox.web import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from interpal.vault.stores.base import Store, Stored

ID = bytes(range(16))
TAG = bytes(range(32))
OTHER_TAG = bytes(range(1, 33))


def together(count: int, work: Callable[[int], object]) -> list[Any]:
    """The results of *work* in that many threads at once; the first error is raised."""
    results: list[Any] = [None] * count
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            results[number] = work(number)
        except BaseException as error:  # noqa: BLE001  (raised again below)
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]
    return results


class Processes:
    """Forked children that run at once; `join` raises the first of their errors."""

    def __init__(self) -> None:
        self._results: list[str] = []
        self._threads: list[threading.Thread] = []

    def start(self, work: Callable[[], object]) -> None:
        def run() -> None:
            self._results.append(in_child(work))

        self._threads.append(threading.Thread(target=run))
        self._threads[-1].start()

    def join(self) -> list[str]:
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a child hangs"
        assert len(self._results) == len(self._threads), "a child failed"
        return self._results


class StoreContract:
    """Roots, write locks and login locks. `make` gives another object for the same place."""

    @pytest.fixture
    def make(self) -> Callable[[], Store]:
        raise NotImplementedError

    @pytest.fixture
    def store(self, make: Callable[[], Store]) -> Iterator[Store]:
        store = make()
        yield store
        store.close()

    @pytest.fixture
    def other(self, make: Callable[[], Store]) -> Iterator[Store]:
        """Another process's view of the same place."""
        store = make()
        yield store
        store.close()

    def put(self, store: Store, data: bytes) -> Stored:
        with store.write_lock(10) as writer:
            return writer.save(data)

    # The root.

    def test_at_first_there_is_nothing_and_looking_makes_nothing(self, store: Store) -> None:
        assert store.load() is None
        assert store.load() is None

    def test_what_was_saved_is_loaded_by_everybody(self, store: Store, other: Store) -> None:
        saved = self.put(store, b"the first")
        assert store.load() == other.load() == saved
        assert saved.reveal() == b"the first"

    def test_a_save_replaces_what_was_there(self, store: Store, other: Store) -> None:
        self.put(store, b"the first")
        self.put(other, b"the second")
        loaded = store.load()
        assert loaded is not None
        assert loaded.reveal() == b"the second"

    def test_bytes_of_every_kind_and_size_come_back(self, store: Store) -> None:
        for data in (b"\0", bytes(range(256)), os.urandom(2**20)):
            self.put(store, data)
            loaded = store.load()
            assert loaded is not None
            assert loaded.reveal() == data

    def test_a_save_that_verify_refuses_changes_nothing(self, store: Store) -> None:
        self.put(store, b"old")
        seen: list[bytes] = []

        def refuse(data: bytes) -> None:
            seen.append(data)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError), store.write_lock(1) as writer:
            writer.save(b"new", verify=refuse)
        assert seen == [b"new"]
        loaded = store.load()
        assert loaded is not None
        assert loaded.reveal() == b"old"

    def test_a_body_that_raises_changes_nothing_and_frees_the_lock(self, store: Store) -> None:
        self.put(store, b"old")
        with pytest.raises(ZeroDivisionError), store.write_lock(1) as writer:
            assert writer.load() is not None
            raise ZeroDivisionError
        assert self.put(store, b"new").reveal() == b"new"

    def test_the_writer_sees_what_is_newest(self, store: Store, other: Store) -> None:
        self.put(store, b"old")
        store.load()
        self.put(other, b"new")
        with store.write_lock(1) as writer:
            loaded = writer.load()
        assert loaded is not None
        assert loaded.reveal() == b"new"

    def test_what_is_removed_is_gone_and_may_be_made_again(
        self, store: Store, other: Store
    ) -> None:
        self.put(store, b"something")
        with store.write_lock(1) as writer:
            writer.remove()
        assert store.load() is None
        assert other.load() is None
        with store.write_lock(1) as writer:
            writer.remove()
        self.put(other, b"again")
        assert store.load() is not None

    def test_what_is_set_aside_is_kept_under_another_name(self, store: Store) -> None:
        names = set()
        for data in (b"damaged", b"damaged too"):
            seen = self.put(store, data)
            with store.write_lock(1) as writer:
                names.add(writer.set_aside(seen))
            assert store.load() is None
        assert len(names) == 2
        assert all(name is not None and "corrupt-" in name for name in names)

    def test_what_is_not_any_more_what_was_seen_is_not_set_aside(
        self, store: Store, other: Store
    ) -> None:
        seen = self.put(store, b"damaged")
        newer = self.put(other, b"mended")
        with store.write_lock(1) as writer:
            assert writer.set_aside(seen) is None
        assert store.load() == newer

    def test_a_reader_sees_a_whole_old_or_a_whole_new_root(
        self, store: Store, make: Callable[[], Store]
    ) -> None:
        self.put(store, b"0" * 50_000)
        stop = threading.Event()

        def write(number: int) -> int:
            mine = make()
            for turn in range(25):
                self.put(mine, b"%d" % ((number + turn) % 10) * 50_000)
            mine.close()
            return 25

        def read(number: int) -> int:
            mine, reads = make(), 0
            while not stop.is_set():
                loaded = mine.load()
                assert loaded is not None
                assert len(loaded.reveal()) == 50_000
                assert len(set(loaded.reveal())) == 1
                reads += 1
            mine.close()
            return reads

        def run(number: int) -> int:
            if number < 2:
                return read(number)
            try:
                return write(number)
            finally:
                finished.append(number)
                if len(finished) == 2:
                    stop.set()

        finished: list[int] = []
        assert all(together(4, run))

    # The write lock.

    def test_the_write_lock_has_one_holder_and_the_other_times_out(
        self, store: Store, other: Store
    ) -> None:
        self.put(store, b"old")
        with store.write_lock(1):
            for timeout in (0.0, 0.2):
                before = time.monotonic()
                with pytest.raises(LockTimeoutError) as caught, other.write_lock(timeout):
                    raise AssertionError("two holders")
                assert time.monotonic() - before >= timeout
                assert caught.value.path == other.location
                assert other.location in str(caught.value)
            assert other.load() is not None
        with other.write_lock(0):
            pass

    def test_who_waits_for_the_write_lock_gets_it(self, store: Store, other: Store) -> None:
        self.put(store, b"old")
        with store.write_lock(1) as writer:
            waiting = threading.Thread(target=self.put, args=(other, b"second"))
            waiting.start()
            assert eventually(lambda: is_inside(waiting, Waiting.pause))
            writer.save(b"first")
        waiting.join()
        loaded = store.load()
        assert loaded is not None
        assert loaded.reveal() == b"second"

    def test_no_update_is_lost_among_threads_and_processes(
        self, store: Store, make: Callable[[], Store]
    ) -> None:
        self.put(store, b"0")

        def count(mine: Store, times: int) -> None:
            for _ in range(times):
                with mine.write_lock(30) as writer:
                    loaded = writer.load()
                    assert loaded is not None
                    writer.save(b"%d" % (int(loaded.reveal()) + 1))

        def in_process() -> None:
            mine = make()
            count(mine, 20)
            mine.close()

        processes = Processes()
        for _ in range(3):
            processes.start(in_process)
        together(3, lambda _: count(store, 20))
        assert processes.join() == ["None"] * 3
        loaded = store.load()
        assert loaded is not None
        assert loaded.reveal() == b"120"

    def test_a_writer_is_of_no_use_after_its_lock(self, store: Store) -> None:
        from interpal.exceptions import VaultError

        self.put(store, b"old")
        with store.write_lock(1) as writer:
            pass
        with pytest.raises(VaultError, match="does not hold"):
            writer.save(b"new")
        loaded = store.load()
        assert loaded is not None
        assert loaded.reveal() == b"old"

    # Login locks.

    def test_a_login_lock_has_one_holder_and_trying_does_not_block(
        self, store: Store, other: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.put(store, b"root")
        mine, theirs = store.login_lock(TAG), other.login_lock(TAG)
        assert mine.try_acquire()
        assert mine.try_acquire(), "it is mine already"
        with monkeypatch.context() as patch:
            patch.setattr(time, "sleep", None)
            assert not theirs.try_acquire()
        mine.release()
        assert theirs.try_acquire()
        theirs.release()

    def test_another_account_has_another_login_lock(self, store: Store, other: Store) -> None:
        self.put(store, b"root")
        mine, theirs = store.login_lock(TAG), other.login_lock(OTHER_TAG)
        assert mine.try_acquire()
        assert theirs.try_acquire()
        theirs.release()
        mine.release()

    def test_a_login_lock_tells_who_holds_it(self, store: Store, other: Store) -> None:
        self.put(store, b"root")
        mine, theirs = store.login_lock(TAG), other.login_lock(TAG)
        assert mine.try_acquire()
        assert str(os.getpid()) in (theirs.holder() or "")
        mine.release()
        assert theirs.holder() is None

    def test_who_does_not_hold_a_login_lock_cannot_release_it(
        self, store: Store, other: Store
    ) -> None:
        self.put(store, b"root")
        mine, theirs = store.login_lock(TAG), other.login_lock(TAG)
        assert mine.try_acquire()
        theirs.release()
        assert not theirs.try_acquire()
        mine.release()
        mine.release()

    def test_the_write_lock_is_free_while_a_login_lasts(self, store: Store, other: Store) -> None:
        self.put(store, b"root")
        lock = store.login_lock(TAG)
        assert lock.try_acquire()
        assert self.put(other, b"newer").reveal() == b"newer"
        lock.release()

    def test_of_many_processes_one_gets_the_login_lock(
        self, store: Store, make: Callable[[], Store]
    ) -> None:
        self.put(store, b"root")
        reader, writer = os.pipe()
        counted, tried = os.pipe()

        def run() -> bool:
            mine = make()
            taken = mine.login_lock(TAG).try_acquire()
            os.write(tried, b".")
            os.close(writer)
            os.read(reader, 1)  # until all have tried
            return taken

        processes = Processes()
        for _ in range(6):
            processes.start(run)
        for _ in range(6):
            assert os.read(counted, 1)
        os.close(writer)
        assert sorted(processes.join()) == ["False"] * 5 + ["True"]
        for end in (reader, counted, tried):
            os.close(end)

    # Closing and forking.

    def test_a_store_may_be_used_after_close(self, store: Store) -> None:
        store.close()
        self.put(store, b"root")
        store.close()
        store.close()
        assert store.load() is not None

    def test_a_forked_child_uses_the_store_of_its_parent(self, store: Store) -> None:
        self.put(store, b"parent")

        def work() -> bytes:
            loaded = store.load()
            assert loaded is not None
            assert loaded.reveal() == b"parent"
            self.put(store, b"child")
            return b"done"

        assert in_child(work) == "b'done'"
        loaded = store.load()
        assert loaded is not None
        assert loaded.reveal() == b"child"
        self.put(store, b"parent again")
        assert in_child(lambda: store.load()) == "<Stored: 12 bytes>"

    def test_a_forked_child_neither_holds_nor_frees_the_login_lock(
        self, store: Store, other: Store
    ) -> None:
        self.put(store, b"root")
        lock = store.login_lock(TAG)
        assert lock.try_acquire()

        def work() -> bool:
            lock.release()
            return lock.try_acquire()

        assert in_child(work) == "False"
        assert not other.login_lock(TAG).try_acquire()
        lock.release()
        again = other.login_lock(TAG)
        assert again.try_acquire()
        again.release()

    def test_a_child_forked_inside_a_write_cannot_write_with_its_parents_lock(
        self, store: Store
    ) -> None:
        self.put(store, b"old")
        with store.write_lock(1) as writer:
            told = in_child(lambda: writer.save(b"from the child"))
            assert "does not hold" in told
            writer.save(b"from the parent")
        loaded = store.load()
        assert loaded is not None
        assert loaded.reveal() == b"from the parent"

    def test_threads_share_a_store(self, store: Store) -> None:
        self.put(store, b"root")

        def work(number: int) -> int:
            for _ in range(20):
                loaded = store.load()
                assert loaded is not None
            return number

        assert together(8, work) == list(range(8))

    def test_its_texts_hold_no_bytes_of_what_it_stores(self, store: Store) -> None:
        stored = self.put(store, b"hidden bytes")
        assert "hidden" not in repr(stored)
        assert "hidden" not in repr(store)
        assert store.location in repr(store)

"""What every store of separate records promises, on top of `contract.py`."""

from __future__ import annotations

import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from interpal._hidden import Hidden
from interpal.exceptions import LockTimeoutError, StaleWriteError, VaultError
from interpal.vault.format.envelope import name_tag
from interpal.vault.format.record_envelope import open_record, seal_record
from interpal.vault.stores.base import LoadedRecord, RecordWrite, keeps_records
from tests.stores.contract import ID, OTHER_TAG, TAG, Processes, StoreContract, together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from interpal.vault.stores.base import RecordStore, Store, Stored

NEW_ID = bytes(range(16, 32))
KEY = bytes(32)


def tag_of(number: int) -> bytes:
    return name_tag(Hidden(KEY), f"account-{number}")


def listed(store: RecordStore, vault_id: bytes = ID) -> dict[bytes, bytes]:
    records = list(store.load_records(vault_id))
    assert len({record.tag for record in records}) == len(records), "a record was given twice"
    return {record.tag: record.data for record in records}


class RecordContract(StoreContract):
    """Records with generations, beside a root that names their vault."""

    @pytest.fixture
    def records(self, store: Store) -> RecordStore:
        """The store, with the root of the vault `ID` in it."""
        assert keeps_records(store)
        self.put(store, b"root")
        return store

    @pytest.fixture
    def others(self, other: Store) -> RecordStore:
        assert keeps_records(other)
        return other

    def put(self, store: Store, data: bytes) -> Stored:
        assert keeps_records(store)
        with store.record_lock(10) as writer:
            return writer.save(data, vault_id=ID)

    def everything(self) -> bytes:
        """All bytes at the place of the store."""
        raise NotImplementedError

    # One record.

    def test_a_record_is_read_back(self, records: RecordStore, others: RecordStore) -> None:
        assert records.load_record(ID, TAG) == LoadedRecord(None, current=True)
        records.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
        assert records.load_record(ID, TAG) == LoadedRecord(b"one", current=True)
        others.commit(ID, [RecordWrite(TAG, 1, b"two", 2)], timeout=1)
        assert records.load_record(ID, TAG) == LoadedRecord(b"two", current=True)
        assert records.load_record(ID, OTHER_TAG) == LoadedRecord(None, current=True)

    def test_a_reader_learns_that_the_vault_is_another_one(self, records: RecordStore) -> None:
        records.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
        assert records.load_record(NEW_ID, TAG) == LoadedRecord(None, current=False)

    def test_without_a_root_there_is_no_vault(self, store: Store) -> None:
        assert keeps_records(store)
        assert store.load_record(ID, TAG) == LoadedRecord(None, current=False)
        assert list(store.load_records(ID)) == []
        with pytest.raises(StaleWriteError):
            store.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
        with pytest.raises(StaleWriteError), store.record_lock(1) as writer:
            writer.save(b"root without an id")
        assert store.load() is None

    @pytest.mark.parametrize("expected", [0, 2, 7])
    def test_a_write_fails_where_another_generation_is_there(
        self, records: RecordStore, expected: int
    ) -> None:
        records.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
        with pytest.raises(StaleWriteError, match="nothing was written"):
            records.commit(ID, [RecordWrite(TAG, expected, b"two", expected + 1)], timeout=1)
        assert records.load_record(ID, TAG).data == b"one"

    def test_a_write_fails_where_the_record_is_gone(self, records: RecordStore) -> None:
        records.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
        records.commit(ID, [RecordWrite(TAG, 1, None, 2)], timeout=1)
        with pytest.raises(StaleWriteError):
            records.commit(ID, [RecordWrite(TAG, 1, b"two", 2)], timeout=1)
        assert records.load_record(ID, TAG).data is None

    def test_a_record_is_deleted_only_if_it_is_still_the_one_seen(
        self, records: RecordStore, others: RecordStore
    ) -> None:
        records.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
        others.commit(ID, [RecordWrite(TAG, 1, b"two", 2)], timeout=1)
        with pytest.raises(StaleWriteError):
            records.commit(ID, [RecordWrite(TAG, 1, None, 2)], timeout=1)
        assert records.load_record(ID, TAG).data == b"two"
        records.commit(ID, [RecordWrite(TAG, 2, None, 3)], timeout=1)
        assert records.load_record(ID, TAG).data is None
        assert listed(records) == {}

    def test_generations_up_to_the_bound_are_compared_exactly(self, records: RecordStore) -> None:
        bound = 2**53 - 1
        records.commit(ID, [RecordWrite(TAG, 0, b"late", bound - 1)], timeout=1)
        with pytest.raises(StaleWriteError):
            records.commit(ID, [RecordWrite(TAG, bound, b"x", bound)], timeout=1)
        records.commit(ID, [RecordWrite(TAG, bound - 1, b"last", bound)], timeout=1)
        assert records.load_record(ID, TAG).data == b"last"

    def test_a_large_record_comes_back_whole(self, records: RecordStore) -> None:
        data = os.urandom(600_000)
        records.commit(ID, [RecordWrite(TAG, 0, data, 1)], timeout=5)
        assert records.load_record(ID, TAG).data == data

    # Several at once.

    def test_of_several_changes_all_are_made_or_none(self, records: RecordStore) -> None:
        records.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
        changes = [
            RecordWrite(tag_of(1), 0, b"new", 1),
            RecordWrite(TAG, 1, None, 2),
            RecordWrite(OTHER_TAG, 5, b"stale", 6),
        ]
        with pytest.raises(StaleWriteError):
            records.commit(ID, changes, root=b"newer root", timeout=1)
        assert listed(records) == {TAG: b"one"}
        loaded = records.load()
        assert loaded is not None
        assert loaded.reveal() == b"root"
        records.commit(ID, changes[:2], root=b"newer root", timeout=1)
        assert listed(records) == {tag_of(1): b"new"}
        loaded = records.load()
        assert loaded is not None
        assert loaded.reveal() == b"newer root"

    def test_a_commit_of_nothing_but_the_root(self, records: RecordStore) -> None:
        records.commit(ID, [], root=b"newer", timeout=1)
        loaded = records.load()
        assert loaded is not None
        assert loaded.reveal() == b"newer"
        assert loaded.identity == ID

    def test_a_commit_into_another_vault_is_refused(self, records: RecordStore) -> None:
        with pytest.raises(StaleWriteError, match="the vault was rotated"):
            records.commit(NEW_ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
        assert list(records.load_records(NEW_ID)) == []

    def test_no_update_of_a_record_is_lost(
        self, records: RecordStore, make: Callable[[], RecordStore]
    ) -> None:
        records.commit(ID, [RecordWrite(TAG, 0, b"0", 1)], timeout=1)

        def count(mine: RecordStore, times: int) -> int:
            tries = 0
            while times:
                data = mine.load_record(ID, TAG).data
                assert data is not None
                number = int(data)
                tries += 1
                try:
                    change = RecordWrite(TAG, number + 1, b"%d" % (number + 1), number + 2)
                    mine.commit(ID, [change], timeout=30)
                except StaleWriteError:
                    continue
                times -= 1
            return tries

        def in_process() -> int:
            mine = make()
            tries = count(mine, 15)
            mine.close()
            return tries

        processes = Processes()
        for _ in range(2):
            processes.start(in_process)
        together(3, lambda _: count(records, 15))
        processes.join()
        assert records.load_record(ID, TAG).data == b"75"

    # Listing.

    def test_every_record_is_listed_once(self, records: RecordStore) -> None:
        wanted = {tag_of(number): b"%d" % number for number in range(700)}
        changes = [RecordWrite(tag, 0, data, 1) for tag, data in wanted.items()]
        records.commit(ID, changes, timeout=5)
        assert listed(records) == wanted
        assert list(records.load_records(NEW_ID)) == []

    def test_a_list_that_is_left_early_or_written_into_harms_nothing(
        self, records: RecordStore
    ) -> None:
        changes = [RecordWrite(tag_of(number), 0, b"old", 1) for number in range(600)]
        records.commit(ID, changes, timeout=5)
        for seen, sealed in enumerate(records.load_records(ID), 1):
            records.commit(ID, [RecordWrite(sealed.tag, 1, None, 2)], timeout=5)
            if seen == 100:
                break
        rest = listed(records)
        assert len(rest) == 500
        assert set(rest.values()) == {b"old"}

    # The write lock.

    def test_a_commit_waits_for_the_holder_of_the_write_lock(
        self, records: RecordStore, others: RecordStore
    ) -> None:
        with records.record_lock(1) as writer:
            for timeout in (0.0, 0.2):
                before = time.monotonic()
                with pytest.raises(LockTimeoutError) as caught:
                    others.commit(ID, [RecordWrite(TAG, 0, b"theirs", 1)], timeout=timeout)
                assert time.monotonic() - before >= timeout
                assert caught.value.path == others.location
            assert others.load_record(ID, TAG).data is None
            writer.commit(ID, [RecordWrite(TAG, 0, b"mine", 1)])
        with pytest.raises(StaleWriteError):
            others.commit(ID, [RecordWrite(TAG, 0, b"theirs", 1)], timeout=1)
        assert others.load_record(ID, TAG).data == b"mine"

    def test_the_lock_is_free_after_a_commit_and_the_writer_spent(
        self, records: RecordStore, others: RecordStore
    ) -> None:
        with records.record_lock(1) as writer:
            writer.commit(ID, [RecordWrite(TAG, 0, b"mine", 1)])
            others.commit(ID, [RecordWrite(TAG, 1, b"theirs", 2)], timeout=1)
            for spent in (
                partial(writer.commit, ID, [RecordWrite(TAG, 1, b"again", 2)]),
                partial(writer.save, b"root again"),
                writer.remove,
                writer.load,
            ):
                with pytest.raises(VaultError, match="does not hold"):
                    spent()
        assert records.load_record(ID, TAG).data == b"theirs"

    def test_a_commit_that_fails_leaves_the_lock_to_its_holder(
        self, records: RecordStore, others: RecordStore
    ) -> None:
        with records.record_lock(1) as writer:
            with pytest.raises(StaleWriteError):
                writer.commit(ID, [RecordWrite(TAG, 3, b"stale", 4)])
            with pytest.raises(LockTimeoutError):
                others.commit(ID, [RecordWrite(TAG, 0, b"theirs", 1)], timeout=0)
            writer.commit(ID, [RecordWrite(TAG, 0, b"mine", 1)])
        assert records.load_record(ID, TAG).data == b"mine"

    def test_records_are_read_under_the_lock(self, records: RecordStore) -> None:
        records.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
        with records.record_lock(1) as writer:
            assert records.load_record(ID, TAG).data == b"one"
            assert listed(records) == {TAG: b"one"}
            stored = writer.load()
            assert stored is not None
            assert stored.identity == ID

    def test_removing_takes_the_records_too(self, records: RecordStore) -> None:
        changes = [RecordWrite(tag_of(number), 0, b"old", 1) for number in range(300)]
        records.commit(ID, changes, timeout=5)
        with records.record_lock(1) as writer:
            writer.remove()
        self.put(records, b"root of the same id")
        assert listed(records) == {}

    def test_records_stay_with_a_root_that_is_set_aside(self, records: RecordStore) -> None:
        records.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
        seen = records.load()
        assert seen is not None
        with records.record_lock(1) as writer:
            assert writer.set_aside(seen)
        with records.record_lock(1) as writer:
            writer.save(b"another vault", vault_id=NEW_ID)
        assert listed(records) == {TAG: b"one"}
        assert records.load_record(ID, TAG) == LoadedRecord(None, current=False)

    # The login lock.

    def test_a_write_under_the_login_lock_passes_its_fence(self, records: RecordStore) -> None:
        lock = records.login_lock(TAG)
        assert lock.try_acquire()
        change = RecordWrite(TAG, 0, b"session", 1)
        records.commit(ID, [change], fence=(TAG, lock.fence), timeout=1)
        assert records.load_record(ID, TAG).data == b"session"
        lock.release()

    # Expiry.

    def test_a_record_before_its_expiry_stays(self, records: RecordStore) -> None:
        soon = time.time() + 3600
        records.commit(ID, [RecordWrite(TAG, 0, b"one", 1, soon)], timeout=1)
        records.commit(ID, [RecordWrite(OTHER_TAG, 0, b"two", 1, 1e15)], timeout=1)
        assert listed(records) == {TAG: b"one", OTHER_TAG: b"two"}

    def test_a_record_past_its_expiry_stays_for_a_week(self, records: RecordStore) -> None:
        past = time.time() - 40 * 86400
        records.commit(ID, [RecordWrite(TAG, 0, b"one", 1, past)], timeout=1)
        for generation in range(1, 20):
            records.commit(
                ID, [RecordWrite(OTHER_TAG, generation - 1, b"-", generation)], timeout=1
            )
        assert listed(records)[TAG] == b"one"
        assert records.load_record(ID, TAG).data == b"one"

    # Rotation.

    def rotate(
        self, store: RecordStore, *, pause: Callable[[], object] = lambda: None
    ) -> Iterator[RecordWrite]:
        """The records of the vault `ID` for the vault `NEW_ID`, after *pause* for each."""
        for sealed in store.load_records(ID):
            pause()
            yield RecordWrite(sealed.tag[::-1], 0, b"new " + sealed.data, 1)

    def test_a_rotation_swaps_root_and_records_at_once(
        self, records: RecordStore, others: RecordStore
    ) -> None:
        changes = [RecordWrite(tag_of(number), 0, b"%d" % number, 1) for number in range(600)]
        records.commit(ID, changes, timeout=5)
        with records.record_lock(1) as writer:
            writer.replace_all(b"new root", old_id=ID, new_id=NEW_ID, records=self.rotate(records))
        loaded = others.load()
        assert loaded is not None
        assert (loaded.reveal(), loaded.identity) == (b"new root", NEW_ID)
        assert listed(others, NEW_ID) == {
            tag_of(number)[::-1]: b"new %d" % number for number in range(600)
        }
        assert listed(others, ID) == {}
        assert others.load_record(ID, tag_of(1)) == LoadedRecord(None, current=False)
        with pytest.raises(StaleWriteError):
            others.commit(ID, [RecordWrite(tag_of(1), 1, b"late", 2)], timeout=1)
        others.commit(NEW_ID, [RecordWrite(tag_of(1)[::-1], 1, b"next", 2)], timeout=1)

    def test_a_rotation_holds_writers_back_and_not_readers(
        self, records: RecordStore, others: RecordStore
    ) -> None:
        records.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
        looked = []

        def meanwhile() -> None:
            with pytest.raises(LockTimeoutError):
                others.commit(ID, [RecordWrite(TAG, 1, b"late", 2)], timeout=0.1)
            assert others.load_record(ID, TAG) == LoadedRecord(b"one", current=True)
            looked.append(True)

        with records.record_lock(1) as writer:
            moved = self.rotate(records, pause=meanwhile)
            writer.replace_all(b"new root", old_id=ID, new_id=NEW_ID, records=moved)
        assert looked
        assert listed(others, NEW_ID) == {TAG[::-1]: b"new one"}

    def test_a_rotation_that_breaks_off_leaves_the_old_set(
        self, records: RecordStore, others: RecordStore
    ) -> None:
        changes = [RecordWrite(tag_of(number), 0, b"old", 1) for number in range(600)]
        records.commit(ID, changes, timeout=5)
        turns = iter(range(520))

        def stop() -> None:
            if next(turns, None) is None:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError), records.record_lock(1) as writer:
            moved = self.rotate(records, pause=stop)
            writer.replace_all(b"new root", old_id=ID, new_id=NEW_ID, records=moved)
        loaded = others.load()
        assert loaded is not None
        assert loaded.reveal() == b"root"
        assert len(listed(others)) == 600
        others.commit(ID, [RecordWrite(tag_of(1), 1, b"next", 2)], timeout=1)
        lock = others.login_lock(TAG)
        assert lock.try_acquire()
        lock.release()
        third = bytes(16)
        with others.record_lock(1) as writer:
            writer.replace_all(b"third root", old_id=ID, new_id=third, records=self.rotate(others))
        assert len(listed(others, third)) == 600
        assert listed(others, NEW_ID) == {}, "what the first one left is gone"

    def test_a_rotation_of_another_vault_is_refused(self, records: RecordStore) -> None:
        records.commit(ID, [RecordWrite(TAG, 0, b"one", 1)], timeout=1)
        with pytest.raises(StaleWriteError), records.record_lock(1) as writer:
            writer.replace_all(b"new root", old_id=NEW_ID, new_id=bytes(16), records=[])
        assert listed(records) == {TAG: b"one"}

    def test_every_write_beside_rotations_is_in_the_set_or_told_stale(
        self, records: RecordStore, make: Callable[[], RecordStore]
    ) -> None:
        """Writers that always use the newest id, while the vault is rotated five times."""
        stop = threading.Event()
        written = [1, 0, 0, 0]

        def write(number: int) -> int:
            mine, done, generation = make(), 0, 0
            tag = bytes([number]) * 32  # a palindrome: the rotation gives it the same tag
            while not stop.is_set():
                stored = mine.load()
                assert stored is not None
                assert isinstance(stored.identity, bytes)
                try:
                    found = mine.load_record(stored.identity, tag)
                    if not found.current:
                        continue
                    expected = 0 if found.data is None else int(found.data.split()[-2])
                    assert expected in (generation, 1)
                    text = b"%d %d" % (expected + 1, done + 1)
                    change = RecordWrite(tag, expected, text, expected + 1)
                    mine.commit(stored.identity, [change], timeout=30)
                except StaleWriteError:
                    continue
                done += 1
                written[number] += 1
                generation = expected + 1
            mine.close()
            return done

        def run(number: int) -> int:
            if number:
                return write(number)
            for turn in range(5):
                old, new = (ID, NEW_ID) if turn % 2 == 0 else (NEW_ID, ID)
                everybody_wrote()
                with records.record_lock(30) as writer:
                    moved = [
                        RecordWrite(r.tag, 0, b"1 " + r.data.split()[-1], 1)
                        for r in records.load_records(old)
                    ]
                    writer.replace_all(b"root", old_id=old, new_id=new, records=moved)
            everybody_wrote()
            stop.set()
            return 5

        def everybody_wrote() -> None:
            before, deadline = list(written), time.monotonic() + 60
            while any(written[n] == before[n] for n in (1, 2, 3)):
                if time.monotonic() > deadline:
                    stop.set()
                    raise AssertionError("a writer starves")
                time.sleep(0.002)

        done = together(4, run)
        final = listed(records, NEW_ID)
        assert all(done)
        for number in (1, 2, 3):
            assert int(final[bytes([number]) * 32].split()[-1]) == done[number]

    # What the place learns.

    def test_names_and_sessions_are_never_visible(self, records: RecordStore) -> None:
        name = "canary-name-of-an-account"
        tag = name_tag(Hidden(KEY), name)
        lock = records.login_lock(tag)
        assert lock.try_acquire()
        for generation in (1, 2):
            data = seal_record(
                name,
                {"username": name, "session_cookie": f"canary-cookie-{generation}"},
                Hidden(KEY),
                vault_id=ID,
                tag=tag,
                generation=generation,
                content_key=Hidden(os.urandom(32)),
                iv=os.urandom(12),
            )
            change = RecordWrite(tag, generation - 1, data, generation, time.time() + 60)
            records.commit(ID, [change], fence=(tag, lock.fence), timeout=1)
        found = records.load_record(ID, tag).data
        assert found is not None
        assert (
            open_record(found, Hidden(KEY), vault_id=ID, tag=tag).record.reveal()["username"]
            == name
        )
        raw = self.everything()
        assert found in raw, "the search looks in the right place"
        assert b"canary" not in raw
        lock.release()
        assert b"canary" not in self.everything()

"""Slots and rotation where every record has to be sealed anew under the new vault key."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import KeyRequiredError, StaleWriteError, WrongKeyError
from interpal.vault import Vault
from tests.children import Children
from tests.vault import CHEAP, OTHER_KEY
from tests.vault.places import RedisPlace

if TYPE_CHECKING:
    from tests.vault.places import Place

RECORDS = {f"account-{number}": {"n": number} for number in range(40)}


def test_slots_are_added_changed_and_removed_and_no_record_is_touched(place: Place) -> None:
    vault = place.new(RECORDS)
    before, generation = place.records(), vault.generation
    vault.add_slot(passphrase="correct horse", kid="laptop", kdf=CHEAP)
    assert dict(place.open(passphrase="correct horse")) == RECORDS
    vault.change_slot("laptop", passphrase="battery staple", kdf=CHEAP)
    with pytest.raises(WrongKeyError):
        place.open(passphrase="correct horse")
    assert dict(place.open(passphrase="battery staple")) == RECORDS
    vault.remove_slot("laptop")
    with pytest.raises(KeyRequiredError):
        place.open(passphrase="battery staple")
    assert place.records() == before
    assert vault.generation == generation + 3
    assert [slot.kid for slot in place.open().slots] == ["slot-1"]


def test_a_rotation_seals_root_and_records_anew(place: Place) -> None:
    vault = place.new(RECORDS)
    vault["account-0"] = {"n": 100}
    old, before = vault._read(), place.records()
    assert vault.rotate() == ()
    new, after = vault._read(), place.records()
    assert new.vault_key != old.vault_key
    assert new.header.id != old.header.id
    assert new.header.created_at == old.header.created_at
    assert new.header.generation == old.header.generation + 1
    assert len(after) == len(RECORDS)
    assert not before.keys() & after.keys(), "every name has another HMAC, and the old are gone"
    expected = {**RECORDS, "account-0": {"n": 100}}
    assert dict(vault) == expected == dict(place.open())
    vault["account-0"] = {"n": 101}
    with vault.transaction() as records:
        del records["account-1"]
    assert place.open()["account-0"] == {"n": 101}
    assert len(place.open()) == 39


def test_a_rotation_needs_the_secret_of_each_slot_that_is_to_stay(place: Place) -> None:
    vault = place.new(RECORDS)
    vault.add_slot(passphrase="correct horse", kid="laptop", kdf=CHEAP)
    before = place.records()
    with pytest.raises(KeyRequiredError, match="'laptop'"):
        vault.rotate()
    with pytest.raises(WrongKeyError):
        vault.rotate({"laptop": "wrong"})
    assert place.records() == before
    assert vault.rotate({"laptop": "correct horse"}) == ()
    assert dict(place.open(passphrase="correct horse")) == RECORDS
    assert vault.rotate(drop_slots=True) == ("laptop",)
    with pytest.raises(KeyRequiredError):
        place.open(passphrase="correct horse")
    assert dict(vault) == RECORDS


def test_a_rotation_in_the_middle_of_reading_is_noticed(place: Place) -> None:
    records = {f"account-{number}": {"n": number} for number in range(700)}
    vault, other = place.new(records), place.open()
    assert dict(other) == records
    walk = vault.walk()
    next(walk)
    other.rotate()
    with pytest.raises(StaleWriteError, match="start again"):
        list(walk)
    rotated: list[bool] = []
    load = place.store_class.load_records

    def rotating(store: Any, vault_id: bytes) -> Any:
        for sealed in load(store, vault_id):
            yield sealed
            if store is vault._store and not rotated:
                rotated.append(True)
                other.rotate()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place.store_class, "load_records", rotating)
        assert dict(vault) == records
        rotated.clear()
        assert len(vault) == 700


def test_writers_readers_and_rotations_at_once_lose_nothing(place: Place) -> None:
    place.new({"shared": {"n": 0}, **RECORDS}).close()

    def work(index: int) -> None:
        with place.open(lock_timeout=60) as vault:
            for number in range(8):
                if index % 3 == 0:
                    vault.rotate()
                with vault.transaction() as records:
                    records["shared"]["n"] += 1
                vault[f"process-{index}"] = {"n": number}
                assert vault["shared"]["n"] > 0
                assert vault["account-3"] == {"n": 3}

    assert Children(6, work).codes() == [0] * 6
    vault = place.open()
    assert vault["shared"]["n"] == 48
    assert {name: vault[name] for name in RECORDS} == RECORDS
    assert [vault[f"process-{index}"]["n"] for index in range(6)] == [7] * 6
    assert len(vault) == len(place.records()) == 47


def test_a_rotation_that_is_killed_leaves_the_old_or_the_new(place: Place) -> None:
    place.new(RECORDS).close()
    ids: set[bytes] = set()

    def work(index: int) -> None:
        with place.open(lock_timeout=60) as vault:
            while True:
                vault.rotate()

    kills = 0
    while kills < 8 or len(ids) < 3:
        kills += 1
        assert kills < 60, "no rotation comes to its end"
        child = Children(1, work)
        # Longer from time to time, for a machine on which a rotation takes long.
        time.sleep(random.uniform(0.02, 0.12 + 0.02 * kills))
        os.kill(child.pids[0], signal.SIGKILL)
        assert child.codes() == [-signal.SIGKILL]
        if isinstance(place, RedisPlace):
            place.end_write_lock()
        with place.open() as vault:
            assert dict(vault) == RECORDS
            vault["account-0"] = RECORDS["account-0"]
            ids.add(vault.id)
    with place.open() as vault:
        vault.rotate()
        assert len(place.records()) == len(RECORDS), "what killed rotations left is gone"


def test_a_handle_of_the_old_key_writes_into_no_new_vault(place: Place) -> None:
    """A vault that was removed and made again is another one, though its name is the same."""
    vault = place.new({"a": {"n": 1}})
    vault.clear()
    vault.remove_file()
    Vault.open(place.url, key=OTHER_KEY, create=True)["a"] = {"n": 2}
    with pytest.raises(WrongKeyError):
        vault["a"] = {"n": 666}
    with pytest.raises(WrongKeyError):
        vault.update(a={"n": 666})
    assert dict(place.open(key=OTHER_KEY)) == {"a": {"n": 2}}

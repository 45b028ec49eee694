"""Over a store of separate records a vault is the same mapping as over a file."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import (
    LockTimeoutError,
    ValidationError,
)
from interpal.vault import versions
from interpal.vault.separate import SeparateRecords
from tests.record_stores import OTHER_KEY, SqlitePlace
from tests.vault.test_records import BAD_RECORDS, CHANGES, RECORD
from tests.vault.test_transactions import (
    adds_and_removes,
    changes_and_changes_back,
    changes_nothing,
    puts_back_the_same,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.record_stores import Place

# A mapping.


def test_a_vault_is_a_mutable_mapping(place: Place) -> None:
    vault = place.new()
    assert isinstance(vault, MutableMapping)
    assert not vault
    vault["one"] = {"n": 1}
    vault["two"] = {"n": 2}
    assert vault["one"] == {"n": 1}
    assert sorted(vault) == ["one", "two"]
    assert len(vault) == 2
    assert "one" in vault
    assert "three" not in vault
    assert vault.get("three") is None
    del vault["one"]
    assert dict(vault) == {"two": {"n": 2}} == vault
    assert dict(place.open()) == {"two": {"n": 2}}
    with pytest.raises(KeyError):
        vault["one"]
    with pytest.raises(KeyError):
        del vault["one"]


def test_the_methods_of_a_dict_that_change_it_are_transactions(place: Place) -> None:
    vault = place.new()
    vault.update({"a": {"n": 1}, "b": {"n": 2}}, c={"n": 3})
    assert vault.pop("a") == {"n": 1}
    assert vault.pop("a", None) is None
    assert vault.setdefault("b", {"n": 9}) == {"n": 2}
    assert vault.setdefault("d", {"n": 4}) == {"n": 4}
    name, _ = vault.popitem()
    assert name not in vault
    assert len(vault) == 2
    vault.clear()
    assert dict(place.open()) == {}
    with pytest.raises(KeyError):
        vault.pop("a")
    with pytest.raises(KeyError):
        vault.popitem()


def test_views_and_walks_tell_every_record_once(place: Place) -> None:
    records = {f"account-{number}": {"n": number} for number in range(600)}
    vault = place.new(records)
    items, names, values = vault.items(), vault.keys(), vault.values()
    assert dict(vault.walk()) == records
    assert len(vault) == 600
    vault.clear()
    assert dict(items) == records
    assert sorted(names) == sorted(records)
    assert sorted(record["n"] for record in values) == list(range(600))
    assert dict(vault.walk()) == {}


def test_all_records_are_read_in_one_pass(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = place.new({f"account-{number}": {"n": number} for number in range(20)})
    opened = []
    open_one = SeparateRecords._open

    def counted(self: SeparateRecords, *arguments: Any) -> Any:
        opened.append(1)
        return open_one(self, *arguments)

    monkeypatch.setattr(SeparateRecords, "_open", counted)
    for read in (vault.snapshot, vault.items, vault.values, vault.keys, lambda: list(vault)):
        opened.clear()
        read()
        assert len(opened) == 20
    opened.clear()
    assert len(vault) == 20
    assert vault
    assert opened == []


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_outside_a_transaction_is_an_error(tmp_path: Any, change: Any) -> None:
    vault = SqlitePlace(tmp_path).new({"a": RECORD})
    for record in (vault["a"], vault.snapshot()["a"], vault.setdefault("a"), dict(vault)["a"]):
        with pytest.raises(TypeError, match="transaction"):
            change(record)
    assert vault["a"] == RECORD


def test_a_record_that_is_read_shows_nothing_and_is_not_pickled(place: Place) -> None:
    vault = place.new({"a": {"cookie": "c4n4ry"}})
    assert "c4n4ry" not in repr(vault) + repr(vault["a"]) + repr(vault.stored_records())
    for one in (vault, vault["a"], next(iter(vault.walk()))[1]):
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(one)


@pytest.mark.parametrize("record", BAD_RECORDS.values(), ids=BAD_RECORDS.keys())
def test_a_bad_record_is_refused_and_nothing_is_saved(tmp_path: Any, record: Any) -> None:
    vault = SqlitePlace(tmp_path).new({"good": {"n": 1}})
    with pytest.raises(ValidationError):
        vault["a"] = record
    with pytest.raises(ValidationError), vault.transaction() as records:
        records["other"] = {"n": 1}
        records["a"] = record
    assert dict(vault) == {"good": {"n": 1}}


@pytest.mark.parametrize("name", ["", "a\n", "é" * 513, "\ud800", 7, None, b"a", ("a",)])
def test_what_is_no_name_is_never_there_and_never_written(place: Place, name: Any) -> None:
    vault = place.new({"good": {"n": 1}})
    assert name not in vault
    assert vault.get(name) is None
    with pytest.raises(KeyError):
        vault[name]
    with pytest.raises(KeyError):
        del vault[name]
    for write in (
        lambda: vault.__setitem__(name, {"n": 1}),
        lambda: vault.update({"b": {}, name: {}}),
        lambda: vault.login_lock(name),
    ):
        with pytest.raises(ValidationError):
            write()
    with vault.transaction() as records:
        assert name not in records
        assert records.pop(name, "nothing") == "nothing"
    assert dict(vault) == {"good": {"n": 1}}


# Transactions.


def test_several_changes_are_one_step(place: Place) -> None:
    vault = place.new({"a": {"n": 1}, "b": {"n": 2}})
    other = place.open()
    with vault.transaction() as records:
        records["a"]["n"] += 10
        records["c"] = {"n": 3}
        del records["b"]
        assert sorted(records) == ["a", "c"]
        assert len(records) == 2
        assert dict(other) == {"a": {"n": 1}, "b": {"n": 2}}, "not before it ends"
    assert dict(other) == {"a": {"n": 11}, "c": {"n": 3}}


@pytest.mark.parametrize(
    "body", [changes_nothing, puts_back_the_same, adds_and_removes, changes_and_changes_back]
)
def test_a_transaction_that_changes_nothing_saves_nothing(place: Place, body: Any) -> None:
    vault = place.new({"a": {"n": 1, "deep": {"x": [1]}}})
    before, generation = place.records(), vault.generation
    with vault.transaction() as records:
        body(records)
    vault["a"] = {"deep": {"x": [1]}, "n": 1}
    assert place.records() == before
    assert vault.generation == generation


@pytest.mark.parametrize(("old", "new"), [(1, 1.0), (1, True), (0.0, -0.0)])
def test_a_change_that_a_dict_does_not_see_is_saved(tmp_path: Any, old: Any, new: Any) -> None:
    vault = SqlitePlace(tmp_path).new({"a": {"n": old}, "b": {"n": old}})
    with vault.transaction() as records:
        records["a"]["n"] = new
    vault["b"] = {"n": new}
    assert [repr(record["n"]) for record in vault.values()] == [repr(new)] * 2


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_transaction_that_raises_saves_nothing(place: Place, error: type[BaseException]) -> None:
    vault = place.new({"a": {"n": 1}})
    with pytest.raises(error), vault.transaction() as records:
        records["a"]["n"] = 2
        records["b"] = {}
        records.attempts["a"] = {"until": 253402300799}
        raise error
    assert dict(vault) == {"a": {"n": 1}}
    assert vault.attempts == {}
    vault["a"] = {"n": 3}  # the lock is free again
    assert vault["a"]["n"] == 3


def test_inside_a_transaction_the_vault_itself_cannot_be_written(place: Place) -> None:
    vault = place.new({"a": {"n": 1}})
    writes: tuple[Callable[[], object], ...] = (
        lambda: vault.__setitem__("b", {}),
        lambda: vault.__delitem__("a"),
        lambda: vault.update(b={}),
        lambda: vault.transaction().__enter__(),
        lambda: vault.add_slot(key=OTHER_KEY),
        vault.rotate,
        vault.clear,
        vault.drop_damaged,
        vault.remove_file,
    )
    with vault.transaction() as records:
        records["a"]["n"] = 2
        for write in writes:
            with pytest.raises(RuntimeError, match="inside a transaction"):
                write()
    assert dict(vault) == {"a": {"n": 2}}
    vault["b"] = {}


def test_a_write_waits_for_the_transaction_of_another(place: Place) -> None:
    vault, other = place.new({"a": {"n": 1}}), place.open()
    inside = threading.Event()

    def write() -> None:
        inside.wait()
        other["a"] = {"n": 100}

    thread = threading.Thread(target=write)
    thread.start()
    with vault.transaction() as records:
        inside.set()
        time.sleep(0.1)
        records["a"]["n"] += 1
        assert other["a"] == {"n": 1}
        with pytest.raises(LockTimeoutError) as caught, other.transaction(lock_timeout=0):
            raise AssertionError
    thread.join()
    assert caught.value.path == vault.path
    assert vault["a"] == {"n": 100}


def test_a_write_that_is_always_second_gets_its_turn(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, other = place.new({"a": {"n": 0}}), place.open()
    seen = SeparateRecords._seen

    def overtaken(self: SeparateRecords, *arguments: Any) -> Any:
        found = seen(self, *arguments)
        if self is vault._separate:
            with other.transaction() as records:
                records["a"]["n"] += 1
        return found

    monkeypatch.setattr(SeparateRecords, "_seen", overtaken)
    vault["a"] = {"mine": True}
    assert other["a"] == {"mine": True}
    other["a"] = {"n": 0}
    del vault["a"]
    assert dict(other) == {}


def test_refused_logins_are_kept_in_the_root_until_their_time(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, now = place.new({"a": {"n": 1}}), versions.epoch_now()
    generation = vault.generation
    with vault.transaction() as records:
        records.attempts["a"] = {"until": now + 60, "tag": vault.attempt_tag("a", b"password")}
        records.attempts["b"] = {"until": now + 9999}
        records["a"]["n"] = 2
    assert place.open().attempts == vault.attempts
    assert set(vault.attempts) == {"a", "b"}
    assert vault.generation == generation + 1
    assert vault["a"] == {"n": 2}
    monkeypatch.setattr(versions, "epoch_now", lambda: now + 61)
    with vault.transaction() as records:
        records.attempts["c"] = {"until": now + 9999}
    assert set(place.open().attempts) == {"b", "c"}


def test_a_handle_sees_what_the_others_write(place: Place) -> None:
    vault, other = place.new(), place.open()
    other["a"] = {"n": 1}
    assert vault["a"] == {"n": 1}
    vault["a"] = {"n": 2}
    assert other["a"] == {"n": 2}
    del other["a"]
    assert "a" not in vault

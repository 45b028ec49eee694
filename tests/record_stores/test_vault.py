"""Reading and writing separate records: in one pass, in turn, and each of them once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import LockTimeoutError
from interpal.vault.core.records_apart import RecordsApart
from interpal.vault.files.waiting import Waiting
from tests.files import is_inside
from tests.sandbox.web import eventually

if TYPE_CHECKING:
    from tests.vault.places import Place


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
    open_one = RecordsApart._open

    def counted(self: RecordsApart, *arguments: Any) -> Any:
        opened.append(1)
        return open_one(self, *arguments)

    monkeypatch.setattr(RecordsApart, "_open", counted)
    for read in (vault.snapshot, vault.items, vault.values, vault.keys, lambda: list(vault)):
        opened.clear()
        read()
        assert len(opened) == 20
    opened.clear()
    assert len(vault) == 20
    assert vault
    assert opened == []


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
        assert eventually(lambda: is_inside(thread, Waiting.pause))
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
    seen = RecordsApart._seen

    def overtaken(self: RecordsApart, *arguments: Any) -> Any:
        found = seen(self, *arguments)
        if self is vault._records_apart:
            with other.transaction() as records:
                records["a"]["n"] += 1
        return found

    monkeypatch.setattr(RecordsApart, "_seen", overtaken)
    vault["a"] = {"mine": True}
    assert other["a"] == {"mine": True}
    other["a"] = {"n": 0}
    del vault["a"]
    assert dict(other) == {}

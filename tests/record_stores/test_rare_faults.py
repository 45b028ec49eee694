"""What happens to separate records once in a million times."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from interpal._hidden import Hidden
from interpal.exceptions import StaleWriteError, VaultCorruptError
from interpal.vault.core.records_apart import RecordsApart, VersionedRecord
from interpal.vault.stores.base import LoadedRecord

if TYPE_CHECKING:
    from tests.vault.places import Place


def test_records_in_a_variable_show_nothing() -> None:
    assert "canary" not in repr(VersionedRecord(1, Hidden({"cookie": "canary"})))


def test_all_records_are_read_in_one_pass_and_show_nothing(place: Place) -> None:
    vault = place.new({"a": {"cookie": "canary"}, "b": {}})
    records = vault.stored_records()
    assert sorted(map(len, records.values())) == [0, 1]
    assert isinstance(records, RecordsApart)
    assert "canary" not in repr(records) + repr(records.all())


def test_a_rotation_while_damage_is_looked_for_makes_it_begin_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = place.new({"a": {}})
    place.damage(vault, "a", lambda data: data[:-4] + b"AAAA")
    answers = iter([False, True])
    monkeypatch.setattr(RecordsApart, "_is_still", lambda *_: next(answers))
    assert vault.damaged() == 1
    assert next(answers, None) is None


def never(place: Place, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A store for which the root is never the vault that was asked for."""
    vault = place.new({"a": {}})
    module = sys.modules[place.store_class.__module__]
    writer_class = next(kind for name, kind in vars(module).items() if name.endswith("Writer"))
    for kind in (place.store_class, writer_class):
        for method in ("load_record", "load_record_since"):
            if hasattr(kind, method):
                monkeypatch.setattr(kind, method, lambda *_: LoadedRecord(None, current=False))
    return vault


def test_a_store_that_contradicts_itself_is_an_error_not_a_hang(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = never(place, monkeypatch)
    with pytest.raises(VaultCorruptError, match="disagree about"):
        vault["a"]


def test_a_transaction_over_a_lock_that_was_lost_writes_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = never(place, monkeypatch)
    with pytest.raises(StaleWriteError, match="nothing was written"), vault.transaction() as draft:
        draft["a"] = {"n": 1}
    monkeypatch.undo()
    assert dict(place.open()["a"]) == {}


def test_a_record_whose_generation_is_damaged_too_is_told_and_left(place: Place) -> None:
    vault = place.new({"a": {}, "b": {}, "c": {}})
    place.damage(vault, "a", lambda data: b"garbage")
    place.damage(vault, "b", lambda data: data[:-4] + b"AAAA")
    with pytest.raises(VaultCorruptError):
        vault["a"] = {}
    with pytest.raises(VaultCorruptError):
        vault.drop_damaged()
    assert vault.damaged() == 1
    assert dict(vault["c"]) == {}

"""A vault is a mapping of records that are read-only outside a transaction."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from interpal._hidden import Hidden
from interpal.exceptions import ValidationError
from tests.vault import new_vault, reopened

if TYPE_CHECKING:
    from pathlib import Path

    from tests.vault.places import Place

RECORD = {"a": 1, "list": [1, {"deep": [True, None]}], "dict": {"x": {"y": 1.5}}}


def test_a_vault_has_the_methods_of_a_dict_and_is_none(place: Place) -> None:
    vault = place.new()
    # Reporters of errors take apart what is one to them.
    assert not any(issubclass(type(vault), kind) for kind in (Mapping, Sequence, dict))
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


def test_each_method_that_changes_a_vault_is_one_transaction(place: Place) -> None:
    vault = place.new()
    vault.update({"a": {"n": 1}, "b": {"n": 2}}, c={"n": 3})
    assert vault.generation == place.generation_after(1)
    assert vault.pop("a") == {"n": 1}
    assert vault.generation == place.generation_after(2)
    assert vault.pop("a", None) is None
    assert vault.setdefault("b", {"n": 9}) == {"n": 2}
    assert vault.generation == place.generation_after(2)
    assert vault.setdefault("d", {"n": 4}) == {"n": 4}
    name, record = vault.popitem()
    assert name not in vault
    assert isinstance(record["n"], int)
    assert len(vault) == 2
    vault.clear()
    assert vault.generation == place.generation_after(5)
    assert dict(place.open()) == {}
    with pytest.raises(KeyError):
        vault.pop("a")
    with pytest.raises(KeyError):
        vault.popitem()


def test_the_views_are_of_one_version(path: Path) -> None:
    vault = new_vault(path, {"a": {"n": 1}, "b": {"n": 2}})
    items, names, values = vault.items(), vault.keys(), vault.values()
    reopened(path).clear()
    assert list(items) == [("a", {"n": 1}), ("b", {"n": 2})]
    assert list(names) == ["a", "b"]
    assert list(values) == [{"n": 1}, {"n": 2}]
    assert not vault.keys()


CHANGES = {
    "item": lambda r: r.__setitem__("a", 2),
    "delete": lambda r: r.__delitem__("a"),
    "update": lambda r: r.update(a=2),
    "merge": lambda r: r.__ior__({"a": 2}),
    "pop": lambda r: r.pop("a"),
    "popitem": lambda r: r.popitem(),
    "setdefault": lambda r: r.setdefault("b", 1),
    "clear": lambda r: r.clear(),
    "nested dict": lambda r: r["dict"]["x"].update(y=2),
    "nested list": lambda r: r["list"].append(1),
    "list item": lambda r: r["list"].__setitem__(0, 2),
    "list delete": lambda r: r["list"].__delitem__(0),
    "list add": lambda r: r["list"].__iadd__([1]),
    "list times": lambda r: r["list"].__imul__(2),
    "list sort": lambda r: r["list"].sort(),
    "dict in list": lambda r: r["list"][1].pop("deep"),
    "list in dict in list": lambda r: r["list"][1]["deep"].clear(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_outside_a_transaction_is_an_error(place: Place, change: Any) -> None:
    vault = place.new({"a": RECORD})
    for record in (vault["a"], vault.snapshot()["a"], vault.setdefault("a"), dict(vault)["a"]):
        with pytest.raises(TypeError, match="transaction"):
            change(record)
    assert vault["a"] == RECORD


def test_a_record_that_was_read_can_be_copied_and_written(place: Place) -> None:
    vault = place.new({"a": RECORD})
    record = vault["a"]
    for plain in (copy.deepcopy(record), json.loads(json.dumps(record.copy()))):
        plain["dict"]["x"]["y"] = 2
        plain["list"][1]["deep"].append(1)
    assert type(copy.deepcopy(record["list"])) is list
    shallow: Any = copy.copy(record)
    shallow["a"] = 2
    copy.copy(record["list"]).append(2)
    assert vault["a"] == RECORD
    vault["b"] = record
    vault["c"] = {**record, "a": 2}
    assert place.open()["c"] == {**RECORD, "a": 2}
    assert place.open()["b"] == RECORD


def test_a_record_does_not_show_itself_and_is_not_pickled(place: Place) -> None:
    vault = place.new({"a": {"cookie": "c4n4ry", "list": ["c4n4ry"]}})
    record = vault["a"]
    for shown in (repr(record), str(record["list"]), f"{record}", repr(vault)):
        assert "c4n4ry" not in shown
    secrets: list[Any] = [record, record["list"], next(iter(vault.walk()))[1], vault]
    for secret in secrets:
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(secret)


def test_what_the_caller_keeps_is_not_what_is_read(place: Place) -> None:
    vault = place.new()
    mine: dict[str, Any] = {"n": 1, "list": [1]}
    vault["a"] = mine
    mine["n"] = 2
    mine["list"].append(2)
    assert vault["a"] == {"n": 1, "list": [1]}
    with vault.transaction() as records:
        kept = records["a"]
        kept["n"] = 3
        records.attempts["a"] = attempt = {"until": 253402300799}
    kept["n"] = 4
    attempt["until"] = 1
    assert vault["a"]["n"] == 3
    assert vault.attempts["a"]["until"] == 253402300799


class Text(str):
    __slots__ = ()


def test_what_is_read_before_and_after_the_store_is_the_same(place: Place) -> None:
    vault = place.new()
    vault["a"] = {Text("name"): Text("value"), "f": 1.0, "i": 1, "b": True}
    first, second = vault["a"], place.open()["a"]
    for name in ("name", "f", "i", "b"):
        assert type(first[name]) is type(second[name])


BAD_RECORDS = {
    "a list": [1],
    "none": None,
    "not a number": {"a": float("nan")},
    "infinite": {"a": [float("inf")]},
    "large integer": {"a": 2**53 + 1},
    "bytes": {"a": b"x"},
    "number as name": {1: 2},
    "tuple": {"a": (1, 2)},
    "surrogate": {"a": "\ud800"},
    "too large": {"a": "x" * 65536},
}


@pytest.mark.parametrize("record", BAD_RECORDS.values(), ids=BAD_RECORDS.keys())
def test_a_bad_record_is_refused_and_nothing_is_saved(place: Place, record: Any) -> None:
    vault = place.new({"good": {"n": 1}})
    before = place.saved()
    with pytest.raises(ValidationError):
        vault["a"] = record
    with pytest.raises(ValidationError), vault.transaction() as records:
        records["other"] = {"n": 1}
        records["a"] = record
    assert place.saved() == before
    assert dict(vault) == {"good": {"n": 1}}


BAD_NAMES = ["", "a\n", "\x7f", "\x9f", "é" * 513, "\ud800", 3, None, b"a", ("a",)]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_what_is_no_name_is_never_there_and_never_saved(place: Place, name: Any) -> None:
    vault = place.new({"good": {"n": 1}})
    before = place.saved()
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
        lambda: vault.attempt_tag(name, Hidden(b"x")),
    ):
        with pytest.raises(ValidationError):
            write()
    with vault.transaction() as records:
        assert name not in records
        assert records.pop(name, "nothing") == "nothing"
        with pytest.raises(KeyError):
            records[name]
    assert place.saved() == before


def test_a_record_turned_bad_inside_a_transaction_is_refused(place: Place) -> None:
    vault = place.new({"a": {"n": 1}})
    before = place.saved()
    with pytest.raises(ValidationError, match="'a'"), vault.transaction() as records:
        records["a"]["loop"] = records["a"]
    assert place.saved() == before
    assert vault["a"] == {"n": 1}

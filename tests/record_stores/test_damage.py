"""A damaged record is told and harms no other; a damaged root is told and left as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import (
    VaultCorruptError,
    VaultError,
    VaultFormatError,
    VaultLimitError,
    VaultVersionError,
    WrongKeyError,
)
from interpal.vault.format.jwe import b64decode, b64encode
from tests.record_stores import Keeping, flipped
from tests.vault import OTHER_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.vault.places import Place

RECORDS = {"good": {"n": 1}, "bad": {"n": 2, "cookie": "c4n4ry"}, "other": {"n": 3}}


def other_generation(data: bytes) -> bytes:
    protected, _, rest = data.partition(b".")
    header = b64decode(protected.decode()).replace(b'"generation":1', b'"generation":2')
    return b64encode(header).encode() + b"." + rest


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "a bit": flipped,
    "the first byte": lambda data: b"A" + data[1:],
    "cut off": lambda data: data[:-5],
    "empty": lambda _data: b"",
    "not ASCII": lambda data: b"\xff" + data,
    "zeros": lambda data: bytes(len(data)),
    "its generation": other_generation,
    "too long": lambda data: data + b"A" * 2**20,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_record_is_told_and_the_others_stay_usable(place: Place, damage: Any) -> None:
    vault = place.new(RECORDS)
    place.damage(vault, "bad", damage)
    for handle in (vault, place.open()):
        reads: tuple[Callable[[], object], ...] = (
            lambda: handle["bad"],  # noqa: B023
            lambda: handle.get("bad"),  # noqa: B023
            lambda: list(handle),  # noqa: B023
            handle.snapshot,
            handle.rotate,
            lambda: list(handle.walk()),  # noqa: B023
        )
        for read in reads:
            with pytest.raises(VaultError) as caught:
                read()
            assert isinstance(caught.value, (VaultCorruptError, VaultFormatError))
            assert caught.value.path == vault.path
            assert "c4n4ry" not in str(caught.value)
        assert handle["good"] == {"n": 1}
        assert handle.damaged() == 1
        assert len(handle) == 3
    vault["good"] = {"n": 10}
    with vault.transaction() as records:
        records["other"]["n"] = 30
        records["new"] = {}
        with pytest.raises(VaultError):
            records["bad"]
    other = place.open()
    assert [other[name] for name in ("good", "other", "new")] == [{"n": 10}, {"n": 30}, {}]


@pytest.mark.parametrize("damage", ["a bit", "too long"])
@pytest.mark.parametrize("way", ["assign", "delete", "drop"])
def test_a_damaged_record_is_replaced_or_removed_on_purpose_only(
    place: Place, way: str, damage: str
) -> None:
    vault = place.new(RECORDS)
    vault["bad"] = {"n": 20}
    place.damage(vault, "bad", DAMAGE[damage])
    with pytest.raises((VaultCorruptError, VaultLimitError)), vault.transaction() as records:
        records["bad"] = {"n": 21}
    if way == "assign":
        vault["bad"] = {"n": 22}
        assert place.open()["bad"] == {"n": 22}
    elif way == "delete":
        del vault["bad"]
    else:
        assert vault.drop_damaged() == 1
    if way != "assign":
        assert "bad" not in place.open()
        vault["bad"] = {"n": 22}
    assert vault.damaged() == vault.drop_damaged() == 0
    vault.rotate()
    assert dict(place.open()) == {**RECORDS, "bad": {"n": 22}}


def test_damage_is_looked_for_with_the_key_and_removed_outside_a_transaction(place: Place) -> None:
    vault = place.new(RECORDS)
    with vault.transaction(), pytest.raises(RuntimeError, match="inside a transaction"):
        vault.drop_damaged()
    vault.add_slot(key=OTHER_KEY)
    place.open(key=OTHER_KEY).rotate(drop_slots=True)
    before = place.saved()
    for use in (vault.damaged, vault.drop_damaged):
        with pytest.raises(WrongKeyError):
            use()
    assert place.saved() == before


def test_a_record_moved_to_another_name_is_refused(place: Place) -> None:
    vault = place.new(RECORDS)
    taken = Keeping()
    place.damage(vault, "good", taken)
    place.damage(vault, "other", lambda _data: taken.data)
    with pytest.raises(VaultCorruptError, match="another record"):
        vault["other"]
    assert vault["good"] == {"n": 1}


def test_an_old_record_of_before_a_rotation_is_refused(place: Place) -> None:
    vault = place.new(RECORDS)
    taken = Keeping()
    place.damage(vault, "good", taken)
    vault.rotate()
    place.damage(vault, "good", lambda _data: taken.data)
    with pytest.raises(VaultCorruptError, match="another vault"):
        vault["good"]
    assert vault["other"] == {"n": 3}


@pytest.mark.parametrize("name", ["empty", "cut off", "zeros", "a bit"])
def test_a_damaged_root_is_told_and_not_made_anew(place: Place, name: str) -> None:
    vault = place.new(RECORDS)
    place.damage_root(DAMAGE[name])
    before = place.records()
    uses: tuple[Callable[[], object], ...] = (
        lambda: place.open(create=True),
        lambda: vault.generation,
        lambda: list(vault),
        lambda: vault.update(a={}),
        vault.rotate,
        vault.remove_file,
    )
    for use in uses:
        with pytest.raises((VaultCorruptError, VaultFormatError)) as caught:
            use()
        assert caught.value.path == vault.path
    assert place.records() == before


def test_a_root_of_a_newer_version_is_left_alone(place: Place) -> None:
    import json

    vault = place.new(RECORDS)

    def newer(data: bytes) -> bytes:
        root = json.loads(data)
        header = b64decode(root["protected"]).replace(b'"version":1', b'"version":9')
        return json.dumps({**root, "protected": b64encode(header)}).encode()

    place.damage_root(newer)
    with pytest.raises(VaultVersionError):
        place.open(create=True)
    with pytest.raises(VaultVersionError):
        vault.update(a={})


def test_a_corrupt_root_is_set_aside_and_its_records_stay(place: Place) -> None:
    vault = place.new(RECORDS)
    assert vault.set_aside_if_corrupt() is None

    def damaged(data: bytes) -> bytes:
        at = data.index(b'"tag"') + 9
        return data[:at] + (b"A" if data[at : at + 1] != b"A" else b"B") + data[at + 1 :]

    place.damage_root(damaged)
    with pytest.raises(VaultCorruptError):
        place.open()
    moved = vault.set_aside_if_corrupt()
    assert moved is not None
    assert "corrupt" in moved
    before = place.records()
    with place.open(create=True) as new:
        new["good"] = {"n": 100}
        assert dict(new) == {"good": {"n": 100}}
    assert before.items() <= place.records().items()

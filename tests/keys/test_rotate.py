"""A rotation draws a new vault key and id, and keeps every slot whose secret is at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from interpal._hidden import Hidden
from interpal.exceptions import KeyRequiredError, ValidationError, WrongKeyError
from interpal.vault import KdfParameters, Vault
from interpal.vault.core import versions
from interpal.vault.format import key_slots
from interpal.vault.keys import rekey, unlock
from interpal.vault.stores.file import FileStore
from tests.children import Children
from tests.vault import CHEAP, KEY, OTHER_KEY, Counted, new_vault, reopened

if TYPE_CHECKING:
    from pathlib import Path

    from tests.vault.places import Place

RECORDS = {f"account-{number}": {"n": number} for number in range(20)}


def three_slots(path: Path) -> Vault:
    vault = new_vault(path, RECORDS)
    vault.add_slot(passphrase="second", kid="second", kdf=CHEAP)
    vault.add_slot(key=KEY, kid="server")
    return vault


def test_a_rotation_changes_key_and_id_and_keeps_records_and_birth(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = new_vault(path, RECORDS)
    old = vault._read()
    monkeypatch.setattr(versions, "epoch_now", lambda: old.header.created_at + 1000)
    assert vault.rotate() == ()
    new = vault._read()
    assert new.vault_key != old.vault_key
    assert new.header.id != old.header.id
    assert new.header.commitment != old.header.commitment
    assert new.header.created_at == old.header.created_at
    assert new.header.updated_at == old.header.created_at + 1000
    assert new.header.generation == old.header.generation + 1
    assert dict(vault) == RECORDS == dict(reopened(path))


def test_the_old_vault_key_opens_nothing_any_more(path: Path) -> None:
    vault = new_vault(path, RECORDS)
    old_slot, old_key = vault.slots[0], vault._read().vault_key
    vault.rotate()
    stale = key_slots.open_slot(vault.slots[0], old_key)
    assert stale is None
    assert old_slot.text != vault.slots[0].text


def test_without_the_secrets_the_slots_are_named_and_nothing_is_done(path: Path) -> None:
    vault = three_slots(path)
    before = path.read_bytes()
    with pytest.raises(KeyRequiredError, match="'second', 'server'") as caught:
        vault.rotate()
    assert caught.value.path == str(path)
    with pytest.raises(KeyRequiredError) as caught:
        vault.rotate({"second": "second"})
    assert "'server'" in str(caught.value)
    assert "'second'" not in str(caught.value)
    assert path.read_bytes() == before


def test_with_the_secrets_every_slot_stays(path: Path, derivations: Counted) -> None:
    vault = three_slots(path)
    kinds = [(slot.kid, slot.kdf, slot.salt) for slot in vault.slots]
    derivations.calls = 0
    assert vault.rotate({"second": "second", "server": KEY.hex()}) == ()
    assert derivations.calls == 1, "that of the slot whose secret was given"
    assert [(slot.kid, slot.kdf, slot.salt) for slot in vault.slots] == kinds
    secrets: list[dict[str, Any]] = [
        {"passphrase": "correct horse"},
        {"passphrase": "second"},
        {"key": KEY},
    ]
    for arguments in secrets:
        assert dict(Vault.open(path, **arguments)) == RECORDS


def test_a_wrong_secret_for_a_slot_is_named_and_nothing_is_done(path: Path) -> None:
    vault = three_slots(path)
    before = path.read_bytes()
    wrong: list[dict[str, str | bytes]] = [
        {"second": "wrong", "server": KEY},
        {"second": "second", "server": OTHER_KEY},
    ]
    for secrets in wrong:
        with pytest.raises(WrongKeyError, match="does not open it") as caught:
            vault.rotate(secrets, drop_slots=True)
        assert caught.value.path == str(path)
    with pytest.raises(ValidationError, match="nobody"):
        vault.rotate({"nobody": "x"}, drop_slots=True)
    assert path.read_bytes() == before


def test_drop_slots_drops_those_and_names_them(path: Path) -> None:
    vault = three_slots(path)
    assert vault.rotate({"server": KEY}, drop_slots=True) == ("second",)
    assert [slot.kid for slot in vault.slots] == ["slot-1", "server"]
    with pytest.raises(WrongKeyError):
        Vault.open(path, passphrase="second")
    assert dict(Vault.open(path, key=KEY)) == RECORDS


def test_a_slot_opened_by_the_same_raw_key_is_kept(path: Path) -> None:
    vault = Vault.open(path, key=KEY, create=True)
    vault.add_slot(key=KEY, kid="same")
    vault.add_slot(key=OTHER_KEY, kid="other")
    assert vault.rotate(drop_slots=True) == ("other",)
    assert [slot.kid for slot in vault.slots] == ["slot-1", "same"]


def test_a_slot_too_weak_to_be_made_again_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weak = KdfParameters(64, 1, 1)
    with monkeypatch.context() as patch:
        patch.setattr(KdfParameters, "check_strong_enough", lambda _self: None)
        vault = Vault.open(path, passphrase="x", create=True, kdf=weak)
    vault["a"] = {"n": 1}
    before = path.read_bytes()
    with pytest.raises(ValidationError, match="'slot-1' is too weak"):
        vault.rotate()
    assert path.read_bytes() == before
    vault.change_slot("slot-1", passphrase="x", kdf=KdfParameters.LOW_MEMORY)
    vault.rotate()
    assert Vault.open(path, passphrase="x")["a"] == {"n": 1}


def test_refused_logins_by_password_are_dropped_and_rate_limits_stay(path: Path) -> None:
    vault = new_vault(path)
    with vault.transaction() as records:
        records.attempts["a"] = {"until": 2**37, "tag": vault.attempt_tag("a", Hidden(b"x"))}
        records.attempts["b"] = {"until": 2**37}
    vault.rotate()
    assert vault.attempts == {"b": {"until": 2**37}}


def test_two_rotations_at_once_leave_one_vault_and_lose_nothing(path: Path) -> None:
    new_vault(path, RECORDS)
    generation = reopened(path).generation

    def work(index: int) -> None:
        with reopened(path) as vault:
            vault.rotate()
            vault[f"process-{index}"] = {"n": index}

    assert Children(4, work).codes() == [0] * 4
    vault = reopened(path)
    assert dict(vault) == {**RECORDS, **{f"process-{index}": {"n": index} for index in range(4)}}
    assert vault.generation == generation + 8
    assert len(vault.slots) == 1


def test_argon2id_runs_outside_the_write_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = three_slots(path)
    held = []
    key_of = unlock.slot_key

    def watched(*arguments: object) -> object:
        with FileStore(path).write_lock(0):
            held.append("free")
        return key_of(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(rekey, "slot_key", watched)
    vault.add_slot(passphrase="third", kdf=CHEAP)
    vault.change_slot("slot-2", passphrase="fourth", kdf=CHEAP)
    vault.rotate({"second": "second", "server": KEY, "slot-2": "fourth"})
    Vault.open(path.with_name("new.json"), passphrase="x", create=True, kdf=CHEAP)
    assert held == ["free"] * 6


def test_a_slot_added_while_a_rotation_is_prepared_is_not_lost(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, other = place.new(RECORDS), place.open()
    lock = place.store_class.write_lock
    added: list[int] = []

    def late(store: Any, timeout: float) -> Any:
        if store is vault._store and not added:
            added.append(1)
            other.add_slot(key=OTHER_KEY, kid="late")
        return lock(store, timeout)

    monkeypatch.setattr(place.store_class, "write_lock", late)
    with pytest.raises(KeyRequiredError, match="'late'"):
        vault.rotate()
    assert dict(place.open(key=OTHER_KEY)) == RECORDS
    assert dict(vault) == RECORDS

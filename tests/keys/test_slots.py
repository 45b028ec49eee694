"""Key slots: add, change and remove, without touching a record or the vault key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from interpal._hidden import Hidden
from interpal.exceptions import (
    AmbiguousKeyError,
    KeyRequiredError,
    KeySourceError,
    ValidationError,
    VaultError,
    VaultIOError,
    WrongKeyError,
)
from interpal.vault import KdfParameters, Vault
from interpal.vault.format import envelope, key_slots
from interpal.vault.keys import rekey
from tests.children import Children
from tests.vault import CHEAP, KEY, OTHER_KEY, Counted, new_vault, reopened, told

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = {"a": {"n": 1}, "b": {"n": 2}}


def kids(vault: Vault) -> list[str]:
    return [slot.kid for slot in vault.slots]


def test_a_second_passphrase_and_a_key_open_the_same_records(path: Path) -> None:
    vault = new_vault(path, RECORDS)
    identity, created = vault.id, vault._read().header.created_at
    slot = vault.add_slot(passphrase="second", kdf=CHEAP)
    assert (slot.kid, slot.kind, slot.kdf) == ("slot-2", "passphrase", CHEAP)
    slot = vault.add_slot(key=KEY, kid="the.server_1-A")
    assert (slot.kid, slot.kind) == ("the.server_1-A", "key")
    assert kids(vault) == ["slot-1", "slot-2", "the.server_1-A"]
    assert vault.generation == 4
    secrets: list[dict[str, Any]] = [
        {"passphrase": "correct horse"},
        {"passphrase": "second"},
        {"key": KEY},
    ]
    for arguments in secrets:
        other = Vault.open(path, **arguments)
        assert dict(other) == RECORDS
        assert other.id == identity
        assert other._read().header.created_at == created
    assert Vault.open(path, passphrase="second").opened_slot.kid == "slot-2"


def test_a_slot_is_made_at_the_default_cost(path: Path) -> None:
    vault = Vault.open(path, key=KEY, create=True)
    assert vault.add_slot(passphrase="x").kdf == KdfParameters.DEFAULT
    assert vault.add_slot(passphrase="y", kdf=KdfParameters.LOW_MEMORY).kdf == (19456, 2, 1)


def test_slots_get_the_first_free_name(path: Path) -> None:
    vault = Vault.open(path, key=KEY, create=True)
    vault.add_slot(key=OTHER_KEY, kid="slot-3")
    assert vault.add_slot(key=OTHER_KEY).kid == "slot-2"
    assert vault.add_slot(key=OTHER_KEY).kid == "slot-4"


def test_a_vault_has_eight_slots_at_most(path: Path) -> None:
    vault = Vault.open(path, key=KEY, create=True)
    for _ in range(7):
        vault.add_slot(key=OTHER_KEY)
    before = path.read_bytes()
    with pytest.raises(ValidationError, match="8 key slots"):
        vault.add_slot(key=OTHER_KEY)
    assert path.read_bytes() == before
    assert len(kids(Vault.open(path, key=OTHER_KEY))) == 8


@pytest.mark.parametrize("kid", ["", "a b", "é", "a" * 65, "a\n", "../x", 7, b"x", "slot-1"])
def test_a_bad_or_taken_name_is_refused(path: Path, kid: Any) -> None:
    vault = new_vault(path)
    before = path.read_bytes()
    with pytest.raises(ValidationError, match="kid"):
        vault.add_slot(key=KEY, kid=kid)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, ValidationError),
        ({"passphrase": ""}, ValidationError),
        ({"passphrase": "x" * 5000}, ValidationError),
        ({"passphrase": b"x"}, ValidationError),
        ({"passphrase": "x", "key": KEY}, AmbiguousKeyError),
        ({"key": KEY[:31]}, KeySourceError),
        ({"key": "no key"}, KeySourceError),
        ({"key": KEY, "kdf": CHEAP}, ValidationError),
        ({"passphrase": "x", "kdf": KdfParameters(8, 2, 1)}, ValidationError),
        ({"passphrase": "x", "kdf": KdfParameters(2**20, 5, 1)}, ValidationError),
    ],
)
def test_a_bad_secret_or_cost_is_refused(
    path: Path, arguments: dict[str, Any], error: type[Exception], derivations: Counted
) -> None:
    vault = new_vault(path)
    before = path.read_bytes()
    derivations.calls = 0
    for change in (vault.add_slot, lambda **given: vault.change_slot("slot-1", **given)):
        with pytest.raises(error) as caught:
            change(**arguments)
        assert not isinstance(caught.value, VaultError) or caught.value.path == str(path)
    assert path.read_bytes() == before
    assert derivations.calls == 0


def test_slots_that_no_reader_would_try_together_are_not_made(path: Path) -> None:
    vault = Vault.open(path, key=KEY, create=True)
    header, key = vault._read().header, vault._read().vault_key
    costly = KdfParameters(2**20, 4, 1)
    made = [slot._replace(kid=f"s{n}", kdf=costly) for n, slot in enumerate(header.slots * 2)]
    header = header._replace(slots=(*header.slots, *made))
    wanted = rekey.new_slot("x", None, None, KdfParameters.DEFAULT, 0)
    with pytest.raises(ValidationError, match="GiB-passes"):
        rekey.adding(header, key, wanted)


def test_a_changed_passphrase_touches_no_record_and_keeps_the_vault_key(path: Path) -> None:
    vault = new_vault(path, RECORDS)
    state = vault._read()
    vault.add_slot(key=KEY)
    slot = vault.change_slot("slot-1", passphrase="battery staple", kdf=CHEAP)
    assert slot.kid == "slot-1"
    assert kids(vault) == ["slot-1", "slot-2"], "it keeps its place"
    after = vault._read()
    assert (after.vault_key, after.header.id) == (state.vault_key, state.header.id)
    assert after.header.commitment == state.header.commitment
    assert after.header.generation == state.header.generation + 2
    with pytest.raises(WrongKeyError):
        Vault.open(path, passphrase="correct horse")
    secrets: list[dict[str, Any]] = [{"passphrase": "battery staple"}, {"key": KEY}]
    for arguments in secrets:
        assert dict(Vault.open(path, **arguments)) == RECORDS


def test_an_old_copy_still_opens_with_the_old_passphrase(path: Path, tmp_path: Path) -> None:
    vault = new_vault(path, RECORDS)
    old = path.read_bytes()
    vault.change_slot("slot-1", passphrase="battery staple", kdf=CHEAP)
    path.write_bytes(old)
    assert dict(reopened(path)) == RECORDS


def test_a_slot_may_change_its_kind(path: Path) -> None:
    vault = new_vault(path, RECORDS)
    assert vault.change_slot("slot-1", key=KEY).kind == "key"
    assert dict(Vault.open(path, key=KEY)) == RECORDS
    with pytest.raises(KeyRequiredError):
        reopened(path)
    assert vault.change_slot("slot-1", passphrase="x", kdf=CHEAP).kind == "passphrase"
    assert dict(Vault.open(path, passphrase="x")) == RECORDS


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (KdfParameters.LOW_MEMORY, KdfParameters.LOW_MEMORY),
        (KdfParameters(20000, 2, 1), KdfParameters(20000, 2, 1)),
        (CHEAP, KdfParameters.DEFAULT),
    ],
)
def test_a_changed_passphrase_costs_what_the_old_one_did_but_never_too_little(
    path: Path, old: KdfParameters, new: KdfParameters
) -> None:
    vault = Vault.open(path, passphrase="x", create=True, kdf=old)
    assert vault.change_slot("slot-1", passphrase="y").kdf == new


def test_the_slot_that_opened_the_vault_can_be_changed_under_it(
    path: Path, derivations: Counted
) -> None:
    vault = new_vault(path, RECORDS)
    vault.change_slot("slot-1", passphrase="battery staple", kdf=CHEAP)
    derivations.calls = 0
    assert vault.opened_slot.kid == "slot-1"
    vault["c"] = {"n": 3}
    Vault.open(path, passphrase="battery staple").rotate()
    assert vault["c"] == {"n": 3}, "it follows with the new passphrase"
    vault.rotate()
    assert derivations.calls == 1
    assert vault.key_source == "argument"


def test_the_slot_that_opened_the_vault_can_be_removed_under_it(path: Path) -> None:
    vault = new_vault(path, RECORDS)
    vault.add_slot(key=KEY)
    vault.remove_slot("slot-1")
    vault["c"] = {"n": 3}
    assert vault["c"] == {"n": 3}
    with pytest.raises(WrongKeyError) as caught:
        vault.opened_slot  # noqa: B018
    assert caught.value.path == str(path)
    with pytest.raises(KeyRequiredError, match="slot-2"):
        vault.rotate()
    with pytest.raises(KeyRequiredError):
        vault.rotate(drop_slots=True)
    vault.rotate({"slot-2": KEY})
    assert vault["c"] == {"n": 3}
    assert Vault.open(path, key=KEY)["c"] == {"n": 3}
    Vault.open(path, key=KEY).rotate()
    with pytest.raises(VaultError):
        vault["c"]


def test_the_last_slot_cannot_be_removed(path: Path) -> None:
    vault = new_vault(path, RECORDS)
    vault.add_slot(key=KEY)
    vault.remove_slot("slot-2")
    before = path.read_bytes()
    with pytest.raises(ValidationError, match="last key slot"):
        vault.remove_slot("slot-1")
    assert path.read_bytes() == before
    vault.add_slot(key=OTHER_KEY)
    with pytest.raises(WrongKeyError):
        Vault.open(path, key=KEY)


@pytest.mark.parametrize("kid", ["nobody", "", 7, None])
def test_a_slot_that_is_not_there_is_named_with_those_that_are(path: Path, kid: Any) -> None:
    vault = new_vault(path)
    before = path.read_bytes()
    for change in (
        lambda: vault.remove_slot(kid),
        lambda: vault.change_slot(kid, key=KEY),
        lambda: vault.rotate({kid: KEY}),
    ):
        with pytest.raises(ValidationError, match="slot-1"):
            change()
    assert path.read_bytes() == before


def test_slots_of_other_processes_are_kept(path: Path) -> None:
    new_vault(path, RECORDS)

    def work(index: int) -> None:
        with reopened(path) as vault:
            vault.add_slot(key=bytes([index]) * 32, kid=f"process-{index}")
            vault[f"process-{index}"] = {"n": index}

    assert Children(7, work).codes() == [0] * 7
    for index in range(7):
        vault = Vault.open(path, key=bytes([index]) * 32)
        assert vault.opened_slot.kid == f"process-{index}"
        assert len(vault) == 9


def test_processes_that_take_the_same_name_get_names_of_their_own(path: Path) -> None:
    new_vault(path)

    def work(index: int) -> None:
        with reopened(path) as vault:
            assert vault.add_slot(key=bytes([index]) * 32).kid in kids(vault)

    assert Children(7, work).codes() == [0] * 7
    assert sorted(kids(reopened(path))) == [f"slot-{number}" for number in range(1, 9)]


def test_of_two_processes_one_takes_the_last_slot_but_one(path: Path) -> None:
    new_vault(path).add_slot(key=KEY)

    def work(index: int) -> None:
        with reopened(path) as vault:
            vault.remove_slot(f"slot-{index + 1}")

    assert sorted(Children(2, work).codes()) == [0, 1]
    assert len(envelope.parse(path.read_bytes()).header.slots) == 1


def spoiled(data: bytes) -> bytes:
    """The vault with other bytes in it than were sealed."""
    vault = json.loads(data)
    vault["ciphertext"] = "AAAA" + vault["ciphertext"][4:]
    return json.dumps(vault).encode()


def test_what_does_not_open_does_not_replace_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = new_vault(path, RECORDS)
    vault.add_slot(key=KEY)
    before = path.read_bytes()
    seal = envelope.seal
    make = key_slots.make_slot
    operations = (
        lambda: vault.add_slot(key=OTHER_KEY),
        lambda: vault.change_slot("slot-1", passphrase="x", kdf=CHEAP),
        lambda: vault.remove_slot("slot-2"),
        lambda: vault.rotate({"slot-2": KEY}),
    )
    with monkeypatch.context() as patch:
        patch.setattr(envelope, "seal", lambda *a, **k: spoiled(seal(*a, **k)))
        for operation in operations:
            with pytest.raises(VaultIOError, match="the old content was kept") as caught:
                operation()
            assert caught.value.path == str(path)
            assert path.read_bytes() == before

    def with_another_key(vault_key: Hidden[bytes], **more: Any) -> Any:
        settings: dict[str, Any] = {**more, "key": Hidden(bytes(32))}
        return make(vault_key, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(rekey, "make_slot", with_another_key)
        for operation in (*operations[:2], operations[3]):
            with pytest.raises(VaultIOError, match="the old content was kept"):
                operation()
            assert path.read_bytes() == before
    assert sorted(entry.name for entry in path.parent.iterdir()) == [
        path.name,
        f"{path.name}.locks",
    ]
    assert dict(reopened(path)) == RECORDS == dict(vault)


def test_no_error_of_a_slot_shows_a_secret(path: Path) -> None:
    vault = new_vault(path, RECORDS)
    vault.add_slot(passphrase="the other one", kid="other", kdf=CHEAP)
    vault.add_slot(key=KEY, kid="key")
    secrets = {"other": "wrong-c4n4ry", "key": "key-c4n4ry"}
    for operation in (
        lambda: vault.rotate(secrets),
        lambda: vault.rotate({"key": "key-c4n4ry", "other": "the other one"}),
        lambda: vault.add_slot(passphrase="c4n4ry", kid="other"),
        lambda: vault.add_slot(passphrase="c4n4ry" * 1000),
        lambda: vault.change_slot("nobody", key="c4n4ry"),
    ):
        with pytest.raises((VaultError, ValidationError)) as caught:
            operation()
        assert "c4n4ry" not in told(caught.value)

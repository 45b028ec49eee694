"""A transaction is whole or not at all, and what could not be saved is an error."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from interpal._hidden import Hidden
from interpal.exceptions import LockTimeoutError, ValidationError, VaultLimitError
from interpal.vault import Vault
from interpal.vault.core import versions
from interpal.vault.files.waiting import Waiting
from interpal.vault.format.envelope import Payload
from interpal.vault.format.header import MAX_GENERATION
from tests.files import is_inside
from tests.sandbox.web import eventually
from tests.vault import OTHER_KEY, new_vault, reopened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.vault.places import Place


def test_several_changes_are_one_save(place: Place) -> None:
    vault = place.new({"a": {"n": 1}, "b": {"n": 2}})
    other = place.open()
    with vault.transaction() as records:
        records["a"]["n"] += 10
        records["c"] = {"n": 3}
        del records["b"]
        assert sorted(records) == ["a", "c"]
        assert len(records) == 2
        for reader in (vault, other):
            assert dict(reader) == {"a": {"n": 1}, "b": {"n": 2}}, "not before it ends"
    assert vault.generation == place.generation_after(2)
    assert dict(other) == {"a": {"n": 11}, "c": {"n": 3}}


def changes_nothing(records: Any) -> None:
    assert records["a"] == {"n": 1, "deep": {"x": [1]}}


def puts_back_the_same(records: Any) -> None:
    records["a"] = {"deep": {"x": [1]}, "n": 1}


def adds_and_removes(records: Any) -> None:
    records["new"] = {"n": 1}
    del records["new"]
    records.pop("nobody", None)


def changes_and_changes_back(records: Any) -> None:
    records["a"]["deep"]["x"].append(2)
    records["a"]["deep"]["x"].pop()
    records.attempts["a"] = {"until": 253402300799}
    del records.attempts["a"]


@pytest.mark.parametrize(
    "body", [changes_nothing, puts_back_the_same, adds_and_removes, changes_and_changes_back]
)
def test_a_transaction_that_changes_nothing_saves_nothing(place: Place, body: Any) -> None:
    vault = place.new({"a": {"n": 1, "deep": {"x": [1]}}})
    before = place.saved()
    with vault.transaction() as records:
        body(records)
    vault["a"] = {"deep": {"x": [1]}, "n": 1}
    assert place.saved() == before
    assert vault.generation == place.generation_after(1)


@pytest.mark.parametrize(("old", "new"), [(1, 1.0), (1, True), (0, False), (0.0, -0.0)])
def test_a_change_that_a_dict_does_not_see_is_saved(place: Place, old: Any, new: Any) -> None:
    vault = place.new({"a": {"n": old}, "b": {"n": old}})
    with vault.transaction() as records:
        records["a"]["n"] = new
    vault["b"] = {"n": new}
    assert vault.generation == place.generation_after(3)
    assert [repr(record["n"]) for record in place.open().values()] == [repr(new)] * 2


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_transaction_that_raises_saves_nothing(place: Place, error: type[BaseException]) -> None:
    vault = place.new({"a": {"n": 1}})
    before = place.saved()
    with pytest.raises(error), vault.transaction() as records:
        records["a"]["n"] = 2
        records["b"] = {}
        records.attempts["a"] = {"until": 253402300799}
        raise error
    assert place.saved() == before
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
        lambda: vault.remove_slot("slot-1"),
        vault.rotate,
        vault.clear,
        vault.remove_file,
    )
    with vault.transaction() as records:
        records["a"]["n"] = 2
        for write in writes:
            with pytest.raises(RuntimeError, match="inside a transaction"):
                write()
    assert dict(vault) == {"a": {"n": 2}}
    vault["b"] = {}  # and afterwards it can


def test_another_thread_waits_for_the_transaction(place: Place) -> None:
    vault = place.new({"a": {"n": 1}})
    inside, done = threading.Event(), []

    def other() -> None:
        inside.wait()
        with vault.transaction() as records:
            records["a"]["n"] *= 10
        done.append(True)

    thread = threading.Thread(target=other)
    thread.start()
    with vault.transaction() as records:
        inside.set()
        assert eventually(lambda: is_inside(thread, Waiting.pause))
        assert not done
        records["a"]["n"] += 1
    thread.join()
    assert vault["a"]["n"] == 20


def test_what_is_kept_of_a_transaction_cannot_be_changed_afterwards(place: Place) -> None:
    vault = place.new({"a": {"n": 1}})
    with vault.transaction() as records:
        pass
    changes: tuple[Callable[[], object], ...] = (
        lambda: records.__setitem__("b", {}),
        lambda: records.__delitem__("a"),
        records.clear,
    )
    for change in changes:
        with pytest.raises(RuntimeError, match="is over"):
            change()


def test_the_draft_is_a_mapping(place: Place) -> None:
    vault = place.new({"a": {"n": 1}, "b": {"n": 2}})
    with vault.transaction() as records:
        assert "a" in records
        assert 7 not in records  # type: ignore[comparison-overlap]
        assert records.pop("a") == {"n": 1}
        assert "a" not in records
        with pytest.raises(KeyError):
            records["a"]
        with pytest.raises(KeyError):
            del records["a"]
        records["a"] = {"n": 3}
        assert dict(records) == {"a": {"n": 3}, "b": {"n": 2}}
        records.clear()
        assert not records
        records["c"] = {"n": 4}
        assert "4" not in repr(records)
    assert dict(vault) == {"c": {"n": 4}}


def test_lock_timeout_zero_tries_once(place: Place) -> None:
    vault, other = place.new({"a": {"n": 1}}, lock_timeout=3600), place.open()
    with (
        other.transaction(),
        pytest.raises(LockTimeoutError) as caught,
        vault.transaction(lock_timeout=0),
    ):
        raise AssertionError
    assert caught.value.path == vault.path


@pytest.mark.parametrize("timeout", [-1, float("nan"), "5", True, None])
def test_a_lock_timeout_that_is_no_time_is_refused(path: Path, timeout: Any) -> None:
    new_vault(path)
    vault = reopened(path)
    # None is the vault's own.
    of_a_transaction: Any = -1 if timeout is None else timeout
    settings: dict[str, Any] = {"lock_timeout": timeout}
    with pytest.raises(ValidationError, match="lock_timeout"):
        vault.transaction(lock_timeout=of_a_transaction).__enter__()
    with pytest.raises(ValidationError, match="lock_timeout"):
        Vault.open(path, passphrase="correct horse", **settings)


def test_refused_logins_are_kept_until_their_time(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = place.new({"a": {"n": 1}})
    generation, now = vault.generation, versions.epoch_now()
    with vault.transaction() as records:
        records.attempts["a"] = {
            "until": now + 60,
            "tag": vault.attempt_tag("a", Hidden(b"password")),
        }
        records.attempts["b"] = {"until": now + 9999}
        records["a"]["n"] = 2
    assert place.open().attempts == vault.attempts
    assert set(vault.attempts) == {"a", "b"}
    assert vault.generation == generation + 1
    assert vault["a"] == {"n": 2}
    with pytest.raises(TypeError):
        vault.attempts["a"]["until"] = 0  # type: ignore[index]
    monkeypatch.setattr(versions, "epoch_now", lambda: now + 60)
    assert set(vault.attempts) == {"a", "b"}, "until the next save"
    with vault.transaction() as records:
        records.attempts["c"] = {"until": now + 9999}
    assert set(place.open().attempts) == {"b", "c"}
    assert set(vault.attempts) == {"b", "c"}


def test_a_counted_refusal_is_kept_until_it_is_to_be_forgotten(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = place.new()
    now = versions.epoch_now()
    counted = {"until": now + 60, "count": 2, "kind": "password", "forget_at": now + 3600}
    with vault.transaction() as records:
        records.attempts["a"] = counted
        records.attempts["b"] = {"until": now + 60, "count": 2}
    for later, left in ((3599, {"a"}), (3600, set())):
        monkeypatch.setattr(versions, "epoch_now", lambda later=later: now + later)
        with vault.transaction() as records:
            records.attempts["c"] = {"until": now + later}
        assert set(place.open().attempts) == left
        assert vault.attempts.get("a") == (counted if left else None)


def test_a_salt_stays_through_every_save_and_a_rotation(place: Place) -> None:
    vault = place.new({"a": {"n": 1}})
    salt = bytes(range(16))
    with vault._versions.writing(10) as (writer, state):
        payload = Payload(state.payload.records, salt=salt)
        header = vault._versions.next_header(state.header)
        vault._versions.save(writer, header, payload, state.vault_key)
    vault["a"] = {"n": 2}
    with vault.transaction() as records:
        records.attempts["a"] = {"until": versions.epoch_now() + 60}
    assert place.open()._read().payload.salt == salt
    vault.rotate()
    opened = place.open()
    assert opened._read().payload.salt == salt
    assert opened["a"] == {"n": 2}
    assert set(opened.attempts) == {"a"}


def test_a_refused_login_that_is_none_is_refused(place: Place) -> None:
    vault = place.new()
    before = place.saved()
    for attempt in ({"until": 2**40, "tag": "xyz"}, {"tag": "00000"}, {"until": 1.5}, {}):
        with pytest.raises(ValidationError), vault.transaction() as records:
            records.attempts["a"] = attempt
    assert place.saved() == before


def test_a_vault_that_was_saved_too_often_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = new_vault(path)
    with monkeypatch.context() as patch:
        patch.setattr(
            versions.Versions,
            "next_header",
            lambda _self, header: header._replace(generation=MAX_GENERATION),
        )
        vault["a"] = {}
    assert vault.generation == MAX_GENERATION
    before = path.read_bytes()
    with pytest.raises(VaultLimitError, match="generation") as caught:
        vault["b"] = {}
    assert caught.value.path == str(path)
    with pytest.raises(VaultLimitError, match="generation"):
        vault.rotate()
    assert path.read_bytes() == before

"""A vault in a store of separate records is made, opened, closed and taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interpal.exceptions import (
    KeyRequiredError,
    VaultError,
    VaultNotFoundError,
    VaultRollbackError,
    WrongKeyError,
)
from tests.record_stores import KEY, OTHER_KEY, Keeping

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.record_stores import Place


def test_a_wrong_key_opens_nothing_and_touches_nothing(place: Place) -> None:
    vault = place.new({"a": {"n": 1}})
    before = place.records()
    with pytest.raises(WrongKeyError) as caught:
        place.open(key=OTHER_KEY, create=True)
    assert caught.value.path == vault.path
    with pytest.raises(KeyRequiredError):
        place.open(passphrase="correct horse", create=True)
    assert place.records() == before
    assert dict(vault) == {"a": {"n": 1}}


def test_what_is_not_there_is_not_found_and_not_made(place: Place) -> None:
    with pytest.raises(VaultNotFoundError):
        place.open()
    with pytest.raises(VaultNotFoundError):
        place.open(create=True, min_generation=2)
    assert place.url.startswith("redis") or not place.path.exists()  # type: ignore[attr-defined]


def test_a_vault_may_be_made_with_records(place: Place) -> None:
    from interpal.vault.keys import explicit_source
    from interpal.vault.stores.opening import open_store
    from interpal.vault.vault import Vault

    records = {"a": {"n": 1}, "b": {"n": 2}}
    with Vault(open_store(place.url), explicit_source(key=KEY)) as vault:
        assert vault.start(create=True, records=records)
        assert vault._read().payload.records == {}, "the root of such a vault holds none"
    assert dict(place.open()) == records
    with Vault(open_store(place.url), explicit_source(key=KEY)) as vault:
        assert not vault.start(create=True, records={"c": {}})
    assert dict(place.open()) == records


def test_an_old_root_that_was_put_back_is_told(place: Place) -> None:
    vault = place.new()
    old = Keeping()
    place.damage_root(old)
    vault.add_slot(key=OTHER_KEY)
    seen = vault.generation
    place.open(min_generation=seen)
    place.damage_root(lambda _data: old.data)
    with pytest.raises(VaultRollbackError):
        place.open(min_generation=seen)


def test_a_closed_vault_says_so(place: Place) -> None:
    vault = place.new({"a": {"n": 1}})
    vault.close()
    uses: tuple[Callable[[], object], ...] = (
        lambda: vault["a"],
        lambda: list(vault),
        lambda: vault.__setitem__("a", {}),
        lambda: list(vault.walk()),
    )
    for use in uses:
        with pytest.raises(VaultError, match="closed"):
            use()


def test_a_removed_vault_is_not_found_and_not_made_again(place: Place) -> None:
    vault = place.new({"a": {"n": 1}})
    place.take_away()
    uses: tuple[Callable[[], object], ...] = (
        lambda: vault["a"],
        lambda: "a" in vault,
        lambda: vault.__setitem__("a", {"n": 2}),
        lambda: vault.__setitem__("b", {}),
        lambda: vault.__delitem__("a"),
        lambda: list(vault),
        vault.rotate,
        lambda: vault.update(b={}),
        lambda: vault.login_lock("a").try_acquire(),
    )
    for use in uses:
        with pytest.raises(VaultNotFoundError):
            use()
    with pytest.raises(VaultNotFoundError):
        place.open()
    vault.remove_file()


def test_only_an_empty_vault_is_removed(place: Place) -> None:
    vault = place.new({"a": {"n": 1}})
    vault.remove_file()
    assert dict(vault) == {"a": {"n": 1}}
    vault.clear()
    vault.add_slot(key=OTHER_KEY)
    vault.remove_file()
    assert len(vault.slots) == 2
    vault.remove_slot("slot-2")
    vault.remove_file()
    with pytest.raises(VaultNotFoundError):
        place.open()
    assert dict(place.open(create=True)) == {}

"""A vault in a store of separate records is made with some, and an old root of it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interpal.exceptions import VaultRollbackError
from interpal.vault.keys.sources import explicit_source
from interpal.vault.stores.opening import open_store
from interpal.vault.vault import Vault
from tests.record_stores import Keeping
from tests.vault import KEY, OTHER_KEY

if TYPE_CHECKING:
    from tests.vault.places import Place


def test_a_vault_may_be_made_with_records(place: Place) -> None:
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

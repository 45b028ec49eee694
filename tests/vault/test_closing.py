"""A vault that is closed while other threads use it: an error for them, and no key that stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interpal._hidden import Hidden
from interpal.exceptions import VaultError
from interpal.vault import FileStore, Vault
from interpal.vault.format.key_slots import KdfParameters, Slot
from interpal.vault.keys.sources import explicit_source
from interpal.vault.keys.unlock import SlotOpener
from tests.vault import CHEAP, new_vault

if TYPE_CHECKING:
    from pathlib import Path

    from interpal.vault.stores.base import Stored


def test_a_read_that_a_close_overtakes_is_an_error_and_keeps_no_key(tmp_path: Path) -> None:
    path = tmp_path / "vault.json"
    new_vault(path, {"maple_ink": {"n": 1}}).close()

    class Overtaken(FileStore):
        def load(self, *, foreign: bool = False) -> Stored | None:
            stored = super().load(foreign=foreign)
            if closing:
                vault.close()
            return stored

    closing: list[bool] = []
    vault = Vault.open(Overtaken(path), passphrase="correct horse")
    (slot,) = vault.slots
    assert vault._opener.cached_key(slot) is not None
    closing.append(True)
    with pytest.raises(VaultError, match="was closed"):
        vault["maple_ink"]
    assert vault._opener.cached_key(slot) is None
    assert vault._versions.known() is None


def test_a_key_that_is_dropped_while_it_is_looked_for_is_one_or_none() -> None:
    opener = SlotOpener(explicit_source(passphrase="correct horse"))
    key = Hidden(bytes(32))

    class Dropping(KdfParameters):
        """Another thread closes the vault at the moment of the comparison."""

        __slots__ = ()
        __hash__ = KdfParameters.__hash__

        def __eq__(self, other: object) -> bool:
            opener.forget()
            return tuple(self) == other

        def __ne__(self, other: object) -> bool:
            return not self == other

    slot = Slot("", "slot-1", bytes(16), 0, CHEAP, bytes(16))
    opener.adopt(opener.source, slot._replace(kdf=Dropping(*CHEAP)), key)
    assert opener.cached_key(slot) is key
    assert opener.cached_key(slot) is None

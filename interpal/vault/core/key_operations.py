"""The key operations of a vault: who opens it, and with what.

What they make of the slots is in `keys/rekey.py`, which is imported where it is used. Each is
one atomic save, proven on the new bytes before they replace the old ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal._hidden import Hidden
from interpal.exceptions import WrongKeyError
from interpal.vault.core.versions import State, Versions, epoch_now, located

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from interpal.vault.core.records_apart import RecordsApart
    from interpal.vault.format.key_slots import KdfParameters, Slot
    from interpal.vault.keys.rekey import Rekey
    from interpal.vault.keys.unlock import SlotOpener


class KeySlots:
    """A vault's key slots, and the operations on them."""

    _versions: Versions
    _opener: SlotOpener
    _records_apart: RecordsApart | None
    _lock_timeout: float

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The key slots, in the order in which they are tried."""
        return self._versions.read().header.slots

    @property
    def opened_slot(self) -> Slot:
        """The slot that this vault was opened by.

        Raises `WrongKeyError` where it was removed or changed since; what is open stays so.
        """
        slot = self._own_slot()
        if slot is None:
            raise WrongKeyError(
                f"{self._versions.path}: the key slot that opened this vault was removed or "
                "changed since: open it again",
                path=self._versions.path,
            )
        return slot

    def add_slot(
        self,
        *,
        passphrase: str | Callable[[], str] | None = None,
        key: bytes | str | None = None,
        kid: str | None = None,
        kdf: KdfParameters | None = None,
    ) -> Slot:
        """Let one more passphrase or key open the vault; returns its slot.

        Without *kid* its name is `slot-N`. No record is touched. Raises `ValidationError`, also
        for a ninth slot, `KeySourceError` for what is no key, and what a save raises.
        """
        from interpal.vault.keys import rekey

        try:
            with located(self._versions.path):
                wanted = rekey.new_slot(passphrase, key, kid, kdf, epoch_now())
        finally:
            del passphrase, key
        change = self._rekey(lambda state: rekey.adding(state.header, state.vault_key, wanted))
        return change.slots[-1]

    def change_slot(
        self,
        kid: str,
        *,
        passphrase: str | Callable[[], str] | None = None,
        key: bytes | str | None = None,
        kdf: KdfParameters | None = None,
    ) -> Slot:
        """Give the slot *kid* another passphrase or key; returns the new slot.

        No record is touched and the vault key stays: an old copy of the file still opens with
        the old secret, and `rotate` is the remedy for the future. Without *kdf* a passphrase
        keeps the slot's cost, unless that is below the floor. Raises as `add_slot` does.
        """
        from interpal.vault.keys import rekey

        try:
            with located(self._versions.path):
                wanted = rekey.new_slot(passphrase, key, kid, kdf, epoch_now())
        finally:
            del passphrase, key
        mine = self._own_slot()
        change = self._rekey(lambda state: rekey.changing(state.header, state.vault_key, wanted))
        slot = next(slot for slot in change.slots if slot.kid == kid)
        if mine is not None and mine.kid == kid:
            self._versions.adopt(wanted.source, slot, change)
        return slot

    def remove_slot(self, kid: str) -> None:
        """Take the slot *kid* away. No record is touched and the vault key stays.

        This open vault remains usable, also where it was its own slot. Raises `ValidationError`
        for the last slot and for one that is not there, and what a save raises.
        """
        from interpal.vault.keys import rekey

        self._rekey(
            lambda state: rekey.removing(state.header, state.vault_key, self._opener, kid=kid)
        )

    def rotate(
        self,
        secrets: Mapping[str, str | bytes] | None = None,
        *,
        drop_slots: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> tuple[str, ...]:
        """Draw a new vault key and id, and seal everything anew, in one atomic save.

        The slot that opened this vault stays, and every slot whose secret *secrets* gives, by
        `kid`: a passphrase as text, a key as 32 bytes or text. Others cannot: with
        *drop_slots* they go, and their names are returned; without it nothing is done.
        *progress* is called with the number of records sealed so far, where the store keeps
        each apart; it runs under the write lock and must not use this vault.

        Raises `KeyRequiredError` naming the slots whose secrets are missing, `WrongKeyError`
        for a secret that does not open its slot, `ValidationError` for a slot that is not
        there or is too weak to be made again, and what a save raises.
        """
        from interpal.vault.keys import rekey

        hidden = {kid: Hidden(secret) for kid, secret in (secrets or {}).items()}
        del secrets
        before: tuple[str, ...] = ()

        def rotated(state: State) -> Rekey:
            nonlocal before
            before = tuple(slot.kid for slot in state.header.slots)
            return rekey.rotating(
                state.header,
                state.vault_key,
                self._opener,
                secrets=hidden,
                drop_slots=drop_slots,
                now=epoch_now(),
            )

        kept = {slot.kid for slot in self._rekey(rotated, progress).slots}
        return tuple(kid for kid in before if kid not in kept)

    def _own_slot(self) -> Slot | None:
        return next((slot for slot in self.slots if self._opener.opens(slot)), None)

    def _rekey(
        self,
        prepare: Callable[[State], Rekey],
        progress: Callable[[int], None] | None = None,
    ) -> Rekey:
        reseal = None if self._records_apart is None else self._records_apart.resealing(progress)
        return self._versions.rekey(prepare, self._lock_timeout, reseal=reseal)

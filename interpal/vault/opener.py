"""Opens the key slots of a vault with one secret, and remembers the key-encryption key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from interpal._secret import Secret
from interpal.exceptions import KeyRequiredError, ValidationError, WrongKeyError
from interpal.vault import envelope
from interpal.vault.slots import KdfParameters, Slot, derive_key, make_slot, open_slot

if TYPE_CHECKING:
    from interpal.vault.envelope import Header
    from interpal.vault.keys import KeySource


class SlotOpener:
    """One secret, and the key-encryption key that it gave for the slot that it opened.

    Argon2id runs once for a salt: as long as a vault keeps the slot, its every later version
    opens with the key at hand, a rotated one included.
    """

    def __init__(self, source: KeySource) -> None:
        self.source = source
        self._derived: dict[tuple[KdfParameters | None, bytes | None], Secret] = {}
        self.slot: Slot | None = None

    def forget(self) -> None:
        """Drop the keys at hand."""
        self._derived.clear()

    def open(self, header: Header) -> Secret:
        """The vault key, from the first slot that the secret opens (FORMAT.md section 5, 4 and 5).

        Raises `KeyRequiredError` where all slots are of the other kind, `WrongKeyError` where
        none opens, `VaultCorruptError` where one opens and does not hold the committed key.
        """
        candidates = [slot for slot in header.slots if slot.kind == self.source.kind]
        if not candidates:
            other = "passphrase" if self.source.kind == "key" else "key"
            raise KeyRequiredError(
                f"this vault opens with a {other} only, and what is at hand is a "
                f"{self.source.kind} (from {self.source.name}): give vault_{other}= or set "
                f"INTERPALS_VAULT_{other.upper()}"
            )
        envelope.check_kdf_budget(candidates)
        secret: Secret | None = None
        # A slot whose key is at hand costs nothing, so it goes first.
        for slot in sorted(candidates, key=lambda slot: _cost_key(slot) not in self._derived):
            key = self._derived.get(_cost_key(slot))
            if key is None:
                secret = self.source.read() if secret is None else secret
                key = _slot_key(slot, secret)
            vault_key = open_slot(slot, key)
            if vault_key is not None:
                envelope.check_key(header, slot, vault_key)
                self._remember(slot, key)
                return vault_key
        raise WrongKeyError(
            f"no key slot opens with the {self.source.kind} from {self.source.name}: it is another "
            "one, or the slots were tampered with; nothing was changed"
        )

    def new_slot(
        self, vault_key: Secret, vault_id: bytes, now: int, kdf: KdfParameters | None
    ) -> Slot:
        """The first slot of a new vault."""
        secret = self.source.read_for_new_vault()
        if self.source.kind == "key":
            if kdf is not None:
                raise ValidationError("kdf: Argon2id settings are for passphrases, not for a key")
            salt, key = None, secret
        else:
            kdf = kdf or KdfParameters.DEFAULT
            kdf.check_strong_enough()
            salt = os.urandom(16)
            key = derive_key(secret, salt, kdf)
        slot = make_slot(
            vault_key,
            key=key,
            kid="slot-1",
            vid=vault_id,
            iat=now,
            kdf=kdf,
            salt=salt,
            content_key=os.urandom(32),
            iv=os.urandom(12),
        )
        self._remember(slot, key)
        return slot

    def reopen(self, data: bytes) -> Secret:
        """The vault key of bytes that were just written, by way of their slots."""
        return self.open(envelope.parse(data).header)

    def _remember(self, slot: Slot, key: Secret) -> None:
        self.slot = slot
        if slot.kdf is not None and slot.salt is not None:
            self._derived = {(slot.kdf, slot.salt): key}


def _slot_key(slot: Slot, secret: Secret) -> Secret:
    """The key-encryption key of a slot."""
    if slot.kdf is None or slot.salt is None:
        return secret
    return derive_key(secret, slot.salt, slot.kdf)


def _cost_key(slot: Slot) -> tuple[KdfParameters | None, bytes | None]:
    return slot.kdf, slot.salt

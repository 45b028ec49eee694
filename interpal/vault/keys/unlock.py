"""Opens the key slots of a vault with one secret, and remembers the key-encryption key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal.exceptions import KeyRequiredError, WrongKeyError
from interpal.vault.format import envelope
from interpal.vault.format.key_slots import KdfParameters, Slot, derive_key, open_slot

if TYPE_CHECKING:
    from interpal._hidden import Hidden
    from interpal.vault.format.envelope import Header
    from interpal.vault.keys.sources import KeySource

_Recipe = tuple["KdfParameters | None", "bytes | None"]


class SlotOpener:
    """One secret, and the key-encryption key that it gave for the slot that it opened.

    Argon2id runs once for a salt: as long as a vault keeps the slot, its every later version
    opens with the known key, a rotated one included.
    """

    __slots__ = ("_known", "source")

    def __init__(self, source: KeySource) -> None:
        self.source = source
        # How the known key was made (Argon2id's numbers and salt), and the key.
        self._known: tuple[_Recipe, Hidden[bytes]] | None = None

    def forget(self) -> None:
        """Drop the known key."""
        self._known = None

    def adopt(self, source: KeySource, slot: Slot, key: Hidden[bytes]) -> None:
        """From now on open with *source*, whose key-encryption key for *slot* is *key*."""
        self.source = source
        self._known = (_recipe(slot), key)

    def open(self, header: Header) -> Hidden[bytes]:
        """The vault key, from the first slot that the secret opens (FORMAT.md section 5, 4 and 5).

        Raises `KeyRequiredError` where all slots are of the other kind, `WrongKeyError` where
        none opens, `VaultCorruptError` where one opens and does not hold the committed key.
        """
        source = self.source
        candidates = [slot for slot in header.slots if slot.kind == source.kind]
        if not candidates:
            other = "passphrase" if source.kind == "key" else "key"
            raise KeyRequiredError(
                f"this vault opens only with a {other}, and what is available is "
                f"{source.described}: set SESSION_VAULT_{other.upper()} or its _FILE form "
                f"instead, or pass the {other} in the program"
            )
        envelope.check_kdf_budget(candidates)
        # A slot whose key is known costs nothing, so it goes first.
        for slot in candidates:
            key = self.cached_key(slot)
            vault_key = None if key is None else open_slot(slot, key)
            if vault_key is not None:
                envelope.check_key(header, slot, vault_key)
                return vault_key
        secret = source.read()
        for slot in candidates:
            if slot.kdf is not None and self.cached_key(slot) is not None:
                continue  # It did not open, a moment ago.
            key = slot_key(slot, secret)
            vault_key = open_slot(slot, key)
            if vault_key is not None:
                self._known = (_recipe(slot), key)
                envelope.check_key(header, slot, vault_key)
                return vault_key
        raise WrongKeyError(
            f"no key slot opens with {source.described}: it is not the right one, or the slots "
            "were tampered with; nothing was changed"
        )

    def cached_key(self, slot: Slot) -> Hidden[bytes] | None:
        """The key-encryption key for a slot, as far as it can be had without Argon2id."""
        known = self._known  # another thread may drop it meanwhile
        return known[1] if known is not None and known[0] == _recipe(slot) else None

    def opens(self, slot: Slot) -> bool:
        """Whether the known key opens this slot."""
        key = self.cached_key(slot)
        return key is not None and open_slot(slot, key) is not None


def slot_key(slot: Slot, secret: Hidden[bytes]) -> Hidden[bytes]:
    """The key-encryption key of a slot: the secret itself, or Argon2id of it.

    Raises `VaultLimitError` where the machine has not the memory.
    """
    if slot.kdf is None or slot.salt is None:
        return secret
    from interpal.vault.keys.memory import check_memory

    check_memory(slot.kdf.memory_kib)
    return derive_key(secret, slot.salt, slot.kdf)


def _recipe(slot: Slot) -> _Recipe:
    return slot.kdf, slot.salt

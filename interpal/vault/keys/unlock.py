"""Opens the key slots of a vault with one secret, and remembers the key-encryption key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal.exceptions import KeyRequiredError, WrongKeyError
from interpal.vault.format import envelope
from interpal.vault.format.key_slots import (
    KdfParameters,
    Slot,
    derive_key,
    normalise_passphrase,
    open_slot,
)
from interpal.vault.keys.encoding import doubt_about

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
            raise KeyRequiredError(_other_kind(source))
        envelope.check_kdf_budget(candidates)
        # A slot whose key is known costs nothing, so it goes first.
        for slot in candidates:
            key = self.cached_key(slot)
            vault_key = None if key is None else open_slot(slot, key)
            if vault_key is not None:
                envelope.check_key(header, slot, vault_key)
                return vault_key
        if source.is_missing:
            raise KeyRequiredError(f"there is no {source.name}. {_lost(header)}")
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
        if source.users_file is not None:
            raise WrongKeyError(
                f"the {source.name} does not open this vault, which was made with another key (or "
                f"the slots were tampered with); nothing was changed. {_lost(header)}"
            )
        raise WrongKeyError(
            f"{source.described} does not open this vault: it is wrong, or the key slots were "
            f"tampered with; nothing was changed{doubt_about(source.kind, secret)}"
        )

    def cached_key(self, slot: Slot) -> Hidden[bytes] | None:
        """The key-encryption key for a slot, as far as it can be had without Argon2id."""
        known = self._known  # another thread may drop it meanwhile
        return known[1] if known is not None and known[0] == _recipe(slot) else None

    def opens(self, slot: Slot) -> bool:
        """Whether the known key opens this slot."""
        key = self.cached_key(slot)
        return key is not None and open_slot(slot, key) is not None


def _other_kind(source: KeySource) -> str:
    """The vault has slots of the other kind alone."""
    other = "passphrase" if source.kind == "key" else "key"
    available = "none is set" if source.is_missing else f"only {source.described} is available"
    instead = "" if source.is_missing else " instead"
    return (
        f"this vault opens only with a {other}, and {available}: set "
        f"SESSION_VAULT_{other.upper()} or its _FILE form{instead}, or pass the {other} in the "
        "program"
    )


def _lost(header: Header) -> str:
    """What to do where the user's key file is not that of the vault."""
    or_other = ""
    if any(slot.kind == "passphrase" for slot in header.slots):
        or_other = " or set SESSION_VAULT_PASSPHRASE or its _FILE form,"
    return (
        "Bring the key file from where the vault was made (another machine, another HOME, a "
        f"container), or name it with SESSION_VAULT_KEY_FILE,{or_other} or pass the key in "
        "the program. If it is lost, nothing opens this vault: move the vault away and log in again"
    )


def slot_key(slot: Slot, secret: Hidden[bytes]) -> Hidden[bytes]:
    """The key-encryption key of a slot: the secret itself, or Argon2id of it.

    Raises `VaultLimitError` where the machine has not the memory.
    """
    if slot.kdf is None or slot.salt is None:
        return secret
    from interpal.vault.keys.memory import check_memory

    check_memory(slot.kdf.memory_kib)
    return derive_key(secret, slot.salt, slot.kdf)


def opens(slot: Slot, passphrase: str) -> bool:
    """Whether a passphrase opens this slot; Argon2id is run for it."""
    return open_slot(slot, slot_key(slot, normalise_passphrase(passphrase))) is not None


def _recipe(slot: Slot) -> _Recipe:
    return slot.kdf, slot.salt

"""What a key operation makes of a vault's slots, and the proof that the result opens.

Everything here happens before the write lock is taken, Argon2id included; `Vault` saves the
result if the slots are still those that it was made from. A key operation is proven on the bytes
as they can be read back, before they replace the old file (`prove`).
"""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from interpal._hidden import Hidden
from interpal.exceptions import (
    KeyRequiredError,
    ValidationError,
    VaultError,
    VaultIOError,
    WrongKeyError,
)
from interpal.vault.format import envelope
from interpal.vault.format.key_slots import (
    ID_BYTES,
    MAX_SLOTS,
    MAX_TOTAL_COST,
    SALT_BYTES,
    KdfParameters,
    Slot,
    make_slot,
    open_slot,
)
from interpal.vault.keys.sources import explicit_source
from interpal.vault.keys.unlock import slot_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from interpal.vault.format.envelope import Header, Payload
    from interpal.vault.keys.sources import KeySource
    from interpal.vault.keys.unlock import SlotOpener

_FOR_TESTS = KdfParameters.INSECURE_FOR_TESTS
_KEPT = "the old content was kept. Check the disk and the memory of this machine."


class Rekey(NamedTuple):
    """The keys and slots that a vault is to have.

    `keys` are the key-encryption keys of the slots that were made, and of others where they are
    available, by `kid`: through each of them the new bytes have to open.
    """

    vault_id: bytes
    vault_key: Hidden[bytes]
    slots: tuple[Slot, ...]
    keys: dict[str, Hidden[bytes]]


class NewSlot(NamedTuple):
    """A slot to be made: for the secret of `source`, at `now` (epoch seconds).

    `kid` None takes a free name, `kdf` None the default cost of a passphrase.
    """

    source: KeySource
    kid: str | None
    kdf: KdfParameters | None
    now: int


def new_slot(
    passphrase: str | Callable[[], str] | None,
    key: bytes | str | None,
    kid: str | None,
    kdf: KdfParameters | None,
    now: int,
) -> NewSlot:
    """A slot for what was handed over; a callable is called here, once.

    Raises as `explicit_source` does.
    """
    try:
        source = explicit_source(passphrase, key)
    finally:
        del passphrase, key
    return NewSlot(source.asked_once(), kid, kdf, now)


def creating(wanted: NewSlot) -> Rekey:
    """A new vault with one slot. A source that can be made (the user's key file) is made."""
    vault_id, vault_key = os.urandom(ID_BYTES), Hidden(os.urandom(32))
    kdf = _check_cost(wanted, ())
    secret = wanted.source.read_for_new_vault()
    slot, key = _make(vault_key, vault_id, wanted.kid or "slot-1", secret, kdf, wanted.now)
    return Rekey(vault_id, vault_key, (slot,), {slot.kid: key})


def adding(header: Header, vault_key: Hidden[bytes], wanted: NewSlot) -> Rekey:
    """One slot more; the vault key stays.

    Raises `ValidationError` for a ninth slot, a name that is taken or none, and too weak or too
    costly an Argon2id.
    """
    names = {slot.kid for slot in header.slots}
    if len(header.slots) >= MAX_SLOTS:
        raise ValidationError(f"a vault has at most {MAX_SLOTS} key slots: remove one first")
    kid = wanted.kid
    if kid is None:
        kid = next(name for name in map("slot-{}".format, count(1)) if name not in names)
    _check_kid(kid)
    if kid in names:
        raise ValidationError(f"kid: key slot {kid!r} already exists")
    kdf = _check_cost(wanted, header.slots)
    slot, key = _make(vault_key, header.id, kid, wanted.source.read(), kdf, wanted.now)
    return Rekey(header.id, vault_key, (*header.slots, slot), {kid: key})


def changing(header: Header, vault_key: Hidden[bytes], wanted: NewSlot) -> Rekey:
    """The slot `kid` for another secret; the vault key and the other slots stay.

    Without `kdf` a passphrase slot keeps its cost, unless that is below the floor for new ones.
    Raises `ValidationError`.
    """
    old = slot_named(header, wanted.kid)
    if wanted.kdf is None and wanted.source.kind == old.kind == "passphrase":
        wanted = wanted._replace(kdf=None if old.kdf is None or old.kdf.is_weak else old.kdf)
    kdf = _check_cost(wanted, tuple(slot for slot in header.slots if slot is not old))
    slot, key = _make(vault_key, header.id, old.kid, wanted.source.read(), kdf, wanted.now)
    slots = tuple(slot if one is old else one for one in header.slots)
    return Rekey(header.id, vault_key, slots, {slot.kid: key})


def removing(header: Header, vault_key: Hidden[bytes], opener: SlotOpener, *, kid: str) -> Rekey:
    """Without the slot *kid*; the vault key stays. Raises `ValidationError` for the last one."""
    gone = slot_named(header, kid)
    if len(header.slots) == 1:
        raise ValidationError(
            f"kid: {kid!r} is the last key slot, and without it nothing would open the vault: "
            "add another one first"
        )
    slots = tuple(slot for slot in header.slots if slot is not gone)
    keys = {slot.kid: key for slot in slots if (key := _cached_key(slot, vault_key, opener))}
    return Rekey(header.id, vault_key, slots, keys)


def rotating(
    header: Header,
    vault_key: Hidden[bytes],
    opener: SlotOpener,
    *,
    secrets: Mapping[str, Hidden[str | bytes]],
    drop_slots: bool,
    now: int,
) -> Rekey:
    """A new vault key and id, and every slot whose secret is available made anew for them.

    A slot keeps its salt, so that other processes open it with the key that they have derived.
    Raises `KeyRequiredError` naming the slots that cannot stay, unless *drop_slots*;
    `WrongKeyError` for a secret that does not open its slot; `ValidationError`.
    """
    for kid in secrets:
        slot_named(header, kid)
    kept: list[tuple[Slot, Hidden[bytes]]] = []
    missing: list[str] = []
    for slot in header.slots:
        key = _cached_key(slot, vault_key, opener)
        if key is None and slot.kid in secrets:
            key = _key_from(slot, vault_key, secrets[slot.kid])
        if key is None:
            missing.append(slot.kid)
            continue
        if slot.kdf is not None and slot.kdf.is_weak and slot.kdf != _FOR_TESTS:
            raise ValidationError(
                f"key slot {slot.kid!r} is too weak to be created again: change it first; nothing "
                "was changed"
            )
        kept.append((slot, key))
    if missing and not drop_slots:
        raise KeyRequiredError(
            "a rotation needs the secret of every key slot to keep, and has none for "
            f"{', '.join(map(repr, missing))}: give them, or drop these slots; nothing was changed"
        )
    if not kept:
        raise KeyRequiredError("no key slot that can be opened would be left; nothing was changed")
    new_id, new_key = os.urandom(ID_BYTES), Hidden(os.urandom(32))
    slots = tuple(
        _wrap(new_key, new_id, slot.kid, key, slot.kdf, slot.salt, now) for slot, key in kept
    )
    return Rekey(new_id, new_key, slots, {slot.kid: key for slot, key in kept})


def prove(data: bytes, change: Rekey, payload: Payload) -> None:
    """Open the new bytes through the slots of *change*, and compare what is in them.

    Raises `VaultIOError`, and then they must not replace the old ones.
    """
    try:
        parsed = envelope.parse(data)
        good = parsed.header.slots == change.slots
        for slot in parsed.header.slots:
            key = change.keys.get(slot.kid)
            if key is not None:
                good = good and open_slot(slot, key) == change.vault_key
            envelope.check_key(parsed.header, slot, change.vault_key)
        good = good and envelope.open_payload(parsed, change.vault_key) == payload
    except VaultError as error:
        raise VaultIOError(f"the new content cannot be read back ({error}); {_KEPT}") from error
    if not good:
        raise VaultIOError(f"the new content is not what was written; {_KEPT}")


def slot_named(header: Header, kid: object) -> Slot:
    """The slot *kid*. Raises `ValidationError` where there is none."""
    for slot in header.slots:
        if slot.kid == kid:
            return slot
    names = ", ".join(slot.kid for slot in header.slots)
    raise ValidationError(f"kid: no key slot {kid!r}; the slots are {names}")


def _check_kid(kid: object) -> None:
    if not isinstance(kid, str):
        raise ValidationError(f"kid: expected text, not {type(kid).__name__}")


def _check_cost(wanted: NewSlot, others: tuple[Slot, ...]) -> KdfParameters | None:
    """What Argon2id is to cost, None for a key. Raises `ValidationError`."""
    kdf = wanted.kdf
    if wanted.source.kind == "key":
        if kdf is not None:
            raise ValidationError("kdf: Argon2id settings are for passphrases, not for a key")
        return None
    kdf = KdfParameters.DEFAULT if kdf is None else kdf
    if not isinstance(kdf, KdfParameters):
        raise ValidationError(f"kdf: expected KdfParameters, not {type(kdf).__name__}")
    kdf.check_strong_enough()
    # Readers count what all the slots cost that a passphrase would be tried on (section 6).
    if kdf.cost + sum(slot.kdf.cost for slot in others if slot.kdf) > MAX_TOTAL_COST:
        raise ValidationError(
            "kdf: with this slot it would cost more than "
            f"{MAX_TOTAL_COST // 2**20} GiB-passes to try a passphrase: choose lower settings"
        )
    return kdf


def _make(
    vault_key: Hidden[bytes],
    vault_id: bytes,
    kid: str,
    secret: Hidden[bytes],
    kdf: KdfParameters | None,
    now: int,
) -> tuple[Slot, Hidden[bytes]]:
    """A slot for *secret*, and its key-encryption key."""
    salt = None if kdf is None else os.urandom(SALT_BYTES)
    key = slot_key(Slot("", kid, vault_id, now, kdf, salt), secret)
    return _wrap(vault_key, vault_id, kid, key, kdf, salt, now), key


def _wrap(
    vault_key: Hidden[bytes],
    vault_id: bytes,
    kid: str,
    key: Hidden[bytes],
    kdf: KdfParameters | None,
    salt: bytes | None,
    now: int,
) -> Slot:
    return make_slot(
        vault_key,
        key=key,
        kid=kid,
        vid=vault_id,
        iat=now,
        kdf=kdf,
        salt=salt,
        content_key=Hidden(os.urandom(32)),
        iv=os.urandom(12),
    )


def _cached_key(slot: Slot, vault_key: Hidden[bytes], opener: SlotOpener) -> Hidden[bytes] | None:
    key = opener.cached_key(slot)
    return key if key is not None and open_slot(slot, key) == vault_key else None


def _key_from(slot: Slot, vault_key: Hidden[bytes], secret: Hidden[str | bytes]) -> Hidden[bytes]:
    """The key-encryption key of a slot by the passphrase or the key that was handed over."""
    if slot.kind == "key":
        source = explicit_source(key=secret.reveal())
    else:
        source = explicit_source(secret.reveal())  # type: ignore[arg-type]
    key = slot_key(slot, source.read())
    if open_slot(slot, key) != vault_key:
        raise WrongKeyError(
            f"the {slot.kind} given for key slot {slot.kid!r} does not open it; nothing was changed"
        )
    return key

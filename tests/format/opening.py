"""Opens the text of a vault with the modules of the format alone: no file, no Vault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from interpal._hidden import Hidden
from interpal.exceptions import (
    InterpalException,
    VaultCorruptError,
    VaultFormatError,
    VaultLimitError,
    VaultVersionError,
    WrongKeyError,
)
from interpal.vault.format import envelope, jwe, key_slots

VECTORS = Path(__file__).parents[1] / "vectors"

# The most special first: every one but the last two is a VaultFormatError.
ERRORS: dict[str, type[InterpalException]] = {
    "version": VaultVersionError,
    "limit": VaultLimitError,
    "format": VaultFormatError,
    "corrupt": VaultCorruptError,
    "wrong-key": WrongKeyError,
}


def error_name(error: InterpalException) -> str:
    return next(name for name, kind in ERRORS.items() if isinstance(error, kind))


class Opened(NamedTuple):
    envelope: envelope.Envelope
    slot: key_slots.Slot
    vault_key: Hidden[bytes]
    payload: envelope.Payload


def open_vault(
    data: bytes, *, key: str | bytes | None = None, passphrase: str | None = None
) -> Opened:
    """The steps of FORMAT.md section 5 in their order."""
    vault = envelope.parse(data)
    kind = "passphrase" if key is None else "key"
    tried = [slot for slot in vault.header.slots if slot.kind == kind]
    envelope.check_kdf_budget(tried)
    for slot in tried:
        if key is None:
            assert passphrase is not None
            assert slot.kdf is not None
            assert slot.salt is not None
            secret = key_slots.derive_key(
                key_slots.normalise_passphrase(passphrase), slot.salt, slot.kdf
            )
        else:
            secret = Hidden(jwe.b64decode(key) if isinstance(key, str) else key)
        vault_key = key_slots.open_slot(slot, secret)
        if vault_key is not None:
            envelope.check_key(vault.header, slot, vault_key)
            return Opened(vault, slot, vault_key, envelope.open_payload(vault, vault_key))
    raise WrongKeyError("no slot opens")


def load_vectors() -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(VECTORS.glob("*.json"))}


def open_vector(vector: dict[str, Any]) -> Opened:
    return open_vault(
        vector["file"].encode("utf-8", "surrogateescape"),
        key=vector.get("key"),
        passphrase=vector.get("passphrase"),
    )

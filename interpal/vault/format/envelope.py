"""Bytes of a vault <-> its header and its payload (FORMAT.md): no I/O, no clock, no randomness.

Reading follows FORMAT.md section 5 to the letter: `parse` is everything that needs no key,
then the caller opens a slot (`slots.py`), `check_key` judges it, `open_payload` decrypts. What is
authenticated is the header's text as it was read; it is never written anew to be checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from interpal._hidden import Hidden
from interpal.exceptions import (
    ValidationError,
    VaultCorruptError,
    VaultFormatError,
    VaultLimitError,
)
from interpal.vault.format import header as fields
from interpal.vault.format import jwe
from interpal.vault.format.jwe import JweParts
from interpal.vault.format.key_slots import (
    ID_BYTES,
    MAX_SLOTS,
    MAX_TOTAL_COST,
    Slot,
    check_bounds,
    read_slot,
)
from interpal.vault.format.payload import (
    Payload,
    check_name,
    check_record,
    decode_payload,
    encode_payload,
)
from interpal.vault.format.record_envelope import RecordEnvelope, open_record, seal_record

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "MAX_FILE_BYTES",
    "Envelope",
    "Header",
    "Payload",
    "RecordEnvelope",
    "attempt_tag",
    "check_kdf_budget",
    "check_key",
    "check_name",
    "check_record",
    "commitment",
    "encode_payload",
    "name_tag",
    "open_payload",
    "open_record",
    "parse",
    "seal",
    "seal_record",
    "to_bytes",
]

MAX_FILE_BYTES = 256 * 2**20
COMMITMENT_BYTES = 32

_TYPE = "interpal-vault"
# Base64 has none of these, so a JWE holds a handful of them whatever its size. Counting comes
# before parsing: a file of nothing but commas would take gigabytes as Python objects.
_PUNCTUATION = (b'"', b",", b"{", b"[")
_MAX_PUNCTUATION = 100_000


class Header(NamedTuple):
    """What a vault says of itself in the clear; authenticated once the content is.

    Times are epoch seconds, UTC. `commitment` binds the vault key (32 bytes).
    """

    id: bytes
    generation: int
    created_at: int
    updated_at: int
    commitment: bytes
    slots: tuple[Slot, ...]


class Envelope(NamedTuple):
    """A vault as it was read: its header, and the five parts with the header's own text."""

    header: Header
    sealed: JweParts


def parse(data: bytes) -> Envelope:
    """Read a vault without a key: steps 1 to 3 of FORMAT.md section 5.

    Raises `VaultVersionError` for another version, `VaultLimitError` for something beyond a
    bound, else `VaultFormatError`; each names the member. Nothing is derived.
    """
    # It may be a session in clear, and a traceback may show the values of variables.
    text = Hidden(data)
    del data
    if len(text.reveal()) > MAX_FILE_BYTES:
        raise VaultLimitError(f"the vault is larger than {MAX_FILE_BYTES // 2**20} MiB")
    if sum(map(text.reveal().count, _PUNCTUATION)) > _MAX_PUNCTUATION:
        raise VaultFormatError("not a vault: the file holds more members than any JWE")
    members = fields.json_object(text, "the file")
    if "protected" not in members:
        del members
        raise VaultFormatError("not a vault: protected is missing")
    protected = fields.text(members["protected"], "protected")
    header = fields.decode_header(protected)
    vault = fields.check_version(header, _TYPE)
    fields.exactly(members, JweParts._fields)
    fields.exactly(header, ("typ", "alg", "enc", "cty", "vault"))
    fields.exactly(
        vault,
        ("version", "id", "generation", "created_at", "updated_at", "commitment", "slots"),
        "vault.",
    )
    fields.constant(header["alg"], "A256KW", "alg")
    fields.constant(header["enc"], "A256GCM", "enc")
    fields.constant(header["cty"], "json", "cty")
    sealed = JweParts(
        protected=protected,
        encrypted_key=fields.decoded(members["encrypted_key"], "encrypted_key", jwe.WRAPPED_BYTES),
        iv=fields.decoded(members["iv"], "iv", jwe.IV_BYTES),
        ciphertext=fields.decoded(members["ciphertext"], "ciphertext"),
        tag=fields.decoded(members["tag"], "tag", jwe.TAG_BYTES),
    )
    return Envelope(_read_header(vault), sealed)


def _read_header(vault: dict[str, Any]) -> Header:
    header = Header(
        id=fields.decoded(vault["id"], "vault.id", ID_BYTES),
        generation=fields.integer_within(
            vault["generation"], "vault.generation", 1, fields.MAX_GENERATION
        ),
        created_at=fields.integer_within(
            vault["created_at"], "vault.created_at", 0, fields.MAX_TIME
        ),
        updated_at=fields.integer_within(
            vault["updated_at"], "vault.updated_at", 0, fields.MAX_TIME
        ),
        commitment=fields.decoded(vault["commitment"], "vault.commitment", COMMITMENT_BYTES),
        slots=(),
    )
    texts = vault["slots"]
    if not isinstance(texts, list) or not texts:
        raise VaultFormatError("not a vault: vault.slots is not a list of 1 to 8 key slots")
    if len(texts) > MAX_SLOTS:
        raise VaultLimitError(
            f"the vault asks for too much: vault.slots has more than {MAX_SLOTS} key slots"
        )
    slots = tuple(
        read_slot(fields.text(text, f"slots[{number}]"), f"slots[{number}]")
        for number, text in enumerate(texts)
    )
    kids = [slot.kid for slot in slots]
    for number, kid in enumerate(kids):
        if kid in kids[:number]:
            raise VaultFormatError(f"not a vault: slots[{number}].kid is there twice")
    for number, slot in enumerate(slots):
        check_bounds(slot, f"slots[{number}]")
    return header._replace(slots=slots)


def check_kdf_budget(slots: Sequence[Slot]) -> None:
    """Refuse slots that together cost too much to try: `VaultLimitError` (section 6).

    *slots* are those that would be tried; the ones without Argon2id cost nothing.
    """
    if sum(slot.kdf.cost for slot in slots if slot.kdf is not None) > MAX_TOTAL_COST:
        raise VaultLimitError(
            "the vault asks for too much: slots[].kdf.m times t is over "
            f"{MAX_TOTAL_COST // 2**20} GiB-passes for all of its slots"
        )


def check_key(header: Header, slot: Slot, vault_key: Hidden[bytes]) -> None:
    """Step 5: the slot that opened belongs to this vault and holds its committed key.

    Raises `VaultCorruptError`; then no further slot is to be tried.
    """
    if slot.vid != header.id:
        raise VaultCorruptError(
            f"the vault is damaged: key slot {slot.kid!r} belongs to another vault (vid)"
        )
    try:
        _commitment(vault_key, header.id).verify(header.commitment)
    except InvalidSignature:
        raise VaultCorruptError(
            f"the vault is damaged: key slot {slot.kid!r} holds another key than the "
            "committed one (vault.commitment)"
        ) from None


def open_payload(envelope: Envelope, vault_key: Hidden[bytes]) -> Payload:
    """Step 6: decrypt and judge the content. Raises `VaultCorruptError`."""
    try:
        plaintext = jwe.unseal(envelope.sealed, vault_key)
    except jwe.NotAuthenticError:
        raise VaultCorruptError("the vault is damaged: its content does not authenticate") from None
    payload, fault = decode_payload(plaintext)
    if fault is not None:
        raise VaultCorruptError(f"the vault is damaged: {fault}")
    return payload


def seal(
    header: Header,
    payload: Payload,
    vault_key: Hidden[bytes],
    *,
    content_key: Hidden[bytes],
    iv: bytes,
) -> bytes:
    """The bytes of a vault, one newline at the end.

    *content_key* (32 bytes) and *iv* (12) are fresh random bytes. Raises `ValidationError`
    naming the account or the member for what no reader would take.
    """
    _check_header(header)
    plaintext = encode_payload(payload)
    protected = fields.encode_header(
        {
            "typ": _TYPE,
            "alg": "A256KW",
            "enc": "A256GCM",
            "cty": "json",
            "vault": {
                "version": fields.VERSION,
                "id": jwe.b64encode(header.id),
                "generation": header.generation,
                "created_at": header.created_at,
                "updated_at": header.updated_at,
                "commitment": jwe.b64encode(header.commitment),
                "slots": [slot.text for slot in header.slots],
            },
        }
    )
    sealed = jwe.seal(protected, plaintext, vault_key, content_key=content_key, iv=iv)
    data = to_bytes(Envelope(header, sealed))
    if len(data) > MAX_FILE_BYTES:
        raise ValidationError(f"the vault would be larger than {MAX_FILE_BYTES // 2**20} MiB")
    return data


def to_bytes(envelope: Envelope) -> bytes:
    """The five members, each to the letter as it was read or sealed."""
    sealed = envelope.sealed
    texts = (sealed.protected, *map(jwe.b64encode, sealed[1:]))
    members = ",".join(
        f'"{name}":"{text}"' for name, text in zip(JweParts._fields, texts, strict=True)
    )
    return f"{{{members}}}\n".encode("ascii")


def _check_header(header: Header) -> None:
    if not 1 <= header.generation <= fields.MAX_GENERATION:
        raise ValidationError("generation: the vault has been saved too often")
    if not all(0 <= time <= fields.MAX_TIME for time in (header.created_at, header.updated_at)):
        raise ValidationError("created_at, updated_at: not times that the format can hold")
    if len(header.id) != ID_BYTES or len(header.commitment) != COMMITMENT_BYTES:
        raise ValidationError("id has 16 bytes and commitment 32")
    kids = {slot.kid for slot in header.slots}
    if not 1 <= len(header.slots) <= MAX_SLOTS or len(kids) != len(header.slots):
        raise ValidationError(f"slots: a vault has 1 to {MAX_SLOTS} key slots of different names")


def commitment(vault_key: Hidden[bytes], vault_id: bytes) -> bytes:
    """What binds a vault to its key, since AES-GCM does not (section 2): 32 bytes."""
    return _commitment(vault_key, vault_id).finalize()


def name_tag(vault_key: Hidden[bytes], name: str) -> bytes:
    """The name under which a store sees a record (section 7): 32 bytes."""
    return _hmac(vault_key, b"interpal-vault/1 name ", name.encode("utf-8")).finalize()


def attempt_tag(vault_key: Hidden[bytes], name: str, password: Hidden[bytes]) -> str:
    """Tells whether a refused password has changed since (section 4): 5 hex digits."""
    parts = (b"interpal-vault/1 attempt ", name.encode("utf-8"), b"\0", password.reveal())
    return _hmac(vault_key, *parts).finalize().hex()[:5]


def _commitment(vault_key: Hidden[bytes], vault_id: bytes) -> HMAC:
    return _hmac(vault_key, b"interpal-vault/1 commitment ", vault_id)


def _hmac(vault_key: Hidden[bytes], *parts: bytes) -> HMAC:
    code = HMAC(vault_key.reveal(), hashes.SHA256())
    for part in parts:
        code.update(part)
    return code

"""Bytes of a vault <-> its header and its payload (FORMAT.md): no I/O, no clock, no randomness.

Reading follows FORMAT.md section 5 to the letter: `parse` is everything that needs no key,
then the caller opens a slot (`key_slots.py`), `check_key` checks it, `open_payload` decrypts.
What is authenticated is the header's text as it was read; it is never written anew to be checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from interpal._hidden import Hidden
from interpal._tuples import NamedTuple
from interpal.exceptions import (
    ValidationError,
    VaultCorruptError,
    VaultError,
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

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Envelope",
    "Header",
    "Payload",
    "attempt_tag",
    "check_kdf_budget",
    "check_key",
    "check_name",
    "check_record",
    "commitment",
    "encode_payload",
    "lock_tag",
    "name_tag",
    "open_payload",
    "parse",
    "seal",
    "to_bytes",
]

COMMITMENT_BYTES = 32

_TYPE = "interpal-vault"

_BETWEEN_SLOTS = '","'

# The text around the parts, as `to_bytes` writes it.
_BEGIN, _MIDDLE, _BEFORE_IV, _BEFORE_CIPHERTEXT, _BEFORE_TAG, _END = (
    b'{"protected":"',
    b'","encrypted_key":"',
    b'","iv":"',
    b'","ciphertext":"',
    b'","tag":"',
    b'"}\n',
)
_MOST_PROTECTED = fields.MAX_HEADER_BYTES * 4 // 3 + 64
# What is larger is read only as every writer of JSON would write it: ASCII, and without escapes.
_SMALL_BYTES = 2**16
_CHARACTERS = {
    "encrypted_key": -(-jwe.WRAPPED_BYTES * 4 // 3),
    "iv": -(-jwe.IV_BYTES * 4 // 3),
    "tag": -(-jwe.TAG_BYTES * 4 // 3),
}


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
    if len(text.reveal()) > fields.MAX_FILE_BYTES:
        raise VaultLimitError(f"no vault is larger than {fields.MAX_FILE_BYTES // 2**20} MiB")
    parts = _own_parts(text)
    own = None if parts is None else _own_header(parts.protected)
    if parts is not None and own is not None:
        return Envelope(own, parts)
    del parts
    if jwe.is_crowded(text.reveal(), small=_SMALL_BYTES):
        raise VaultFormatError("not a vault: the file holds what no JWE of its size holds")
    members = fields.json_object(text, "the file")
    if "protected" not in members:
        del members
        raise VaultFormatError("not a vault: protected is missing")
    protected = fields.text(members["protected"], "protected")
    header = fields.decode_header(protected)
    fields.check_version(header, _TYPE)
    fields.exactly(members, JweParts._fields)
    vault = _check_header_members(header)
    sealed = JweParts(
        protected=protected,
        encrypted_key=fields.decoded(members["encrypted_key"], "encrypted_key", jwe.WRAPPED_BYTES),
        iv=fields.decoded(members["iv"], "iv", jwe.IV_BYTES),
        ciphertext=fields.decoded_content(members, "ciphertext"),
        tag=fields.decoded(members["tag"], "tag", jwe.TAG_BYTES),
    )
    return Envelope(_read_header(vault), sealed)


def _own_parts(text: Hidden[bytes]) -> JweParts | None:
    """The parts of a file that is to the letter as `to_bytes` writes it, else None.

    What it finds, parsing would find too: between the names of the members is nothing but
    base64url, or decoding refuses it. A file of megabytes is thus read without a text of JSON.
    """
    length = len(text.reveal())
    ends = text.reveal().find(_MIDDLE, len(_BEGIN), _MOST_PROTECTED)
    begins = ends + len(_MIDDLE)
    before = begins + _CHARACTERS["encrypted_key"]
    iv = before + len(_BEFORE_IV)
    after = iv + _CHARACTERS["iv"]
    content = after + len(_BEFORE_CIPHERTEXT)
    tag = length - len(_END) - _CHARACTERS["tag"]
    last = tag - len(_BEFORE_TAG)
    starts_with = text.reveal().startswith
    if (
        ends < 0
        or content > last
        or not starts_with(_BEGIN)
        or not starts_with(_BEFORE_IV, before)
        or not starts_with(_BEFORE_CIPHERTEXT, after)
        or not starts_with(_BEFORE_TAG, last)
        or not text.reveal().endswith(_END)
    ):
        return None
    try:
        return JweParts(
            text.reveal()[len(_BEGIN) : ends].decode("ascii"),
            jwe.b64decode_ascii(text.reveal()[begins:before]),
            jwe.b64decode_ascii(text.reveal()[iv:after]),
            jwe.b64decode_content(text, content, last),
            jwe.b64decode_ascii(text.reveal()[tag : length - len(_END)]),
        )
    except ValueError:
        return None


def _own_header(protected: str) -> Header | None:
    """A header that is to the letter as `seal` writes it, else None."""
    written = fields.own_text(protected)
    if written is None:
        return None
    pieces = written.split(b'"')
    try:
        vault_id, bound = jwe.b64decode_ascii(pieces[23]), jwe.b64decode_ascii(pieces[33])
        generation, created_at, updated_at = map(fields.own_integer, pieces[26:32:2])
        texts = [text.decode("ascii") for text in pieces[37::2]]
    except (ValueError, IndexError):
        return None
    if (
        not 1 <= generation <= fields.MAX_GENERATION
        or not 0 <= created_at <= fields.MAX_TIME
        or not 0 <= updated_at <= fields.MAX_TIME
        or len(vault_id) != ID_BYTES
        or len(bound) != COMMITMENT_BYTES
        or _header_text(vault_id, generation, created_at, updated_at, bound, texts) != written
    ):
        return None
    try:
        return Header(vault_id, generation, created_at, updated_at, bound, _read_slots(texts))
    except VaultError:
        return None  # The parser says what is wrong: it may be a text with escapes.


def _header_text(
    vault_id: bytes,
    generation: int,
    created_at: int,
    updated_at: int,
    bound: bytes,
    slots: Sequence[str],
) -> bytes:
    """A header as this package writes it: compact JSON. *bound* is the commitment."""
    return (
        '{"typ":"interpal-vault","alg":"A256KW","enc":"A256GCM","cty":"json","vault":{"version":'
        f'{fields.VERSION},"id":"{jwe.b64encode(vault_id)}","generation":{generation},'
        f'"created_at":{created_at},"updated_at":{updated_at},'
        f'"commitment":"{jwe.b64encode(bound)}","slots":["{_BETWEEN_SLOTS.join(slots)}"]}}}}'
    ).encode("ascii")


def _check_header_members(header: dict[str, Any]) -> dict[str, Any]:
    """The `vault` member of a header of this version, all of whose members are there."""
    vault = fields.check_version(header, _TYPE)
    fields.exactly(header, ("typ", "alg", "enc", "cty", "vault"))
    fields.exactly(
        vault,
        ("version", "id", "generation", "created_at", "updated_at", "commitment", "slots"),
        "vault.",
    )
    fields.constant(header["alg"], "A256KW", "alg")
    fields.constant(header["enc"], "A256GCM", "enc")
    fields.constant(header["cty"], "json", "cty")
    return vault


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
    return header._replace(slots=_read_slots(texts))


def _read_slots(texts: list[Any]) -> tuple[Slot, ...]:
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
    return slots


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
    """Step 6: decrypt and check the content. Raises `VaultCorruptError`."""
    try:
        content = jwe.unseal_content(envelope.sealed, vault_key)
    except jwe.NotAuthenticError:
        raise VaultCorruptError("the vault is damaged: its content does not authenticate") from None
    # Of much of it only the text is to be in memory, where the caller has let go of it too.
    del envelope
    text = jwe.text_of(content)
    del content
    payload, fault = decode_payload(text)
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
    texts = [slot.text for slot in header.slots]
    protected = fields.encode_header(_header_text(*header[:5], texts))
    sealed = jwe.seal(protected, plaintext, vault_key, content_key=content_key, iv=iv)
    return to_bytes(Envelope(header, sealed))


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


def lock_tag(salt: bytes, name: str) -> bytes:
    """Where the login lock of an account is, for as long as the vault has this salt: 32 bytes."""
    parts = (b"interpal-vault/1 login ", name.encode("utf-8"))
    return _hmac(Hidden(salt), *parts).finalize()


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

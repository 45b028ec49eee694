"""Records outside a file: one compact JWE each, for a store that keeps them apart.

FORMAT.md section 7. The header says for which vault and, as an HMAC, for which name the record
was made, so one that is moved to another place is refused. The content is a payload of section 4
with this one record: so those who have the key can find its name again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from interpal._hidden import Hidden
from interpal.exceptions import (
    ValidationError,
    VaultCorruptError,
    VaultFormatError,
    VaultLimitError,
    VaultVersionError,
)
from interpal.vault.format import header as fields
from interpal.vault.format import jwe
from interpal.vault.format.key_slots import ID_BYTES
from interpal.vault.format.payload import Payload, decode_payload, encode_payload, sole_record

_TYPE = "interpal-record"
# 64 KiB of record may be written six times as long, and as base64 by a third more.
MAX_RECORD_FILE_BYTES = 2**20


class RecordEnvelope(NamedTuple):
    """A record that is kept apart from its vault: its generation, name and content."""

    generation: int
    name: str
    record: Hidden[dict[str, Any]]


def seal_record(
    name: str,
    record: dict[str, Any],
    vault_key: Hidden[bytes],
    *,
    vault_id: bytes,
    tag: bytes,
    generation: int,
    content_key: Hidden[bytes],
    iv: bytes,
) -> bytes:
    """One record as a compact JWE (section 7); *tag* is the `name_tag` of its name.

    Raises `ValidationError` for a name, a record or a generation that no reader would take.
    """
    plaintext = encode_payload(Payload({name: record}))
    if not 1 <= generation <= fields.MAX_GENERATION:
        raise ValidationError("generation: the record has been saved too often")
    protected = fields.encode_header(_header_text(vault_id, tag, generation))
    sealed = jwe.seal(protected, plaintext, vault_key, content_key=content_key, iv=iv)
    return jwe.to_compact(sealed).encode("ascii")


def open_record(
    data: bytes, vault_key: Hidden[bytes], *, vault_id: bytes, tag: bytes
) -> RecordEnvelope:
    """The record behind *data*, for the name of *tag* in the vault *vault_id* and no other.

    A slot has opened before, so whatever is wrong is a `VaultCorruptError`, but for another
    version (`VaultVersionError`) and too many bytes (`VaultLimitError`).
    """
    if len(data) > MAX_RECORD_FILE_BYTES:
        raise VaultLimitError(f"the record is larger than {MAX_RECORD_FILE_BYTES // 2**20} MiB")
    try:
        sealed = jwe.from_compact_bytes(data)
        generation = _own_generation(sealed.protected, vault_id, tag)
        if generation is None:
            header = fields.decode_header(sealed.protected)
            generation = _check_record_header(header, vault_id, tag)
        text = jwe.text_of(jwe.unseal_content(sealed, vault_key))
    except (VaultVersionError, VaultLimitError):
        raise
    except (VaultFormatError, ValueError) as fault:
        reason = "is not ASCII" if isinstance(fault, UnicodeDecodeError) else str(fault)
        raise VaultCorruptError(f"a record of the vault is damaged: {reason}") from None
    sole = sole_record(text)
    if sole is not None:
        return RecordEnvelope(generation, sole[0], Hidden(sole[1]))
    payload, wrong = decode_payload(text)
    if wrong is None and (len(payload.records) != 1 or payload != Payload(payload.records)):
        wrong = "it is not one record and nothing else"
    if wrong is not None:
        raise VaultCorruptError(f"a record of the vault is damaged: {wrong}")
    ((name, record),) = payload.records.items()
    return RecordEnvelope(generation, name, Hidden(record))


def _header_text(vault_id: bytes, tag: bytes, generation: int) -> bytes:
    """The header of a record as this package writes it: compact JSON."""
    return (
        '{"typ":"interpal-record","alg":"A256KW","enc":"A256GCM","vault":{"version":'
        f'{fields.VERSION},"id":"{jwe.b64encode(vault_id)}","name":"{jwe.b64encode(tag)}",'
        f'"generation":{generation}}}}}'
    ).encode("ascii")


def _own_generation(protected: str, vault_id: bytes, tag: bytes) -> int | None:
    """The generation in a header that is to the letter as `seal_record` writes it, else None."""
    written = fields.own_text(protected)
    if written is None:
        return None
    try:
        generation = fields.own_integer(written[written.rfind(b":") : -1])
    except ValueError:
        return None
    if not 1 <= generation <= fields.MAX_GENERATION:
        return None
    return generation if _header_text(vault_id, tag, generation) == written else None


def _check_record_header(header: dict[str, Any], vault_id: bytes, tag: bytes) -> int:
    vault = fields.check_version(header, _TYPE)
    fields.exactly(header, ("typ", "alg", "enc", "vault"))
    fields.exactly(vault, ("version", "id", "name", "generation"), "vault.")
    fields.constant(header["alg"], "A256KW", "alg")
    fields.constant(header["enc"], "A256GCM", "enc")
    if fields.decoded(vault["id"], "vault.id", ID_BYTES) != vault_id:
        raise VaultFormatError("vault.id is that of another vault")
    if fields.decoded(vault["name"], "vault.name", len(tag)) != tag:
        raise VaultFormatError("vault.name is that of another record")
    return fields.integer_within(vault["generation"], "vault.generation", 1, fields.MAX_GENERATION)

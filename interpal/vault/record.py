"""Records outside a file: one compact JWE each, for a store that keeps them apart.

FORMAT.md section 7. The header says for which vault and, as an HMAC, for which name the record
was made, so one that is moved to another place is refused.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from interpal._secret import Secret
from interpal.exceptions import (
    ValidationError,
    VaultCorruptError,
    VaultFormatError,
    VaultLimitError,
    VaultVersionError,
)
from interpal.vault import fields, jwe
from interpal.vault.payload import MAX_RECORD_DEPTH, record_fault
from interpal.vault.slots import ID_BYTES

_TYPE = "interpal-record"
# 64 KiB of record may be written six times as long, and as base64 by a third more.
MAX_RECORD_FILE_BYTES = 2**20


class RecordEnvelope(NamedTuple):
    """A record that is kept apart from its vault, and its generation."""

    generation: int
    record: dict[str, Any]

    def __repr__(self) -> str:
        return f"<RecordEnvelope: generation {self.generation}>"


def seal_record(
    record: dict[str, Any],
    vault_key: bytes,
    *,
    vault_id: bytes,
    tag: bytes,
    generation: int,
    content_key: bytes,
    iv: bytes,
) -> bytes:
    """One record as a compact JWE (section 7); *tag* is the `name_tag` of its name.

    Raises `ValidationError` for a record or a generation that no reader would take.
    """
    fault = record_fault(record)
    if fault is not None:
        del record
        raise ValidationError(f"the record {fault}")
    if not 1 <= generation <= fields.MAX_GENERATION:
        raise ValidationError("generation: the record has been saved too often")
    plaintext = Secret.from_text(json.dumps(record, ensure_ascii=False, separators=(",", ":")))
    protected = fields.encode_header(
        {
            "typ": _TYPE,
            "alg": "A256KW",
            "enc": "A256GCM",
            "vault": {
                "version": fields.VERSION,
                "id": jwe.b64encode(vault_id),
                "name": jwe.b64encode(tag),
                "generation": generation,
            },
        }
    )
    sealed = jwe.seal(protected, plaintext, vault_key, content_key=content_key, iv=iv)
    return jwe.to_compact(sealed).encode("ascii")


def open_record(data: bytes, vault_key: bytes, *, vault_id: bytes, tag: bytes) -> RecordEnvelope:
    """The record behind *data*, for the name of *tag* in the vault *vault_id* and no other.

    A slot has opened before, so whatever is wrong is a `VaultCorruptError`, but for another
    version (`VaultVersionError`) and too many bytes (`VaultLimitError`).
    """
    if len(data) > MAX_RECORD_FILE_BYTES:
        raise VaultLimitError(f"the record is larger than {MAX_RECORD_FILE_BYTES // 2**20} MiB")
    try:
        sealed = jwe.from_compact(data.decode("ascii"))
        generation = _check_record_header(fields.decode_header(sealed.protected), vault_id, tag)
        plaintext = jwe.unseal(sealed, vault_key)
    except (VaultVersionError, VaultLimitError):
        raise
    except (VaultFormatError, ValueError) as fault:
        reason = "is not ASCII" if isinstance(fault, UnicodeDecodeError) else str(fault)
        raise VaultCorruptError(f"a record of the vault is damaged: {reason}") from None
    record, wrong = _read_record(plaintext)
    if wrong is not None:
        raise VaultCorruptError(f"a record of the vault is damaged: it {wrong}")
    return RecordEnvelope(generation, record)


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


def _read_record(plaintext: Secret) -> tuple[dict[str, Any], str | None]:
    try:
        record = jwe.parse_json(plaintext, max_depth=MAX_RECORD_DEPTH, allow_float=True)
    except jwe.JsonFault as fault:
        return {}, str(fault)
    wrong = record_fault(record)
    return (record, None) if wrong is None else ({}, wrong)

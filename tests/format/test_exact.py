"""Bounds met exactly, in slots and in records that stand apart; and errors that name the member."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from interpal._hidden import Hidden
from interpal.exceptions import (
    ValidationError,
    VaultCorruptError,
    VaultFormatError,
    VaultLimitError,
)
from interpal.vault.format import envelope, jwe, key_slots, record_envelope
from interpal.vault.format import header as fields
from interpal.vault.format.key_slots import KdfParameters
from interpal.vault.format.payload import Payload, encode_payload

if TYPE_CHECKING:
    from tests.format.small import SmallVault

KEY, VAULT_KEY, CONTENT_KEY = bytes(range(32)), bytes(range(32, 64)), bytes(32)
VAULT_ID, TAG, IV = bytes(range(16)), bytes(range(64, 96)), bytes(12)
SALT = bytes(16)


def slot_at(iat: int, kdf: KdfParameters | None = None) -> key_slots.Slot:
    return key_slots.make_slot(
        Hidden(VAULT_KEY),
        key=Hidden(KEY),
        kid="slot-1",
        vid=VAULT_ID,
        iat=iat,
        kdf=kdf,
        salt=None if kdf is None else SALT,
        content_key=Hidden(CONTENT_KEY),
        iv=IV,
    )


def sealed_record(generation: int) -> bytes:
    return record_envelope.seal_record(
        "maple_ink",
        {"n": 1},
        Hidden(VAULT_KEY),
        vault_id=VAULT_ID,
        tag=TAG,
        generation=generation,
        content_key=Hidden(CONTENT_KEY),
        iv=IV,
    )


def open_it(data: bytes) -> record_envelope.RecordEnvelope:
    return record_envelope.open_record(data, Hidden(VAULT_KEY), vault_id=VAULT_ID, tag=TAG)


@pytest.mark.parametrize("iat", [0, 1, fields.MAX_TIME])
def test_a_slot_of_the_first_and_of_the_last_moment_is_made_and_read(iat: int) -> None:
    slot = slot_at(iat)
    assert key_slots.parse_slot(slot.text) == slot


@pytest.mark.parametrize("iat", [-1, fields.MAX_TIME + 1])
def test_a_slot_of_no_moment_is_not_made(iat: int) -> None:
    with pytest.raises(ValidationError, match="iat"):
        slot_at(iat)


def test_a_header_is_written_without_white_space() -> None:
    slot = slot_at(1, KdfParameters.INSECURE_FOR_TESTS)
    header = jwe.b64decode(slot.text.partition(".")[0])
    assert header == json.dumps(json.loads(header), separators=(",", ":")).encode()
    assert b" " not in header


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_slot_that_holds_a_key_of_another_length_is_corrupt(length: int) -> None:
    made = slot_at(1)
    content = {"kty": "oct", "alg": "A256KW", "k": jwe.b64encode(bytes(length))}
    sealed = jwe.seal(
        made.text.partition(".")[0],
        Hidden(json.dumps(content).encode()),
        Hidden(KEY),
        content_key=Hidden(CONTENT_KEY),
        iv=IV,
    )
    with pytest.raises(VaultCorruptError, match="'slot-1' holds no vault key"):
        key_slots.open_slot(made._replace(text=jwe.to_compact(sealed)), Hidden(KEY))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"alg": "dir"}, r"slot\.alg"),
        ({"iat": -1}, r"slot\.iat"),
        ({"extra": 1}, r"slot\.'extra' is not a member"),
        ({"kdf": {"v": 18}}, r"slot\.kdf\.v"),
        ({"kdf": {"m": True}}, r"slot\.kdf\.m"),
        ({"kdf": {"more": 1}}, r"slot\.kdf\.'more' is not a member"),
        ({"kdf": {"t": 17}}, r"slot\.kdf\.t"),
    ],
)
def test_the_error_of_a_slot_names_the_member(change: dict[str, Any], named: str) -> None:
    protected, *rest = slot_at(1, KdfParameters.INSECURE_FOR_TESTS).text.split(".")
    header = json.loads(jwe.b64decode(protected))
    kdf = {**header["kdf"], **change.get("kdf", {})}
    text = jwe.b64encode(json.dumps({**header, **change, "kdf": kdf}).encode())
    with pytest.raises(VaultFormatError, match=named):
        key_slots.parse_slot(".".join([text, *rest]))


@pytest.mark.parametrize("generation", [1, 2, fields.MAX_GENERATION])
def test_a_record_of_the_first_and_of_the_last_generation_is_kept(generation: int) -> None:
    assert open_it(sealed_record(generation)).generation == generation


@pytest.mark.parametrize("generation", [0, -1, fields.MAX_GENERATION + 1])
def test_a_record_of_no_generation_is_not_made(generation: int) -> None:
    with pytest.raises(ValidationError, match="generation"):
        sealed_record(generation)


def test_a_record_of_just_the_largest_size_is_looked_at() -> None:
    with pytest.raises(VaultLimitError, match="1 MiB"):
        open_it(b"." * (record_envelope.MAX_RECORD_FILE_BYTES + 1))
    with pytest.raises(VaultCorruptError):
        open_it(b"." * record_envelope.MAX_RECORD_FILE_BYTES)


@pytest.mark.parametrize(
    ("member", "value", "named"),
    [
        ("alg", "dir", "alg"),
        ("enc", "A128GCM", "enc"),
        ("id", jwe.b64encode(bytes(15)), r"vault\.id"),
        ("id", jwe.b64encode(bytes(16)), r"vault\.id is that of another vault"),
        ("name", jwe.b64encode(bytes(31)), r"vault\.name"),
        ("name", jwe.b64encode(bytes(32)), r"vault\.name is that of another record"),
        ("generation", 0, r"vault\.generation"),
        ("generation", True, r"vault\.generation"),
        ("other", 1, r"vault\.'other' is not a member"),
    ],
)
def test_the_error_of_a_record_names_the_member(member: str, value: object, named: str) -> None:
    protected, *rest = sealed_record(1).decode().split(".")
    header = json.loads(jwe.b64decode(protected))
    (header if member in ("alg", "enc") else header["vault"])[member] = value
    text = jwe.b64encode(json.dumps(header).encode())
    with pytest.raises(VaultCorruptError, match=named):
        open_it(".".join([text, *rest]).encode())


@pytest.mark.parametrize(
    ("generation", "created", "updated"),
    [(1, 0, 0), (fields.MAX_GENERATION, fields.MAX_TIME, fields.MAX_TIME), (1, fields.MAX_TIME, 0)],
)
def test_a_vault_at_the_bounds_is_sealed_and_read(
    small: SmallVault, generation: int, created: int, updated: int
) -> None:
    header = small.header._replace(generation=generation, created_at=created, updated_at=updated)
    data = small._replace(header=header).seal()
    assert envelope.parse(data).header[1:4] == (generation, created, updated)


@pytest.mark.parametrize(
    "change",
    [
        {"generation": 0},
        {"generation": fields.MAX_GENERATION + 1},
        {"created_at": -1},
        {"updated_at": fields.MAX_TIME + 1},
    ],
)
def test_a_vault_beyond_the_bounds_is_not_sealed(small: SmallVault, change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        small._replace(header=small.header._replace(**change)).seal()


def test_the_whole_budget_may_be_spent_and_no_more() -> None:
    costly = KdfParameters(2**20, 4, 4)
    whole = [slot_at(1)._replace(kdf=costly, salt=SALT)] * 2
    envelope.check_kdf_budget(whole)
    little = slot_at(1)._replace(kdf=KdfParameters(8, 1, 1), salt=SALT)
    with pytest.raises(VaultLimitError):
        envelope.check_kdf_budget([*whole, little])


def test_a_header_of_just_the_largest_size_is_written() -> None:
    largest = b"x" * fields.MAX_HEADER_BYTES
    assert jwe.b64decode(fields.encode_header(largest)) == largest
    with pytest.raises(ValidationError, match="64 KiB"):
        fields.encode_header(largest + b"x")


def test_headers_are_compact_json(small: SmallVault) -> None:
    protected = json.loads(small.seal())["protected"]
    slot = small.header.slots[0].text.partition(".")[0]
    for text in (protected, slot):
        written = jwe.b64decode(text)
        assert json.dumps(json.loads(written), separators=(",", ":")).encode() == written


@pytest.mark.parametrize("member", ["updated_at", "created_at"])
def test_the_error_of_a_header_names_the_member(small: SmallVault, member: str) -> None:
    outer = json.loads(small.seal())
    header = json.loads(jwe.b64decode(outer["protected"]))
    header["vault"][member] = -1
    outer["protected"] = jwe.b64encode(json.dumps(header).encode())
    with pytest.raises(VaultFormatError, match=rf"vault\.{member} "):
        envelope.parse(json.dumps(outer).encode())


def test_payloads_are_equal_in_records_and_attempts() -> None:
    records: dict[str, dict[str, Any]] = {"maple_ink": {"n": 1}}
    attempts: dict[str, dict[str, Any]] = {"maple_ink": {"until": 5}}
    assert Payload(records, attempts) == Payload(records, attempts)
    assert Payload(records, attempts) != Payload(records, {})
    assert Payload(records, attempts) != Payload({}, attempts)


def nested(depth: int) -> dict[str, Any]:
    return {"a": nested(depth - 1)} if depth > 1 else {"a": 1}


@pytest.mark.parametrize("first", [{"n": 1}, {"n": "x" * 60_000}, nested(64)])
def test_of_many_records_the_one_that_cannot_be_written_is_named(first: dict[str, Any]) -> None:
    records: dict[str, dict[str, Any]]
    records = {"maple_ink": first, "pedro_k": {"n": float("nan")}, "third": {}}
    with pytest.raises(ValidationError, match="pedro_k"):
        encode_payload(Payload(records))

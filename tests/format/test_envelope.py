"""The vault's own bytes: header, limits, commitment, tags, records kept apart."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interpal._hidden import Hidden
from interpal.exceptions import (
    InterpalException,
    ValidationError,
    VaultCorruptError,
    VaultFormatError,
    VaultLimitError,
    VaultVersionError,
)
from interpal.vault.format import envelope, jwe, record_envelope
from tests.format.small import RECORDS, SmallVault, make_slot

SMALL = SmallVault.make()


def test_a_sealed_vault_opens_to_what_was_sealed(small: SmallVault) -> None:
    attempts = {"maple_ink": {"until": 1795332960, "tag": "0a1b2"}}
    opened = small.open(small.seal(attempts=attempts))
    assert opened.payload == envelope.Payload(RECORDS, attempts)
    assert opened.envelope.header == small.header


def test_every_bit_of_a_vault_counts(small: SmallVault) -> None:
    data = small.seal()
    kept = 0
    for position in range(len(data) * 8):
        changed = bytearray(data)
        changed[position // 8] ^= 1 << position % 8
        try:
            opened = small.open(bytes(changed))
        except InterpalException:
            continue
        # The last newline may become other white space.
        assert opened.payload.records == RECORDS
        kept += 1
    assert kept <= 2


def test_every_truncation_is_refused(small: SmallVault) -> None:
    data = small.seal()
    for length in range(len(data) - 1):
        with pytest.raises(InterpalException):
            small.open(data[:length])
    assert small.open(data[:-1]).payload.records == RECORDS


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_changed_cut_or_inserted_byte_is_refused_or_means_the_same(data: st.DataObject) -> None:
    text = SMALL.seal()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(start + 3, len(text))))
    changed = text[:start] + data.draw(st.binary(max_size=3)) + text[end:]
    try:
        opened = SMALL.open(changed)
    except InterpalException:
        return
    assert opened.payload.records == RECORDS
    assert json.loads(changed) == json.loads(text)


@given(
    st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode(errors="replace"))
)
def test_rubbish_is_no_vault(data: bytes) -> None:
    with pytest.raises(VaultFormatError):
        envelope.parse(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values),
    max_leaves=8,
)


@given(st.sampled_from(["typ", "alg", "vault", "version", "id", "slots", "iat", "x"]), json_values)
@settings(max_examples=200, deadline=None)
def test_any_header_is_read_or_refused(name: str, value: Any) -> None:
    vault = json.loads(SMALL.seal())
    header = json.loads(jwe.b64decode(vault["protected"]))
    (header["vault"] if name in header["vault"] else header)[name] = value
    vault["protected"] = jwe.b64encode(json.dumps(header).encode())
    with pytest.raises((VaultFormatError, VaultCorruptError)):
        SMALL.open(json.dumps(vault).encode())


def test_a_file_beyond_256_mib_is_refused_before_it_is_looked_at() -> None:
    class Large(bytes):
        def __len__(self) -> int:
            return 256 * 2**20 + 1

    with pytest.raises(VaultLimitError, match="256 MiB"):
        envelope.parse(Large(b"{"))


@pytest.mark.parametrize("data", [b"[" * 10**6, b'{"a":' * 10**6, b"[0" + b",0" * 10**6 + b"]"])
def test_a_file_of_countless_values_is_refused_before_it_is_parsed(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwe, "parse_json", None)
    with pytest.raises(VaultFormatError, match="no JWE of its size"):
        envelope.parse(data)


def test_bytes_that_are_not_utf8_are_refused(small: SmallVault) -> None:
    with pytest.raises(VaultFormatError, match="UTF-8"):
        envelope.parse(small.seal().replace(b"protected", b"prot\xffcted"))


def test_the_headers_text_itself_is_authenticated(small: SmallVault) -> None:
    vault = json.loads(small.seal())
    header = json.loads(jwe.b64decode(vault["protected"]))
    vault["protected"] = jwe.b64encode(json.dumps(header, indent=1).encode())
    data = json.dumps(vault).encode()
    assert envelope.parse(data).header == small.header
    with pytest.raises(VaultCorruptError):
        small.open(data)


def test_a_slot_that_is_taken_out_is_missed(small: SmallVault) -> None:
    two = (*small.header.slots, make_slot(small.vault_key, small.header.id, bytes(32), kid="b"))
    vault = json.loads(small._replace(header=small.header._replace(slots=two)).seal())
    header = json.loads(jwe.b64decode(vault["protected"]))
    header["vault"]["slots"].pop()
    vault["protected"] = jwe.b64encode(json.dumps(header, separators=(",", ":")).encode())
    with pytest.raises(VaultCorruptError):
        small.open(json.dumps(vault).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"generation": 0},
        {"generation": 2**53},
        {"created_at": -1},
        {"updated_at": 253402300800},
        {"id": bytes(15)},
        {"commitment": b""},
        {"slots": ()},
        {"slots": SMALL.header.slots * 2},
    ],
)
def test_a_header_that_no_reader_takes_is_not_written(change: dict[str, Any]) -> None:
    header = SMALL.header._replace(**change)
    with pytest.raises(ValidationError):
        SMALL._replace(header=header).seal()


def test_a_header_beyond_64_kib_is_not_written() -> None:
    wide = SMALL.header.slots[0]._replace(text="x" * 65536)
    with pytest.raises(ValidationError, match="64 KiB"):
        SMALL._replace(header=SMALL.header._replace(slots=(wide,))).seal()


def test_the_tags_are_those_of_the_format(small: SmallVault) -> None:
    def code(text: bytes) -> bytes:
        return hmac.new(small.vault_key, text, hashlib.sha256).digest()

    key, vault_id = small.vault_key, small.header.id
    assert envelope.commitment(Hidden(key), vault_id) == code(
        b"interpal-vault/1 commitment " + vault_id
    )
    assert envelope.name_tag(Hidden(key), "\u00e9") == code(b"interpal-vault/1 name \xc3\xa9")
    tag = envelope.attempt_tag(Hidden(key), "a", Hidden(b"secret"))
    assert tag == code(b"interpal-vault/1 attempt a\0secret").hex()[:5]
    assert envelope.attempt_tag(Hidden(key), "a", Hidden(b"other")) != tag


def test_a_payload_does_not_show_itself(small: SmallVault) -> None:
    import copy
    import pickle

    payload = small.open(small.seal()).payload
    assert "q7q7q7q7" not in f"{payload!r} {payload} {small.open(small.seal())!r}"
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leave(payload)


def seal_record(record: dict[str, Any], **change: Any) -> bytes:
    arguments: dict[str, Any] = {
        "vault_id": SMALL.header.id,
        "tag": envelope.name_tag(Hidden(SMALL.vault_key), "maple_ink"),
        "generation": 3,
        "content_key": Hidden(os.urandom(32)),
        "iv": os.urandom(12),
    }
    return record_envelope.seal_record(
        "maple_ink", record, Hidden(SMALL.vault_key), **{**arguments, **change}
    )


def open_record(data: bytes, **change: Any) -> record_envelope.RecordEnvelope:
    arguments: dict[str, Any] = {
        "vault_id": SMALL.header.id,
        "tag": envelope.name_tag(Hidden(SMALL.vault_key), "maple_ink"),
    }
    return record_envelope.open_record(data, Hidden(SMALL.vault_key), **{**arguments, **change})


def test_a_record_kept_apart_comes_back_with_its_generation() -> None:
    opened = open_record(seal_record({"a": [1, None, 0.5, "\u00e9"]}))
    assert opened == (3, "maple_ink", Hidden({"a": [1, None, 0.5, "\u00e9"]}))
    assert "\u00e9" not in repr(opened)


def test_a_record_moved_to_another_name_or_vault_is_refused() -> None:
    data = seal_record({})
    for change in ({"tag": bytes(32)}, {"vault_id": bytes(16)}):
        with pytest.raises(VaultCorruptError, match="another"):
            open_record(data, **change)


def test_a_record_with_any_character_changed_is_refused() -> None:
    data = seal_record({"a": 1})
    for position in range(len(data)):
        for other in (b"A", b"B", b"", b"."):
            changed = data[:position] + other + data[position + 1 :]
            if changed != data:
                with pytest.raises((VaultCorruptError, VaultVersionError)):
                    open_record(changed)


def test_a_record_that_is_no_record_is_corrupt() -> None:
    protected = seal_record({}).split(b".")[0].decode()
    one = b'{"records":{"maple_ink":%s}}'
    for content in (
        b"",
        b"[]",
        b'{"records":{}}',
        b'{"records":{"a":{},"b":{}}}',
        b'{"records":{"maple_ink":{}},"attempts":{"a":{"until":1}}}',
        b'{"records":{"maple_ink":{}},"salt":"AAECAwQFBgcICQoLDA0ODw"}',
        one % b"[]",
        one % b'{"a":1,"a":1}',
        one % b'{"a":9007199254740993}',
    ):
        sealed = jwe.seal(
            protected,
            Hidden(content),
            Hidden(SMALL.vault_key),
            content_key=Hidden(os.urandom(32)),
            iv=bytes(12),
        )
        with pytest.raises(VaultCorruptError):
            open_record(jwe.to_compact(sealed).encode())
    with pytest.raises(VaultCorruptError, match="ASCII"):
        open_record(b"\xff")


def test_a_record_of_another_version_or_beyond_the_limits_is_told_apart() -> None:
    header = {"typ": "interpal-record", "vault": {"version": 2}}
    protected = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    sealed = jwe.seal(
        protected, Hidden(b"{}"), Hidden(bytes(32)), content_key=Hidden(bytes(32)), iv=bytes(12)
    )
    with pytest.raises(VaultVersionError):
        open_record(jwe.to_compact(sealed).encode())
    with pytest.raises(VaultLimitError):
        open_record(b"x" * (2**20 + 1))
    for change in ({"generation": 0}, {"generation": 2**53}):
        with pytest.raises(ValidationError):
            seal_record({}, **change)
    with pytest.raises(ValidationError, match="64 KiB"):
        seal_record({"a": "x" * 65536})

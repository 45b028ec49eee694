"""What is read in fewer steps, as this package writes it, is what the general readers read."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from interpal._hidden import Hidden
from interpal.vault.format import jwe
from interpal.vault.format.payload import decode_payload, sole_record
from interpal.vault.format.record_envelope import seal_record

KEY = Hidden(bytes(range(32)))
RECORD = {"session_cookie": "abc", "username": "maple_ink", "is_new": True, "user_id": None}


def a_record(record: dict[str, Any] = RECORD) -> bytes:
    return seal_record(
        "maple_ink",
        record,
        KEY,
        vault_id=bytes(16),
        tag=bytes(32),
        generation=7,
        content_key=Hidden(bytes(32)),
        iv=bytes(12),
    )


def read(reader: Any, data: Any) -> Any:
    try:
        return reader(data)
    except ValueError as error:
        return type(error), str(error)


def test_a_compact_jwe_is_read_alike_whatever_is_changed_in_it() -> None:
    chance = random.Random(5)
    data = a_record()
    whole = jwe.from_compact(data.decode())
    assert jwe.from_compact_bytes(data) == whole
    changed = 0
    for _ in range(4000):
        other = bytearray(data)
        at = chance.randrange(len(other))
        kind = chance.randrange(4)
        if kind == 0:
            other[at] = chance.choice(b"AZaz09-_+/=. \n!")
        elif kind == 1:
            del other[at]
        elif kind == 2:
            other[at:at] = bytes([chance.choice(b"A-_.=")])
        else:
            del other[at : at + chance.randrange(1, 80)]
        expected = read(lambda text: jwe.from_compact(bytes(text).decode("ascii")), other)
        assert read(jwe.from_compact_bytes, bytes(other)) == expected, bytes(other)
        changed += expected != whole
    assert changed > 3000


TEXTS = [
    '{"records":{"a":{"b":"c"}}}',
    '{"records":{"a":{}}}',
    '{"records":{"ä b":{"b":"ü","c":true,"d":null}}}',
    '{"records":{"a":{"b":"c:d"}}}',
    '{"records":{"a":{"b":"c\\":d"}}}',
    '{"records":{"a":{"b":"c","b":"d"}}}',
    '{"records":{"a":{"b":"c"},"a":{"b":"c"}}}',
    '{"records":{"a":{"b":"c"}},"records":{"a":{"b":"c"}}}',
    '{"records":{"a":{"b":"c"}},"attempts":{}}',
    '{"records":{"a":{"b":{"c":"d"}}}}',
    '{"records":{"a":{"b":["c"]}}}',
    '{"records":{"a":{"b":1}}}',
    '{"records":{"a":{"b":1e999}}}',
    '{"records":{"a":{"b":NaN}}}',
    '{"records":{"a":{"b":9007199254740993}}}',
    '{"records":{"a":{"b":"\\ud800"}}}',
    '{"records":{"\\ud800":{"b":"c"}}}',
    '{"records":{"":{"b":"c"}}}',
    '{"records":{"a\u0007":{"b":"c"}}}',
    '{"records":{"a\u0085":{"b":"c"}}}',
    '{"records" : {"a" : {"b" : "c"}}}',
    '{"records":{"a":{"b" :"c","b" :"d"}}}',
    '{"records":{"a":{"b"\t:"c","b"\n:"d"}}}',
    ' {"records":{"a":{"b":"c"}}}',
    '{"records":{"a":{"b":"c"}}} ',
    '\ufeff{"records":{"a":{"b":"c"}}}',
    '{"records":{"a":{"b":"c"}}}x',
    '{"records":{"a":"b"}}',
    '{"records":[]}',
    "[]",
    '""',
    "",
    json.dumps({"records": {"n" * 2000: {"b": "c"}}}, separators=(",", ":")),
    json.dumps({"records": {"a": {"b": "c" * 70_000}}}, separators=(",", ":")),
]


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_taken_for_one_sound_record_is_one_to_the_general_reader(text: str) -> None:
    sole = sole_record(Hidden(text))
    payload, wrong = decode_payload(Hidden(text))
    if sole is not None:
        assert wrong is None
        assert payload.records == {sole[0]: sole[1]}
        assert (payload.attempts, payload.salt) == ({}, None)


def test_what_this_package_writes_takes_the_short_way() -> None:
    text = '{"records":{"maple_ink":{"session_cookie":"abc","is_new":true,"user_id":null}}}'
    assert sole_record(Hidden(text)) is not None
    assert sole_record(None) is None
    assert sum(sole_record(Hidden(text)) is not None for text in TEXTS) == 4

"""Records, names and refused logins: the same limits for writers and readers."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from interpal._hidden import Hidden
from interpal.exceptions import ValidationError
from interpal.vault.format import envelope, jwe, payload
from tests.format.maker import nested, sized

text = st.text(st.characters(exclude_categories=["Cs"]))
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
record_dicts = st.dictionaries(text, values, max_size=6)
times = st.integers(0, 253402300799)
attempts = st.tuples(times, times).flatmap(
    lambda both: st.fixed_dictionaries(
        {"until": st.just(min(both))},
        optional={
            "tag": st.text("0123456789abcdef", min_size=5, max_size=5),
            "count": st.integers(1, 2**53 - 1),
            "kind": st.from_regex("[a-z0-9-]{1,32}", fullmatch=True),
            "forget_at": st.just(max(both)),
        },
    )
)
salts = st.none() | st.binary(min_size=16, max_size=16)


def read(data: bytes | str) -> tuple[envelope.Payload, str | None]:
    try:
        text = Hidden(data.decode() if isinstance(data, bytes) else data)
    except UnicodeDecodeError:
        text = None
    return payload.decode_payload(text)


@given(st.dictionaries(names, record_dicts, max_size=5), st.dictionaries(names, attempts), salts)
@settings(deadline=None)
def test_any_records_come_back_as_they_were(records: Any, tried: Any, salt: bytes | None) -> None:
    kept = envelope.Payload(records, tried, salt)
    data = envelope.encode_payload(kept)
    assert isinstance(data, Hidden)
    assert read(data.reveal()) == (kept, None)


@given(st.dictionaries(names, record_dicts, max_size=3), st.booleans(), st.sampled_from([None, 1]))
@settings(deadline=None)
def test_however_json_is_written_it_is_read(records: Any, ascii_only: bool, indent: Any) -> None:
    data = json.dumps({"records": records}, ensure_ascii=ascii_only, indent=indent)
    assert read(data) == (envelope.Payload(records), None)


@given(st.dictionaries(names, record_dicts, min_size=1, max_size=3), st.data())
@settings(deadline=None, max_examples=200)
def test_a_member_that_is_written_twice_is_found_anywhere(records: Any, data: Any) -> None:
    """Each object of the text in turn gets its first member a second time."""
    objects: list[dict[str, Any]] = []

    def collect(value: Any) -> None:
        if isinstance(value, dict) and value:
            objects.append(value)
        for inner in value.values() if isinstance(value, dict) else value:
            if isinstance(inner, (dict, list)):
                collect(inner)

    whole = {"records": records}
    collect(whole)
    chosen = data.draw(st.sampled_from(objects))
    space = data.draw(st.sampled_from(["", " ", "\n", "\t "]))

    def write(value: Any) -> str:
        if isinstance(value, dict):
            members = [f"{json.dumps(name)}{space}:{write(item)}" for name, item in value.items()]
            return "{" + ",".join(members[:1] * (value is chosen) + members) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(write, value)) + "]"
        return json.dumps(value)

    assert read(write(whole))[1] == "the payload has a member twice"


def test_large_payloads_are_judged_like_small_ones() -> None:
    """Many records take the quick way through the checks: it has to see as much."""
    crowd = {f"user_{n}": {"a": "x" * 50, "cookies": {"b": "c"}} for n in range(3000)}
    assert read(json.dumps({"records": crowd})) == (envelope.Payload(crowd), None)
    for fault in (sized(65537), nested(65), {"a": nested(64)}, {"a": "x" * 65530}):
        data = json.dumps({"records": {**crowd, "bad": fault}}, separators=(",", ":"))
        assert read(data)[1] is not None
    fine: list[Any] = [
        sized(65536),
        nested(64),
        {"a": '":'},
        {":": "\\"},
        {"a": 2**53},
        {"\n": [{}]},
    ]
    for good in fine:
        records = {**crowd, "good": good}
        data = json.dumps({"records": records}, separators=(",", ":"))
        assert read(data) == (envelope.Payload(records), None)
    for old, new in (
        ('"user_7":', '"user_8":'),
        ('{"b":"c"}', '{"b":"c","b":"c"}'),
        ('{"b":"c"}', '{"b":"c","b" :":"}'),
        ('"cookies":', '"a":"","cookies":'),
        ('"cookies":', '"a":{},"cookies":'),
        ('{"b":"c"}', '{"b":{"d":1,"d":1}}'),
    ):
        data = json.dumps({"records": crowd}, separators=(",", ":")).replace(old, new, 1)
        assert read(data)[1] == "the payload has a member twice"


@pytest.mark.parametrize("space", [" ", "\t", "\n", "\r"])
@pytest.mark.parametrize(
    "text",
    [
        '{"records":{"a":{"b":1,"b"~:2}}}',
        '{"records"~:{"a"~:{"b":1,"b"~:2}}}',
        '{"records"~:{"a"~:{"b"~:1,"b":2}}}',
    ],
)
def test_white_space_before_some_colons_hides_no_member(text: str, space: str) -> None:
    assert read(text.replace("~", space))[1] == "the payload has a member twice"


@pytest.mark.parametrize("value", ["1.5", "1", '"s"', "{}", "[]", "null", "true"])
def test_a_member_twice_is_found_whatever_its_value_is(value: str) -> None:
    text = '{"records":{"a":{"slow":[],"b":~,"b":~}}}'
    assert read(text.replace("~", value))[1] == "the payload has a member twice"


def lists(depth: int) -> dict[str, Any]:
    """A record that nests so deep, all but itself lists."""
    inner: list[Any] = []
    for _ in range(depth - 2):
        inner = [inner]
    return {"a": inner}


def test_lists_and_escaped_quotes_are_measured_too() -> None:
    fine = [lists(64), {"a": ["x"] * 16000}, {"a": '"' * 32000}]
    for record in fine:
        kept = envelope.Payload({"a": record})
        assert read(envelope.encode_payload(kept).reveal()) == (kept, None)
    for record, fault in (
        (lists(65), "deeper than 64"),
        ({"a": ["x"] * 17000}, "larger than 64 KiB"),
        ({"a": '"' * 33000}, "larger than 64 KiB"),
    ):
        data = json.dumps({"records": {"a": record}}, separators=(",", ":"))
        assert fault in str(read(data)[1])


def aligned(strings: int, length: int) -> dict[str, str]:
    """Names and values such that their quotes stand at multiples of *length* in the payload."""
    start = length - len('{"records":{"a":{"') - 1
    texts = [f"{n}".rjust(length - 3, "-") for n in range(1, strings)]
    texts.insert(0, "-" * start)
    return dict(zip(texts[::2], texts[1::2], strict=True))


def chain(depth: int, length: int) -> dict[str, Any]:
    """One member in another, each with a name so long."""
    inner: dict[str, Any] = {}
    for _ in range(depth):
        inner = {"-" * length: inner}
    return inner


@pytest.mark.parametrize(
    "record",
    [
        {f"{n}": {f"{m}": "x" * 700 for m in range(10)} for n in range(10)},
        chain(60, 1300),
        aligned(400, 178),
    ],
    ids=["wide", "long-names", "aligned"],
)
def test_the_quick_way_counts_every_level_and_every_name(record: dict[str, Any]) -> None:
    data = json.dumps({"records": {"a": record}}, separators=(",", ":"))
    assert "larger than 64 KiB" in str(read(data)[1])


@given(st.integers(1, 30), st.integers(1, 3000), st.booleans())
@settings(deadline=None, max_examples=60)
def test_the_quick_way_never_lets_a_large_record_pass(
    members: int, length: int, escaped: bool
) -> None:
    filling = ("\u00e9" if escaped else "x") * length
    record = {f"{n}": filling for n in range(members)}
    data = json.dumps({"records": {"a": record, "b": {}}}, ensure_ascii=False)
    size = len(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode())
    assert (read(data)[1] is None) == (size <= 65536)


@pytest.mark.parametrize(
    "name", ["", "a\n", "\x00", "a\x7f", "\x85", "\ud800", "n" * 1025, "\u20ac" * 342,
     "\U0001f41f" * 257, 7, None],
)  # fmt: skip
def test_a_name_that_cannot_be_kept_is_refused_by_writers(name: Any) -> None:
    with pytest.raises(ValidationError, match="name of a record"):
        envelope.check_name(name)
    with pytest.raises(ValidationError, match="name of a record"):
        envelope.encode_payload(envelope.Payload({name: {}}))


@pytest.mark.parametrize("name", [" ", "a" * 1024, "\u20ac" * 341, "\u200b\u2028", "\U0001f41f"])
def test_any_other_name_is_kept(name: str) -> None:
    envelope.check_name(name)
    assert read(envelope.encode_payload(envelope.Payload({name: {}})).reveal())[0].records == {
        name: {}
    }


class Text(str):
    """A text that is no `str` itself."""

    __slots__ = ()


CIRCLE: dict[str, Any] = {}
CIRCLE["in"] = CIRCLE


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        "text",
        {"a": math.nan},
        {"a": math.inf},
        {"a": 2**53 + 1},
        {"a": [-(2**53) - 1]},
        {"a": b"bytes"},
        {"a": (1, 2)},
        {"a": ()},
        {"a": {1, 2}},
        {"a": Hidden(b"")},
        {"a": object()},
        {1: "a"},
        {"a": {None: 1}},
        {"a": "\ud800"},
        {"\udfff": 1},
        nested(65),
        sized(65537),
        {"a": "\x01" * 10923},
        {f"{n}".rjust(1000): None for n in range(70)},
        {"a": "x" * 66000, "b": 1},
        {"a": Text("x" * 66000)},
        {"a": ["x" * 66000], "b": [1]},
        {"a": [1] * 40000},
        CIRCLE,
    ],
    ids=lambda record: type(record).__name__,
)
def test_what_json_cannot_give_back_is_refused_by_writers(record: Any) -> None:
    with pytest.raises(ValidationError, match="maple_ink") as caught:
        envelope.check_record("maple_ink", record)
    assert caught.value.__context__ is None
    with pytest.raises(ValidationError, match="maple_ink"):
        envelope.encode_payload(envelope.Payload({"pedro_k": {}, "maple_ink": record}))


@pytest.mark.parametrize("record", [{}, nested(64), sized(65536), {"a": "\x01" * 10920}])
def test_the_largest_and_deepest_records_are_kept(record: dict[str, Any]) -> None:
    envelope.check_record("a", record)
    kept = envelope.Payload({"a": record})
    assert read(envelope.encode_payload(kept).reveal()) == (kept, None)


@pytest.mark.parametrize(
    "attempt",
    [{}, {"tag": "00000"}, {"until": 1.5}, {"until": True}, {"until": -1}, {"until": 253402300800},
     {"until": 1, "tag": None}, {"until": 1, "tag": "0a1b"}, {"until": 1, "note": 1}, [], None,
     {"until": 1, "count": 0}, {"until": 1, "count": True}, {"until": 1, "count": 2**53},
     {"until": 1, "kind": ""}, {"until": 1, "kind": "k" * 33}, {"until": 1, "kind": "Blocked"},
     {"until": 1, "kind": 1}, {"until": 2, "forget_at": 1}, {"until": 1, "forget_at": 1.5},
     {"until": 1, "forget_at": 253402300800}],
)  # fmt: skip
def test_an_attempt_of_another_shape_is_not_written(attempt: Any) -> None:
    with pytest.raises(ValidationError, match="refused login of 'a'"):
        envelope.encode_payload(envelope.Payload({}, {"a": attempt}))


@pytest.mark.parametrize("salt", [b"", bytes(15), bytes(17)])
def test_a_salt_of_another_length_is_not_written(salt: bytes) -> None:
    with pytest.raises(ValidationError, match="16 bytes"):
        envelope.encode_payload(envelope.Payload({}, salt=salt))


def test_other_records_or_refused_logins_leave_the_rest_of_a_payload_as_it_was() -> None:
    whole = envelope.Payload({"a": {}}, {"a": {"until": 1}}, bytes(16))
    assert whole.replace() == whole
    assert whole.replace(records={}) == envelope.Payload({}, {"a": {"until": 1}}, bytes(16))
    assert whole.replace(attempts={}) == envelope.Payload({"a": {}}, {}, bytes(16))
    assert whole != envelope.Payload({"a": {}}, {"a": {"until": 1}})


@pytest.mark.parametrize("until", [0, 253402300799])
def test_the_first_and_the_last_moment_of_an_attempt_are_kept(until: int) -> None:
    kept = envelope.Payload({}, {"a": {"until": until}})
    assert read(envelope.encode_payload(kept).reveal()) == (kept, None)


@pytest.mark.parametrize(
    "data", ['{"records":[]}', '{"records":{},"attempts":{"\\u0000":{"until":1}}}']
)
def test_a_payload_of_another_shape_is_corrupt(data: str) -> None:
    assert read(data)[1] is not None


def test_a_payload_that_is_far_too_deep_is_corrupt() -> None:
    deep = '{"a":' * 100_000 + "1" + "}" * 100_000
    assert read(f'{{"records":{{"a":{deep}}}}}')[1] == "the payload is nested deeper than 66"


def test_no_more_records_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "MAX_RECORDS", 2)
    two: dict[str, Any] = {"a": {}, "b": {}}
    assert read(envelope.encode_payload(envelope.Payload(two)).reveal())[1] is None
    with pytest.raises(ValidationError, match="at most 2"):
        envelope.encode_payload(envelope.Payload({**two, "c": {}}))
    assert "more than 2" in str(read(json.dumps({"records": {**two, "c": {}}}))[1])


def test_a_payload_of_nothing_is_empty() -> None:
    assert (envelope.Payload().records, envelope.Payload().attempts) == ({}, {})


def test_a_fault_of_the_content_shows_nothing_of_it() -> None:
    for data in (
        '{"records":{"a":{"b":"hunter2","b":1}}}',
        '{"records":{"a":"hunter2"',
        '"hunter2"',
    ):
        found, fault = read(data)
        assert fault is not None
        assert "hunter2" not in fault
        assert found == envelope.Payload()


@given(st.text('"\\:{}[],1a n\n', max_size=12))
@settings(max_examples=400)
def test_the_quick_and_the_strict_reader_agree(inside: str) -> None:
    data = ('{"records":{"a":{' + inside + "}}}").encode()
    try:
        strict = jwe.parse_json(data, max_depth=66, allow_float=True)
    except jwe.JsonError:
        strict = None
    assume(strict is None or strict.keys() == {"records"})
    found, fault = read(data)
    if strict is None:
        assert fault is not None
    elif fault is None:
        assert found.records == strict["records"]

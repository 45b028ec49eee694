"""base64url, strict JSON and the two ciphers."""

from __future__ import annotations

import binascii
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpal._hidden import Hidden
from interpal.vault.format import jwe

if TYPE_CHECKING:
    from types import FrameType


@given(st.binary(max_size=200))
def test_base64url_comes_back_and_has_no_padding(data: bytes) -> None:
    text = jwe.b64encode(data)
    assert jwe.b64decode(text) == data
    assert not set(text) & set("+/=")


@given(st.text(alphabet="AQgwBx-_+/= \n\u00e9", max_size=9))
def test_no_two_texts_decode_to_the_same_bytes(text: str) -> None:
    try:
        data = jwe.b64decode(text)
    except ValueError:
        return
    assert jwe.b64encode(data) == text


@pytest.mark.parametrize(
    "text", ["QQ==", "QR", "Q", "QUJ=", "QU JD", "+A", "/w", "\u0660", "QQ\n", "!AAAAA"]
)
def test_other_base64_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        jwe.b64decode(text)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xef\xbb\xbf{}", "byte-order mark"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8"),
        (b"{} {}", "not JSON"),
        (b"", "not JSON"),
        (b'{"a":1,}', "not JSON"),
        (b'{"a":01}', "not JSON"),
        (b'{"a":"\n"}', "not JSON"),
        (b'{"a":1,"a":1}', "twice"),
        (b'{"a":1,"\\u0061":1}', "twice"),
        (b'{"a":{"b":1,"b":1}}', "twice"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":-Infinity}', "infinity"),
        (b'{"a":1.0}', "not an integer"),
        (b'{"a":1e2}', "not an integer"),
        (b'{"a":9007199254740993}', "2\\^53"),
        (b'{"a":-9007199254740993}', "2\\^53"),
        (b'{"a":%s}' % (b"9" * 5000), "2\\^53"),
        (b'{"a":"\\ud800"}', "surrogate"),
        (b'{"\\uDC00":1}', "surrogate"),
        (b"[[[[[]]]]]", "deeper than 4"),
        (b"[[[[],[[]]]]]", "deeper than 4"),
        (b'["[",[[[[]]]]]', "deeper than 4"),
        (b"[" * 100_000, "deeper than 4"),
        (b'{"a":' * 100_000, "deeper than 4"),
    ],
)
def test_json_with_a_surprise_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(jwe.JsonError, match=reason) as caught:
        jwe.parse_json(data, max_depth=4)
    assert caught.value.__context__ is None


def test_neither_siblings_nor_brackets_within_strings_are_nesting() -> None:
    assert jwe.parse_json(b"[[],[],[],[]]", max_depth=2) == [[], [], [], []]
    assert jwe.parse_json(b'["[[[[[", "\\"[[[[{{"]', max_depth=1) == ["[[[[[", '"[[[[{{']


def deepest(data: str) -> int:
    """How deep JSON text nests, one character after the other."""
    depth = most = 0
    inside = escaped = False
    for character in data:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = inside
        elif character == '"':
            inside = not inside
        elif not inside and character in "{[":
            depth += 1
            most = max(most, depth)
        elif not inside and character in "}]":
            depth -= 1
    return most


nested = st.recursive(
    st.integers(0, 9) | st.text('{}[]"\\\nx\u00e9', max_size=8),
    lambda values: st.lists(values) | st.dictionaries(st.text('{["\\', max_size=3), values),
    max_leaves=12,
)


@given(nested, st.integers(0, 40), st.integers(1, 6))
def test_depth_is_that_of_the_brackets_outside_of_strings(
    value: object, cut_off: int, bound: int
) -> None:
    text = json.dumps(value)
    beginning = text[: max(1, len(text) - cut_off)]
    assert jwe.is_deeper(beginning.encode(), bound) == (deepest(beginning) > bound)


def test_a_surrogate_pair_is_a_character() -> None:
    assert jwe.parse_json(b'"\\ud83d\\udc1f"', max_depth=1) == "\U0001f41f"


def test_floats_are_read_where_they_are_allowed_but_not_beyond_the_largest() -> None:
    assert jwe.parse_json(b"[0.5,1e300]", max_depth=1, allow_float=True) == [0.5, 1e300]
    with pytest.raises(jwe.JsonError, match="too large"):
        jwe.parse_json(b"1e999", max_depth=1, allow_float=True)


def test_an_integer_of_any_length_is_beyond_every_bound_but_readable() -> None:
    number = jwe.parse_json(b"9" * 100_000, max_depth=1, any_int=True)
    assert 10**30 < number < 10**50


def read_with_frames_left(frames: int) -> str:
    text = b"[" * 60 + b"]" * 60

    def deeper(more: int) -> object:
        return deeper(more - 1) if more else jwe.parse_json(text, max_depth=66, shape=False)

    used = 0
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        used, frame = used + 1, frame.f_back
    try:
        deeper(sys.getrecursionlimit() - used - frames)
    except RecursionError:
        return "no stack left"
    return "read"


def test_an_exhausted_stack_is_not_taken_for_a_fault_of_the_text() -> None:
    answers = {read_with_frames_left(frames) for frames in range(20, 140, 4)}
    assert "read" in answers
    assert answers <= {"read", "no stack left"}


def test_what_is_sealed_is_unsealed_as_a_secret() -> None:
    key = os.urandom(32)
    sealed = jwe.seal(
        "e30", Hidden(b"text"), Hidden(key), content_key=Hidden(os.urandom(32)), iv=os.urandom(12)
    )
    assert jwe.unseal(sealed, Hidden(key)).reveal() == b"text"
    assert isinstance(jwe.unseal(sealed, Hidden(key)), Hidden)
    assert jwe.from_compact(jwe.to_compact(sealed)) == sealed
    assert repr(sealed) == "<JweParts: 4 bytes>"


def replaced(sealed: jwe.JweParts, part: str, value: Any) -> jwe.JweParts:
    return jwe.JweParts(**{**sealed._asdict(), part: value})


@pytest.mark.parametrize("part", jwe.JweParts._fields)
def test_any_changed_part_is_refused(part: str) -> None:
    key = os.urandom(32)
    sealed = jwe.seal(
        "e30", Hidden(b"text"), Hidden(key), content_key=Hidden(os.urandom(32)), iv=os.urandom(12)
    )
    old: Any = getattr(sealed, part)
    changed: Any = "e31" if part == "protected" else bytes([old[0] ^ 1]) + old[1:]
    for bad in (changed, old[:-1], old[:0]):
        with pytest.raises(jwe.NotAuthenticError):
            jwe.unseal(replaced(sealed, part, bad), Hidden(key))


@pytest.mark.parametrize(("key", "content", "iv"), [(16, 32, 12), (32, 16, 12), (32, 32, 16)])
def test_keys_of_other_lengths_are_refused_on_both_ways(key: int, content: int, iv: int) -> None:
    with pytest.raises(ValueError):
        jwe.seal(
            "e30", Hidden(b""), Hidden(bytes(key)), content_key=Hidden(bytes(content)), iv=bytes(iv)
        )
    good = jwe.seal(
        "e30", Hidden(b""), Hidden(bytes(32)), content_key=Hidden(bytes(32)), iv=bytes(12)
    )
    with pytest.raises(ValueError):
        jwe.unseal(
            good._replace(iv=bytes(iv)), Hidden(bytes(key) if key != 32 else bytes([1] * 32))
        )


@pytest.mark.parametrize("text", ["", "a.b", "e30.AA.AA.AA.AA", "e30....", "e30.....", "."])
def test_a_broken_compact_jwe_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"compact JWE|bytes long|base64url"):
        jwe.from_compact(text)


def test_the_key_wrap_is_that_of_rfc_3394() -> None:
    """Section 4.6: 256 bits of key data under a 256-bit key."""
    key = bytes(range(32))
    data = binascii.unhexlify("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f")
    sealed = jwe.seal("e30", Hidden(b""), Hidden(key), content_key=Hidden(data), iv=bytes(12))
    assert sealed.encrypted_key.hex().upper() == (
        "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"
    )

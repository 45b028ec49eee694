"""The few lines of RFC 7515 and RFC 7516 that the format needs, and JSON without surprises.

Content is sealed by AES-256-GCM under a content key of its own, and the content key by AES Key
Wrap (A256KW, RFC 7518 section 4.4). Randomness comes from the caller. Everything here is a
function of its arguments, and every fault is a `ValueError` that never shows what it was given.
"""

from __future__ import annotations

import binascii
import json
import re
from functools import cache
from typing import Any, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap,
    aes_key_wrap,
)

from interpal._hidden import Hidden
from interpal._tuples import NamedTuple

KEY_BYTES = 32
IV_BYTES = 12
TAG_BYTES = 16
WRAPPED_BYTES = KEY_BYTES + 8
_LENGTHS = {"encrypted_key": WRAPPED_BYTES, "iv": IV_BYTES, "tag": TAG_BYTES}

MAX_INT = 2**53

_TO_URL = bytes.maketrans(b"+/", b"-_")
# What base64 has and base64url has not becomes what the decoder skips.
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")
# What a text of 4n + 2 or 4n + 3 characters may end with: no bits are left over.
_LAST_CHARACTERS = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")
_PADDING = (b"", b"===", b"==", b"=")
_A2B = binascii.a2b_base64
# Of wrapped key, iv and tag in base64url: 40, 12 and 16 bytes.
_TEXT_LENGTHS = (54, 16, 22)
# Characters that are decoded at once: a multiple of 4.
_PIECE = 2**16

# Base64 has none of these, so a JWE holds a handful of them whatever its size, and a record of
# 64 KiB, the most that is kept, no more than it has bytes.
_PUNCTUATION = (b'"', b",", b"{", b"[")
_MAX_PUNCTUATION = 2**16
_MAX_OTHERS = 100_000
_BASE64URL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_MANY_BYTES = 2**20

# More digits than any number that is looked at: a longer one is cut, not converted, since
# converting costs the square of the length and CPython refuses some lengths of its own accord.
_MAX_DIGITS = 40

_NO_BRACKETS = bytes(range(256)).translate(None, b'"{}[]')
_RUN_OF_BRACKETS = rb"([{\[]+)|[}\]]+"


class NotAuthenticError(ValueError):
    """The content does not authenticate under this key."""


class JsonError(ValueError):
    """Why a text is not the JSON that was asked for; the reason continues "… "."""


class JweParts(NamedTuple):
    """The five parts of a JWE.

    `protected` is the base64url text as it was read or will be written, since that text itself
    is what gets authenticated; the others are decoded.
    """

    protected: str
    encrypted_key: bytes
    iv: bytes
    ciphertext: bytes | bytearray
    tag: bytes

    def __repr__(self) -> str:
        return f"<JweParts: {len(self.ciphertext)} bytes>"


def b64encode(data: bytes | bytearray) -> str:
    """base64url without padding (RFC 7515 section 2)."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def b64decode(text: str) -> bytes:
    """The bytes of *text*, which has to be the one text that encodes them.

    Raises `ValueError` for padding, other characters, and bits left over at the end.
    """
    if not text.isascii():
        raise ValueError("is not base64url")
    return b64decode_ascii(text.encode("ascii"))


def b64decode_ascii(text: bytes) -> bytes:
    """`b64decode` of a text that is in bytes already."""
    length = len(text)
    rest = length & 3
    padded = text.translate(_FROM_URL)
    if rest:
        padded += _PADDING[rest]
    try:
        data = binascii.a2b_base64(padded)
    except binascii.Error:
        data = b""
    # CPython's decoder skips what it does not know: then the length tells.
    if len(data) != length * 3 // 4 or (rest and text[-1] not in _LAST_CHARACTERS[rest]):
        raise ValueError("is not canonical base64url without padding")
    return data


def b64decode_content(text: Hidden[bytes], begin: int, end: int) -> bytes | bytearray:
    """`b64decode` of a part of *text*, of which there may be much."""
    if end - begin <= _PIECE:
        return b64decode_ascii(text.reveal()[begin:end])
    # Piece by piece: each stays in the processor's cache, and memory holds no second text.
    data, done = bytearray((end - begin) * 3 // 4), 0
    for start in range(begin, end, _PIECE):
        piece = b64decode_ascii(text.reveal()[start : min(start + _PIECE, end)])
        data[done : done + len(piece)] = piece
        done += len(piece)
    return data


def parse_json(
    data: bytes,
    *,
    max_depth: int,
    allow_float: bool = False,
    any_int: bool = False,
    shape: bool = True,
) -> Any:
    """The value of the strict JSON text *data*.

    NotAuthenticError are: a byte-order mark, text that is not UTF-8, duplicate members, NaN and
    infinities (also by overflow), floats unless *allow_float*, integers beyond 2^53 unless
    *any_int* (those of more than 40 digits are then cut to that many), lone surrogates, and
    nesting beyond *max_depth*, where the outermost value is 1. `shape=False` leaves
    duplicates and nesting to a caller who has a cheaper way to check them.

    Raises `JsonError` with a reason that quotes nothing of the text.
    """
    value, fault = _load(data, max_depth, allow_float, any_int, shape)
    # Raised here, outside of any handler: json's own error carries the whole text with it.
    if fault is not None:
        del data, value  # they may be secret, and a traceback may show the values of variables
        raise JsonError(fault)
    return value


def parse_sound_json(text: Hidden[str], *, max_depth: int) -> Any:
    """`parse_json` with floats, and without a look at duplicates and nesting.

    For content that was authenticated, and so is nearly always as this package wrote it.
    """
    decoder = _decoder(True, False, False)
    try:
        value, end = decoder.raw_decode(text.reveal())
        # One character is looked for much faster than two.
        if end == len(text.reveal()) and ("\\" not in text.reveal() or "\\u" not in text.reveal()):
            return value
        del value
    except (ValueError, RecursionError):
        pass  # What is wrong is found out below.
    return parse_json(text.reveal().encode(), max_depth=max_depth, allow_float=True, shape=False)


def _load(
    data: bytes, max_depth: int, allow_float: bool, any_int: bool, shape: bool
) -> tuple[Any, str | None]:
    if data.startswith(b"\xef\xbb\xbf"):
        return None, "starts with a byte-order mark"
    if shape and is_deeper(data, max_depth):
        return None, f"is nested deeper than {max_depth}"
    decoder = _decoder(allow_float, any_int, shape)
    try:
        value = decoder.decode(data.decode("utf-8"))
        if b"\\" in data and b"\\u" in data:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError:
        return None, "is not UTF-8"
    except UnicodeEncodeError:
        return None, "holds half of a surrogate pair"
    except json.JSONDecodeError as error:
        return None, f"is not JSON ({error.msg} at {error.pos})"
    except JsonError as fault:
        return None, str(fault)
    except RecursionError:
        if not is_deeper(data, max_depth):
            # The text is sound; it is the caller's own stack that is used up.
            raise
        return None, f"is nested deeper than {max_depth}"
    return value, None


@cache
def _decoder(allow_float: bool, any_int: bool, shape: bool) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_unique if shape else None,
        parse_int=_any_int if any_int else _int,
        parse_float=_finite if allow_float else _no_float,
        parse_constant=_no_constant,
    )


def is_crowded(data: bytes, *, small: int) -> bool:
    """Whether *data* is what no JSON of the format is, and would cost too much to parse.

    That is more members than any has, which as Python objects take fifty times their size, and
    in more than *small* bytes also a character that is not ASCII, after which each of the others
    takes four bytes, an escape, or more than 100,000 characters that are not base64url.
    """
    if sum(map(data.count, _PUNCTUATION)) > _MAX_PUNCTUATION:
        return True
    if len(data) <= small:
        return False
    return not data.isascii() or b"\\" in data or _is_over(_MAX_OTHERS, data)


def _is_over(most: int, data: bytes) -> bool:
    """Whether more than *most* bytes of *data* are not base64url."""
    # Piece by piece: much of it is not to be in memory twice.
    for start in range(0, len(data), _MANY_BYTES):
        most -= len(data[start : start + _MANY_BYTES].translate(None, _BASE64URL))
        if most < 0:
            return True
    return False


def is_deeper(data: bytes, max_depth: int) -> bool:
    """Whether the JSON text nests deeper than *max_depth*; needs no stack itself."""
    if data.count(b"{") + data.count(b"[") <= max_depth:
        return False
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    depth = 0
    # Without escapes, every second piece between quotes is a string; most have no brackets.
    rest = data.translate(None, _NO_BRACKETS).replace(b'""', b"")
    for outside in rest.split(b'"')[::2]:
        # What closes is not counted by `is_crowded`, so that there may be much of it.
        for run in re.finditer(_RUN_OF_BRACKETS, outside):
            length = run.end() - run.start()
            depth += length if run[1] else -length
            if depth > max_depth:
                return True
    return False


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JsonError("has a member twice")
    return members


def _int(text: str) -> int:
    if len(text) <= 17:
        number = int(text)
        if -MAX_INT <= number <= MAX_INT:
            return number
    raise JsonError("holds an integer beyond 2^53")


def _any_int(text: str) -> int:
    return int(text[:_MAX_DIGITS])


def _no_float(_text: str) -> NoReturn:
    raise JsonError("holds a number that is not an integer")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise JsonError("holds a number that is too large")
    return number


def _no_constant(_text: str) -> NoReturn:
    raise JsonError("holds NaN or an infinity")


def seal(
    protected: str,
    plaintext: Hidden[bytes],
    key: Hidden[bytes],
    *,
    content_key: Hidden[bytes],
    iv: bytes,
) -> JweParts:
    """Encrypt *plaintext* under *content_key*, and that under the 32-byte *key*.

    *protected* is the header as base64url text. *content_key* (32 bytes) and *iv* (12) are
    fresh random bytes: a pair must never be used twice.
    """
    _check_lengths(key, content_key, iv)
    cipher = AESGCM(content_key.reveal())
    sealed = cipher.encrypt(iv, plaintext.reveal(), protected.encode("ascii"))
    return JweParts(
        protected=protected,
        encrypted_key=aes_key_wrap(key.reveal(), content_key.reveal()),
        iv=iv,
        ciphertext=sealed[:-TAG_BYTES],
        tag=sealed[-TAG_BYTES:],
    )


def unseal(sealed: JweParts, key: Hidden[bytes]) -> Hidden[bytes]:
    """The plaintext. Raises `NotAuthenticError` where anything does not authenticate."""
    if not has_sound_lengths(sealed):
        raise NotAuthenticError("a part of the JWE has the wrong length")
    try:
        content_key = Hidden(aes_key_unwrap(key.reveal(), sealed.encrypted_key))
        # The library takes keys of 16 and 24 bytes too; the format does not.
        _check_lengths(key, content_key, sealed.iv)
        return Hidden(
            AESGCM(content_key.reveal()).decrypt(
                sealed.iv, sealed.ciphertext + sealed.tag, sealed.protected.encode("ascii")
            )
        )
    except (InvalidUnwrap, InvalidTag):
        raise NotAuthenticError("the content does not authenticate under this key") from None


def unseal_content(sealed: JweParts, key: Hidden[bytes]) -> Hidden[bytes] | Hidden[memoryview]:
    """The plaintext, of which there may be much: for `text_of`. Raises as `unseal` does.

    Much of it is decrypted into memory of its own, which the system has back as soon as nobody
    holds it: what is only freed stays with the process, beside the text and all that becomes of it.
    """
    if len(sealed.ciphertext) <= _PIECE:
        return unseal(sealed, key)
    from mmap import mmap

    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES256
    from cryptography.hazmat.primitives.ciphers.modes import GCM

    if not has_sound_lengths(sealed):
        raise NotAuthenticError("a part of the JWE has the wrong length")
    size = len(sealed.ciphertext)
    # `update_into` asks for room for one block more, less a byte.
    room = Hidden(memoryview(mmap(-1, size + 15)))
    try:
        content_key = Hidden(aes_key_unwrap(key.reveal(), sealed.encrypted_key))
        _check_lengths(key, content_key, sealed.iv)
        decryptor = Cipher(AES256(content_key.reveal()), GCM(sealed.iv, sealed.tag)).decryptor()
        decryptor.authenticate_additional_data(sealed.protected.encode("ascii"))
        decryptor.update_into(sealed.ciphertext, room.reveal())
        decryptor.finalize()
    except (InvalidUnwrap, InvalidTag):
        raise NotAuthenticError("the content does not authenticate under this key") from None
    return Hidden(room.reveal()[:size])


def text_of(content: Hidden[bytes] | Hidden[memoryview]) -> Hidden[str] | None:
    """The UTF-8 text of *content*; None where it is none."""
    try:
        return Hidden(str(content.reveal(), "utf-8"))
    except UnicodeDecodeError:
        return None  # The error itself would hold the content.


def _check_lengths(key: Hidden[bytes], content_key: Hidden[bytes], iv: bytes) -> None:
    lengths = (len(key.reveal()), len(content_key.reveal()), len(iv))
    if lengths != (KEY_BYTES, KEY_BYTES, IV_BYTES):
        raise ValueError("A256KW and A256GCM take keys of 32 bytes and an iv of 12")


def to_compact(sealed: JweParts) -> str:
    """The compact serialization (RFC 7516 section 7.1)."""
    return ".".join((sealed.protected, *map(b64encode, sealed[1:])))


def from_compact(text: str) -> JweParts:
    """The parts of a compact JWE, lengths checked. Raises `ValueError` with the reason."""
    parts = text.split(".", 5)
    if len(parts) != 5:
        raise ValueError("is not a compact JWE")
    sealed = JweParts(parts[0], *map(b64decode, parts[1:]))
    if not has_sound_lengths(sealed):
        for name, length in _LENGTHS.items():
            if len(getattr(sealed, name)) != length:
                raise ValueError(f"has an {name} that is not {length} bytes long")
    return sealed


def from_compact_bytes(data: bytes) -> JweParts:
    """`from_compact` of a text that is in bytes, in fewer steps where all is as it should be."""
    parts = data.split(b".", 5)
    # The alphabet changes for all parts at once; none of them is padded.
    plain = data.translate(_FROM_URL).split(b".", 5)
    if len(parts) == 5:
        try:
            sealed = JweParts(
                str(parts[0], "ascii"),
                _A2B(plain[1] + b"=="),
                _A2B(plain[2]),
                _A2B(plain[3] + _PADDING[len(plain[3]) & 3]),
                _A2B(plain[4] + b"=="),
            )
        except ValueError:  # binascii.Error is one
            pass
        else:
            # CPython's decoder skips what it does not know: then the length tells.
            rest = len(plain[3]) & 3
            if (
                has_sound_lengths(sealed)
                and (len(plain[1]), len(plain[2]), len(plain[4])) == _TEXT_LENGTHS
                and len(sealed.ciphertext) == len(plain[3]) * 3 // 4
                and parts[1][-1] in _LAST_CHARACTERS[2]
                and parts[4][-1] in _LAST_CHARACTERS[2]
                and (not rest or parts[3][-1] in _LAST_CHARACTERS[rest])
            ):
                return sealed
    return from_compact(data.decode("ascii"))


def has_sound_lengths(sealed: JweParts) -> bool:
    """Whether wrapped key, iv and tag are as long as the format has them."""
    return (
        len(sealed.encrypted_key) == WRAPPED_BYTES
        and len(sealed.iv) == IV_BYTES
        and len(sealed.tag) == TAG_BYTES
    )

"""Headers: text to members, and judging a member's kind, length and range.

Every function takes the member's name as FORMAT.md has it (`vault.generation`,
`slots[1].kdf.m`) and names it in the `VaultFormatError` that it raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interpal._hidden import Hidden
from interpal.exceptions import (
    ValidationError,
    VaultFormatError,
    VaultLimitError,
    VaultVersionError,
)
from interpal.vault.format import jwe

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION = 1
MAX_FILE_BYTES = 256 * 2**20
MAX_HEADER_BYTES = 64 * 2**10
MAX_DEPTH = 8
MAX_TIME = 253402300799
MAX_GENERATION = 2**53 - 1
_OWN_DIGITS = 20


def own_text(protected: str) -> bytes | None:
    """The bytes of a header, for who looks whether it is to the letter as this package writes it.

    Such a header is cut at its quotes, its values are taken from their places, and what this
    package would write for them is compared with what was read: no parser of JSON is as fast,
    and none is stricter. None where there is nothing to decode.
    """
    if len(protected) * 3 // 4 > MAX_HEADER_BYTES:
        return None
    try:
        return jwe.b64decode(protected)
    except ValueError:
        return None


def own_integer(piece: bytes) -> int:
    """The integer between two characters of punctuation. Raises `ValueError`."""
    if len(piece) > _OWN_DIGITS:
        raise ValueError("too many digits")
    return int(piece[1:-1])


def json_object(data: Hidden[bytes], field: str) -> dict[str, Any]:
    """The JSON object *data*, as strict as everything outside the payload."""
    try:
        value = jwe.parse_json(data.reveal(), max_depth=MAX_DEPTH, any_int=True)
    except jwe.JsonError as fault:
        raise VaultFormatError(f"not a vault: {field} {fault}") from None
    return as_object(value, field)


def as_object(value: object, field: str) -> dict[str, Any]:
    """*value*, which has to be an object."""
    if not isinstance(value, dict):
        raise VaultFormatError(f"not a vault: {field} is not a JSON object")
    return value


def exactly(members: dict[str, Any], names: Iterable[str], prefix: str = "") -> None:
    """Refuse a missing or an unknown member."""
    wanted = set(names)
    if members.keys() == wanted:
        return
    for name in sorted(wanted - members.keys()):
        raise VaultFormatError(f"not a vault: {prefix}{name} is missing")
    for name in sorted(members.keys() - wanted):
        raise VaultFormatError(f"not a vault: {prefix}{name[:40]!a} is not a member of the format")


def constant(value: object, expected: object, field: str) -> None:
    """Refuse anything but *expected*, `True` for 1 included."""
    if type(value) is not type(expected) or value != expected:
        raise VaultFormatError(f"not a vault: {field} is not {expected!r}")


def text(value: object, field: str) -> str:
    """*value*, which has to be a string."""
    if not isinstance(value, str):
        raise VaultFormatError(f"not a vault: {field} is not a string")
    return value


def integer(value: object, field: str) -> int:
    """*value*, which has to be an integer; booleans are none."""
    if type(value) is not int:
        raise VaultFormatError(f"not a vault: {field} is not an integer")
    return value


def integer_within(value: object, field: str, low: int, high: int) -> int:
    """*value*, which has to be an integer from *low* to *high*."""
    number = integer(value, field)
    if not low <= number <= high:
        raise VaultFormatError(f"not a vault: {field} is not within {low} and {high}")
    return number


def decoded(value: object, field: str, length: int | None = None) -> bytes:
    """The bytes behind base64url text, *length* of them where that is given."""
    encoded = text(value, field)
    # Checked before decoding, so that a long text costs nothing.
    if length is not None and len(encoded) != (length * 4 + 2) // 3:
        raise VaultFormatError(f"not a vault: {field} is not {length} bytes long")
    try:
        return jwe.b64decode(encoded)
    except ValueError as fault:
        raise VaultFormatError(f"not a vault: {field} {fault}") from None


def decoded_content(members: dict[str, Any], field: str) -> bytes | bytearray:
    """The bytes behind the base64url text of a member, which is taken out: there may be much."""
    encoded = text(members.pop(field), field)
    fault = "is not base64url"
    if encoded.isascii():
        content = Hidden(encoded.encode("ascii"))
        del encoded
        try:
            return jwe.b64decode_content(content, 0, len(content.reveal()))
        except ValueError as error:
            fault = str(error)
    raise VaultFormatError(f"not a vault: {field} {fault}")


def decode_header(protected: str) -> dict[str, Any]:
    """The members of a protected header. `VaultLimitError` beyond 64 KiB, before decoding."""
    if len(protected) * 3 // 4 > MAX_HEADER_BYTES:
        raise VaultLimitError(
            f"the vault asks for too much: protected is larger than {MAX_HEADER_BYTES // 1024} KiB"
        )
    return json_object(Hidden(decoded(protected, "protected")), "protected")


def check_version(header: dict[str, Any], typ: str) -> dict[str, Any]:
    """The `vault` member of a header of type *typ* and of our version; no other member is seen.

    Raises `VaultVersionError` for a header of another version, whatever else it holds.
    """
    constant(header.get("typ"), typ, "typ")
    vault = as_object(header.get("vault"), "vault")
    version = integer(vault.get("version"), "vault.version")
    if version != VERSION:
        raise VaultVersionError(
            f"the vault has version {version} of the format and this program knows {VERSION}; "
            "use a newer interpal-vault"
        )
    return vault


def encode_header(header: bytes) -> str:
    """A protected header as base64url text. Raises `ValidationError` beyond 64 KiB."""
    if len(header) > MAX_HEADER_BYTES:
        raise ValidationError(f"the header would be larger than {MAX_HEADER_BYTES // 1024} KiB")
    return jwe.b64encode(header)

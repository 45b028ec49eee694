"""What a vault holds: named JSON records, refused logins, a salt, and the limits on them.

FORMAT.md section 4. Writers refuse what readers refuse, each with its own error: here a fault
is a short reason, and `envelope.py` and the checks below make an error of it.
"""

from __future__ import annotations

import json
from itertools import repeat
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex

from interpal._hidden import Hidden
from interpal.exceptions import ValidationError
from interpal.vault.format import header, jwe

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_RECORDS = 1_000_000
MAX_RECORD_BYTES = 64 * 1024
MAX_RECORD_DEPTH = 64
MAX_NAME_BYTES = 1024
SALT_BYTES = 16
MAX_COUNT = 2**53 - 1

# The payload's own object and the one of its records stand around every record.
_MAX_DEPTH = MAX_RECORD_DEPTH + 2

# Every character that Unicode has in category Cc, for good (its stability policy).
_CONTROL = frozenset(map(chr, (*range(0x20), *range(0x7F, 0xA0))))
_TAG_BYTES = 5
_TAG = frozenset("0123456789ABCDEFabcdef")
_MAX_KIND_BYTES = 32
_KIND = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_INFINITY = float("inf")
_ATTEMPT = frozenset(("until", "tag", "count", "kind", "forget_at"))

# More than the longest number, `false` or pair of empty brackets takes.
_SCALAR_BYTES = 32
# Text whose records are not too large, however they are written again: of all values a number
# grows most, `1e15` to `1000000000000000.0`.
_SMALL_BYTES = MAX_RECORD_BYTES // 8
_TOO_LARGE = f"is larger than {MAX_RECORD_BYTES // 1024} KiB"


class Payload:
    """The content of a vault: `records` and `attempts`, both by name, and perhaps a `salt`.

    `salt` is 16 random bytes, None in a vault that has none. A payload does not show itself and
    refuses to be pickled or copied; its dicts are plain ones.
    """

    __slots__ = ("attempts", "records", "salt")

    def __init__(
        self,
        records: dict[str, dict[str, Any]] | None = None,
        attempts: dict[str, dict[str, Any]] | None = None,
        salt: bytes | None = None,
    ) -> None:
        self.records = {} if records is None else records
        self.attempts = {} if attempts is None else attempts
        self.salt = salt

    def replace(
        self,
        *,
        records: dict[str, dict[str, Any]] | None = None,
        attempts: dict[str, dict[str, Any]] | None = None,
        salt: bytes | None = None,
    ) -> Payload:
        """The same content with other parts; None leaves one as it is."""
        return Payload(
            self.records if records is None else records,
            self.attempts if attempts is None else attempts,
            self.salt if salt is None else salt,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Payload):
            return NotImplemented
        return (self.records, self.attempts, self.salt) == (
            other.records,
            other.attempts,
            other.salt,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "<Payload>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a payload cannot be pickled or copied")


class _Unfit(ValueError):  # noqa: N818
    """Why something is no record; the reason continues "the record … "."""


def check_name(name: str) -> None:
    """Refuse what cannot name a record: `ValidationError`."""
    fault = name_fault(name)
    if fault is not None:
        raise ValidationError(f"the name of a record {fault}")


def check_record(name: str, record: object) -> None:
    """Refuse what cannot be a record: `ValidationError` naming the account."""
    fault = record_fault(record)
    del record
    if fault is not None:
        raise ValidationError(f"the record of {name!r} {fault}")


def name_fault(name: object) -> str | None:
    """What is wrong with a record's name; None if nothing is."""
    if not isinstance(name, str):
        return "is not text"
    if name.isascii() and name.isprintable() and 1 <= len(name) <= MAX_NAME_BYTES:
        return None
    try:
        length = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        return "holds half of a surrogate pair"
    if not 1 <= length <= MAX_NAME_BYTES:
        return f"is not 1 to {MAX_NAME_BYTES} bytes long"
    if not _CONTROL.isdisjoint(name):
        return "holds a control character"
    return None


def _names_fault(names: dict[str, Any]) -> str | None:
    """What is wrong with the first bad one of *names*."""
    try:
        # One look at all of them settles the usual case: nothing printable is a control
        # character or half a surrogate pair, and no character takes more than 4 bytes.
        if "".join(names).isprintable() and "" not in names and max(map(len, names)) <= 256:
            return None
    except (TypeError, ValueError):
        pass
    for fault in map(name_fault, names):
        if fault is not None:
            return f"the name of a record {fault}"
    return None


def record_fault(record: object) -> str | None:
    """What is wrong with a record; None if nothing is."""
    return record_text(record)[1]


def record_text(record: object) -> tuple[str | None, str | None]:
    """A record as compact JSON, or what is wrong with it."""
    if not isinstance(record, dict):
        return None, "is not a JSON object"
    try:
        if not _is_flat(record):
            _survey(record, 1)
        text = _dumps(record)
        size = len(text) if text.isascii() else len(text.encode("utf-8"))
    except _Unfit as unfit:
        return None, str(unfit)
    except UnicodeEncodeError:
        return None, "holds half of a surrogate pair"
    if size > MAX_RECORD_BYTES:
        return None, _TOO_LARGE
    return text, None


def _attempt_fault(attempt: object) -> str | None:
    if not isinstance(attempt, dict) or "until" not in attempt or not attempt.keys() <= _ATTEMPT:
        return "has no until, or members other than tag, count, kind and forget_at beside it"
    until = attempt["until"]
    if not _is_integer(until, 0, header.MAX_TIME):
        return "has an until that is not a time in whole seconds"
    tag = attempt.get("tag", "00000")
    if not isinstance(tag, str) or len(tag) != _TAG_BYTES or not _TAG.issuperset(tag):
        return "has a tag that is not 5 hex digits"
    if not _is_integer(attempt.get("count", 1), 1, MAX_COUNT):
        return "has a count that is not an integer from 1"
    kind = attempt.get("kind", "password")
    if not isinstance(kind, str) or not _is_kind(kind):
        return "has a kind that is not 1 to 32 of a-z, 0-9 and -"
    if not _is_integer(attempt.get("forget_at", until), until, header.MAX_TIME):
        return "has a forget_at that is not a time in whole seconds, until or later"
    return None


def _is_kind(kind: str) -> bool:
    return 1 <= len(kind) <= _MAX_KIND_BYTES and _KIND.issuperset(kind)


def _is_integer(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _survey(container: Any, depth: int) -> tuple[int, int]:
    """The members below a dict or list, and a bound on its size as compact JSON, in bytes."""
    if depth > MAX_RECORD_DEPTH:
        raise _Unfit(f"is nested deeper than {MAX_RECORD_DEPTH}")
    characters = 0
    members = 0
    size = _SCALAR_BYTES
    values: Iterable[object] = container
    if isinstance(container, dict):
        for name in container:
            if not isinstance(name, str):
                raise _Unfit("has a member whose name is not text")
            characters += len(name)
        members = len(container)
        values = container.values()
    for value in values:
        kind = type(value)
        if kind is str:
            characters += len(value)  # type: ignore[arg-type]
        elif (
            value is None
            or kind is bool
            or (kind is dict and not value and depth < MAX_RECORD_DEPTH)
        ):
            pass
        else:
            below, text, more = _survey_value(value, depth)
            members += below
            characters += text
            size += more
    if characters > MAX_RECORD_BYTES:
        raise _Unfit(_TOO_LARGE)
    # A character takes 6 bytes at most: `\u001f`, or 4 bytes of UTF-8.
    return members, size + 6 * characters + _SCALAR_BYTES * len(container)


def _survey_value(value: object, depth: int) -> tuple[int, int, int]:
    if isinstance(value, str):
        return 0, len(value), 0
    if isinstance(value, int):
        if not -jwe.MAX_INT <= value <= jwe.MAX_INT:
            raise _Unfit("holds an integer beyond 2^53")
        return 0, 0, 0
    if isinstance(value, float):
        if not -_INFINITY < value < _INFINITY:
            raise _Unfit("holds NaN or an infinity")
        return 0, 0, 0
    if isinstance(value, (dict, list)):
        members, size = _survey(value, depth + 1)
        return members, 0, size
    raise _Unfit(f"holds a {type(value).__name__}, which JSON does not have")


def encode_payload(payload: Payload) -> Hidden[bytes]:
    """The payload as compact UTF-8 JSON.

    Raises `ValidationError` naming the account, for whatever a reader would refuse.
    """
    records, attempts = payload.records, payload.attempts
    if max(len(records), len(attempts)) > MAX_RECORDS:
        raise ValidationError(f"a vault holds at most {MAX_RECORDS} records")
    for names in (records, attempts):
        fault = _names_fault(names)
        if fault is not None:
            raise ValidationError(fault)
    for name, attempt in attempts.items():
        fault = _attempt_fault(attempt)
        if fault is not None:
            raise ValidationError(f"the refused login of {name!r} {fault}")
    # One flat record is small where the whole is.
    is_flat = len(records) == 1 and all(map(_is_flat, records.values()))
    unfit = None if is_flat else _unfit_record(records)
    if unfit is not None:
        check_record(unfit, records[unfit])
    members: dict[str, object] = {"records": records}
    if attempts:
        members["attempts"] = attempts
    if payload.salt is not None:
        if len(payload.salt) != SALT_BYTES:
            raise ValidationError(f"the salt of a vault has {SALT_BYTES} bytes")
        members["salt"] = jwe.b64encode(payload.salt)
    data = _encoded(members)
    if data is None:
        unfit = next(name for name, record in records.items() if record_fault(record))
        raise ValidationError(f"the record of {unfit!r} {record_fault(records[unfit])}")
    if is_flat and len(data.reveal()) > MAX_RECORD_BYTES:
        for name in records:
            check_record(name, records[name])
    return data


def _is_flat(record: object) -> bool:
    """Whether it is a dict of text to text, booleans and None, and nothing else."""
    return (
        type(record) is dict
        and _TEXT.issuperset(map(type, record))
        and _SCALARS.issuperset(map(type, record.values()))
    )


def _encoded(members: dict[str, object]) -> Hidden[bytes] | None:
    """The UTF-8 JSON of *members*, None where half of a surrogate pair is in them."""
    try:
        return Hidden(_dumps(members).encode())
    except UnicodeEncodeError:
        return None


def _unfit_record(records: dict[str, Any]) -> str | None:
    """The name of a record that is not fit to be kept, but for lone surrogates."""
    for name, record in records.items():
        try:
            if isinstance(record, dict) and _survey(record, 1)[1] <= MAX_RECORD_BYTES:
                continue
        except _Unfit:
            return name
        if record_fault(record) is not None:
            return name
    return None


def decode_payload(text: Hidden[str] | None) -> tuple[Payload, str | None]:
    """The payload of decrypted *text*, or an empty one and what is wrong with it.

    None is content that is not UTF-8.
    """
    if text is None:
        return Payload(), "the payload is not UTF-8"
    try:
        content = jwe.parse_sound_json(text, max_depth=_MAX_DEPTH)
        fault = _payload_fault(text.reveal(), content)
    except jwe.JsonError as unreadable:
        return Payload(), f"the payload {unreadable}"
    if fault is not None:
        return Payload(), fault
    salt = jwe.b64decode(content["salt"]) if "salt" in content else None
    return Payload(content["records"], content.get("attempts"), salt), None


def sole_record(text: Hidden[str] | None) -> tuple[str, dict[str, Any]] | None:
    """Name and record of the one record in a payload that is small, flat and has nothing else.

    None for any other: `decode_payload` says what it is, and what is wrong with it.
    """
    if text is None or len(text.reveal()) > _SMALL_BYTES // 4:
        return None
    written = text.reveal().count('":')
    # No list, no escape, no white space outside of what `encode_payload` writes.
    if written < 2 or any(map(text.reveal().__contains__, _ODD)):
        return None
    try:
        content, end = _DECODER(text.reveal())
    except (ValueError, RecursionError):
        return None
    if type(content) is not dict or len(content) != 1 or end != len(text.reveal()):
        return None
    records = content.get("records")
    if type(records) is not dict or len(records) != 1:
        return None
    ((name, record),) = records.items()
    if type(record) is not dict or len(record) + 2 != written:
        return None
    if not (name.isprintable() and 0 < len(name) <= MAX_NAME_BYTES // 4):
        return None
    return None if not _SCALARS.issuperset(map(type, record.values())) else (name, record)


def _payload_fault(text: str, content: Any) -> str | None:
    if not isinstance(content, dict) or content.keys() - {"attempts", "salt"} != {"records"}:
        return "the payload has members other than records, attempts and salt"
    records = content["records"]
    attempts = content.get("attempts", {})
    if not isinstance(records, dict) or not isinstance(attempts, dict):
        return "the payload's members are not JSON objects"
    if max(len(records), len(attempts)) > MAX_RECORDS:
        return f"the payload holds more than {MAX_RECORDS} records"
    if not set(map(type, records.values())) <= {dict}:
        return "a record is not a JSON object"
    if not _is_salt(content.get("salt", "A" * 22)):
        return f"the payload's salt is not {SALT_BYTES} bytes in base64url"
    for attempt in attempts.values():
        fault = _attempt_fault(attempt)
        if fault is not None:
            return f"a refused login {fault}"
    fault = _names_fault(records) or _names_fault(attempts)
    if fault is not None:
        return fault
    return _shape_fault(text, content, records, attempts)


def _is_salt(value: object) -> bool:
    try:
        return isinstance(value, str) and len(jwe.b64decode(value)) == SALT_BYTES
    except ValueError:
        return False


def _shape_fault(
    text: str,
    content: dict[str, Any],
    records: dict[str, dict[str, Any]],
    attempts: dict[str, dict[str, Any]],
) -> str | None:
    """Duplicate members, and records that are too large or too deep.

    A hook for every object would cost several times what decrypting and parsing do. Instead,
    the members that survived parsing are compared with a bound on those in the text: every
    member has a quote followed by a colon, perhaps with white space between. Where both numbers
    are the same, none was dropped. A string with `":` in it only costs the slow way.
    """
    written = text.count('":')
    for space in (" ", "\t", "\n", "\r"):
        if space in text:
            written += text.count(f"{space}:")
    written -= len(content) + len(records) + len(attempts) + sum(map(len, attempts.values()))
    if _is_sound(text, records, written):
        return None
    members = 0
    try:
        for record in records.values():
            below, size = _survey(record, 1)
            members += below
            if size > MAX_RECORD_BYTES and len(_dumps(record).encode()) > MAX_RECORD_BYTES:
                return f"a record {_TOO_LARGE}"
    except _Unfit as unfit:
        return f"a record {unfit}"
    if written != members:
        jwe.parse_json(text.encode(), max_depth=_MAX_DEPTH, allow_float=True)
    return None


def _is_sound(text: str, records: dict[str, dict[str, Any]], written: int) -> bool:
    """A cheap proof that the records have no member twice, and are not too large or deep.

    *written* is a bound on the members of records in the text. Once that many are found, level
    by level, there are no others: whatever is further down is empty. Without escaped quotes,
    every quote in the text begins or ends a string. Where every window of n bytes holds one,
    no string has 2n bytes, and no record more than its members times twice that.
    """
    # One character is looked for much faster than two.
    if "[" in text or ("\\" in text and '\\"' in text):
        return False
    level: list[dict[str, Any]] = list(records.values())
    widest, most = 1, 0
    for _depth in range(MAX_RECORD_DEPTH - 1):
        lengths = list(map(len, level))
        written -= sum(lengths)
        widest *= max(lengths, default=0)
        most += widest
        if written <= 0:
            break
        level = [value for holder in level for value in holder.values() if type(value) is dict]
    if written != 0:
        return False
    # A character takes up to 4 bytes.
    bytes_each = 1 if text.isascii() else 4
    if len(text) * bytes_each <= _SMALL_BYTES:
        return True
    window = (MAX_RECORD_BYTES // (most + 1) - _SCALAR_BYTES) // 4 // bytes_each
    if window < 16:
        return False
    starts = range(0, len(text) - window, window)
    found = map(text.find, repeat('"'), starts, range(window, len(text), window))
    return min(found, default=0) >= 0


_ODD = ("[", "\\", " :", "\t", "\n", "\r")
_SCALARS = frozenset((str, bool, type(None)))
_TEXT = frozenset((str,))
# Numbers are read by `decode_payload`, which knows their bounds.
_DECODER = json.JSONDecoder().raw_decode

# One for all: `json.dumps` makes an encoder at each call.
_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode

"""Checks of what a caller gives. Each error names the argument, and none shows a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interpal.exceptions import ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_METHOD_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def username(value: object) -> str | None:
    """A username, or None."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise ValidationError("username: expected text, not an empty one")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValidationError("username: this text cannot be written as UTF-8")
    return value


def seconds(argument: str, value: object, *, above_zero: bool = False) -> float:
    """A duration in seconds."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= float(value) < float("inf") or (above_zero and value == 0):  # type: ignore[arg-type]
        least = "above 0" if above_zero else "of 0 or more"
        raise ValidationError(f"{argument}: expected a number of seconds {least}, not {value!r}")
    return float(value)  # type: ignore[arg-type]


def count(argument: str, value: object) -> int:
    """A small whole number."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 100:
        raise ValidationError(f"{argument}: expected a whole number from 0 to 100, not {value!r}")
    return value


def header(argument: str, value: object) -> str:
    """The value of a header."""
    if isinstance(value, str) and value.isprintable() and value.isascii():
        return value
    del value
    raise ValidationError(f"{argument}: expected printable ASCII text")


def headers(values: Mapping[str, Any] | None) -> dict[str, str]:
    """The headers of one request."""
    checked: dict[str, str] = {}
    for name, value in (values or {}).items():
        if not name or any(mark in name for mark in " :\t"):
            raise ValidationError("headers: a name is text without blanks and colons")
        checked[header("headers", name)] = header(f"headers: {name}", value)
    return checked


def method(value: object) -> str:
    """The method of a request."""
    if not isinstance(value, str) or not value or not set(value.upper()) <= _METHOD_LETTERS:
        raise ValidationError("method: expected GET, POST, PUT, DELETE or the like")
    return value.upper()

"""Checks of what a caller gives. Each error names the argument, and none shows a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interpal._clock import seconds as seconds
from interpal._dictlike import is_mapping
from interpal._hidden import Hidden
from interpal.exceptions import ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

# What `interpal-vault exec` and `export --ci` put into the environment.
SESSION_COOKIE, SESSION_LINE = "INTERPALS_SESSION_COOKIE", "INTERPALS_SESSION"

# The system counts a wait for the network in milliseconds of 31 bits.
LONGEST_TIMEOUT = 2 * 10**6
MOST_MESSAGES = 10**9
_METHOD_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
# They say where a request goes and where it ends; a wrong one spoils the next on its connection.
_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding"})


def username(value: object) -> str | None:
    """A username, or None."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise ValidationError("username: expected text that is not empty")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValidationError("username: this text cannot be written as UTF-8")
    if any(character < " " or "\x7f" <= character <= "\x9f" for character in value):
        raise ValidationError("username: must not hold control characters")
    return value


def password(value: Hidden[object]) -> Hidden[bytes] | None:
    """A password in UTF-8, or None."""
    if value.reveal() is None:
        return None
    fault = "expected text, not an empty one"
    if isinstance(value.reveal(), str) and value.reveal():
        try:
            return Hidden(str(value.reveal()).encode())
        except UnicodeEncodeError:
            fault = "this text cannot be written as UTF-8"
    raise ValidationError(f"password: {fault}")


def timeout(value: object) -> float:
    """The time-out of the network: a duration above 0."""
    if value == 0:
        raise ValidationError("timeout: expected a number of seconds above 0")
    return seconds("timeout", value, most=LONGEST_TIMEOUT)


def hook(argument: str, value: Any) -> Any:
    """A callable, or None."""
    if value is None or callable(value):
        return value
    raise ValidationError(f"{argument}: expected a function, not {type(value).__name__}")


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


def headers(values: Mapping[Any, Any] | None) -> dict[str, str]:
    """The headers of one request."""
    checked: dict[str, str] = {}
    if values is not None and not is_mapping(values):
        raise ValidationError("headers: expected a mapping of names to values")
    for name, value in (values or {}).items():
        if not isinstance(name, str) or not name or any(mark in name for mark in " :\t"):
            raise ValidationError("headers: a name is text without blanks and colons")
        if name.lower() in _OWN_HEADERS:
            raise ValidationError(f"headers: the client sets {name} itself; leave it out")
        checked[header("headers", name)] = header(f"headers: {name}", value)
    return checked


def method(value: object) -> str:
    """The method of a request."""
    if not isinstance(value, str) or not value or not set(value.upper()) <= _METHOD_LETTERS:
        raise ValidationError("method: expected GET, POST, PUT, DELETE or the like")
    return value.upper()


def max_messages(value: Any) -> int:
    """How many messages to keep. Raises `ValidationError`."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_MESSAGES:
        return value
    raise ValidationError(f"max_messages: expected a whole number from 0 to {MOST_MESSAGES}")

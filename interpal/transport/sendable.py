"""What a header can carry as a token or a cookie."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeGuard


def is_token(token: object) -> TypeGuard[str]:
    """Whether a header can carry *token*: printable ASCII."""
    return isinstance(token, str) and bool(token) and token.isascii() and token.isprintable()


def is_cookie_value(text: str) -> bool:
    """Whether *text* is a name or value by RFC 6265 section 4.1.1, or has commas besides."""
    return text.isascii() and text.isprintable() and not any(mark in text for mark in ' ";\\')


def is_sendable(text: str) -> bool:
    """Whether a `Cookie` header can carry *text* as a value.

    That is more than a server should set: browsers send blanks, quotes and backslashes back as
    they were set.
    """
    return text.isascii() and text.isprintable() and ";" not in text and text == text.strip()

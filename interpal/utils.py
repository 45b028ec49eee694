"""The helpers of `interpal.utils` of interpal 1.x, for scripts that use them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime  # noqa: TC003  (typing.get_type_hints reads it)
from typing import Any

from interpal._version import __version__
from interpal.api.replies import read_time
from interpal.exceptions import ValidationError

__all__ = [
    "build_query_params",
    "extract_cookie",
    "format_user_agent",
    "parse_timestamp",
    "parse_user_id",
    "safe_get",
    "validate_email",
]


def parse_user_id(user_id: object) -> str:
    """The id as text. Raises `ValidationError` where it has anything but digits."""
    text = str(user_id) if isinstance(user_id, (str, int)) else ""
    if text.isascii() and text.isdigit():
        return text
    raise ValidationError("user_id: expected digits")


def parse_timestamp(timestamp: object) -> datetime | None:
    """An aware time in UTC of RFC 3339 text, a date or seconds since 1970; None of others."""
    return read_time(timestamp)


def validate_email(email: str) -> bool:
    """Whether the text looks like an e-mail address; whether there is one it cannot tell."""
    name, at, host = email.rpartition("@")
    labels = host.split(".")
    sound = email.isascii() and email.isprintable() and not any(mark in email for mark in ' ,;<>"')
    return bool(at and name and sound and len(labels) > 1 and all(labels) and labels[-1].isalpha())


def build_query_params(params: Mapping[str, Any]) -> dict[str, str]:
    """The parameters as text, without those that are None."""
    return {name: str(value) for name, value in params.items() if value is not None}


def extract_cookie(cookie_string: str | None, cookie_name: str) -> str | None:
    """The value of a cookie in a `Cookie` header, None where it is not there."""
    for pair in (cookie_string or "").split(";"):
        name, equals, value = pair.partition("=")
        if equals and name.strip() == cookie_name:
            return value.strip()
    return None


def format_user_agent(version: str = __version__) -> str:
    """What a client calls itself."""
    return f"interpal/{version}"


def safe_get(data: Any, *keys: str, default: Any = None) -> Any:
    """What is in objects in objects under these names, *default* where one is missing."""
    for key in keys:
        if not isinstance(data, Mapping) or key not in data:
            return default
        data = data[key]
    return data

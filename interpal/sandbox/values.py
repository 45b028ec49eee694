"""What passes between a client and the sandbox: members, times, numbers, errors."""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
Fields = Mapping[str, Any]


class RequestError(Exception):
    """A request that is answered with an error: `status` and a text for `{"error": …}`."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def moment(seconds: float) -> str:
    """Return Unix time as `YYYY-MM-DDTHH:MM:SSZ`, the only form every client reads."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def is_true(value: object) -> bool:
    """Read a boolean of any client: JSON, `True`, `true` or `1`."""
    return str(value).casefold() in {"true", "1"}


def whole(values: Mapping[str, Any], name: str, default: int) -> int:
    """Return a non-negative whole number from query or body, else raise a 400."""
    text = str(values.get(name, default))
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise RequestError(400, f"{name} must be a whole number")
    return int(text)


def page(items: list[Json], query: Mapping[str, str]) -> list[Json]:
    """Return the part of a list that `offset` and `limit` say."""
    start = whole(query, "offset", 0)
    return items[start : start + whole(query, "limit", 50)]


def user_id(username: str) -> str:
    """Return the 19-digit id of a username: the same one in every sandbox and every run."""
    return f"1700000{zlib.crc32(username.casefold().encode()):012d}"

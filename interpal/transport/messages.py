"""What a flow and its driver hand each other: a request, a response, or a pause."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from interpal._hidden import Opaque
from interpal._tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Quotes, commas and brackets. An empty list takes 80 bytes, and such a reply some 120 MiB.
MOST_PUNCTUATION = 1_500_000
_PUNCTUATION = (b'"', b",", b"{", b"[")
IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})


class TooManyValuesError(ValueError):
    """A body has more values than are made into objects."""


class Request(Opaque):
    """One HTTP request, ready to be sent. Its repr shows neither headers nor body.

    *body* is bytes, None, or an iterable of bytes, which can be sent once only.
    """

    __slots__ = ("body", "headers", "method", "url")

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | Iterable[bytes] | None

    def __init__(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | Iterable[bytes] | None = None,
    ) -> None:
        self._fill(body, headers, method, url)

    def with_headers(self, headers: Mapping[str, str]) -> Request:
        """The same request with these headers."""
        return Request(self.method, self.url, headers, self.body)

    def __repr__(self) -> str:
        return f"<Request: {self.method} {self.url.partition('?')[0]}>"

    @property
    def repeatable(self) -> bool:
        """Whether the body can be sent a second time."""
        return (
            self.body is None
            or isinstance(self.body, bytes)
            or getattr(self.body, "repeatable", False) is True
        )

    @property
    def idempotent(self) -> bool:
        """Whether sending it twice has the effect of once (RFC 9110 section 9.2.2)."""
        return self.method in IDEMPOTENT_METHODS


class Response(Opaque):
    """One HTTP response, whole. Header names are lower case, in the order received."""

    __slots__ = ("body", "headers", "status")

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __init__(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
        self._fill(body, headers, status)

    def __repr__(self) -> str:
        return f"<Response: {self.status}, {len(self.body)} bytes>"

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:
        """The parsed body, None for an empty one.

        Raises ValueError where it is no JSON, and `TooManyValuesError` where it holds more than
        any reply: as Python objects they take forty times their size.
        """
        if sum(map(self.body.count, _PUNCTUATION)) > MOST_PUNCTUATION:
            raise TooManyValuesError
        return json.loads(self.body) if self.body.strip() else None

    def json_object(self) -> dict[str, Any] | None:
        """The body where it is a JSON object, else None."""
        try:
            parsed = self.json()
        except (ValueError, RecursionError):
            return None
        return parsed if isinstance(parsed, dict) else None


class Pause(NamedTuple):
    """A flow has to wait this many seconds; *in_line* says that it waits for another's login."""

    seconds: float
    in_line: bool = False

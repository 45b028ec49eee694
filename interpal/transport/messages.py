"""What a flow and its driver hand each other: a request, a response, or a pause."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex

from interpal._tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})


def no_pickling(value: object) -> NoReturn:
    """Refuse to pickle a value that holds secrets."""
    raise TypeError(f"a {type(value).__name__} holds secrets and cannot be pickled")


class Request(NamedTuple):
    """One HTTP request, ready to be sent. Its repr shows neither headers nor body.

    *body* is bytes, None, or an iterable of bytes, which can be sent once only.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | Iterable[bytes] | None = None

    def __repr__(self) -> str:
        return f"<Request: {self.method} {self.url.partition('?')[0]}>"

    def __reduce_ex__(self, _: SupportsIndex) -> NoReturn:
        no_pickling(self)

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


class Response(NamedTuple):
    """One HTTP response, whole. Header names are lower case, in the order received."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __repr__(self) -> str:
        return f"<Response: {self.status}, {len(self.body)} bytes>"

    def __reduce_ex__(self, _: SupportsIndex) -> NoReturn:
        no_pickling(self)

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:
        """The parsed body, None for an empty one. Raises ValueError where it is no JSON."""
        return json.loads(self.body) if self.body.strip() else None

    def json_object(self) -> dict[str, Any] | None:
        """The body where it is a JSON object, else None."""
        try:
            parsed = self.json()
        except (ValueError, RecursionError):
            return None
        return parsed if isinstance(parsed, dict) else None


class Pause(NamedTuple):
    """A flow has to wait this many seconds; *in_line* tells that it waits for another's login."""

    seconds: float
    in_line: bool = False

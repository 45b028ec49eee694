"""How an endpoint of the site is declared: once, for both clients.

A `Route` says where a request goes and how surely that is known. A method of a topic turns its
arguments into a `Call` to it:

    _SELF = Route("GET", "/v1/account/self", FAMILY)

    @_SELF.call
    def get_self(self) -> Call[Profile]:
        return Call(an(Profile))
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from interpal.api.base import Operation
from interpal.api.replies import Make, Reply, build
from interpal.exceptions import APIError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Concatenate

    from typing_extensions import ParamSpec

    from interpal.sessions.wait import Flow

    P = ParamSpec("P")

T = TypeVar("T")
R = TypeVar("R", bound=Reply)

# How surely a request is known, by the clients that show it.
INDEPENDENT = "independent clients agree"
FAMILY = "clients of one family agree"
SINGLE = "one client"
DOUBTFUL = "one client, and there are reasons to doubt it"
GUESS = "a guess of one client"

ROUTES: list[Route] = []


class Route:
    """A request: method and path below the base URL, and how surely it is known.

    *note* says what other sources say of it. Ids in the path are in braces.
    """

    __slots__ = ("_known_of", "known", "method", "methods", "note", "path")

    def __init__(self, method: str, path: str, known: str, note: str = "") -> None:
        self.method = method
        self.path = path
        self.known = known
        self.note = note
        # The functions that make it, under their names.
        self.methods: dict[str, Callable[..., Any]] = {}
        self._known_of: dict[str, str] = {}
        ROUTES.append(self)

    def __repr__(self) -> str:
        return f"<Route {self.method} {self.path}>"

    def call(self, prepare: Callable[Concatenate[Any, P], Call[T]]) -> Operation[P, T]:
        """Declare a method of the clients that makes this request."""
        self.methods[prepare.__name__] = prepare

        @wraps(prepare)
        def flow(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> Flow[T]:
            call = prepare(client, *args, **kwargs)
            path = self.path.format_map({n: _segment(n, text) for n, text in call.path.items()})
            make = client._maker()  # noqa: SLF001  (endpoints are methods of the client)
            send = client._request  # noqa: SLF001  (endpoints are methods of the client)
            reply = yield from send(self.method, path, params=call.query, data=call.form)
            return call.read(reply, make() if call.cached else build)

        return Operation(flow)

    def known_of(self, method: str) -> str:
        """How surely the request is known as a method makes it."""
        return self._known_of.get(method, self.known)

    def call_known_by(
        self, known: str
    ) -> Callable[[Callable[Concatenate[Any, P], Call[T]]], Operation[P, T]]:
        """Declare a method that makes this request in a way that is known less surely."""

        def declare(prepare: Callable[Concatenate[Any, P], Call[T]]) -> Operation[P, T]:
            self._known_of[prepare.__name__] = known
            return self.call(prepare)

        return declare

    def flow(self, flow: Callable[Concatenate[Any, P], Flow[T]]) -> Operation[P, T]:
        """Declare a method that makes this request and perhaps others: a flow of its own."""
        self.methods[flow.__name__] = flow
        return Operation(flow)


class Call(Generic[T]):
    """The variable part of one call: what fills the path, the query and the form, and how the
    reply is read. With *cached* what it names is looked up in the client's cache."""

    __slots__ = ("cached", "form", "path", "query", "read")

    def __init__(
        self,
        read: Callable[[Any, Make], T],
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        form: Mapping[str, Any] | None = None,
        cached: bool = False,
    ) -> None:
        self.read = read
        self.path = dict(path or {})
        self.query = query
        self.form = form
        self.cached = cached

    def __repr__(self) -> str:
        return "<Call>"


def _segment(name: str, text: object) -> str:
    from urllib.parse import quote

    # The dots would be taken for the way up.
    if not isinstance(text, (str, int)) or isinstance(text, bool) or text in ("", ".", ".."):
        raise ValidationError(f"{name}: expected an id as text")
    try:
        return quote(str(text), safe="")
    except UnicodeEncodeError:
        raise ValidationError(f"{name}: this text cannot be written as UTF-8") from None


# How replies are read.


def an(kind: type[R]) -> Callable[[Any, Make], R]:
    """Read an object."""

    def read(reply: Any, make: Make) -> R:
        if isinstance(reply, dict):
            made: R = make(kind, reply)
            return made
        raise APIError("the reply is not a JSON object; it has always been one", status_code=200)

    return read


def a_list_of(kind: type[R], *names: str) -> Callable[[Any, Make], list[R]]:
    """Read a list, bare or under one of the names that clients have seen it under."""

    def read(reply: Any, make: Make) -> list[R]:
        if isinstance(reply, dict):
            reply = next((reply[name] for name in names if name in reply), reply)
        if isinstance(reply, list):
            return [make(kind, item) if isinstance(item, dict) else item for item in reply]
        raise APIError("the reply has no list; it has always had one", status_code=200)

    return read


def a_number(*names: str) -> Callable[[Any, Make], int]:
    """Read a number, bare or under one of the names that clients have seen it under; else 0."""

    def read(reply: Any, _make: Make) -> int:
        if isinstance(reply, dict):
            reply = next((reply[name] for name in names if name in reply), 0)
        return reply if isinstance(reply, int) and not isinstance(reply, bool) else 0

    return read


def acknowledged(reply: Any, _make: Make) -> Reply | None:
    """Read what nobody needs: the object that the site sent, None for anything else."""
    return Reply(reply) if isinstance(reply, dict) else None


def joined(names: str | Iterable[str] | None) -> str | None:
    """Names as a comma-separated list."""
    return names if names is None or isinstance(names, str) else ",".join(names)

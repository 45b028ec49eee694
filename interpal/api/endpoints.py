"""The everyday calls of the site, each endpoint declared once and served by both clients.

An endpoint is a function that turns its arguments into a `Call`, and a line above it that says
where the call goes and how surely that is known. To add one, write another such function.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from interpal.api.base import Operation, Operations
from interpal.api.replies import (  # noqa: TC001  (typing.get_type_hints reads them)
    Message,
    Notification,
    Post,
    Profile,
    Thread,
    User,
)
from interpal.exceptions import APIError, ValidationError
from interpal.transport.protocol import SELF_PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Concatenate

    from typing_extensions import ParamSpec

    from interpal.sessions.wait import Flow

    P = ParamSpec("P")

T = TypeVar("T")

# How surely an endpoint is known, by the clients that show it.
INDEPENDENT = "independent clients agree"
FAMILY = "clients of one family agree"
SINGLE = "one client"


class Endpoint(NamedTuple):
    """What the table of endpoints shows of one: where it goes, and how surely that is known."""

    name: str
    method: str
    path: str
    known: str
    summary: str


class Call(Generic[T]):
    """The variable part of one call: what fills the path, the query and the form, and how the
    reply is read."""

    __slots__ = ("form", "path", "query", "read")

    def __init__(
        self,
        read: Callable[[Any], T],
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        form: Mapping[str, Any] | None = None,
    ) -> None:
        self.read = read
        self.path = dict(path or {})
        self.query = query
        self.form = form

    def __repr__(self) -> str:
        return "<Call>"


ENDPOINTS: list[Endpoint] = []


def endpoint(
    method: str, path: str, known: str
) -> Callable[[Callable[Concatenate[Any, P], Call[T]]], Operation[P, T]]:
    """Declare an endpoint: its method and path below the base URL, and how surely it is known."""

    def declare(prepare: Callable[Concatenate[Any, P], Call[T]]) -> Operation[P, T]:
        summary = (prepare.__doc__ or "").partition("\n")[0]
        ENDPOINTS.append(Endpoint(prepare.__name__, method, path, known, summary))

        @wraps(prepare)
        def flow(client: Operations, /, *args: P.args, **kwargs: P.kwargs) -> Flow[T]:
            call = prepare(client, *args, **kwargs)
            filled = path.format_map(
                {name: _segment(name, text) for name, text in call.path.items()}
            )
            send = client._request  # noqa: SLF001  (endpoints are methods of the client)
            return call.read((yield from send(method, filled, params=call.query, data=call.form)))

        return Operation(flow)

    return declare


def _segment(name: str, text: object) -> str:
    from urllib.parse import quote

    # The dots would be taken for the way up.
    if not isinstance(text, (str, int)) or isinstance(text, bool) or text in ("", ".", ".."):
        raise ValidationError(f"{name}: expected an id as text")
    try:
        return quote(str(text), safe="")
    except UnicodeEncodeError:
        raise ValidationError(f"{name}: this text cannot be written as UTF-8") from None


def _an_object(reply: Any) -> Any:
    if isinstance(reply, dict):
        return reply
    raise APIError("the reply is no JSON object, as this call's always was", status_code=200)


def _list_under(*names: str) -> Callable[[Any], Any]:
    """A list in a reply: bare, or under one of the names that clients have seen it under."""

    def read(reply: Any) -> Any:
        if isinstance(reply, dict):
            reply = next((reply[name] for name in names if name in reply), reply)
        if isinstance(reply, list):
            return reply
        raise APIError("the reply has no list, as this call's always had", status_code=200)

    return read


def _ignored(_reply: Any) -> None:
    return None


class EverydayCalls(Operations):
    """What a bot does all day."""

    @endpoint("GET", SELF_PATH, FAMILY)
    def get_self(self) -> Call[Profile]:
        """The profile of the account itself."""
        return Call(_an_object)

    @endpoint("GET", "/v1/profile/{user_id}", FAMILY)
    def get_user(self, user_id: str, *, extra: str | None = None) -> Call[Profile]:
        """The profile of a user.

        *extra* is a comma-separated list of what to add, such as `relation`.
        """
        return Call(_an_object, path={"user_id": user_id}, query={"extra": extra})

    @endpoint("GET", "/v1/user/self/threads", SINGLE)
    def get_threads(self, limit: int = 50, offset: int = 0) -> Call[list[Thread]]:
        """The account's conversations, the newest first."""
        return Call(_list_under("threads"), query={"limit": limit, "offset": offset})

    @endpoint("GET", "/v1/thread/{thread_id}/messages", SINGLE)
    def get_thread_messages(
        self, thread_id: str, limit: int = 50, offset: int = 0
    ) -> Call[list[Message]]:
        """The messages of a conversation."""
        return Call(
            _list_under("messages"),
            path={"thread_id": thread_id},
            query={"limit": limit, "offset": offset},
        )

    @endpoint("POST", "/v1/message", INDEPENDENT)
    def send_message(
        self, thread_id: str, content: str, *, tmp_id: str | None = None
    ) -> Call[Message]:
        """Send a message in a conversation; the message as the server has it.

        *tmp_id* is four characters of a-z0-9 that the server echoes. A message is never sent
        twice of the client's own accord: where the network left it open whether it arrived,
        `NetworkError` is raised.
        """
        return Call(
            _an_object,
            form={"thread_id": thread_id, "message": content, "tmp_id": tmp_id},
        )

    @endpoint("PUT", "/v1/thread/{thread_id}/viewed", FAMILY)
    def mark_thread_viewed(self, thread_id: str, message_id: str | None = None) -> Call[None]:
        """Mark a conversation as read, up to a message where one is given."""
        form = None if message_id is None else {"message_id": message_id}
        return Call(_ignored, path={"thread_id": thread_id}, form=form)

    @endpoint("PUT", "/v1/thread/{thread_id}/typing", INDEPENDENT)
    def set_typing(self, thread_id: str, typing: bool = True) -> Call[None]:
        """Show, or no longer show, that the account is typing. (The field's name is not sure.)"""
        return Call(_ignored, path={"thread_id": thread_id}, form={"typing": typing})

    @endpoint("GET", "/v1/search/user", FAMILY)
    def search_users(
        self,
        /,
        query: str | None = None,
        *,
        age_min: int | None = None,
        age_max: int | None = None,
        gender: str | None = None,
        country: str | None = None,
        city: str | None = None,
        language: str | None = None,
        online_only: bool = False,
        username: str | None = None,
        sort: str | None = None,
        limit: int = 50,
        offset: int = 0,
        **others: Any,
    ) -> Call[list[User]]:
        """Search for users.

        *gender* is `male` or `female`, *country* a two-letter code, *sort* one of `last_login`,
        `modified`, `id`. *others* are sent as they are (`lfor_langex=True`, `radius=50`).
        """
        return Call(
            _list_under("results", "data"),
            query={
                "text": query,
                "age1": age_min,
                "age2": age_max,
                "sex": gender,
                "country": country,
                "city": city,
                "language": language,
                "online": online_only,
                "username": username,
                "sort": sort,
                "limit": limit,
                "offset": offset,
                **others,
            },
        )

    @endpoint("GET", "/v1/feed", FAMILY)
    def get_feed(
        self,
        /,
        feed_type: str = "global",
        limit: int = 20,
        offset: int = 0,
        *,
        extra: str | None = "photos.user",
        **others: Any,
    ) -> Call[list[Post]]:
        """Posts: of everybody (`global`), of those one follows (`following`), of one `user`."""
        return Call(
            _list_under("data", "feed"),
            query={"type": feed_type, "limit": limit, "offset": offset, "extra": extra, **others},
        )

    @endpoint("GET", "/v1/notification/my", SINGLE)
    def get_notifications(self, limit: int = 50, offset: int = 0) -> Call[list[Notification]]:
        """The account's notifications."""
        return Call(
            _list_under("data", "notifications"),
            query={"limit": limit, "offset": offset},
        )

"""Friends, blocks, bookmarks and likes: `client.social`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from interpal.api.base import Operation, Topic
from interpal.api.endpoint import (
    DOUBTFUL,
    SINGLE,
    Call,
    Route,
    a_list_of,
    acknowledged,
    an,
)
from interpal.api.replies import Bookmark, Like, Relationship, Reply
from interpal.sessions.wait import Flow  # noqa: TC001  (typing.get_type_hints reads it)

if TYPE_CHECKING:
    from interpal.api.base import Awaiting, Blocking

C = TypeVar("C", bound="Blocking | Awaiting")

_SOCIAL = "the JavaScript port has its own paths under `/v1/social/`, which agree with no source"

RELATIONS = Route("GET", "/v1/user/{user_id}/relations", SINGLE, _SOCIAL)
FRIENDS = Route(
    "GET", "/v1/friends", DOUBTFUL, "a list of recorded requests has `/v1/user/self/relations`"
)
USER_FRIENDS = Route(
    "GET",
    "/v1/user/{user_id}/friends",
    DOUBTFUL,
    "a list of recorded requests has `/v1/user/{user_id}/relations`",
)
BLOCK = Route("PUT", "/v1/relation/{user_id}/block", SINGLE)
UNBLOCK = Route("PUT", "/v1/relation/{user_id}/unblock", SINGLE)
BLOCKED = Route("GET", "/v1/blocked", DOUBTFUL)
NEW_BOOKMARK = Route("POST", "/v1/bookmark", SINGLE)
DELETE_BOOKMARK = Route(
    "DELETE",
    "/v1/bookmark/{user_id}",
    DOUBTFUL,
    "a list of recorded requests has `DELETE /v1/bookmark`",
)
BOOKMARKS = Route(
    "GET", "/v1/bookmarks", DOUBTFUL, "a list of recorded requests has `GET /v1/bookmark`"
)
NEW_LIKE = Route("POST", "/v1/like", SINGLE)
DELETE_LIKE = Route(
    "DELETE",
    "/v1/like/{content_id}",
    DOUBTFUL,
    "a list of recorded requests has `DELETE /v1/like`",
)
LIKES = Route("GET", "/v1/likes/{content_id}", DOUBTFUL)


@FRIENDS.call
def _own_friends(_client: object) -> Call[list[Relationship]]:
    """The friends of the account."""
    return Call(a_list_of(Relationship, "friends", "data"))


@USER_FRIENDS.call
def _friends_of(_client: object, user_id: str) -> Call[list[Relationship]]:
    """The friends of a user."""
    return Call(a_list_of(Relationship, "friends", "data"), path={"user_id": user_id})


class SocialCalls:
    """Friends, blocks, bookmarks and likes."""

    @RELATIONS.call
    def get_relations(self, user_id: str) -> Call[list[Relationship]]:
        """How a user (or `self`) stands to others."""
        return Call(a_list_of(Relationship, "relations", "data"), path={"user_id": user_id})

    @Operation
    def get_friends(self: Any, user_id: str | None = None) -> Flow[list[Relationship]]:
        """The friends of a user, or of the account."""
        if user_id is None:
            return (yield from _own_friends.flow(self))
        return (yield from _friends_of.flow(self, user_id))

    @BLOCK.call
    def block_user(self, user_id: str) -> Call[Reply | None]:
        """Block a user."""
        return Call(acknowledged, path={"user_id": user_id})

    @UNBLOCK.call
    def unblock_user(self, user_id: str) -> Call[Reply | None]:
        """No longer block a user."""
        return Call(acknowledged, path={"user_id": user_id})

    @BLOCKED.call
    def get_blocked_users(self) -> Call[list[Relationship]]:
        """The users that the account has blocked."""
        return Call(a_list_of(Relationship, "blocked", "data"))

    @NEW_BOOKMARK.call
    def bookmark_user(self, user_id: str, note: str | None = None) -> Call[Bookmark]:
        """Bookmark a user, with a note to oneself."""
        return Call(an(Bookmark), form={"user_id": user_id, "note": note})

    @DELETE_BOOKMARK.call
    def remove_bookmark(self, user_id: str) -> Call[Reply | None]:
        """Remove the bookmark of a user."""
        return Call(acknowledged, path={"user_id": user_id})

    @BOOKMARKS.call
    def get_bookmarks(self) -> Call[list[Bookmark]]:
        """The users that the account has bookmarked."""
        return Call(a_list_of(Bookmark, "bookmarks", "data"))

    @NEW_LIKE.call
    def like_content(self, content_id: str, content_type: str = "photo") -> Call[Like]:
        """Like a `photo`, a `post` or a `profile`."""
        return Call(an(Like), form={"content_id": content_id, "content_type": content_type})

    @DELETE_LIKE.call
    def unlike_content(self, content_id: str) -> Call[Reply | None]:
        """No longer like something."""
        return Call(acknowledged, path={"content_id": content_id})

    @LIKES.call
    def get_likes(self, content_id: str) -> Call[list[Like]]:
        """Who likes something."""
        return Call(a_list_of(Like, "likes", "data"), path={"content_id": content_id})


class Social(SocialCalls, Topic[C]):
    """`client.social`."""

"""Posts and comments: `client.posts`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from interpal.api.base import Topic
from interpal.api.endpoint import FAMILY, GUESS, SINGLE, Call, Route, a_list_of, acknowledged, an
from interpal.api.replies import Comment, Post, Reply
from interpal.api.search import FEED

if TYPE_CHECKING:
    from interpal.api.base import Awaiting, Blocking

C = TypeVar("C", bound="Blocking | Awaiting")

_COMMENTS = "the JavaScript port has comments under `/v1/post/{post_id}/comment`"

NEW_POST = Route("POST", "/v1/post", FAMILY, "the names of its members are a guess")
POST = Route("GET", "/v1/post/{post_id}", GUESS)
UPDATE_POST = Route("PUT", "/v1/post/{post_id}", GUESS)
DELETE_POST = Route("DELETE", "/v1/post/{post_id}", GUESS)
COMMENTS = Route("GET", "/v1/post/{post_id}/comments", SINGLE, _COMMENTS)
NEW_COMMENT = Route("POST", "/v1/comment", SINGLE, _COMMENTS)
UPDATE_COMMENT = Route("PUT", "/v1/comment/{comment_id}", GUESS, _COMMENTS)
DELETE_COMMENT = Route(
    "DELETE",
    "/v1/comment/{comment_id}",
    GUESS,
    f"{_COMMENTS}; a list of recorded requests has `DELETE /v1/comment`",
)


class PostCalls:
    """Posts and comments."""

    @NEW_POST.call
    def create_post(self, /, content: str, privacy: str = "public", **fields: Any) -> Call[Post]:
        """Write a post. *fields* are sent as they are."""
        return Call(an(Post), form={"content": content, "privacy": privacy, **fields})

    @POST.call
    def get_post(self, /, post_id: str, **others: Any) -> Call[Post]:
        """A post. *others* are sent as they are (`extra="photos.user"`)."""
        return Call(an(Post), path={"post_id": post_id}, query=others)

    @UPDATE_POST.call
    def update_post(
        self,
        /,
        post_id: str,
        content: str | None = None,
        privacy: str | None = None,
        **fields: Any,
    ) -> Call[Post]:
        """Change a post; the post afterwards."""
        form = {"content": content, "privacy": privacy, **fields}
        return Call(an(Post), path={"post_id": post_id}, form=form)

    @DELETE_POST.call
    def delete_post(self, post_id: str) -> Call[Reply | None]:
        """Delete a post."""
        return Call(acknowledged, path={"post_id": post_id})

    @COMMENTS.call
    def get_comments(
        self,
        post_id: str,
        limit: int = 50,
        offset: int = 0,
        nest_replies: bool = True,
        feed_owner_id: str | None = None,
    ) -> Call[list[Comment]]:
        """The comments to a post; answers to comments inside of these with *nest_replies*."""
        query = {"limit": limit, "offset": offset, "nest_replies": nest_replies}
        return Call(
            a_list_of(Comment, "data", "comments"),
            path={"post_id": post_id},
            query={**query, "feed_owner_id": feed_owner_id},
        )

    @NEW_COMMENT.call
    def create_comment(
        self, /, post_id: str, content: str, parent_id: str | None = None, **fields: Any
    ) -> Call[Comment]:
        """Comment on a post, or answer the comment *parent_id*."""
        form = {"post_id": post_id, "content": content, "parent_id": parent_id, **fields}
        return Call(an(Comment), form=form)

    @UPDATE_COMMENT.call
    def update_comment(self, /, comment_id: str, content: str, **fields: Any) -> Call[Comment]:
        """Change a comment; the comment afterwards."""
        form = {"content": content, **fields}
        return Call(an(Comment), path={"comment_id": comment_id}, form=form)

    @DELETE_COMMENT.call
    def delete_comment(self, comment_id: str) -> Call[Reply | None]:
        """Delete a comment."""
        return Call(acknowledged, path={"comment_id": comment_id})


class Posts(PostCalls, Topic[C]):
    """`client.posts`."""

    @FEED.call
    def get_feed(
        self,
        /,
        feed_type: str = "user",
        owner_id: str | None = None,
        owner_only: bool = False,
        limit: int = 20,
        offset: int = 0,
        **others: Any,
    ) -> Call[list[Post]]:
        """Posts of one `user` (*owner_id*), or another feed of `client.get_feed`."""
        query = {"type": feed_type, "limit": limit, "offset": offset}
        of = {"owner_id": owner_id, "owner_only": str(bool(owner_only)).lower()}
        return Call(a_list_of(Post, "data", "feed"), query={**query, **of, **others}, cached=True)

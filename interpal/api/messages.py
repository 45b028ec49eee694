"""Conversations and messages: `client.messages`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from interpal.api.account import COUNTERS
from interpal.api.base import Topic
from interpal.api.endpoint import (
    DOUBTFUL,
    FAMILY,
    GUESS,
    INDEPENDENT,
    SINGLE,
    Call,
    Route,
    a_list_of,
    a_number,
    acknowledged,
    an,
)
from interpal.api.replies import Message, Reply, Thread

if TYPE_CHECKING:
    from interpal.api.base import Awaiting, Blocking

C = TypeVar("C", bound="Blocking | Awaiting")

# How long the web page says that somebody types on, in milliseconds.
TYPING_DELAY = 3000

THREADS = Route(
    "GET",
    "/v1/user/self/threads",
    SINGLE,
    "the JavaScript port and a second code path of the same client ask at `/v1/thread`, which "
    "its documents call wrong",
)
USER_THREAD = Route(
    "GET",
    "/v1/user-thread/{user_id}",
    SINGLE,
    "the JavaScript port asks at `/v1/thread/user/{user_id}`",
)
THREAD_MESSAGES = Route(
    "GET",
    "/v1/thread/{thread_id}/messages",
    SINGLE,
    "the JavaScript port asks at `/v1/thread/{thread_id}`",
)
MESSAGE = Route(
    "POST",
    "/v1/message",
    INDEPENDENT,
    "recorded from the app as a form, a GIF included; the JavaScript port sends JSON; the web "
    "page sends to `/app/messages/send-message`, and `/pm.php` is gone since 2026",
)
DELETE_MESSAGE = Route("DELETE", "/v1/message/{message_id}", FAMILY)
VIEWED = Route("PUT", "/v1/thread/{thread_id}/viewed", FAMILY)
TYPING = Route(
    "PUT",
    "/v1/thread/{thread_id}/typing",
    INDEPENDENT,
    "the path; a recorded request of the web page has `delay=3000`, another client `typing=True`: "
    "both are sent; the JavaScript port posts to `/v1/thread/typing`",
)
DELETE_THREAD = Route("DELETE", "/v1/thread/{thread_id}", DOUBTFUL)
ARCHIVE = Route("PUT", "/v1/thread/{thread_id}/archive", GUESS)
UNARCHIVE = Route("PUT", "/v1/thread/{thread_id}/unarchive", GUESS)


class MessageCalls:
    """Conversations and messages."""

    @THREADS.call
    def get_threads(self, limit: int = 50, offset: int = 0) -> Call[list[Thread]]:
        """The account's conversations, the newest first."""
        return Call(
            a_list_of(Thread, "threads"), query={"limit": limit, "offset": offset}, cached=True
        )

    @USER_THREAD.call
    def get_user_thread(self, user_id: str, include_relation: bool = False) -> Call[Thread]:
        """The conversation with a user; it is begun where there is none."""
        extra = "user.relation" if include_relation else None
        return Call(an(Thread), path={"user_id": user_id}, query={"extra": extra}, cached=True)

    @THREAD_MESSAGES.call
    def get_thread_messages(
        self, thread_id: str, limit: int = 50, offset: int = 0
    ) -> Call[list[Message]]:
        """The messages of a conversation, the newest first."""
        return Call(
            a_list_of(Message, "messages"),
            path={"thread_id": thread_id},
            query={"limit": limit, "offset": offset},
            cached=True,
        )

    @MESSAGE.call
    def send_message(
        self, /, thread_id: str, content: str, *, tmp_id: str | None = None, **fields: Any
    ) -> Call[Message]:
        """Send a message in a conversation; the message as the server has it.

        *tmp_id* is four characters of a-z0-9 that the server echoes; *fields* are sent as they
        are. A message is never sent twice of the client's own accord: where the network left it
        open whether it arrived, `NetworkError` is raised.
        """
        form = {"thread_id": thread_id, "message": content, "tmp_id": tmp_id, **fields}
        return Call(an(Message), form=form, cached=True)

    @MESSAGE.call_known_by(GUESS)
    def start_conversation(self, user_id: str, content: str) -> Call[Message]:
        """Write to a user without a conversation. (`get_user_thread` first is surer known.)"""
        # One client sends `content` here and says elsewhere that the site reads `message`.
        form = {"recipient_id": user_id, "content": content, "message": content}
        return Call(an(Message), form=form, cached=True)

    @MESSAGE.call
    def send_gif(self, thread_id: str, gif_url: str, tmp_id: str | None = None) -> Call[Message]:
        """Send a GIF, by its URL, in a conversation."""
        form = {
            "thread_id": thread_id,
            "attachment_type": "gif",
            "tmp_id": tmp_id or new_tmp_id(),
            "gif_attachment_url": gif_url,
        }
        return Call(an(Message), form=form, cached=True)

    @MESSAGE.call_known_by(SINGLE)
    def send_message_correction(
        self, thread_id: str, message: str, attachment_id: str, tmp_id: str | None = None
    ) -> Call[Message]:
        """Correct the message *attachment_id* of a conversation: *message* is how it should be."""
        form = {
            "thread_id": thread_id,
            "message": message,
            "attachment_type": "correction",
            "attachment_id": attachment_id,
            "tmp_id": tmp_id or new_tmp_id(),
        }
        return Call(an(Message), form=form, cached=True)

    @MESSAGE.call_known_by(SINGLE)
    def send_photo(self, thread_id: str, photo_id: str, tmp_id: str | None = None) -> Call[Message]:
        """Send a photo of the account's in a conversation. `send_photo_message` uploads one."""
        form = {
            "thread_id": thread_id,
            "attachment_type": "photo",
            "attachment_id": photo_id,
            "tmp_id": tmp_id or new_tmp_id(),
        }
        return Call(an(Message), form=form, cached=True)

    @DELETE_MESSAGE.call
    def delete_message(self, message_id: str, thread_id: str | None = None) -> Call[Reply | None]:
        """Delete a message, of the conversation where one is given."""
        query = {"thread_id": thread_id}
        return Call(acknowledged, path={"message_id": message_id}, query=query)

    @VIEWED.call
    def mark_thread_viewed(
        self, thread_id: str, message_id: str | None = None
    ) -> Call[Reply | None]:
        """Mark a conversation as read, up to a message where one is given."""
        form = None if message_id is None else {"message_id": message_id}
        return Call(acknowledged, path={"thread_id": thread_id}, form=form)

    @VIEWED.call
    def read_message(self, thread_id: str, message_id: str) -> Call[Reply | None]:
        """Mark a conversation as read up to a message."""
        return Call(acknowledged, path={"thread_id": thread_id}, form={"message_id": message_id})

    @TYPING.call
    def set_typing(self, thread_id: str, typing: bool = True) -> Call[Reply | None]:
        """Show, or no longer show, that the account is typing."""
        form = {"typing": bool(typing), "delay": TYPING_DELAY if typing else None}
        return Call(acknowledged, path={"thread_id": thread_id}, form=form)

    @COUNTERS.call
    def get_unread_count(self) -> Call[int]:
        """How many messages the account has not read."""
        return Call(a_number("unread_messages", "messages"))

    @DELETE_THREAD.call
    def delete_thread(self, thread_id: str) -> Call[Reply | None]:
        """Delete a conversation."""
        return Call(acknowledged, path={"thread_id": thread_id})

    @ARCHIVE.call
    def archive_thread(self, thread_id: str) -> Call[Reply | None]:
        """Put a conversation into the archive."""
        return Call(acknowledged, path={"thread_id": thread_id})

    @UNARCHIVE.call
    def unarchive_thread(self, thread_id: str) -> Call[Reply | None]:
        """Take a conversation out of the archive."""
        return Call(acknowledged, path={"thread_id": thread_id})


def new_tmp_id() -> str:
    """Four characters of a-z0-9, by which the server's echo of a message is known."""
    import random

    return "".join(random.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=4))  # noqa: S311


class Messages(MessageCalls, Topic[C]):
    """`client.messages`."""

"""The frames that the sandbox sends, as they were recorded in 2026: which user hears what.

`World` leaves them in its outbox, each with the id of the user it is for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interpal.sandbox.data import World
    from interpal.sandbox.values import Json

_MESSAGE = ("id", "thread_id", "sender_id", "message", "created", "fake_id", "tmp_id")


def of_message(world: World, thread: Json, message: Json) -> list[tuple[str, Json]]:
    """A new message: news for the other side; whoever wrote it is kept in step."""
    return [
        (uid, sync(world, thread, message, uid) if uid == message["sender_id"] else
         news(world, thread, message, uid))
        for uid in thread["new"]
    ]  # fmt: skip


def news(world: World, thread: Json, message: Json, viewer: str) -> Json:
    """`THREAD_NEW_MESSAGE`: a message of the other side."""
    return {
        "type": "THREAD_NEW_MESSAGE",
        "data": _data(message),
        "sender": world.summary(message["sender_id"]),
        "counters": counters(world, viewer),
        "click_url": _click_url(thread),
    }


def sync(world: World, thread: Json, message: Json, viewer: str) -> Json:
    """`THREAD_SYNC_MESSAGE`: one's own message, or the last one when the socket opens."""
    return {
        "type": "THREAD_SYNC_MESSAGE",
        "data": _data(message),
        "contact": world.summary(other_side(thread, viewer)),
        "click_url": _click_url(thread),
    }


def of_typing(world: World, thread: Json, viewer: str) -> list[tuple[str, Json]]:
    """`THREAD_TYPING`, for the other side."""
    frame = {
        "type": "THREAD_TYPING",
        "sender": world.summary(viewer),
        "data": {"thread_id": thread["id"]},
    }
    return [(other_side(thread, viewer), frame)]


def of_viewing(world: World, thread: Json, viewer: str) -> list[tuple[str, Json]]:
    """`THREAD_VIEWED` for the other side, and what is left unread for who has read."""
    unread = {"id": "new_messages", "value": counters(world, viewer)["new_messages"]}
    seen = {
        "type": "THREAD_VIEWED",
        "sender": world.summary(viewer),
        "data": {"thread_id": thread["id"]},
    }
    return [
        (other_side(thread, viewer), seen),
        (viewer, {"type": "COUNTER_UPDATE", "entity": unread}),
    ]


def of_profile_view(world: World, viewer: str, uid: str) -> list[tuple[str, Json]]:
    """`PROFILE_VIEW`, for whose profile it is."""
    frame = {
        "type": "PROFILE_VIEW",
        "sender": world.summary(viewer),
        "counters": counters(world, uid),
        "click_url": "/app/views",
    }
    return [(uid, frame)]


def counters(world: World, viewer: str) -> dict[str, Any]:
    """What is new for a user."""
    mine = world.threads_of(viewer)
    return {
        "new_messages": sum(thread["new"][viewer] for thread in mine),
        "unread_threads": sum(thread["new"][viewer] > 0 for thread in mine),
        "total_threads": len(mine),
        "new_notifications": 0,
        "new_friend_requests": 0,
        "new_views": world.views[viewer],
    }


def other_side(thread: Json, viewer: str) -> str:
    """The id of the other one of two."""
    return str(next(uid for uid in thread["new"] if uid != viewer))


def _data(message: Json) -> Json:
    return {name: message[name] for name in _MESSAGE}


def _click_url(thread: Json) -> str:
    return f"/app/messages?thread_id={thread['id']}"

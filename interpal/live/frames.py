"""The frames of the WebSocket as events, without a network.

A frame is a JSON object with a `type`. Field names are those of frames recorded in 2026
(docs/live.md says how surely each is known); an event is the frame itself, a reply like those of
the API (`interpal.api.replies`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from interpal.api.replies import (
    CounterUpdateEvent,
    ProfileViewEvent,
    Reply,
    ThreadNewMessageEvent,
    ThreadSyncMessageEvent,
    ThreadTypingEvent,
    ThreadViewedEvent,
    UnknownEvent,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

# Without the search for blanks around the value, which no frame has.
_raw_decode = json.JSONDecoder().raw_decode

NEW_MESSAGE = "THREAD_NEW_MESSAGE"
SYNC_MESSAGE = "THREAD_SYNC_MESSAGE"

CLASSES: Mapping[str, type[Reply]] = {
    NEW_MESSAGE: ThreadNewMessageEvent,
    SYNC_MESSAGE: ThreadSyncMessageEvent,
    "THREAD_TYPING": ThreadTypingEvent,
    "THREAD_VIEWED": ThreadViewedEvent,
    "COUNTER_UPDATE": CounterUpdateEvent,
    "PROFILE_VIEW": ProfileViewEvent,
}

# What a handler is called for each type, beside `on_` and the type in small letters.
NAMES: Mapping[str, tuple[str, ...]] = {
    NEW_MESSAGE: ("on_message",),
    SYNC_MESSAGE: ("on_sync_message",),
    "THREAD_TYPING": ("on_typing",),
    "THREAD_VIEWED": ("on_viewed",),
    "COUNTER_UPDATE": ("on_notification",),
    "notification": (),
    "PROFILE_VIEW": (),
    "status": ("on_status_change",),
    "user_online": (),
    "user_offline": (),
}


def handler_names(kind: str) -> tuple[str, ...]:
    """The names of the handlers that hear of a frame of this type."""
    return (*NAMES.get(kind, ()), f"on_{kind.lower()}")


def read_frame(text: str) -> Reply | None:
    """The event of a text frame; None for what is no JSON object with a `type`."""
    try:
        frame, end = _raw_decode(text)
        if end != len(text):
            frame = json.loads(text)
    except (ValueError, RecursionError):
        # Blanks before the value, or no JSON.
        frame = _read_slowly(text)
    if type(frame) is not dict:
        return None
    kind = frame.get("type")
    if type(kind) is not str:
        return None
    found = CLASSES.get(kind, UnknownEvent)
    event = found.__new__(found)
    # What is inside becomes a reply when it is asked for: most handlers look at one thing or two.
    event.update(frame)
    return event


def _read_slowly(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

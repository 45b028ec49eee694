"""From text to events, without a network."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpal import models
from interpal.live.frames import CLASSES, handler_names, read_frame

MESSAGE = {
    "type": "THREAD_NEW_MESSAGE",
    "data": {
        "id": "1900000000000000013",
        "thread_id": "1800000000000000001",
        "sender_id": "1700000000000000002",
        "message": "Hello again",
        "created": "2026-11-22T08:00:00Z",
    },
    "sender": {
        "id": "1700000000000000002",
        "username": "pedro_k",
        "name": "Pedro",
        "is_online": True,
        "avatar": {"url": "http://127.0.0.1/1.jpg", "thumb_small": "http://127.0.0.1/1s.jpg"},
    },
    "counters": {"new_messages": 1, "unread_threads": 1},
    "click_url": "/app/messages?thread_id=1800000000000000001",
    "novelty": {"of": ["later"]},
}


def event(frame: object) -> Any:
    found = read_frame(json.dumps(frame))
    assert found is not None
    return found


def test_members_of_a_message_are_attributes_and_items() -> None:
    message = event(MESSAGE)
    assert type(message).__name__ == "ThreadNewMessageEvent"
    assert isinstance(event(MESSAGE), models.ThreadNewMessageEvent)
    assert message == MESSAGE
    assert message.sender.name == message["sender"]["name"] == "Pedro"
    assert message["sender"]["username"] == message.sender.username
    assert message.data.message == message.message == "Hello again"
    assert message.message_id == message.data.id == "1900000000000000013"
    assert message.thread_id == "1800000000000000001"
    assert message.counters.unread_threads == 1
    assert message.counters.new_views == 0
    assert message.novelty == {"of": ["later"]}
    assert message.recovered is False
    assert message.get("sender", {}).get("name") == "Pedro"
    assert message.to_dict()["sender"]["username"] == "pedro_k"
    assert json.loads(message.to_json())["data"]["message"] == "Hello again"
    assert message._data == MESSAGE


def test_the_names_of_1_2_0_lead_to_the_members_of_2026() -> None:
    sender = event(MESSAGE).sender
    assert sender.is_online is True
    assert sender.avatar_url == "http://127.0.0.1/1.jpg"
    assert sender.avatar_thumb_small == "http://127.0.0.1/1s.jpg"
    assert sender.avatar_thumb_large is None
    assert models.User({"avatar": "http://127.0.0.1/2.jpg"}).avatar_url == "http://127.0.0.1/2.jpg"
    assert models.User({"avatar": "http://127.0.0.1/2.jpg"}).avatar_thumb_small is None

    typing = event({"type": "THREAD_TYPING", "sender": {"id": "2"}, "data": {"thread_id": "8"}})
    assert (typing.user.id, typing.user_id, typing.thread_id, typing.is_typing) == (
        "2", "2", "8", True,
    )  # fmt: skip
    view = event({"type": "PROFILE_VIEW", "sender": {"id": "2"}})
    assert (view.viewer.id, view.viewer_id, view.counters.new_views) == ("2", "2", 0)
    counter = event({"type": "COUNTER_UPDATE", "entity": {"id": "new_views", "value": 3}})
    assert (counter.counters.new_views, counter.counters.new_messages) == (3, 0)
    older = event({"type": "COUNTER_UPDATE", "counters": {"new_notifications": 2}})
    assert older.counters.new_notifications == 2


def test_what_was_not_sent_is_none_and_what_is_unknown_an_error() -> None:
    bare = event({"type": "THREAD_NEW_MESSAGE"})
    assert bare.sender is bare.click_url is bare.message is bare.thread_id is None
    assert bare.counters.new_messages == 0
    assert "counters" not in bare
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        bare.nothing_of_the_kind  # noqa: B018


@pytest.mark.parametrize(
    "text",
    ["", "no JSON", "[]", "null", "{}", '{"type": 1}', '{"type": "x"', "[" * 100_000, '"type"'],
    ids=lambda text: text[:12] or "empty",
)
def test_what_is_no_frame_is_none(text: str) -> None:
    assert read_frame(text) is None


def test_blanks_around_a_frame_do_not_matter() -> None:
    assert read_frame(f" \n{json.dumps(MESSAGE)} \r\n") == MESSAGE
    assert read_frame(json.dumps(MESSAGE) + "x") is None


@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=10,
        ),
    ),
    st.sampled_from([*CLASSES, "status", "something_new"]),
)
def test_any_object_with_a_type_is_an_event_of_the_same_members(
    members: dict[str, object], kind: str
) -> None:
    frame = {**members, "type": kind}
    found = event(frame)
    assert found == frame
    for name in (*frame, "counters", "message", "thread_id", "user_id", "viewer_id"):
        if name in frame and not name.startswith("__"):
            getattr(found, name)


def test_the_names_of_handlers() -> None:
    assert handler_names("THREAD_NEW_MESSAGE") == ("on_message", "on_thread_new_message")
    assert handler_names("THREAD_SYNC_MESSAGE")[0] == "on_sync_message"
    assert handler_names("COUNTER_UPDATE") == ("on_notification", "on_counter_update")
    assert handler_names("notification") == ("on_notification",)
    assert handler_names("user_online") == ("on_user_online",)
    assert handler_names("status") == ("on_status_change", "on_status")
    assert handler_names("SOMETHING_NEW") == ("on_something_new",)

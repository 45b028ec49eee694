"""Replies are dicts whose members are attributes too."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import datetime, timezone
from typing import Any

import pytest

from interpal import models
from interpal.api import replies
from interpal.api.replies import Derived, Member, Nested, Profile, Reply, Thread

AT = datetime(2026, 11, 22, 7, 0, tzinfo=timezone.utc)
KINDS = [
    kind
    for kind in vars(replies).values()
    if isinstance(kind, type) and issubclass(kind, Reply) and kind is not Reply
]


def test_a_member_is_an_attribute_too() -> None:
    profile = Profile({"id": "1", "name": "Runa", "odd": {"a": 1}})
    assert profile.name == profile["name"] == "Runa"
    assert profile == {"id": "1", "name": "Runa", "odd": {"a": 1}}
    assert getattr(profile, "odd") == {"a": 1}  # noqa: B009  (no checker knows it)
    assert isinstance(profile, dict)


def test_what_the_site_did_not_send_is_none_and_any_other_name_an_error() -> None:
    profile = Profile({"id": "1"})
    assert profile.bio is None
    assert profile.avatar_url is None
    assert profile.last_login is None
    assert profile.relation is None
    with pytest.raises(AttributeError, match="a Profile has no member 'nmae'"):
        getattr(profile, "nmae")  # noqa: B009  (no checker would let it pass)
    with pytest.raises(KeyError):
        profile["bio"]


def test_setting_an_attribute_sets_the_member() -> None:
    message = models.Message({"id": "1", "message": "Hei"})
    message.content = "Ho"
    # Under each name that it was sent with, so that no two of them differ.
    assert (message.content, message["content"], message["message"]) == ("Ho", "Ho", "Ho")
    message.content = None
    assert message.content is None
    setattr(message, "seen", True)  # noqa: B010  (no checker knows it)
    assert message["seen"] is True
    message.created = AT
    assert json.loads(message.to_json())["created"] == "2026-11-22T07:00:00Z"
    for name in ("items", "to_dict", "_data", "__class__"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(message, name, 1)
    with pytest.raises(AttributeError):
        replies.ThreadNewMessageEvent({"data": {}}).thread_id = "1"  # type: ignore[misc]


def test_counts_flags_and_lists_that_were_not_sent_are_empty() -> None:
    thread = Thread({"id": "1"})
    assert (thread.unread_count, thread.participants, thread.last_message) == (0, [], None)
    assert Profile({"id": "1"}).is_online is False


@pytest.mark.parametrize("name", [name for name in dir(dict) if not name.startswith("__")])
def test_a_member_called_like_a_method_is_reached_by_brackets_only(name: str) -> None:
    reply = Reply({name: 7})
    assert reply[name] == 7
    assert callable(getattr(reply, name))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_declared_name_hides_a_method_of_dict(kind: type[Reply]) -> None:
    for owner in kind.__mro__:
        for name, member in vars(owner).items():
            if isinstance(member, (Member, Derived)):
                assert not hasattr(dict, name), name


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_attribute_can_be_asked_of_an_empty_reply_and_of_a_strange_one(
    kind: type[Reply],
) -> None:
    names = [n for n in dir(kind) if isinstance(vars_of(kind).get(n), (Member, Derived, property))]
    strange: list[Any] = [None, "text", 7, -1.5, True, [], ["a", None], {}, {"id": {}}]
    for value in strange:
        reply = kind(dict.fromkeys([*names, "id", "user", "data", "payload"], value))
        for name in names:
            getattr(reply, name)
        json.loads(reply.to_json())
    for name in names:
        assert getattr(kind(), name) in (None, 0, False, [], {}, True)


def vars_of(kind: type) -> dict[str, Any]:
    return {name: value for base in reversed(kind.__mro__) for name, value in vars(base).items()}


def test_a_member_is_found_under_the_names_of_1_x() -> None:
    message = models.Message({"id": 5, "message": "Hei", "created": "2026-11-22T07:00:00Z"})
    assert (message.id, message.content, message.timestamp) == ("5", "Hei", AT)
    assert message["id"] == 5
    user = models.User(
        {"user_id": "3", "sex": "female", "avatar": {"url": "u", "thumb_small": "s"}}
    )
    assert (user.id, user.gender, user.avatar_url, user.avatar_thumb_small) == (
        *("3", "female", "u", "s"),
    )
    assert models.User({"avatar": "text.jpg"}).avatar_url == "text.jpg"
    thread = Thread({"id": "1", "user": {"id": "2", "name": "Pedro"}, "new": 3, "total": 9})
    assert [person.name for person in thread.participants] == ["Pedro"]
    assert (thread.unread_count, thread.new_count, thread.total_count) == (3, 3, 9)
    upload = models.PhotoUploadStatus({"status": "success", "payload": {"id": "8", "aid": "9"}})
    assert (upload.photo_id, upload.album_id) == ("8", "9")
    post = models.Post({"message": "Hi", "likes_comments": {"likes": 2, "user_liked": True}})
    assert (post.content, post.likes_count, post.is_liked) == ("Hi", 2, True)


@pytest.mark.parametrize(
    "sent",
    ["2026-11-22T07:00:00Z", "2026-11-22T08:00:00+01:00", "2026-11-22 07:00:00", AT.timestamp()],
)
def test_a_time_is_aware_and_in_utc(sent: object) -> None:
    assert models.Trip({"created": sent}).created_at == AT
    assert models.Trip({"created": "soon"}).created_at is None


def test_the_frames_of_2026_are_read() -> None:
    typing = models.ThreadTypingEvent(
        {"type": "THREAD_TYPING", "sender": {"id": "2", "name": "Pedro"}, "data": {"thread_id": 1}}
    )
    assert (typing.thread_id, typing.user_id, typing.is_typing) == ("1", "2", True)
    assert typing.user is not None
    assert typing.user.name == "Pedro"
    update = models.CounterUpdateEvent({"entity": {"id": "new_messages", "value": 4}})
    assert update.counters.new_messages == 4
    event = models.ThreadNewMessageEvent({"data": {"id": "9", "thread_id": "1", "message": "Hi"}})
    assert (event.message_id, event.thread_id, event.message) == ("9", "1", "Hi")


def test_a_reply_is_copied_pickled_and_made_plain() -> None:
    thread = Thread({"id": "1", "user": {"id": "2"}, "created": "2026-11-22T07:00:00Z"})
    for twin in (copy.copy(thread), copy.deepcopy(thread), pickle.loads(pickle.dumps(thread))):
        assert twin == thread
        assert type(twin) is Thread
        assert type(twin["user"]) is models.User
    plain = thread.to_dict()
    assert type(plain) is dict
    assert type(plain["user"]) is dict
    assert plain["created_at"] == AT
    assert json.loads(thread.to_json(indent=2))["created_at"] == "2026-11-22T07:00:00Z"
    assert thread._data == {**thread}


def test_the_models_of_1_x_are_importable_and_made_as_there() -> None:
    assert len(models.__all__) == 27
    assert models.User(state=None, data={"id": "1"}).id == "1"
    assert models.BaseModel is Reply


def test_nested_replies_know_their_kind() -> None:
    assert isinstance(Thread.user, Nested)
    assert Thread.user.kind is models.User

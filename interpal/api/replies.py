"""The shapes of the site's replies, as far as they are known.

They are plain dicts: a member that is not named here is kept, and one that is named here may
be missing, but for the ids, and the names of users. Ids are digits as text (they pass 2^53);
times are RFC 3339 text.
"""

from __future__ import annotations

from typing import Any, TypedDict


class Avatar(TypedDict, total=False):
    """Where the pictures of a user are."""

    url: str
    thumb_small: str
    thumb_medium: str
    thumb_large: str


class Identified(TypedDict):
    """What everything has."""

    id: str


class Named(Identified):
    """What every user has."""

    username: str
    name: str


class User(Named, total=False):
    """A user as lists show one."""

    age: int
    sex: str
    country: str
    country_code: str
    home_country_code: str
    city: str
    birthday: str
    avatar: Avatar | str
    is_online: bool
    last_login: str
    mod_status: str
    status: str
    relation: dict[str, Any]


class Profile(User, total=False):
    """A user in full."""

    about: dict[str, Any]
    bio: str
    languages: list[Any]
    lfor: dict[str, Any]
    profile_photos: dict[str, Any]
    can_contact: bool


class Thread(Identified, total=False):
    """A conversation with one other user."""

    uid: str
    target_id: str
    user: User
    total: int
    new: int
    last_msg_id: str
    last_msg_sender_id: str
    last_msg_type: str
    last_msg_datetime: str
    target_last_read_msg_id: str
    created: str


class Message(Identified, total=False):
    """One message of a thread."""

    thread_id: str
    sender_id: str
    message: str
    created: str
    fake_id: str
    tmp_id: str
    attachments: list[dict[str, Any]]


class Post(Identified, total=False):
    """One entry of a feed."""

    message: str
    post_type: str
    poster_uid: str
    feed_owner_id: str
    user: User
    feed_owner: User
    created: str
    modified: str
    photos: list[dict[str, Any]]
    likes_comments: dict[str, Any]
    language: str


class Notification(Identified, total=False):
    """One notification; the names are the least sure of all."""

    type: str
    title: str
    message: str
    actor: User
    actor_id: str
    read: bool
    action_url: str
    created_at: str

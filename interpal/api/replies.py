"""The replies of the site: dicts whose members are attributes too.

`profile["name"]` is what the site sent; `profile.name` is the same where the member is declared
here, and reads a few things more kindly: it looks under the other names that clients know a
member by, a time is an aware `datetime` in UTC, an id is text, and a nested object is a reply of
its own. What is declared and was not sent is None, a count 0, a flag False, a list empty.
Members that are not declared are kept, and are attributes as well. Any other name is an
`AttributeError`. A member that is called like a method of dict (`items`) is reached by `[…]` only.
Setting an attribute sets the member, under each name that it was sent with.

The names of members and their aliases are those of the models of interpal 1.x (docs/replies.md).
Ids are digits as text (they pass 2^53); times are RFC 3339 text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")
R = TypeVar("R", bound="Reply")

# Makes the reply of a kind out of a JSON object: a new one, or one that a cache has.
Make = Callable[["type[Any]", "dict[str, Any]"], Any]


class Member(Generic[T]):
    """A declared member of a reply, as an attribute: its names, the first one sent counting."""

    __slots__ = ("_missing", "_names", "_others", "_read")

    def __init__(
        self,
        others: tuple[str, ...],
        read: Callable[[Any], T | None],
        missing: Callable[[], Any] | None = None,
    ) -> None:
        self._others = others
        self._names = others
        self._read = read
        self._missing = missing

    def __set_name__(self, owner: type[Reply], name: str) -> None:
        self._names = (name, *self._others)

    @overload
    def __get__(self, reply: None, owner: type) -> Self: ...
    @overload
    def __get__(self, reply: Reply, owner: type) -> T: ...
    def __get__(self, reply: Reply | None, owner: type) -> Any:
        if reply is None:
            return self
        for name in self._names:
            value = reply.get(name)
            if value is not None:
                value = self._read(value)
                if value is not None:
                    return value
        return None if self._missing is None else self._missing()

    def __set__(self, reply: Reply, value: T | None) -> None:
        name, *others = self._names
        for sent in (name, *(other for other in others if other in reply)):
            reply[sent] = value

    @property
    def names(self) -> tuple[str, ...]:
        """The members that it is read from, in order."""
        return self._names


class Nested(Member[T]):
    """A member that is an object of its own, or a list of them."""

    __slots__ = ("_kind",)

    def __init__(
        self,
        kind: Callable[[], type[Reply]],
        others: tuple[str, ...],
        read: Callable[[Any], T | None],
        missing: Callable[[], Any] | None = None,
    ) -> None:
        super().__init__(others, read, missing)
        self._kind = kind

    @property
    def kind(self) -> type[Reply]:
        """What it is made into."""
        return self._kind()


class Derived(Generic[T]):
    """An attribute that is worked out of several members."""

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[Any], T]) -> None:
        self._read = read

    @overload
    def __get__(self, reply: None, owner: type) -> Self: ...
    @overload
    def __get__(self, reply: Reply, owner: type) -> T: ...
    def __get__(self, reply: Reply | None, owner: type) -> Any:
        return self if reply is None else self._read(reply)


def build(kind: type[R], members: Mapping[str, Any]) -> R:
    """A new reply of a kind."""
    return kind(members)


class Reply(dict[str, Any]):
    """A JSON object of the site, its members also attributes. `interpal.models.BaseModel`."""

    __slots__ = ("__weakref__",)

    _nested: ClassVar[Mapping[str, Nested[Any]]] = {}
    _declared: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        nested: dict[str, Nested[Any]] = {}
        declared: dict[str, None] = {}
        for base in reversed(cls.__mro__):
            for name, member in vars(base).items():
                if isinstance(member, (Member, Derived)):
                    declared[name] = None
                if isinstance(member, Nested):
                    nested.update(dict.fromkeys(member.names, member))
        cls._nested, cls._declared = nested, tuple(declared)

    def __init__(
        self,
        members: Mapping[str, Any] | None = None,
        /,
        *,
        data: Mapping[str, Any] | None = None,
        state: object = None,
        make: Make = build,
    ) -> None:
        """Of *members*, or of *data* as in interpal 1.x, whose *state* is not needed here.

        *make* makes the replies that are nested in it.
        """
        del state
        super().__init__()
        self.take(members if members is not None else data or {}, make)

    def take(self, members: Mapping[str, Any], make: Make = build) -> None:
        """Add members, as the constructor does; those that are there are replaced."""
        nested = self._nested
        for name, value in members.items():
            self[name] = _wrapped(nested[name].kind, value, make) if name in nested else value

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            # What is not declared, but was sent.
            if not name.startswith("__") and name in self:
                return self[name]
            raise AttributeError(
                f"a {type(self).__name__} has no member {name!r}; the site sent "
                f"{', '.join(sorted(map(str, self))) or 'none'}"
            )

        def __setattr__(self, name: str, value: Any) -> None:
            # What the class has sets itself, or refuses.
            if name.startswith("_") or hasattr(type(self), name):
                super().__setattr__(name, value)
            else:
                self[name] = value

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *filter(str.isidentifier, self)})

    @property
    def _data(self) -> dict[str, Any]:
        """The members as plain dicts and lists, under their name of interpal 1.x."""
        return {name: _plain(value) for name, value in self.items()}

    def to_dict(self) -> dict[str, Any]:
        """A plain dict of the declared attributes, with their values, and the other members."""
        return {
            **self._data,
            **{name: _plain(getattr(self, name), deep=True) for name in self._declared},
        }

    def to_json(self, indent: int | None = None) -> str:
        """`to_dict()` as JSON; times are RFC 3339 text."""
        import json

        return json.dumps(self.to_dict(), indent=indent, default=_time_text)


def _wrapped(kind: type[Reply], value: Any, make: Make) -> Any:
    if isinstance(value, dict):
        return value if isinstance(value, kind) else make(kind, value)
    if isinstance(value, list):
        return [_wrapped(kind, item, make) for item in value]
    return value


def _plain(value: Any, *, deep: bool = False) -> Any:
    if isinstance(value, Reply):
        return value.to_dict() if deep else value._data  # noqa: SLF001  (a reply itself)
    if isinstance(value, list):
        return [_plain(item, deep=deep) for item in value]
    return value


def _time_text(value: object) -> str:
    from interpal.session import to_text

    return to_text(value) if isinstance(value, datetime) else str(value)


# How a member is read.


def _as_sent(value: Any) -> Any:
    return value


def _id_text(value: Any) -> str | None:
    return str(value) if isinstance(value, (str, int)) and value != "" else None


def read_time(value: Any) -> datetime | None:
    """RFC 3339 text, a date, or seconds since 1970 (or milliseconds); without an offset in UTC."""
    from interpal.vault.format.legacy_file import loose_time

    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    return loose_time(value, timezone.utc)


def text(*others: str) -> Member[str | None]:
    """Text."""
    return Member(others, _as_sent)


def ident(*others: str) -> Member[str]:
    """The id of the object itself: every reply of its kind has one."""
    return Member(others, _id_text)


def other_id(*others: str) -> Member[str | None]:
    """The id of something else."""
    return Member(others, _id_text)


def number(*others: str) -> Member[int | None]:
    """A whole number that may be unknown, such as an age."""
    return Member(others, _as_sent)


def fraction(*others: str) -> Member[float | None]:
    """A number that may be unknown, such as a latitude."""
    return Member(others, _as_sent)


def count(*others: str) -> Member[int]:
    """How many; 0 where nothing is said."""
    return Member(others, _as_sent, int)


def flag(*others: str) -> Member[bool]:
    """Whether; False where nothing is said."""
    return Member(others, _as_sent, bool)


def choice(*others: str) -> Member[bool | None]:
    """Whether; None where nothing is said."""
    return Member(others, _as_sent)


def moment(*others: str) -> Member[datetime | None]:
    """A time."""
    return Member(others, read_time)


def anything(*others: str) -> Member[Any]:
    """Whatever it is."""
    return Member(others, _as_sent)


def some(*others: str) -> Member[dict[str, Any] | None]:
    """An object whose members are not declared."""
    return Member(others, lambda value: value if isinstance(value, dict) else None)


def values(*others: str) -> Member[list[Any]]:
    """A list of anything; empty where nothing is said."""
    return Member(others, lambda value: value if isinstance(value, list) else None, list)


def one(kind: Callable[[], type[R]], *others: str) -> Member[R | None]:
    """An object."""

    def read(value: Any) -> R | None:
        return _wrapped(kind(), value, build) if isinstance(value, dict) else None

    return Nested(kind, others, read)


def several(kind: Callable[[], type[R]], *others: str) -> Member[list[R]]:
    """A list of objects; empty where nothing is said."""

    def read(value: Any) -> list[R] | None:
        return _wrapped(kind(), value, build) if isinstance(value, list) else None

    return Nested(kind, others, read, list)


# Users.


class Avatar(Reply):
    """Where the pictures of a user are."""

    __slots__ = ()

    url = text()
    thumb_small = text()
    thumb_medium = text()
    thumb_large = text()


class UserRelation(Reply):
    """How the account and a user stand to each other (`extra="relation"`)."""

    __slots__ = ()

    uid = other_id()
    target_id = other_id()
    friend_status = text()
    user_blocks_target = flag()
    target_blocks_user = flag()
    modified = moment()
    created = moment()


def _picture(user: User, size: str, *others: str) -> str | None:
    avatar = user.get("avatar")
    if isinstance(avatar, dict):
        return avatar.get(size)
    sent = (user.get(name) for name in others)
    return next((url for url in sent if url is not None), avatar if others else None)


class User(Reply):
    """A user as lists show one."""

    __slots__ = ()

    id = ident("user_id")
    username: Member[str] = Member((), _as_sent)
    name: Member[str] = Member(("display_name",), _as_sent)
    age = number()
    gender = text("sex")
    sex = text("gender")
    country = text()
    country_code = text()
    home_country_code = text()
    city = text()
    birthday = text()
    avatar: Member[Avatar | str | None] = Nested(lambda: Avatar, (), _as_sent)
    avatar_url = Derived(lambda user: _picture(user, "url", "avatar_url", "profile_picture"))
    avatar_thumb_small = Derived(lambda user: _picture(user, "thumb_small"))
    avatar_thumb_medium = Derived(lambda user: _picture(user, "thumb_medium"))
    avatar_thumb_large = Derived(lambda user: _picture(user, "thumb_large"))
    is_online = flag("online")
    last_active = moment()
    last_login = moment()
    mod_status = text()
    status = text()
    relation = one(lambda: UserRelation)


class ProfilePhotos(Reply):
    """The album of pictures of oneself, and the pictures (`extra="profile_photos.avatars"`)."""

    __slots__ = ()

    album = one(lambda: Album)
    avatars = several(lambda: Photo)


class Profile(User):
    """A user in full."""

    __slots__ = ()

    bio = anything("about")
    about = some()
    interests = values()
    languages = values()
    looking_for = text()
    lfor = some()
    location = some()
    relationship_status = text()
    education_level = text()
    occupation = text()
    height = number()
    ethnicity = text()
    religion = text()
    zodiac = text()
    smoking = text()
    drinking = text()
    children = text()
    latitude = fraction()
    longitude = fraction()
    verified = flag()
    created_at = moment("created")
    profile_photos = one(lambda: ProfilePhotos)
    profile_photos_album: Derived[Album | None] = Derived(
        lambda profile: profile.profile_photos and profile.profile_photos.album
    )
    profile_photos_avatars: Derived[list[Photo]] = Derived(
        lambda profile: profile.profile_photos.avatars if profile.profile_photos else []
    )
    newest_photo = one(lambda: Photo)
    match_settings = some()
    permissions = some()
    can_contact = anything()


class UserSettings(Reply):
    """The settings of the account. What the site did not send is None: it is not known."""

    __slots__ = ()

    email = text()
    email_notifications = choice()
    push_notifications = choice()
    message_notifications = choice()
    privacy_level = text()
    show_online_status = choice("show_online")
    allow_friend_requests = choice()
    language = text()
    timezone = text()


class UserCounters(Reply):
    """How many of each the account has."""

    __slots__ = ()

    messages = count("message_count")
    unread_messages = count("messages")
    friends = count("friend_count")
    photos = count("photo_count")
    views = count("view_count")
    likes = count("like_count")
    favorites = count("favorite_count")


# Conversations.


class Attachment(Reply):
    """What a message brings with it: a photo, a GIF, a correction."""

    __slots__ = ()

    id = other_id()
    type = text()
    photo = one(lambda: Photo)


class Message(Reply):
    """One message of a conversation."""

    __slots__ = ()

    id = ident("message_id")
    thread_id = other_id()
    sender = one(lambda: User, "from")
    sender_id = other_id("from_id")
    message = text("content", "body", "text")
    content = text("body", "text", "message")
    created = moment("created_at", "timestamp")
    timestamp = moment("created_at", "created")
    read = flag("is_read")
    fake_id = text()
    tmp_id = text()
    attachments = several(lambda: Attachment)


def _participants(thread: Thread) -> list[User]:
    for name in ("participants", "users"):
        people = thread.get(name)
        if isinstance(people, list) and people:
            return [_wrapped(User, person, build) for person in people]
    return [] if thread.user is None else [thread.user]


class Thread(Reply):
    """A conversation with one other user."""

    __slots__ = ()

    id = ident("thread_id")
    uid = other_id()
    target_id = other_id()
    user = one(lambda: User)
    users = several(lambda: User)
    participants: Derived[list[User]] = Derived(_participants)
    last_message = one(lambda: Message, "latest_message")
    total = count("message_total")
    total_count = count("total", "message_total")
    new = count("new_messages")
    new_count = count("new", "new_messages")
    unread_count = count("unread", "new", "new_messages")
    last_msg_id = other_id()
    last_msg_sender_id = other_id()
    last_msg_type = text()
    last_msg_datetime = moment()
    target_last_read_msg_id = other_id()
    created = moment("created_at")
    created_at = moment("created")
    updated_at = moment("updated", "last_msg_datetime")


class TypingIndicator(Reply):
    """Somebody is typing, or no longer."""

    __slots__ = ()

    thread_id = other_id()
    user = one(lambda: User)
    user_id = other_id()
    is_typing = flag("typing")
    timestamp = moment()


# Photos.


def _reactions(photo: Reply, name: str, *others: str) -> int:
    sent = photo.get("likes_comments")
    if isinstance(sent, dict):
        return LikesComments(sent).likes if name == "likes" else LikesComments(sent).comments
    found = (photo.get(other) for other in (name, *others))
    return next((number for number in found if isinstance(number, int)), 0)


class LikesComments(Reply):
    """How many liked and commented."""

    __slots__ = ()

    comments = count()
    likes = count("total_likes")
    likes_like = count()
    likes_adore = count()
    likes_laugh = count()
    likes_wonder = count()
    likes_tears = count()
    likes_anger = count()
    user_liked = flag("userLikes")


class Photo(Reply):
    """A photo."""

    __slots__ = ()

    id = ident("photo_id")
    url = text("image_url")
    thumbnail_url = text("thumb_url", "thumb_medium", "thumb_small", "thumb_large")
    thumb_small = text()
    thumb_medium = text()
    thumb_large = text()
    caption = text("description")
    description = text("caption")
    owner = one(lambda: User, "user")
    owner_id = other_id("user_id", "uid")
    album_id = other_id("aid")
    created = moment("created_at", "upload_date")
    upload_date = moment("created_at", "created")
    width = number()
    height = number()
    hidden = flag()
    likes_comments = one(lambda: LikesComments)
    likes = Derived(lambda photo: _reactions(photo, "likes", "like_count"))
    comments = Derived(lambda photo: _reactions(photo, "comments", "comment_count"))


class Album(Reply):
    """An album of photos."""

    __slots__ = ()

    id = ident("album_id")
    name = text("title")
    title = text("name")
    description = text()
    type = text()
    privacy = text()
    view_acl = text()
    comment_acl = text()
    photos = several(lambda: Photo)
    photo_ids = values()
    photo_count: Derived[int] = Derived(
        lambda album: album.get("photo_count", len(album.photos) or len(album.photo_ids))
    )
    cover = one(lambda: Photo)
    album_cover_id = other_id()
    owner = one(lambda: User, "user")
    owner_id = other_id("user_id", "uid")
    can_comment = choice()
    profile_photos = flag("is_profile_album")
    created_at = moment("created")
    updated_at = moment("updated")
    updated = moment("updated_at")


class MediaUpload(Reply):
    """How an upload stands, as an older call gave it."""

    __slots__ = ()

    upload_id = other_id("id")
    status = text()
    progress = fraction()
    url = text()
    error = text()


class PhotoUpload(Reply):
    """The reply to an upload: the token to ask with how it stands."""

    __slots__ = ()

    token = text("upload_token")


class PhotoUploadStatus(Reply):
    """How an upload stands: `status` is `success` once `payload` is the photo."""

    __slots__ = ()

    status = text()
    payload = one(lambda: Photo)
    photo_id: Derived[str | None] = Derived(lambda upload: upload.payload and upload.payload.id)
    user_id: Derived[str | None] = Derived(
        lambda upload: upload.payload and upload.payload.owner_id
    )
    url: Derived[str | None] = Derived(lambda upload: upload.payload and upload.payload.url)
    thumb_small: Derived[str | None] = Derived(
        lambda upload: upload.payload and upload.payload.thumb_small
    )
    thumb_medium: Derived[str | None] = Derived(
        lambda upload: upload.payload and upload.payload.thumb_medium
    )
    thumb_large: Derived[str | None] = Derived(
        lambda upload: upload.payload and upload.payload.thumb_large
    )
    width: Derived[int | None] = Derived(lambda upload: upload.payload and upload.payload.width)
    height: Derived[int | None] = Derived(lambda upload: upload.payload and upload.payload.height)
    created: Derived[datetime | None] = Derived(
        lambda upload: upload.payload and upload.payload.created
    )
    album_id: Derived[str | None] = Derived(
        lambda upload: upload.payload and upload.payload.album_id
    )
    hidden: Derived[bool] = Derived(lambda upload: bool(upload.payload and upload.payload.hidden))
    description: Derived[str | None] = Derived(
        lambda upload: upload.payload and upload.payload.description
    )
    likes: Derived[int] = Derived(lambda upload: upload.payload.likes if upload.payload else 0)
    comments: Derived[int] = Derived(
        lambda upload: upload.payload.comments if upload.payload else 0
    )


# Others.


class Relationship(Reply):
    """A friend, or somebody who is blocked or waits for an answer."""

    __slots__ = ()

    id = ident("relation_id")
    user = one(lambda: User, "profile")
    user_id = other_id("target_id")
    type = text("relation_type", "friend_status")
    created_at = moment("created")


class Bookmark(Reply):
    """A user that the account has bookmarked."""

    __slots__ = ()

    id = ident("bookmark_id")
    user = one(lambda: User, "profile")
    user_id = other_id("target_id")
    note = text()
    created_at = moment("created")


class Like(Reply):
    """Somebody likes something."""

    __slots__ = ()

    id = ident("like_id")
    content_id = other_id()
    content_type = text("type")
    user = one(lambda: User)
    user_id = other_id("uid")
    created_at = moment("created")


class Notification(Reply):
    """One notification; its names are the least sure of all."""

    __slots__ = ()

    id = ident("notification_id")
    type = text("notification_type")
    title = text()
    message = text("body")
    actor = one(lambda: User, "from_user")
    actor_id = other_id("from_id")
    read = flag("is_read")
    action_url = text("url")
    created_at = moment("created")


class Post(Reply):
    """One entry of a feed."""

    __slots__ = ()

    id = ident("post_id")
    message = text("content", "text", "body")
    content = text("message", "text", "body")
    post_type = text("type")
    poster_uid = other_id("uid")
    poster_id = other_id("poster_uid", "uid")
    user_id = other_id("poster_uid", "uid")
    user = one(lambda: User, "author")
    feed_owner_id = other_id("owner_id")
    feed_owner = one(lambda: User)
    privacy = text("view_acl")
    view_acl = text()
    language = text()
    pinned = flag()
    poster_is_group = flag()
    created = moment("created_at", "time")
    created_at = moment("created", "time")
    modified = moment("updated_at", "updated")
    updated_at = moment("updated", "modified")
    photos = several(lambda: Photo)
    photo_ids = values()
    album = one(lambda: Album)
    likes_comments = one(lambda: LikesComments)
    likes_count = Derived(lambda post: _reactions(post, "likes", "likes_count"))
    comments_count = Derived(lambda post: _reactions(post, "comments", "comments_count"))
    is_liked: Derived[bool] = Derived(
        lambda post: (
            post.likes_comments.user_liked
            if post.likes_comments
            else bool(post.get("is_liked", post.get("user_liked", False)))
        )
    )
    can_edit = flag()
    can_delete = flag()


def _replies_count(comment: Comment) -> int:
    sent = comment.get("replies_count")
    if isinstance(sent, int):
        return sent
    replies = comment.get("replies")
    return replies if isinstance(replies, int) else len(comment.replies)


class Comment(Reply):
    """A comment to a post."""

    __slots__ = ()

    id = ident("comment_id")
    post_id = other_id()
    user_id = other_id("uid")
    user = one(lambda: User, "author")
    content = text("message", "text", "body")
    parent_id = other_id()
    created_at = moment("created")
    updated_at = moment("updated")
    likes_count = count("likes")
    replies = several(lambda: Comment)
    replies_count: Derived[int] = Derived(_replies_count)
    is_liked = flag("user_liked")
    can_edit = flag()
    can_delete = flag()


class Trip(Reply):
    """Where somebody travels, and when."""

    __slots__ = ()

    id = ident("trip_id")
    user_id = other_id("uid")
    user = one(lambda: User)
    destination = text()
    country = text()
    city = text()
    start_date = moment()
    end_date = moment()
    description = text("notes")
    created_at = moment("created")
    updated_at = moment("updated")


class View(Reply):
    """Somebody looked at the profile."""

    __slots__ = ()

    id = other_id("view_id")
    user = one(lambda: User, "viewer")
    user_id = other_id("uid", "viewer_id")
    created_at = moment("created", "viewed_at")


# Live events: the frames of the WebSocket, as recorded in 2026.


class EventCounters(Reply):
    """What waits for the account, as a frame reports it."""

    __slots__ = ()

    new_friend_requests = count()
    new_messages = count()
    new_notifications = count()
    new_views = count()
    total_threads = count()
    unread_threads = count()


class MessageEventData(Reply):
    """The message in a frame."""

    __slots__ = ()

    id = ident()
    created = moment()
    thread_id = other_id()
    sender_id = other_id()
    message = text()
    fake_id = text()
    tmp_id = text()


def _counters_of(event: Reply) -> EventCounters:
    counters = event.get("counters")
    return EventCounters(counters if isinstance(counters, dict) else {})


class UnknownEvent(Reply):
    """A frame of a type that nobody has described."""

    __slots__ = ()

    type = text()


class ThreadNewMessageEvent(Reply):
    """The frame THREAD_NEW_MESSAGE: somebody has written.

    `recovered` is True for a message that was found over the API, as the connection was down when
    it was sent.
    """

    __slots__ = ()

    type = text()
    data = one(lambda: MessageEventData)
    sender = one(lambda: User)
    counters: Derived[EventCounters] = Derived(_counters_of)
    click_url = text()
    recovered = flag()

    @property
    def message(self) -> str | None:
        """The text of the message."""
        return self.data.message if self.data else None

    @property
    def message_id(self) -> str | None:
        """The id of the message."""
        return self.data.id if self.data else None

    @property
    def thread_id(self) -> str | None:
        """The id of the conversation."""
        return self.data.thread_id if self.data else None


class ThreadSyncMessageEvent(ThreadNewMessageEvent):
    """The frame THREAD_SYNC_MESSAGE: one's own message, or the last one when the socket opens.

    `contact` is the other side of the conversation. It is no news, and not to be answered.
    """

    __slots__ = ()

    contact = one(lambda: User)


class ThreadViewedEvent(Reply):
    """The frame THREAD_VIEWED: somebody has read what one wrote."""

    __slots__ = ()

    type = text()
    sender = one(lambda: User)
    data = some()
    thread_id: Derived[str | None] = Derived(lambda event: _id_text(_in_data(event, "thread_id")))


def _in_data(event: Reply, name: str) -> Any:
    data = event.get("data")
    found = event.get(name)
    return data.get(name) if found is None and isinstance(data, dict) else found


def _is_typing(event: Reply) -> bool:
    said = _in_data(event, "is_typing")
    said = _in_data(event, "typing") if said is None else said
    return True if said is None else bool(said)


class ThreadTypingEvent(Reply):
    """The frame THREAD_TYPING: somebody is typing."""

    __slots__ = ()

    type = text()
    sender = one(lambda: User, "user")
    user = one(lambda: User, "sender")
    data = some()
    thread_id: Derived[str | None] = Derived(lambda event: _id_text(_in_data(event, "thread_id")))
    user_id: Derived[str | None] = Derived(
        lambda event: _id_text(event.get("user_id")) or (event.user and event.user.id)
    )
    is_typing: Derived[bool] = Derived(_is_typing)


class ProfileViewEvent(Reply):
    """The frame PROFILE_VIEW: somebody looks at the profile."""

    __slots__ = ()

    type = text()
    counters: Derived[EventCounters] = Derived(_counters_of)
    click_url = text()
    sender = one(lambda: User, "viewer")
    viewer = one(lambda: User, "sender")

    @property
    def viewer_id(self) -> str | None:
        """The id of who looks."""
        return self.viewer.id if self.viewer else None


def _counters(event: Reply) -> EventCounters:
    for name in ("counters", "data"):
        sent = event.get(name)
        if isinstance(sent, dict):
            return EventCounters(sent)
    entity = event.get("entity")
    if isinstance(entity, dict) and isinstance(entity.get("id"), str):
        return EventCounters({entity["id"]: entity.get("value")})
    return EventCounters()


class CounterUpdateEvent(Reply):
    """The frame COUNTER_UPDATE: one counter (`entity`, its name as `id`) has a new `value`."""

    __slots__ = ()

    type = text()
    entity = some()
    counters: Derived[EventCounters] = Derived(_counters)

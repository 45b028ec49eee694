"""The invented world of the sandbox: people, threads and messages, in memory and without a network.

Every person, name and message here is made up. Shapes are those of `interpal.api.replies`: ids are
19-digit strings, times are UTC and end in `Z`, lists are bare. A `World` is not thread-safe: the
server holds its lock around every call.
"""

from __future__ import annotations

import collections
import time
from typing import TYPE_CHECKING, NamedTuple

from interpal.sandbox import frames
from interpal.sandbox.content import Content
from interpal.sandbox.values import (
    Fields,
    Json,
    RequestError,
    is_true,
    moment,
    page,
    user_id,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Person(NamedTuple):
    username: str
    name: str
    age: int
    sex: str
    birthday: str
    country_code: str
    city: str
    is_online: bool
    languages: list[str]
    about: str


_PEOPLE = (
    _Person("maple_ink", "Runa", 29, "female", "1997-03-14", "NO", "Bergen", True,
            ["Norwegian", "English"], "Letters, tea, long walks."),
    _Person("pedro_k", "Pedro", 31, "male", "1995-06-02", "PT", "Porto", False,
            ["Portuguese", "Spanish"], "I repair old radios."),
    _Person("lin.m", "Lin", 26, "female", "2000-01-19", "TW", "Tainan", True,
            ["Mandarin", "English"], "Postcards from every port."),
    _Person("amara_w", "Amara", 34, "female", "1992-08-30", "GH", "Kumasi", True,
            ["Twi", "English"], "Teacher of geography."),
    _Person("jonas.b", "Jonas", 42, "male", "1984-11-05", "DE", "Leipzig", False,
            ["German", "French"], "Night trains and maps."),
)  # fmt: skip
_SEEDED_TALK: dict[str, tuple[str, ...]] = {
    "pedro_k": ("Hello from Porto!", "Hello! Still mending radios?", "Did the parcel arrive?"),
    "lin.m": ("I found a card with a lighthouse for you.", "Lovely, thank you, Lin!"),
}
_SEEDED_AT = 1795330800  # 2026-11-22T07:00:00Z
_FIXED_MEMBERS = frozenset({"id", "username", "relation", "auth_token"})
_SUMMARY = (
    "id", "username", "name", "age", "sex", "country_code", "city", "is_online", "last_login",
)  # fmt: skip


class World:
    """People, threads and messages as one server sees them."""

    def __init__(self, usernames: list[str], *, upload_polls: int = 0) -> None:
        self.people: dict[str, Json] = {}
        self.sent: list[Json] = []
        # Frames for the open sockets, each with the id of the user it is for.
        self.outbox: list[tuple[str, Json]] = []
        self.views = collections.Counter[str]()
        self._threads: dict[str, Json] = {}
        self._settings: dict[str, Json] = {}
        self.content = Content(self, upload_polls=upload_polls)
        self._ids = {"thread": 18 * 10**17, "message": 19 * 10**17}
        for person in _PEOPLE:
            self._add(person)
        for username in usernames:
            if user_id(username) not in self.people:
                name = username.capitalize()
                self._add(_PEOPLE[0]._replace(username=username, name=name, about="New here."))
            for friend, lines in _SEEDED_TALK.items():
                self._seed_thread(user_id(username), user_id(friend), lines)

    # people

    def profile(self, uid: str, viewer: str | None = None, extra: str = "") -> Json:
        """Return the bare profile object, with a `relation` where `extra` asks for one."""
        if uid == "self" and viewer is not None:
            uid = viewer
        if uid not in self.people:
            raise RequestError(404, "No such user")
        profile = dict(self.people[uid])
        if viewer not in (None, uid):
            self.views[uid] += 1
            self.outbox += frames.of_profile_view(self, str(viewer), uid)
        if "relation" in extra and viewer is not None:
            profile["relation"] = self.content.relation(viewer, uid)
        if "profile_photos" in extra:
            profile["profile_photos"] = self.content.profile_photos(uid)
        return profile

    def update(self, uid: str, fields: Fields) -> Json:
        """Change the profile members that exist and may change; the rest is ignored."""
        person = self.people[uid]
        for name, value in fields.items():
            if name not in person or name in _FIXED_MEMBERS:
                continue
            if isinstance(person[name], bool):
                value = is_true(value)
            elif isinstance(person[name], int):
                value = whole(fields, name, 0)
            elif isinstance(person[name], list) and not isinstance(value, list):
                value = [value]
            elif isinstance(person[name], dict) and not isinstance(value, dict):
                value = {"general": value}
            person[name] = value
        return dict(person)

    def settings(self, uid: str, fields: Fields) -> Json:
        """Return the settings of a user after adding `fields` to them."""
        start = {"language": "en", "email_notifications": True, "show_online": True}
        settings = self._settings.setdefault(uid, start)
        settings.update(fields)
        return dict(settings)

    def search(self, viewer: str, query: Mapping[str, str]) -> list[Json]:
        """Search people by `text, age1, age2, sex, country, username, online`; never oneself."""
        text = query.get("text", "").casefold()
        youngest, oldest = whole(query, "age1", 0), whole(query, "age2", 200)
        found = [
            dict(person)
            for uid, person in self.people.items()
            if uid != viewer
            and youngest <= person["age"] <= oldest
            and text in f"{person['username']} {person['name']} {person['city']}".casefold()
            and query.get("sex", person["sex"]).casefold() == person["sex"]
            and query.get("country", person["country_code"]).upper() == person["country_code"]
            and query.get("username", "").casefold() in person["username"].casefold()
            and (person["is_online"] or not is_true(query.get("online")))
        ]
        return page(found, query)

    def counters(self, uid: str) -> Json:
        """Return the counters of `GET /v1/user-counters`."""
        unread = sum(thread["new"][uid] for thread in self.threads_of(uid))
        return {
            "messages": unread,
            "unread_messages": unread,
            "friends": len(self.content.friends_of(uid)),
            "photos": int(self.content.photo_count(uid, uid)["total"]),
            "views": len(self.content.views(uid, {})),
            "likes": 0,
            "favorites": len(self.content.bookmarks(uid)),
        }

    # threads and messages

    def threads(self, viewer: str, query: Mapping[str, str]) -> list[Json]:
        """Return the threads of a user, the latest first, as that user sees them."""
        shown = [
            thread
            for thread in self.threads_of(viewer)
            if viewer not in thread["hidden"] and viewer not in thread["archived"]
        ]
        latest = sorted(shown, key=lambda thread: thread["order"], reverse=True)
        return [self._seen(thread, viewer) for thread in page(latest, query)]

    def thread_with(self, viewer: str, other: str, extra: str = "") -> Json:
        """Return the thread of two people; it is made where there is none."""
        if other not in self.people or other == viewer:
            raise RequestError(404, "No such user")
        thread = next((t for t in self.threads_of(viewer) if other in t["new"]), None)
        if thread is None:
            thread = self._open(viewer, other, time.time())
        seen = self._seen(thread, viewer)
        if "relation" in extra:
            seen["user"]["relation"] = self.content.relation(viewer, other)
        return seen

    def messages(self, viewer: str, tid: str, query: Mapping[str, str]) -> list[Json]:
        """Return the messages of a thread, the newest first."""
        thread = self._thread(viewer, tid)
        return [
            {**message, "sender": self.summary(message["sender_id"])}
            for message in page(thread["messages"][::-1], query)
        ]

    def send(self, viewer: str, fields: Fields) -> Json:
        """Store a message into `thread_id` (or to `recipient_id`), and leave a frame for both."""
        text = str(fields.get("message", fields.get("content", "")))
        kind = str(fields.get("attachment_type", "text"))
        if not text and kind == "text":
            raise RequestError(400, "A message needs a text or an attachment")
        tid = str(fields.get("thread_id", ""))
        if not tid and fields.get("recipient_id"):
            tid = self.thread_with(viewer, str(fields["recipient_id"]))["id"]
        thread = self._thread(viewer, tid)
        message = self._add_message(thread, viewer, text, time.time())
        message["tmp_id"] = str(fields.get("tmp_id", ""))
        if kind != "text":
            source = fields.get("gif_attachment_url", fields.get("attachment_id", ""))
            attachment = {"type": kind, "id": message["id"], "source": source}
            if kind == "photo":
                attachment["photo"] = self.content.photo(viewer, str(source))
            message["attachments"] = [attachment]
        self.sent.append(dict(message))
        self.outbox += frames.of_message(self, thread, message)
        return dict(message)

    def delete_thread(self, viewer: str, tid: str) -> None:
        """Delete a thread for one of its two people, until there is another message."""
        self._thread(viewer, tid)["hidden"].add(viewer)

    def archive(self, viewer: str, tid: str, *, away: bool = True) -> None:
        """Put a thread into the archive, or take it out: it is not listed there."""
        archived = self._thread(viewer, tid)["archived"]
        archived.add(viewer) if away else archived.discard(viewer)

    def say(self, sender: str, text: str, to: str) -> Json:
        """Have somebody write to a user, without a client."""
        thread = self._threads[self.thread_with(to, sender)["id"]]
        message = self._add_message(thread, sender, text, time.time())
        self.outbox += frames.of_message(self, thread, message)
        return dict(message)

    def last_message(self, viewer: str) -> Json | None:
        """The frame that a socket begins with: the last message of a user's threads."""
        latest = max(self.threads_of(viewer), key=lambda thread: thread["order"], default=None)
        if latest is None or not latest["messages"]:
            return None
        return frames.sync(self, latest, latest["messages"][-1], viewer)

    def delete(self, viewer: str, mid: str) -> None:
        """Delete a message from its thread."""
        for thread in self.threads_of(viewer):
            left = [message for message in thread["messages"] if message["id"] != mid]
            if len(left) < len(thread["messages"]):
                thread["messages"] = left
                return
        raise RequestError(404, "No such message")

    def viewed(self, viewer: str, tid: str) -> None:
        """Mark the messages of the other side as read."""
        thread = self._thread(viewer, tid)
        thread["new"][viewer] = 0
        for message in thread["messages"]:
            message["read"] = message["read"] or message["sender_id"] != viewer
        self.outbox += frames.of_viewing(self, thread, viewer)

    def typing(self, viewer: str, tid: str) -> None:
        """Tell the other side; nothing is kept."""
        self.outbox += frames.of_typing(self, self._thread(viewer, tid), viewer)

    # inside

    def _add(self, person: _Person, uid: str | None = None) -> None:
        uid = uid or user_id(person.username)
        self.people[uid] = {
            "id": uid,
            **person._asdict(),
            "home_country_code": person.country_code,
            "last_login": moment(_SEEDED_AT - 1200),
            "status": "active",
            "mod_status": "ok",
            "about": {"general": person.about},
            "lfor": {"lfor_friend": True, "lfor_langex": True, "lfor_snail": True},
        }

    def add_person(self, username: str, uid: str | None = None) -> str:
        """Add somebody; the id, made of the username where none is given."""
        person = _PEOPLE[0]._replace(username=username, name=username.capitalize(), about="New.")
        self._add(person, uid or user_id(username))
        return uid or user_id(username)

    def open_thread(self, viewer: str, friend: str, tid: str | None = None) -> str:
        """Begin a thread of two people, with one message of the friend's; its id."""
        thread = self._open(viewer, friend, _SEEDED_AT - 86400, tid)
        self._add_message(thread, friend, "Hello!", _SEEDED_AT - 600)
        return str(thread["id"])

    def _seed_thread(self, viewer: str, friend: str, lines: tuple[str, ...]) -> None:
        if viewer == friend or any(friend in thread["new"] for thread in self.threads_of(viewer)):
            return
        thread = self._open(viewer, friend, _SEEDED_AT - 86400)
        for number, line in enumerate(lines):
            sender = viewer if number % 2 else friend
            self._add_message(thread, sender, line, _SEEDED_AT - 600 * (len(lines) - number))

    def threads_of(self, uid: str) -> list[Json]:
        """Return the threads of a user, as they are kept."""
        return [thread for thread in self._threads.values() if uid in thread["new"]]

    def _thread(self, viewer: str, tid: str) -> Json:
        thread = self._threads.get(tid)
        if thread is None or viewer not in thread["new"]:
            raise RequestError(404, "No such thread")
        return thread

    def _next_id(self, kind: str) -> str:
        self._ids[kind] += 1
        return str(self._ids[kind])

    def _open(self, one: str, other: str, now: float, tid: str | None = None) -> Json:
        tid = tid or self._next_id("thread")
        thread: Json = {"id": tid, "new": {one: 0, other: 0}, "messages": [], "order": tid}
        thread |= {"created": moment(now), "hidden": set(), "archived": set()}
        self._threads[tid] = thread
        return thread

    def _add_message(self, thread: Json, sender: str, text: str, now: float) -> Json:
        # `content` and `created_at` are what the models of PyPI interpal 1.2.0 read.
        message: Json = {
            "id": self._next_id("message"),
            "thread_id": thread["id"],
            "sender_id": sender,
            "message": text,
            "created": moment(now),
            "fake_id": "",
            "tmp_id": "",
            "attachments": [],
            "content": text,
            "created_at": moment(now),
            "read": False,
        }
        thread["messages"].append(message)
        thread["order"] = message["id"]
        thread["hidden"].clear()
        for uid in thread["new"]:
            thread["new"][uid] = 0 if uid == sender else thread["new"][uid] + 1
        return message

    def summary(self, uid: str) -> Json:
        """Return a user as lists show one."""
        return {name: self.people[uid][name] for name in _SUMMARY}

    def _seen(self, thread: Json, viewer: str) -> Json:
        other = next(uid for uid in thread["new"] if uid != viewer)
        seen: Json = {
            "id": thread["id"],
            "uid": viewer,
            "target_id": other,
            "user": self.summary(other),
            "total": len(thread["messages"]),
            "new": thread["new"][viewer],
            "created": thread["created"],
        }
        if thread["messages"]:
            last = thread["messages"][-1]
            seen |= {
                "last_msg_id": last["id"],
                "last_msg_sender_id": last["sender_id"],
                "last_msg_type": last["attachments"][0]["type"] if last["attachments"] else "text",
                "last_msg_datetime": last["created"],
                "target_last_read_msg_id": next(
                    (m["id"] for m in reversed(thread["messages"]) if m["sender_id"] == other), ""
                ),
            }
        return seen

"""The invented world of the sandbox: people, threads and messages, in memory and without a network.

Every person, name and message here is made up. Shapes are those of `interpal.api.replies`: ids are
19-digit strings, times are UTC and end in `Z`, lists are bare. A `World` is not thread-safe: the
server holds its lock around every call.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

Json = dict[str, Any]
Fields = Mapping[str, Any]


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


class RequestError(Exception):
    """A request that is answered with an error: `status` and a text for `{"error": …}`."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class World:
    """People, threads and messages as one server sees them."""

    def __init__(self, usernames: list[str]) -> None:
        self.people: dict[str, Json] = {}
        self.sent: list[Json] = []
        self.outbox: list[tuple[str, Json]] = []
        self._threads: dict[str, Json] = {}
        self._settings: dict[str, Json] = {}
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
        if "relation" in extra and viewer is not None:
            profile["relation"] = _relation(viewer, uid)
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
        return _page(found, query)

    def counters(self, uid: str) -> Json:
        """Return the counters of `GET /v1/user-counters`."""
        unread = sum(thread["new"][uid] for thread in self._of(uid))
        names = ("friends", "photos", "views", "likes", "favorites")
        return {"messages": unread, "unread_messages": unread, **dict.fromkeys(names, 0)}

    def feed(self, query: Mapping[str, str]) -> list[Json]:
        """Return two posts as a bare list, which suits every client (docs/sandbox.md, rule 17)."""
        posts = [
            {
                "id": str(21 * 10**17 + number),
                "message": person["about"]["general"],
                "post_type": "user-post",
                "poster_uid": uid,
                "feed_owner_id": uid,
                "user": self._user(uid),
                "created": moment(_SEEDED_AT - 3600 * number),
                "photos": [],
                "likes_comments": {"likes": number, "comments": 0, "user_liked": False},
            }
            for number, (uid, person) in enumerate(list(self.people.items())[1:3])
        ]
        return _page(posts, query)

    def notifications(self, viewer: str, query: Mapping[str, str]) -> list[Json]:
        """Return one friend request as a bare list."""
        actor = next(uid for uid in map(user_id, ("pedro_k", "lin.m")) if uid != viewer)
        name = self.people[actor]["name"]
        notice = {
            "id": str(20 * 10**17 + 3),
            "type": "friend_request",
            "title": "New friend request",
            "message": f"{name} wants to be friends",
            "actor_id": actor,
            "actor": self._user(actor),
            "read": False,
            "action_url": "/app/friends",
            "created_at": moment(_SEEDED_AT - 6600),
        }
        return _page([notice], query)

    # threads and messages

    def threads(self, viewer: str, query: Mapping[str, str]) -> list[Json]:
        """Return the threads of a user, the latest first, as that user sees them."""
        latest = sorted(self._of(viewer), key=lambda thread: thread["order"], reverse=True)
        return [self._seen(thread, viewer) for thread in _page(latest, query)]

    def thread_with(self, viewer: str, other: str, extra: str = "") -> Json:
        """Return the thread of two people; it is made where there is none."""
        if other not in self.people or other == viewer:
            raise RequestError(404, "No such user")
        thread = next((t for t in self._of(viewer) if other in t["new"]), None)
        if thread is None:
            thread = self._open(viewer, other, time.time())
        seen = self._seen(thread, viewer)
        if "relation" in extra:
            seen["user"]["relation"] = _relation(viewer, other)
        return seen

    def messages(self, viewer: str, tid: str, query: Mapping[str, str]) -> list[Json]:
        """Return the messages of a thread, the newest first."""
        thread = self._thread(viewer, tid)
        return [
            {**message, "sender": self._user(message["sender_id"])}
            for message in _page(thread["messages"][::-1], query)
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
            message["attachments"] = [{"type": kind, "id": message["id"], "source": source}]
        self.sent.append(dict(message))
        self.outbox += [(uid, self._frame(message, uid)) for uid in thread["new"]]
        return dict(message)

    def delete(self, viewer: str, mid: str) -> None:
        """Delete a message from its thread."""
        for thread in self._of(viewer):
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

    def typing(self, viewer: str, tid: str) -> None:
        """Take note of nothing: only the thread must exist."""
        self._thread(viewer, tid)

    # inside

    def _add(self, person: _Person) -> None:
        self.people[user_id(person.username)] = {
            "id": user_id(person.username),
            **person._asdict(),
            "home_country_code": person.country_code,
            "last_login": moment(_SEEDED_AT - 1200),
            "status": "active",
            "mod_status": "ok",
            "about": {"general": person.about},
            "lfor": {"lfor_friend": True, "lfor_langex": True, "lfor_snail": True},
        }

    def _seed_thread(self, viewer: str, friend: str, lines: tuple[str, ...]) -> None:
        if viewer == friend or any(friend in thread["new"] for thread in self._of(viewer)):
            return
        thread = self._open(viewer, friend, _SEEDED_AT - 86400)
        for number, line in enumerate(lines):
            sender = viewer if number % 2 else friend
            self._add_message(thread, sender, line, _SEEDED_AT - 600 * (len(lines) - number))

    def _of(self, uid: str) -> list[Json]:
        return [thread for thread in self._threads.values() if uid in thread["new"]]

    def _thread(self, viewer: str, tid: str) -> Json:
        thread = self._threads.get(tid)
        if thread is None or viewer not in thread["new"]:
            raise RequestError(404, "No such thread")
        return thread

    def _next_id(self, kind: str) -> str:
        self._ids[kind] += 1
        return str(self._ids[kind])

    def _open(self, one: str, other: str, now: float) -> Json:
        tid = self._next_id("thread")
        thread: Json = {"id": tid, "new": {one: 0, other: 0}, "messages": [], "order": tid}
        thread["created"] = moment(now)
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
        for uid in thread["new"]:
            thread["new"][uid] = 0 if uid == sender else thread["new"][uid] + 1
        return message

    def _user(self, uid: str) -> Json:
        return {name: self.people[uid][name] for name in _SUMMARY}

    def _seen(self, thread: Json, viewer: str) -> Json:
        other = next(uid for uid in thread["new"] if uid != viewer)
        seen: Json = {
            "id": thread["id"],
            "uid": viewer,
            "target_id": other,
            "user": self._user(other),
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

    def _frame(self, message: Json, viewer: str) -> Json:
        mine = self._of(viewer)
        names = ("id", "thread_id", "sender_id", "message", "created", "fake_id", "tmp_id")
        return {
            "type": "THREAD_NEW_MESSAGE",
            "data": {name: message[name] for name in names},
            "sender": self._user(message["sender_id"]),
            "counters": {
                "new_messages": sum(thread["new"][viewer] for thread in mine),
                "unread_threads": sum(thread["new"][viewer] > 0 for thread in mine),
                "total_threads": len(mine),
                "new_notifications": 0,
                "new_friend_requests": 0,
                "new_views": 0,
            },
            "click_url": f"/app/messages?thread_id={message['thread_id']}",
        }


def user_id(username: str) -> str:
    """Return the 19-digit id of a username: the same one in every sandbox and every run."""
    return f"1700000{zlib.crc32(username.casefold().encode()):012d}"


def moment(seconds: float) -> str:
    """Return Unix time as `YYYY-MM-DDTHH:MM:SSZ`, the only form every client reads."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def is_true(value: object) -> bool:
    """Read a boolean of any client: JSON, `True`, `true` or `1`."""
    return str(value).casefold() in {"true", "1"}


def whole(values: Mapping[str, Any], name: str, default: int) -> int:
    """Return a non-negative whole number from query or body, else raise a 400."""
    text = str(values.get(name, default))
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise RequestError(400, f"{name} must be a whole number")
    return int(text)


def _page(items: list[Json], query: Mapping[str, str]) -> list[Json]:
    start = whole(query, "offset", 0)
    return items[start : start + whole(query, "limit", 50)]


def _relation(viewer: str, other: str) -> Json:
    return {
        "uid": viewer,
        "target_id": other,
        "friend_status": "none",
        "user_blocks_target": False,
        "target_blocks_user": False,
        "modified": moment(_SEEDED_AT),
        "created": moment(_SEEDED_AT),
    }

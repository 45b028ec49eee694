"""The sandbox's side of the protocol without a network: accounts, sessions, tokens and routes.

docs/sandbox.md numbers the rules. A `Site` is not thread-safe: the server holds
its lock around every call.
"""

from __future__ import annotations

import binascii
import collections
import json
import os
import time
from typing import TYPE_CHECKING, NamedTuple

from interpal._hidden import Hidden
from interpal.sandbox.data import World
from interpal.sandbox.values import Fields, Json, RequestError, user_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from interpal.sandbox.content import Content

TOKEN_LIFETIME = 90 * 24 * 3600  # as in the one token that was seen (section 1.2)
_COOKIE_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


class Account(NamedTuple):
    """Who may log in; `name` is what was given as the account, perhaps an e-mail address."""

    name: str
    password: Hidden[str]
    uid: str

    def __repr__(self) -> str:
        return f"<Account {self.name}>"


class Session:
    """One login: its cookie and token, and whether the next reply changes them."""

    __slots__ = ("account", "cookie", "expires_at", "new_cookie", "new_token", "token")

    def __init__(self, account: Account, token: str, expires_at: int) -> None:
        self.account = account
        self.cookie = _new_cookie()
        self.token = token
        self.expires_at = expires_at
        self.new_cookie = False
        self.new_token = False


class Call(NamedTuple):
    """One request of a signed-in user: path ids, query and body members, all as sent."""

    world: World
    viewer: str
    ids: Mapping[str, str]
    query: Mapping[str, str]
    fields: Fields

    @property
    def id(self) -> str:
        """The id in the path."""
        return self.ids["id"]

    @property
    def content(self) -> Content:
        """What the people have made."""
        return self.world.content


class Fault(NamedTuple):
    """How requests to `path` fail: exactly one of `status`, `hang` (seconds) and `drop`."""

    path: str
    status: int | None
    hang: float | None
    drop: bool
    headers: Mapping[str, str] | None
    body: object
    times: int
    after: bool

    def check(self) -> None:
        """Raise ValueError for a fault that cannot be done."""
        if (self.status is not None) + (self.hang is not None) + bool(self.drop) != 1:
            raise ValueError("a fault is exactly one of status, hang and drop")
        if self.status is None and (self.headers is not None or self.body is not None):
            raise ValueError("headers and body belong to a fault with a status")
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError("status must be from 200 to 599")
        if self.hang is not None and not 0 <= self.hang < 86400:
            raise ValueError("hang must be seconds, less than a day")
        if self.times < 1 and self.times != -1:
            raise ValueError("times must be at least 1, or -1 for always")

    def hits(self, path: str) -> bool:
        """Say whether a request to `path` fails; `"*"` stands for every path under `/v1`."""
        return self.path == path or (self.path == "*" and path.startswith("/v1/"))


class Site:
    """Accounts and their sessions over a `World`. Raises ValueError for equal usernames."""

    def __init__(
        self,
        accounts: Mapping[str, str],
        *,
        one_session: bool,
        token_lifetime: int,
        upload_polls: int = 0,
    ) -> None:
        self.origin = ""
        self.usernames: list[str] = []
        self._one_session = one_session
        self._token_lifetime = token_lifetime
        self._upload_polls = upload_polls
        self._key = os.urandom(32)
        self._accounts: dict[str, Account] = {}
        for name, password in accounts.items():
            username = name.partition("@")[0]
            if not username or username.casefold() in self._accounts:
                raise ValueError(f"account {name!r} has no username, or one that is taken")
            account = Account(name, Hidden(password), user_id(username))
            self._accounts[username.casefold()] = self._accounts[name.casefold()] = account
            self.usernames.append(username)
        self.reset()

    def reset(self) -> None:
        """Forget every session, fault, count and change of the world."""
        self.world = World(self.usernames, upload_polls=self._upload_polls)
        self.faults: list[Fault] = []
        self._sessions: dict[str, Session] = {}
        names = ("logins", "login_attempts", "requests")
        self.counts = {name: collections.Counter[str]() for name in names}

    def arrive(self, path: str) -> Fault | None:
        """Count a request and return the fault that it meets, the oldest that fits."""
        self.counts["requests"][path] += 1
        for index, fault in enumerate(self.faults):
            if fault.hits(path):
                if fault.times == 1:
                    del self.faults[index]
                elif fault.times > 1:
                    self.faults[index] = fault._replace(times=fault.times - 1)
                return fault
        return None

    def log_in(self, fields: Fields) -> Session:
        """Open a session for `username` and `password`; a wrong one is a 401 (rule 1)."""
        import hmac

        name, password = str(fields.get("username", "")), str(fields.get("password", ""))
        account = self._accounts.get(name.casefold())
        self.counts["login_attempts"][account.name if account else name] += 1
        if account is None or not hmac.compare_digest(
            account.password.reveal().encode(), password.encode(errors="surrogatepass")
        ):
            raise RequestError(401, "Invalid username or password")
        if self._one_session:
            self.invalidate(account.name)
        session = self.open_session(account.name)
        self.counts["logins"][account.name] += 1
        return session

    def open_session(self, name: str, cookie: str | None = None) -> Session:
        """Open a session of an account, whose cookie has this value. Raises KeyError."""
        account = self._accounts[name.casefold()]
        session = Session(account, *self._new_token(account))
        session.cookie = cookie or session.cookie
        self._sessions[session.cookie] = session
        return session

    def authenticate(self, cookie: str | None, token: str | None) -> Session:
        """Return the live session of a cookie; a token, where sent, must be its own (rule 5)."""
        session = self._sessions.get(cookie or "")
        if session is None or token not in (None, session.token):
            raise RequestError(401, "Invalid or expired session")
        if session.expires_at <= time.time():
            raise RequestError(401, "Invalid or expired session")
        return session

    def authenticate_socket(
        self, query: str | None, cookie: str | None, token: str | None
    ) -> Session:
        """Return the session of a WebSocket by its token, which alone opens it (section 5.8)."""
        for session in self._sessions.values():
            if query is not None and query == session.token:
                cookie = session.cookie if cookie in (None, session.cookie) else ""
                return self.authenticate(cookie, token)
        raise RequestError(401, "Invalid or expired session")

    def open_thread(self, username: str, tid: str | None, account: str | None) -> str:
        """Begin a conversation of an account with somebody. Raises KeyError."""
        viewer = self._accounts[(account or self.usernames[0]).casefold()].uid
        people = self.world.people
        friends = [
            uid for uid in people if people[uid]["username"].casefold() == username.casefold()
        ]
        if not friends:
            raise KeyError(username)
        return self.world.open_thread(viewer, friends[0], tid)

    def is_live(self, session: Session) -> bool:
        """Say whether a session has not ended."""
        return self._sessions.get(session.cookie) is session

    def user_id(self, username: str | None) -> str:
        """Return the id of an account, of the first one for None. Raises KeyError."""
        return self._accounts[(username or self.usernames[0]).casefold()].uid

    def invalidate(self, username: str | None) -> None:
        """End every session, or those of one account. Raises KeyError if it is unknown."""
        for session in self._sessions_of(username):
            del self._sessions[session.cookie]

    def rotate(self, username: str | None, *, token: bool) -> None:
        """Mark the open sessions for a new cookie, and a new token. Raises KeyError."""
        for session in self._sessions_of(username):
            session.new_cookie = True
            session.new_token = session.new_token or token

    def renew_cookie(self, session: Session) -> bool:
        """Change a marked session's cookie, and say whether it was marked (rule 20)."""
        if not session.new_cookie or self._sessions.pop(session.cookie, None) is None:
            return False
        session.new_cookie = False
        session.cookie = _new_cookie()
        self._sessions[session.cookie] = session
        return True

    def renew_token(self, session: Session) -> bool:
        """Change a marked session's token, and say whether it was marked."""
        if not session.new_token:
            return False
        session.new_token = False
        session.token, session.expires_at = self._new_token(session.account)
        return True

    def _sessions_of(self, username: str | None) -> list[Session]:
        account = None if username is None else self._accounts[username.casefold()]
        return [s for s in self._sessions.values() if account in (None, s.account)]

    def _new_token(self, account: Account) -> tuple[str, int]:
        import hmac

        now = int(time.time())
        claims: Json = {
            "iss": self.origin,
            "aud": self.origin,
            "iat": now,
            "nbf": now,
            "exp": now + self._token_lifetime,
            "uid": account.uid,
            "jti": str(10**18 + int.from_bytes(os.urandom(7), "big")),
        }
        header: Json = {"typ": "JWT", "alg": "HS256"}
        # Slashes are escaped as in the token that was seen (section 1.2).
        texts = (json.dumps(part).replace("/", r"\/").encode() for part in (header, claims))
        signed = b".".join(map(_base64url, texts))
        signature = _base64url(hmac.digest(self._key, signed, "sha256"))
        return f"{signed.decode()}.{signature.decode()}", now + self._token_lifetime


def _thread(call: Call) -> Json:
    return call.world.thread_with(call.viewer, call.ids["id"], call.query.get("extra", ""))


def _messages(call: Call) -> list[Json]:
    return call.world.messages(call.viewer, call.ids["id"], call.query)


def _profile(call: Call) -> Json:
    return call.world.profile(call.ids["id"], call.viewer, call.query.get("extra", ""))


# What a signed-in user may ask for; None as the answer is a 204.
ROUTES: dict[tuple[str, str], Callable[[Call], object]] = {
    # the account, profiles, settings, trips
    ("GET", "/v1/account/self"): lambda c: c.world.profile(c.viewer),
    ("PUT", "/v1/account/self"): lambda c: c.world.update(c.viewer, c.fields),
    ("POST", "/v1/account/self"): lambda c: c.world.update(c.viewer, c.fields),
    ("GET", "/v1/account/{id}"): lambda c: c.world.profile(c.id),
    ("GET", "/v1/profile/{id}"): _profile,
    ("GET", "/v1/user-counters"): lambda c: c.world.counters(c.viewer),
    ("GET", "/v1/settings/self"): lambda c: c.world.settings(c.viewer, {}),
    ("PUT", "/v1/settings/self"): lambda c: c.world.settings(c.viewer, c.fields),
    ("POST", "/v1/settings/self"): lambda c: c.world.settings(c.viewer, c.fields),
    ("GET", "/v1/activity/self"): lambda c: c.content.activity(c.viewer),
    ("GET", "/v1/user/{id}/trips"): lambda c: c.content.trips(c.viewer, c.id, c.query),
    ("POST", "/v1/trip"): lambda c: c.content.new_trip(c.viewer, c.fields),
    ("PUT", "/v1/trip/{id}"): lambda c: c.content.update_trip(c.viewer, c.id, c.fields),
    ("DELETE", "/v1/trip/{id}"): lambda c: c.content.delete_trip(c.viewer, c.id),
    # conversations and messages
    ("GET", "/v1/user/self/threads"): lambda c: c.world.threads(c.viewer, c.query),
    ("GET", "/v1/thread"): lambda c: c.world.threads(c.viewer, c.query),
    ("GET", "/v1/user-thread/{id}"): _thread,
    ("GET", "/v1/thread/user/{id}"): _thread,
    ("GET", "/v1/thread/{id}/messages"): _messages,
    ("GET", "/v1/thread/{id}"): _messages,
    ("PUT", "/v1/thread/{id}/viewed"): lambda c: c.world.viewed(c.viewer, c.id),
    ("PUT", "/v1/thread/{id}/typing"): lambda c: c.world.typing(c.viewer, c.id),
    ("PUT", "/v1/thread/{id}/archive"): lambda c: c.world.archive(c.viewer, c.id),
    ("PUT", "/v1/thread/{id}/unarchive"): lambda c: c.world.archive(c.viewer, c.id, away=False),
    ("DELETE", "/v1/thread/{id}"): lambda c: c.world.delete_thread(c.viewer, c.id),
    ("POST", "/v1/message"): lambda c: c.world.send(c.viewer, c.fields),
    ("DELETE", "/v1/message/{id}"): lambda c: c.world.delete(c.viewer, c.id),
    # people and posts to find
    ("GET", "/v1/search/user"): lambda c: c.world.search(c.viewer, c.query),
    ("GET", "/v1/search/geo"): lambda c: c.content.geo(c.viewer, c.query),
    ("GET", "/v1/nearby"): lambda c: c.content.others(c.viewer, c.query),
    ("GET", "/v1/suggestions"): lambda c: c.content.others(c.viewer, c.query, friends=False),
    ("GET", "/v1/feed"): lambda c: c.content.feed(c.viewer, c.query),
    # photos and albums
    ("POST", "/v1/photo"): lambda c: c.content.upload(c.viewer, c.fields),
    ("GET", "/v1/upload-status/{id}"): lambda c: c.content.upload_status(c.viewer, c.id),
    ("GET", "/v1/photo/{id}"): lambda c: c.content.photo(c.viewer, c.id),
    ("DELETE", "/v1/photo/{id}"): lambda c: c.content.delete_photo(c.viewer, c.id),
    ("GET", "/v1/user/{id}/photos"): lambda c: c.content.photos_of(c.viewer, c.id, c.query),
    ("GET", "/v1/total/{id}/photos"): lambda c: c.content.photo_count(c.viewer, c.id),
    ("GET", "/v1/user/{id}/albums"): lambda c: c.content.albums_of(c.viewer, c.id),
    ("POST", "/v1/album"): lambda c: c.content.new_album(c.viewer, c.fields),
    ("GET", "/v1/album/{id}"): lambda c: c.content.album(c.viewer, c.id),
    ("PUT", "/v1/album/{id}"): lambda c: c.content.update_album(c.viewer, c.id, c.fields),
    ("DELETE", "/v1/album/{id}"): lambda c: c.content.delete_album(c.viewer, c.id),
    # friends, blocks, bookmarks, likes
    ("GET", "/v1/user/{id}/relations"): lambda c: c.content.relations(c.viewer, c.id),
    ("GET", "/v1/friends"): lambda c: c.content.friends(c.viewer, c.viewer),
    ("GET", "/v1/user/{id}/friends"): lambda c: c.content.friends(c.viewer, c.id),
    ("PUT", "/v1/relation/{id}/block"): lambda c: c.content.block(c.viewer, c.id),
    ("PUT", "/v1/relation/{id}/unblock"): lambda c: c.content.unblock(c.viewer, c.id),
    ("GET", "/v1/blocked"): lambda c: c.content.blocked(c.viewer),
    ("POST", "/v1/bookmark"): lambda c: c.content.bookmark(c.viewer, c.fields),
    ("GET", "/v1/bookmarks"): lambda c: c.content.bookmarks(c.viewer),
    ("DELETE", "/v1/bookmark/{id}"): lambda c: c.content.remove_bookmark(c.viewer, c.id),
    ("POST", "/v1/like"): lambda c: c.content.like(c.viewer, c.fields),
    ("GET", "/v1/likes/{id}"): lambda c: c.content.likes(c.id),
    ("DELETE", "/v1/like/{id}"): lambda c: c.content.unlike(c.viewer, c.id),
    # notifications, views, push tokens
    ("GET", "/v1/notification/my"): lambda c: c.content.notifications(c.viewer, c.query),
    ("GET", "/v1/notification"): lambda c: c.content.notifications(c.viewer, c.query),
    ("PUT", "/v1/notification/{id}/read"): lambda c: c.content.read_notification(c.viewer, c.id),
    ("PUT", "/v1/notification/read-all"): lambda c: c.content.read_all_notifications(c.viewer),
    ("PUT", "/v1/notification/mark-all-read"): lambda c: c.content.read_all_notifications(c.viewer),
    ("DELETE", "/v1/notification/{id}"): lambda c: c.content.delete_notification(c.viewer, c.id),
    ("POST", "/v1/push-token"): lambda c: c.content.register_push_token(c.viewer, c.fields),
    ("DELETE", "/v1/push-token/{id}"): lambda c: c.content.unregister_push_token(c.viewer, c.id),
    ("GET", "/v1/views/self"): lambda c: c.content.views(c.viewer, c.query),
    ("PUT", "/v1/views-stats/reset"): lambda c: c.content.reset_views(c.viewer),
    ("GET", "/v1/online-users"): lambda c: c.content.others(c.viewer, c.query, online=True),
    # posts and comments
    ("POST", "/v1/post"): lambda c: c.content.new_post(c.viewer, c.fields),
    ("GET", "/v1/post/{id}"): lambda c: c.content.post(c.viewer, c.id),
    ("PUT", "/v1/post/{id}"): lambda c: c.content.update_post(c.viewer, c.id, c.fields),
    ("DELETE", "/v1/post/{id}"): lambda c: c.content.delete_post(c.viewer, c.id),
    ("GET", "/v1/post/{id}/comments"): lambda c: c.content.comments(c.viewer, c.id, c.query),
    ("POST", "/v1/comment"): lambda c: c.content.new_comment(c.viewer, c.fields),
    ("PUT", "/v1/comment/{id}"): lambda c: c.content.update_comment(c.viewer, c.id, c.fields),
    ("DELETE", "/v1/comment/{id}"): lambda c: c.content.delete_comment(c.viewer, c.id),
}


def _new_cookie() -> str:
    # Like a PHP session id; the slight bias of the remainder does not matter here.
    return "".join(_COOKIE_ALPHABET[byte % 36] for byte in os.urandom(26))


def _base64url(data: bytes) -> bytes:
    text = binascii.b2a_base64(data, newline=False)
    return text.translate(bytes.maketrans(b"+/", b"-_")).rstrip(b"=")

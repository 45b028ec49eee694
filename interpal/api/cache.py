"""The replies that a client has already seen: one object for each user, conversation, message.

A reply that names an object which is here is put into that object, so that whoever holds it sees
the new members, and `client.get_user("1") is client.get_user("1")`. Users, profiles and
conversations are held weakly (`weak_references`): they are here for as long as somebody uses
them. Messages, photos, albums and posts are held, the last `max_messages` of each.

Its names are those of interpal 1.x, where it is called `InterpalState`.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TypeVar

from interpal._log import Logger
from interpal.api.replies import Album, Message, Photo, Post, Profile, Reply, Thread, User
from interpal.exceptions import ValidationError
from interpal.flows import arguments
from interpal.vault.files.forks import in_child

R = TypeVar("R", bound=Reply)

Handler = Callable[..., Any]

_log = Logger("interpal.cache")

_KINDS: dict[type[Reply], str] = {
    User: "user",
    Profile: "profile",
    Thread: "thread",
    Message: "message",
    Photo: "photo",
    Album: "album",
    Post: "post",
}
_EVENTS = ("eviction", "hit", "miss")

# Held for moments only. One for all clients, so that a forked child has a free one.
_guard = threading.RLock()


def guard() -> threading.RLock:
    """What every change of a cache holds."""
    return _guard


def _renew_guard() -> None:
    global _guard
    _guard = threading.RLock()


in_child(_renew_guard)


class Cache:
    """What one client has seen. It may be used from many threads at once.

    *max_messages* bounds messages, photos and posts, half of it albums. With *cache_users* False
    users and profiles are made anew each time, with *cache_threads* False conversations.
    """

    def __init__(
        self,
        max_messages: int = 1000,
        cache_users: bool = True,
        cache_threads: bool = True,
        weak_references: bool = True,
    ) -> None:
        self.max_messages = arguments.max_messages(max_messages)
        self.cache_users = bool(cache_users)
        self.cache_threads = bool(cache_threads)
        self.weak_references = bool(weak_references)
        self._users: MutableMapping[str, User] = self._map()
        self._profiles: MutableMapping[str, Profile] = self._map()
        self._threads: MutableMapping[str, Thread] = self._map()
        self._messages: OrderedDict[str, Message] = OrderedDict()
        self._photos: OrderedDict[str, Photo] = OrderedDict()
        self._albums: OrderedDict[str, Album] = OrderedDict()
        self._posts: OrderedDict[str, Post] = OrderedDict()
        self._cache_handlers: dict[str, list[Handler]] = {}
        self._creation_handlers: dict[str, list[Handler]] = {}
        self._stats: dict[str, int] = {}
        self.reset_stats()

    def __repr__(self) -> str:
        sizes = ", ".join(f"{number} {name}" for name, number in self._sizes().items() if number)
        return f"<Cache of {sizes or 'nothing'}>"

    def _map(self) -> MutableMapping[str, Any]:
        return weakref.WeakValueDictionary() if self.weak_references else {}

    # Making replies.

    def make(self, kind: type[R], members: Mapping[str, Any]) -> R:
        """The reply of a kind: the one that is here, with these members, or a new one."""
        news: list[tuple[list[Handler], tuple[Any, ...]]] = []
        with _guard:
            found = self._make(kind, members, news)
        # Out of the lock: a handler may wait for something.
        for handlers, values in news:
            _call(handlers, values)
        return found

    def _make(
        self,
        kind: type[R],
        members: Mapping[str, Any],
        news: list[tuple[list[Handler], tuple[Any, ...]]],
    ) -> R:
        def make(inner: type[Any], values: Mapping[str, Any]) -> Any:
            return self._make(inner, values, news)

        name = _KINDS.get(kind)
        cache = None if name is None else self._of(name)
        identity = members.get("id", members.get("user_id" if kind is Profile else f"{name}_id"))
        if name is None or cache is None or not isinstance(identity, (str, int)):
            return kind(members, make=make)
        key = str(identity)
        found: R | None = cache.get(key)
        if found is not None:
            found.take(members, make)
            self._stats["objects_updated"] += 1
            self._stats["cache_hits"] += 1
            _touch(cache, key)
            news.append((self._cache_handlers.get("hit", []), (name, key)))
            return found
        made = cache[key] = kind(members, make=make)
        self._stats["objects_created"] += 1
        self._stats["cache_misses"] += 1
        news.append((self._cache_handlers.get("miss", []), (name, key)))
        gone = self._evict(name)
        news += [(self._cache_handlers.get("eviction", []), (name, old)) for old in gone]
        news.append((self._creation_handlers.get(name, []), (made,)))
        return made

    def create_user(self, data: Mapping[str, Any]) -> User:
        """`make(User, data)`."""
        return self.make(User, data)

    def create_profile(self, data: Mapping[str, Any]) -> Profile:
        """`make(Profile, data)`."""
        return self.make(Profile, data)

    def create_thread(self, data: Mapping[str, Any]) -> Thread:
        """`make(Thread, data)`."""
        return self.make(Thread, data)

    def create_message(self, data: Mapping[str, Any]) -> Message:
        """`make(Message, data)`."""
        return self.make(Message, data)

    def create_photo(self, data: Mapping[str, Any]) -> Photo:
        """`make(Photo, data)`."""
        return self.make(Photo, data)

    def create_album(self, data: Mapping[str, Any]) -> Album:
        """`make(Album, data)`."""
        return self.make(Album, data)

    def create_post(self, data: Mapping[str, Any]) -> Post:
        """`make(Post, data)`."""
        return self.make(Post, data)

    # Looking.

    def get_cached_user(self, user_id: str) -> User | None:
        """The user, else the profile, of that id; None where neither is here."""
        return self._find(User, user_id) or self._find(Profile, user_id, counted=False)

    def get_cached_profile(self, user_id: str) -> Profile | None:
        """The profile of that id, None where it is not here."""
        return self._find(Profile, user_id)

    def get_cached_thread(self, thread_id: str) -> Thread | None:
        """The conversation of that id, None where it is not here."""
        return self._find(Thread, thread_id)

    def get_cached_message(self, message_id: str) -> Message | None:
        """The message of that id, None where it is not here."""
        return self._find(Message, message_id)

    def _find(self, kind: type[R], identity: str, *, counted: bool = True) -> R | None:
        with _guard:
            cache = self._of(_KINDS[kind])
            found: R | None = None if cache is None else cache.get(str(identity))
            if found is not None and cache is not None:
                _touch(cache, str(identity))
            if counted:
                self._stats["cache_misses" if found is None else "cache_hits"] += 1
            return found

    # Clearing.

    def clear_user_cache(self) -> None:
        """Forget users and profiles."""
        with _guard:
            self._users.clear()
            self._profiles.clear()

    def clear_message_cache(self) -> None:
        """Forget messages and conversations."""
        with _guard:
            self._messages.clear()
            self._threads.clear()

    def clear_media_cache(self) -> None:
        """Forget photos, albums and posts."""
        with _guard:
            self._photos.clear()
            self._albums.clear()
            self._posts.clear()

    def clear_all_caches(self) -> None:
        """Forget everything but the statistics."""
        self.clear_user_cache()
        self.clear_message_cache()
        self.clear_media_cache()

    # Handlers.

    def add_creation_handler(self, object_type: str, callback: Handler) -> None:
        """Call *callback* with each new object of a type: `user`, `message`, …

        Raises `ValidationError`.
        """
        if object_type not in _KINDS.values():
            raise ValidationError(f"object_type: expected one of {', '.join(_KINDS.values())}")
        self._creation_handlers.setdefault(object_type, []).append(callback)

    def add_cache_handler(self, event_type: str, callback: Handler) -> None:
        """Call *callback* with the type and the id of an object at an `eviction`, `hit`, `miss`.

        Raises `ValidationError`.
        """
        if event_type not in _EVENTS:
            raise ValidationError(f"event_type: expected one of {', '.join(_EVENTS)}")
        self._cache_handlers.setdefault(event_type, []).append(callback)

    # Statistics and settings.

    def get_cache_stats(self) -> dict[str, Any]:
        """A dict of `cache_hits, cache_misses, hit_rate` (0 to 1), `objects_created,
        objects_updated, evictions` and `cache_sizes` by name."""
        with _guard:
            asked = self._stats["cache_hits"] + self._stats["cache_misses"]
            rate = self._stats["cache_hits"] / max(1, asked)
            return {**self._stats, "hit_rate": rate, "cache_sizes": self._sizes()}

    def reset_stats(self) -> None:
        """Count from zero."""
        names = ("cache_hits", "cache_misses", "objects_created", "objects_updated", "evictions")
        with _guard:
            self._stats = dict.fromkeys(names, 0)

    def update_config(
        self,
        *,
        max_messages: int | None = None,
        cache_users: bool | None = None,
        cache_threads: bool | None = None,
    ) -> None:
        """Change the settings; what they leave no place for is forgotten."""
        gone: list[tuple[str, str]] = []
        with _guard:
            if max_messages is not None:
                self.max_messages = arguments.max_messages(max_messages)
                for name in _KINDS.values():
                    gone += [(name, old) for old in self._evict(name)]
            if cache_users is not None:
                self.cache_users = bool(cache_users)
                if not cache_users:
                    self.clear_user_cache()
            if cache_threads is not None:
                self.cache_threads = bool(cache_threads)
                if not cache_threads:
                    self._threads.clear()
        for old in gone:
            _call(self._cache_handlers.get("eviction", []), old)

    # Inside.

    def _of(self, name: str) -> MutableMapping[str, Any] | None:
        """The cache of a kind; None where it is switched off."""
        if name == "thread" and not self.cache_threads:
            return None
        if name in ("user", "profile") and not self.cache_users:
            return None
        cache: MutableMapping[str, Any] = getattr(self, f"_{name}s")
        return cache

    def _sizes(self) -> dict[str, int]:
        return {f"{name}s": len(getattr(self, f"_{name}s")) for name in _KINDS.values()}

    def _evict(self, name: str) -> list[str]:
        """Make room; the ids of what had to go."""
        cache = getattr(self, f"_{name}s")
        gone: list[str] = []
        if isinstance(cache, OrderedDict):
            most = self.max_messages // 2 if name == "album" else self.max_messages
            while len(cache) > most:
                gone.append(cache.popitem(last=False)[0])
        self._stats["evictions"] += len(gone)
        return gone


def _touch(cache: MutableMapping[str, Any], key: str) -> None:
    if isinstance(cache, OrderedDict):
        cache.move_to_end(key)


def _call(handlers: list[Handler], arguments: tuple[Any, ...]) -> None:
    for handler in handlers:
        try:
            handler(*arguments)
        except Exception as error:  # noqa: BLE001, PERF203  (the handler is the user's)
            # The type alone: what the handler's error says may hold anything.
            _log.warning("a handler of the cache raised %s", type(error).__name__)

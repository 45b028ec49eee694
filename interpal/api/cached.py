"""What a client has beside its calls: the replies that it has seen, and parts of interpal 1.x."""

from __future__ import annotations

from typing import Any

from interpal.api.base import Operations
from interpal.api.cache import Cache  # noqa: TC001  (typing.get_type_hints reads it)
from interpal.api.compatibility import Auth, HTTPClient
from interpal.api.replies import Message, User  # noqa: TC001


class CacheAccess(Operations):
    """What a client says of the replies that it has already seen (`interpal.api.cache`)."""

    @property
    def state(self) -> Cache:
        """The replies that were already seen."""
        return self._client_cache.cache(self._context.state.epoch)

    @property
    def max_messages(self) -> int:
        """How many messages are kept."""
        return self._client_cache.max_messages

    def get_cached_user(self, user_id: str) -> User | None:
        """A user who was already seen, None where there is none, or nobody uses it any more."""
        return self.state.get_cached_user(user_id)

    def get_cached_message(self, message_id: str) -> Message | None:
        """A message that was already seen, None where it is not kept."""
        return self.state.get_cached_message(message_id)

    def get_cache_stats(self) -> dict[str, Any]:
        """How often replies were already seen: `Cache.get_cache_stats`."""
        return self.state.get_cache_stats()

    def clear_caches(self) -> None:
        """Forget what was seen."""
        self.state.clear_all_caches()

    def clear_user_cache(self) -> None:
        """Forget the users that were seen."""
        self.state.clear_user_cache()

    def clear_message_cache(self) -> None:
        """Forget the messages and conversations that were seen."""
        self.state.clear_message_cache()


class Views(Operations):
    """Parts of a client that scripts for interpal 1.x reach into."""

    @property
    def auth(self) -> Auth:
        """The session under its name of interpal 1.x."""
        return Auth(client=self)

    @property
    def http(self) -> HTTPClient:
        """The requests under their name of interpal 1.x."""
        return HTTPClient(self.auth)

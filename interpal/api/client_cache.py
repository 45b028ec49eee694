"""The cache of one client, which is made, and its module loaded, at the first reply.

It belongs to one account: where the client goes over to another, it begins anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interpal.api.cache import Cache
    from interpal.api.replies import Make


class ClientCache:
    """Where the cache of a client is; its arguments are those of the client's constructor."""

    __slots__ = ("_cache", "_epoch", "_settings")

    def __init__(
        self, max_messages: int, cache_users: bool, cache_threads: bool, weak_references: bool
    ) -> None:
        self._settings = (max_messages, cache_users, cache_threads, weak_references)
        self._cache: Cache | None = None
        self._epoch: int | None = None

    def __repr__(self) -> str:
        return f"<ClientCache: {self._cache}>"

    @property
    def max_messages(self) -> int:
        """How many messages are kept."""
        return self._settings[0] if self._cache is None else self._cache.max_messages

    def cache(self, epoch: int) -> Cache:
        """The cache of the account that is there in this *epoch*."""
        from interpal.api.cache import Cache, guard

        with guard():
            if self._cache is None:
                self._cache, self._epoch = Cache(*self._settings), epoch
            elif self._epoch != epoch:
                self._cache.clear_all_caches()
                self._epoch = epoch
            return self._cache

    def maker(self, asked: int, now: int) -> Make:
        """What makes the replies of a call that was *asked* in one epoch and is answered *now*.

        What was asked as one account is never seen by another.
        """
        if asked == now:
            return self.cache(now).make
        from interpal.api.replies import build

        return build

"""Every call that the clients have beside those of `base`, by the module that declares it.

The table below is all that a client knows of them before one is used: a call loads the module of
its topic, and no other. A test compares the table with the modules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interpal._lazy import late_members
from interpal.api.base import Operations

if TYPE_CHECKING:
    from interpal.api.account import AccountCalls
    from interpal.api.cached import CacheAccess, Views
    from interpal.api.media import MediaCalls
    from interpal.api.messages import MessageCalls
    from interpal.api.notifications import NotificationCalls
    from interpal.api.posts import PostCalls
    from interpal.api.search import SearchCalls
    from interpal.api.social import SocialCalls

    class Calls(
        AccountCalls,
        MessageCalls,
        SearchCalls,
        MediaCalls,
        SocialCalls,
        NotificationCalls,
        PostCalls,
        CacheAccess,
        Views,
    ):
        """The constructor, and every call that both clients have."""


# Module and class, and the names of its calls.
TOPICS: dict[tuple[str, str], str] = {
    ("account", "AccountCalls"): """
        get_self update_self get_user get_account get_counters get_settings update_settings
        get_activity get_user_trips get_my_trips create_trip update_trip delete_trip
    """,
    ("messages", "MessageCalls"): """
        get_threads get_user_thread get_thread_messages send_message start_conversation send_gif
        send_message_correction send_photo delete_message mark_thread_viewed read_message
        set_typing get_unread_count delete_thread archive_thread unarchive_thread
    """,
    ("search", "SearchCalls"): """
        search_users search_by_location get_feed get_nearby_users get_suggestions
    """,
    ("media", "MediaCalls"): """
        upload_photo upload_photo_async upload_photo_with_token get_upload_status wait_for_upload
        send_photo_message get_photo delete_photo get_user_photos get_photo_count get_album
        get_user_albums create_album update_album delete_album
    """,
    ("social", "SocialCalls"): """
        get_relations get_friends block_user unblock_user get_blocked_users bookmark_user
        remove_bookmark get_bookmarks like_content unlike_content get_likes
    """,
    ("notifications", "NotificationCalls"): """
        get_notifications mark_notification_read mark_all_read mark_all_notifications_read
        delete_notification register_push_token unregister_push_token get_views reset_view_stats
        get_online_users
    """,
    ("posts", "PostCalls"): """
        create_post get_post update_post delete_post get_comments create_comment update_comment
        delete_comment
    """,
}
# What needs no request.
OTHERS: dict[tuple[str, str], str] = {
    ("cached", "CacheAccess"): """
        state max_messages get_cached_user get_cached_message get_cache_stats clear_caches
        clear_user_cache clear_message_cache
    """,
    ("cached", "Views"): "auth http",
}
# The managers of interpal 1.x: `client.user.get_self()` is `client.get_self()`.
MANAGERS: dict[str, tuple[str, str]] = {
    "user": ("account", "Users"),
    "messages": ("messages", "Messages"),
    "search": ("search", "Search"),
    "media": ("media", "Media"),
    "social": ("social", "Social"),
    "realtime": ("notifications", "Realtime"),
    "notifications": ("notifications", "Notifications"),
    "posts": ("posts", "Posts"),
}


def load(module: str, name: str) -> Any:
    """A class of a topic."""
    from importlib import import_module

    return getattr(import_module(f"interpal.api.{module}"), name)


if not TYPE_CHECKING:

    class Manager:
        """The calls of one topic, under the name of interpal 1.x."""

        __slots__ = ("_home",)

        def __init__(self, home: tuple[str, str]) -> None:
            self._home = home

        def __get__(self, client: Any, owner: type) -> Any:
            return self if client is None else load(*self._home)(client)

    class Calls(Operations):
        """The constructor, and every call that both clients have."""

        # As if each stood here.
        for _home, _names in {**TOPICS, **OTHERS}.items():
            vars().update(late_members(f"interpal.api.{_home[0]}", _home[1], _names))
        for _name, _home in MANAGERS.items():
            vars()[_name] = Manager(_home)
        del _home, _name, _names

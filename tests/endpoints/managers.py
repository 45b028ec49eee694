"""The 80 manager methods of interpal 1.2.0 and the 69 requests that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class World(NamedTuple):
    """Ids that are there in the sandbox of the tests."""

    me: str
    user: str
    thread: str
    message: str
    photo: str
    album: str
    upload: str
    post: str
    comment: str
    trip: str
    notice: str
    file: str


class Case(NamedTuple):
    """A manager's method, what it is called with, and the request that it makes."""

    name: str
    request: str
    arguments: Callable[[World], tuple[Any, ...]]
    options: dict[str, Any]


def case(name: str, request: str, arguments: str = "", **options: Any) -> Case:
    """*arguments* names members of the `World`; what begins with `=` is text."""

    def read(world: World) -> tuple[Any, ...]:
        return tuple(
            word[1:] if word.startswith("=") else getattr(world, word) for word in arguments.split()
        )

    return Case(name, request, read, options)


CASES = (
    case("user.get_self", "GET /v1/account/self"),
    case("user.update_self", "PUT /v1/account/self", city="Oslo"),
    case("user.get_user", "GET /v1/profile/{user_id}", "user", extras=["relation"]),
    case("user.get_account", "GET /v1/account/{user_id}", "user"),
    case("user.get_counters", "GET /v1/user-counters"),
    case("user.get_settings", "GET /v1/settings/self"),
    case("user.update_settings", "PUT /v1/settings/self", language="no"),
    case("user.get_activity", "GET /v1/activity/self"),
    case("user.get_user_trips", "GET /v1/user/{user_id}/trips", "user"),
    case("user.get_my_trips", "GET /v1/user/self/trips"),
    case("user.create_trip", "POST /v1/trip", "=Paris =2026-12-01", end_date="2026-12-07"),
    case("user.update_trip", "PUT /v1/trip/{trip_id}", "trip", destination="Rome"),
    case("user.delete_trip", "DELETE /v1/trip/{trip_id}", "trip"),
    case("messages.get_threads", "GET /v1/user/self/threads", limit=5),
    case("messages.get_user_thread", "GET /v1/user-thread/{user_id}", "user"),
    case("messages.get_thread_messages", "GET /v1/thread/{thread_id}/messages", "thread"),
    case("messages.send_message", "POST /v1/message", "thread =Hello", tmp_id="q7zd"),
    case("messages.start_conversation", "POST /v1/message", "user =Hello"),
    case("messages.mark_thread_viewed", "PUT /v1/thread/{thread_id}/viewed", "thread"),
    case("messages.read_message", "PUT /v1/thread/{thread_id}/viewed", "thread message"),
    case("messages.set_typing", "PUT /v1/thread/{thread_id}/typing", "thread", typing=False),
    case("messages.get_unread_count", "GET /v1/user-counters"),
    case("messages.archive_thread", "PUT /v1/thread/{thread_id}/archive", "thread"),
    case("messages.unarchive_thread", "PUT /v1/thread/{thread_id}/unarchive", "thread"),
    case("messages.send_gif", "POST /v1/message", "thread =https://example.org/a.gif"),
    case("messages.send_message_correction", "POST /v1/message", "thread =Hullo message"),
    case("messages.delete_message", "DELETE /v1/message/{message_id}", "message"),
    case("messages.delete_thread", "DELETE /v1/thread/{thread_id}", "thread"),
    case("search.search_users", "GET /v1/search/user", query="Porto", known_level_min=3),
    case("search.search_by_location", "GET /v1/search/geo", latitude=41, longitude=-8.6),
    case("search.get_feed", "GET /v1/feed"),
    case("search.get_nearby_users", "GET /v1/nearby"),
    case("search.get_suggestions", "GET /v1/suggestions"),
    case("media.upload_photo", "POST /v1/photo", "file", caption="Sunset"),
    case("media.get_photo", "GET /v1/photo/{photo_id}", "photo"),
    case("media.get_user_photos", "GET /v1/user/{user_id}/photos", "me"),
    case("media.get_album", "GET /v1/album/{album_id}", "album"),
    case("media.get_user_albums", "GET /v1/user/{user_id}/albums", "me"),
    case("media.create_album", "POST /v1/album", "=Norway", description="Fjords"),
    case("media.update_album", "PUT /v1/album/{album_id}", "album =Sweden"),
    case("media.get_photo_count", "GET /v1/total/{user_id}/photos", "me"),
    case("media.get_upload_status", "GET /v1/upload-status/{upload_token}", "upload"),
    case("media.upload_photo_async", "POST /v1/photo", "file", caption="Sunset"),
    case("media.upload_photo_with_token", "POST /v1/photo", "file"),
    case("media.send_photo_message", "POST /v1/message", "thread file"),
    case("media.delete_album", "DELETE /v1/album/{album_id}", "album"),
    case("media.delete_photo", "DELETE /v1/photo/{photo_id}", "photo"),
    case("social.get_relations", "GET /v1/user/{user_id}/relations", "user"),
    case("social.get_friends", "GET /v1/friends"),
    case("social.get_friends", "GET /v1/user/{user_id}/friends", "user"),
    case("social.block_user", "PUT /v1/relation/{user_id}/block", "user"),
    case("social.get_blocked_users", "GET /v1/blocked"),
    case("social.unblock_user", "PUT /v1/relation/{user_id}/unblock", "user"),
    case("social.bookmark_user", "POST /v1/bookmark", "user", note="postcards"),
    case("social.get_bookmarks", "GET /v1/bookmarks"),
    case("social.remove_bookmark", "DELETE /v1/bookmark/{user_id}", "user"),
    case("social.like_content", "POST /v1/like", "post", content_type="post"),
    case("social.get_likes", "GET /v1/likes/{content_id}", "post"),
    case("social.unlike_content", "DELETE /v1/like/{content_id}", "post"),
    case("realtime.get_notifications", "GET /v1/notification/my", unread_only=True),
    case(
        "realtime.mark_notification_read", "PUT /v1/notification/{notification_id}/read", "notice"
    ),
    case("realtime.mark_all_notifications_read", "PUT /v1/notification/mark-all-read"),
    case("realtime.register_push_token", "POST /v1/push-token", "=device"),
    case("realtime.unregister_push_token", "DELETE /v1/push-token/{token}", "=device"),
    case("realtime.get_views", "GET /v1/views/self"),
    case("realtime.reset_view_stats", "PUT /v1/views-stats/reset"),
    case("realtime.get_online_users", "GET /v1/online-users"),
    case("notifications.get_notifications", "GET /v1/notification/my", limit=3),
    case(
        "notifications.mark_notification_read",
        "PUT /v1/notification/{notification_id}/read",
        "notice",
    ),
    case("notifications.mark_all_read", "PUT /v1/notification/read-all"),
    case(
        "notifications.delete_notification", "DELETE /v1/notification/{notification_id}", "notice"
    ),
    case("posts.create_post", "POST /v1/post", "=Hello"),
    case("posts.get_post", "GET /v1/post/{post_id}", "post"),
    case("posts.get_feed", "GET /v1/feed", owner_only=True),
    case("posts.update_post", "PUT /v1/post/{post_id}", "post =Changed"),
    case("posts.get_comments", "GET /v1/post/{post_id}/comments", "post"),
    case("posts.create_comment", "POST /v1/comment", "post =Lovely"),
    case("posts.update_comment", "PUT /v1/comment/{comment_id}", "comment =Lovelier"),
    case("posts.delete_comment", "DELETE /v1/comment/{comment_id}", "comment"),
    case("posts.delete_post", "DELETE /v1/post/{post_id}", "post"),
)
# It deletes the same thing as the one above: each has a world of its own.
SAME_AS_ANOTHER = case(
    "realtime.delete_notification", "DELETE /v1/notification/{notification_id}", "notice"
)
ALL = (*CASES, SAME_AS_ANOTHER)

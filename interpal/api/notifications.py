"""Notifications, views, push tokens: `client.notifications` and `client.realtime`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from interpal.api.base import Topic
from interpal.api.endpoint import DOUBTFUL, GUESS, SINGLE, Call, Route, a_list_of, acknowledged
from interpal.api.replies import Notification, Profile, Reply, View

if TYPE_CHECKING:
    from interpal.api.base import Awaiting, Blocking

C = TypeVar("C", bound="Blocking | Awaiting")

_READ_ALL = "three names of it are known, two of them from one client: `read-all`, `mark-all-read`"
_REALTIME = "the JavaScript port has its own path under `/v1/realtime/`, like no other source"

NOTIFICATIONS = Route(
    "GET",
    "/v1/notification/my",
    SINGLE,
    "the JavaScript port asks at `/v1/notification` and `/v1/realtime/notification`",
)
READ = Route("PUT", "/v1/notification/{notification_id}/read", DOUBTFUL)
READ_ALL = Route("PUT", "/v1/notification/read-all", GUESS, f"{_READ_ALL}, `read/all`")
MARK_ALL_READ = Route("PUT", "/v1/notification/mark-all-read", GUESS, f"{_READ_ALL}, `read/all`")
DELETE_NOTIFICATION = Route("DELETE", "/v1/notification/{notification_id}", DOUBTFUL)
PUSH_TOKEN = Route("POST", "/v1/push-token", SINGLE, _REALTIME)
DELETE_PUSH_TOKEN = Route("DELETE", "/v1/push-token/{token}", SINGLE, _REALTIME)
VIEWS = Route("GET", "/v1/views/self", SINGLE, _REALTIME)
RESET_VIEWS = Route(
    "PUT",
    "/v1/views-stats/reset",
    DOUBTFUL,
    "a list of recorded requests has `/v1/views-stats/{user_id}/reset`",
)
ONLINE = Route("GET", "/v1/online-users", DOUBTFUL, _REALTIME)


class NotificationCalls:
    """Notifications, views, push tokens."""

    @NOTIFICATIONS.call
    def get_notifications(
        self, limit: int = 50, offset: int = 0, unread_only: bool = False
    ) -> Call[list[Notification]]:
        """The account's notifications."""
        query = {"limit": limit, "offset": offset, "unread_only": unread_only or None}
        return Call(a_list_of(Notification, "data", "notifications"), query=query)

    @READ.call
    def mark_notification_read(self, notification_id: str) -> Call[Reply | None]:
        """Mark a notification as read."""
        return Call(acknowledged, path={"notification_id": notification_id})

    @READ_ALL.call
    def mark_all_read(self) -> Call[Reply | None]:
        """Mark all notifications as read, by the path `read-all`."""
        return Call(acknowledged)

    @MARK_ALL_READ.call
    def mark_all_notifications_read(self) -> Call[Reply | None]:
        """Mark all notifications as read, by the path `mark-all-read`."""
        return Call(acknowledged)

    @DELETE_NOTIFICATION.call
    def delete_notification(self, notification_id: str) -> Call[Reply | None]:
        """Delete a notification."""
        return Call(acknowledged, path={"notification_id": notification_id})

    @PUSH_TOKEN.call
    def register_push_token(self, token: str, platform: str = "web") -> Call[Reply | None]:
        """Have notifications pushed to a device (`web`, `ios`, `android`)."""
        return Call(acknowledged, form={"token": token, "platform": platform})

    @DELETE_PUSH_TOKEN.call
    def unregister_push_token(self, token: str) -> Call[Reply | None]:
        """Have nothing pushed to a device any more."""
        return Call(acknowledged, path={"token": token})

    @VIEWS.call
    def get_views(self, limit: int = 50) -> Call[list[View]]:
        """Who looked at the account's profile."""
        return Call(a_list_of(View, "views", "data"), query={"limit": limit})

    @RESET_VIEWS.call
    def reset_view_stats(self) -> Call[Reply | None]:
        """Count the views of the profile from zero."""
        return Call(acknowledged)

    @ONLINE.call
    def get_online_users(self) -> Call[list[Profile]]:
        """Users that are online."""
        return Call(a_list_of(Profile, "users", "data"))


class Notifications(NotificationCalls, Topic[C]):
    """`client.notifications`."""


class Realtime(NotificationCalls, Topic[C]):
    """`client.realtime`: the same calls, under their older name."""

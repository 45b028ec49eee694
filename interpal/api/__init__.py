"""What the site offers: every operation and endpoint, declared once for both clients.

The managers are here under their names of interpal 1.x: `client.user` is a `UserAPI`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interpal.api.account import Users as UserAPI
    from interpal.api.media import Media as MediaAPI
    from interpal.api.messages import Messages as MessagesAPI
    from interpal.api.notifications import Notifications as NotificationsAPI
    from interpal.api.notifications import Realtime as RealtimeAPI
    from interpal.api.posts import Posts as PostsAPI
    from interpal.api.search import Search as SearchAPI
    from interpal.api.social import Social as SocialAPI

__all__ = [
    "MediaAPI",
    "MessagesAPI",
    "NotificationsAPI",
    "PostsAPI",
    "RealtimeAPI",
    "SearchAPI",
    "SocialAPI",
    "UserAPI",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from interpal.api.calls import MANAGERS, load

    return load(*MANAGERS[name.removesuffix("API").lower()])

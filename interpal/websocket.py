"""The clients of live events of interpal 1.x: see `client.live`.

`ProductionWebSocketClient`, which had no notion of a session, is not here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interpal.async_client import AsyncInterpalClient
from interpal.client import InterpalClient
from interpal.live.connection import ConnectionState
from interpal.live.connection import Settings as WebSocketConfig

if TYPE_CHECKING:
    from interpal.api.compatibility import Auth
    from interpal.live.client import AwaitedLiveEvents, BlockingLiveEvents

__all__ = ["ConnectionState", "SyncWebSocketClient", "WebSocketClient", "WebSocketConfig"]


def WebSocketClient(auth_manager: Auth) -> AwaitedLiveEvents:  # noqa: N802  (its name in 1.x)
    """The live events of a session, awaited: `on`, `start`, `connect`, `disconnect`."""
    client: Any = auth_manager._client  # noqa: SLF001  (a view of it)
    if not isinstance(client, AsyncInterpalClient):
        other = AsyncInterpalClient(base_url=client._context.settings.base_url)  # noqa: SLF001
        if client.session is not None:
            other.import_session(client.export_session())
        client = other
    live: AwaitedLiveEvents = client.live
    return live


def SyncWebSocketClient(auth_manager: Auth) -> BlockingLiveEvents:  # noqa: N802  (its name in 1.x)
    """The live events of a session, in a thread: `on`, `start`, `connect`, `disconnect`."""
    client: Any = auth_manager._client  # noqa: SLF001  (a view of it)
    if not isinstance(client, InterpalClient):
        other = InterpalClient(base_url=client._context.settings.base_url)  # noqa: SLF001
        if client.session is not None:
            other.import_session(client.export_session())
        client = other
    live: BlockingLiveEvents = client.live
    return live

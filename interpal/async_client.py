"""`AsyncInterpalClient`: runs the same flows with aiohttp, and never holds the event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from interpal._aiohttp import AiohttpRequester
from interpal._worker import Worker, drive
from interpal.api.base import Awaiting, Operation, Operations, PlainOperation
from interpal.api.calls import Calls
from interpal.flows import saving
from interpal.flows.resume import start
from interpal.sessions.singleflight import in_flight

if TYPE_CHECKING:
    from typing_extensions import Self

    from interpal.api.account import Users
    from interpal.api.media import Media
    from interpal.api.messages import Messages
    from interpal.api.notifications import Notifications, Realtime
    from interpal.api.posts import Posts
    from interpal.api.search import Search
    from interpal.api.social import Social
    from interpal.live.client import AwaitedLiveEvents, EventDecorator
    from interpal.sessions.wait import Flow
    from interpal.transport.messages import Pause
else:
    # Of what is loaded when it is asked for; `typing.get_type_hints` reads them.
    AwaitedLiveEvents = EventDecorator = Any

T = TypeVar("T")


class AsyncInterpalClient(Calls, Awaiting):
    """The client for asyncio: the same operations as `InterpalClient`, awaited.

    Its construction does no I/O: the saved session is resumed in `async with`, or at the first
    awaited call. `login()`, `import_session()`, `export_session()`, `get_session_info()` and
    `clear_saved_session()` are plain calls, as in interpal 1.x; `alogin()`,
    `aget_session_info()` and `aclear_saved_session()` are the twins that never hold the loop.
    """

    if TYPE_CHECKING:
        # The managers of interpal 1.x (`interpal.api.calls.MANAGERS`).
        user: Users[Awaiting]
        """The account, profiles, trips."""
        messages: Messages[Awaiting]
        """Conversations and messages."""
        search: Search[Awaiting]
        """People and posts."""
        media: Media[Awaiting]
        """Photos and albums."""
        social: Social[Awaiting]
        """Friends, blocks, bookmarks, likes."""
        realtime: Realtime[Awaiting]
        """`notifications` under its older name."""
        notifications: Notifications[Awaiting]
        """Notifications and views."""
        posts: Posts[Awaiting]
        """Posts and comments."""

    def _begin(self) -> None:
        self._worker = Worker()
        self._send = AiohttpRequester(
            self._context.settings.timeout, self._worker, self._context.network
        )

    login = PlainOperation(Operations._login)  # noqa: SLF001  (its own base)
    import_session = PlainOperation(Operations._import_session)  # noqa: SLF001  (its own base)
    get_session_info = PlainOperation(Operations._get_session_info)  # noqa: SLF001  (its own base)
    clear_saved_session = PlainOperation(Operations._clear_saved_session)  # noqa: SLF001  (its own base)

    alogin = Operation(Operations._login)  # noqa: SLF001  (its own base)
    aget_session_info = Operation(Operations._get_session_info)  # noqa: SLF001  (its own base)
    aclear_saved_session = Operation(Operations._clear_saved_session)  # noqa: SLF001  (its own base)

    async def _run(self, flow: Flow[T]) -> T:
        self._context.check_usable()
        with self._context.told_of_its_end():
            return await drive(flow, self._send, self._worker)

    def _run_plainly(self, flow: Flow[T]) -> T:
        """Run a flow on the spot, with the driver of `InterpalClient`."""
        self._context.check_usable()
        from interpal._requests import Requester
        from interpal.sessions.wait import drive as drive_here
        from interpal.sessions.wait import pause

        try:
            loop = id(asyncio.get_running_loop())
        except RuntimeError:
            loop = 0
        places = (self._context, self._context.place)

        def wait(step: Pause) -> None:
            if step.in_line and loop and any(in_flight(place, loop) for place in places):
                raise RuntimeError(
                    "a task of this event loop is in the middle of a login, and a plain login() "
                    "that waits for it would stop it for ever: use await client.alogin()"
                )
            pause(step)

        send = Requester(self._context.settings.timeout, self._context.network)
        try:
            with self._context.told_of_its_end():
                return drive_here(flow, send, wait)
        finally:
            send.close()

    # Live events.

    @property
    def live(self) -> AwaitedLiveEvents:
        """The live events: handlers, settings, statistics, the connection."""
        if "_live" not in vars(self):
            from interpal.live.client import AwaitedLiveEvents

            vars(self).setdefault("_live", AwaitedLiveEvents(self._context, self._run))
        live: AwaitedLiveEvents = vars(self)["_live"]
        return live

    @property
    def event(self) -> EventDecorator:
        """Decorate a handler: `@client.event`, or `@client.event("on_message")`."""
        return self.live.event

    async def start(self) -> None:
        """Connect, and hand live events out until `stop_websocket()` or `close()`.

        Raises what no other try can mend, such as `SessionExpiredError`.
        """
        await self.live.start()

    async def start_websocket(self) -> None:
        """Do the same in the background; return at the first open socket. Raises as `start`."""
        await self.live.connect()

    async def stop_websocket(self) -> None:
        """End live events, once the handlers have finished what was handed out to them."""
        await self.live.disconnect()

    async def connect_websocket(self) -> None:
        """Another name for `start_websocket`."""
        await self.live.connect()

    async def disconnect_websocket(self) -> None:
        """Another name for `stop_websocket`."""
        await self.live.disconnect()

    @property
    def _ws_client(self) -> AwaitedLiveEvents:
        """The live events, under their name of interpal 1.x."""
        return self.live

    def is_websocket_connected(self) -> bool:
        """Whether the socket is open."""
        return "_live" in vars(self) and self.live.is_connected

    async def close(self) -> None:
        """Close connections and the vault. The session stays saved, with a cookie that is new.

        A save that another call is at is waited for, up to `lock_timeout`. The client forgets its
        session, its password and its key: a later call raises `ClientClosedError`.
        """
        self._context.check_not_in_hook()
        if "_live" in vars(self):
            await self.live.disconnect()
        await self._send.close()
        # What cancelled calls have left comes before the last save.
        await self._worker.settle()
        try:
            await drive(saving.close(self._context), self._send, self._worker)
        finally:
            self._worker.end()

    async def __aenter__(self) -> Self:
        self._context.check_usable()
        try:
            await self._run(start(self._context))
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

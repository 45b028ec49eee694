"""`InterpalClient`: runs the flows with requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from interpal._lazy import LateModule
from interpal.api.base import Blocking, Operation, Operations
from interpal.api.calls import Calls
from interpal.flows.resume import start
from interpal.sessions.wait import drive

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from typing_extensions import Self

    from interpal._requests import Requester
    from interpal.api.account import Users
    from interpal.api.media import Media
    from interpal.api.messages import Messages
    from interpal.api.notifications import Notifications, Realtime
    from interpal.api.posts import Posts
    from interpal.api.search import Search
    from interpal.api.social import Social
    from interpal.flows import saving
    from interpal.live.client import BlockingLiveEvents, EventDecorator
    from interpal.live.connection import Run
    from interpal.sessions.wait import Flow
    from interpal.transport.messages import Request, Response
else:
    saving = LateModule("interpal.flows.saving")
    # Of what is loaded when it is asked for; `typing.get_type_hints` reads them.
    BlockingLiveEvents = EventDecorator = Any

T = TypeVar("T")


class InterpalClient(Calls, Blocking):
    """A client whose session is kept, encrypted, from run to run.

    With `auto_login=True` it resumes or logs in during construction. May be used from many
    threads at once. `close()`, or `with`, lets go of connections; the session stays saved.
    """

    if TYPE_CHECKING:
        # The managers of interpal 1.x (`interpal.api.calls.MANAGERS`).
        user: Users[Blocking]
        """The account, profiles, trips."""
        messages: Messages[Blocking]
        """Conversations and messages."""
        search: Search[Blocking]
        """People and posts."""
        media: Media[Blocking]
        """Photos and albums."""
        social: Social[Blocking]
        """Friends, blocks, bookmarks, likes."""
        realtime: Realtime[Blocking]
        """`notifications` under its older name."""
        notifications: Notifications[Blocking]
        """Notifications and views."""
        posts: Posts[Blocking]
        """Posts and comments."""

        _requester: Requester

    def _begin(self) -> None:
        try:
            drive(start(self._context), self._send)
        except BaseException:
            self.close()
            raise

    login = Operation(Operations._login)  # noqa: SLF001  (its own base)
    import_session = Operation(Operations._import_session)  # noqa: SLF001  (its own base)
    get_session_info = Operation(Operations._get_session_info)  # noqa: SLF001  (its own base)
    clear_saved_session = Operation(Operations._clear_saved_session)  # noqa: SLF001  (its own base)

    def _run(self, flow: Flow[T]) -> T:
        self._context.check_usable()
        with self._context.told_of_its_end():
            return drive(flow, self._send)

    def _send(self, request: Request) -> Response:
        """Send one request. What it takes is loaded, and made, for the first."""
        if "_requester" not in vars(self):
            from interpal._requests import Requester

            # One step, whichever thread is first.
            settings = self._context.settings
            vars(self).setdefault("_requester", Requester(settings.timeout, self._context.network))
        return self._requester(request)

    # Live events.

    @property
    def live(self) -> BlockingLiveEvents:
        """The live events: handlers, settings, statistics, the connection."""
        if "_live" not in vars(self):
            from interpal.live.client import BlockingLiveEvents

            vars(self).setdefault("_live", BlockingLiveEvents(self._context, self._flows))
        live: BlockingLiveEvents = vars(self)["_live"]
        return live

    @property
    def event(self) -> EventDecorator:
        """Decorate a handler: `@client.event`, or `@client.event("on_message")`."""
        return self.live.event

    def start(self) -> None:
        """Connect, and hand live events out until `stop_websocket()` or `close()`.

        Raises what no other try can mend, such as `SessionExpiredError`.
        """
        self.live.start()

    def start_websocket(self) -> None:
        """Do the same in the background; return at the first open socket. Raises as `start`."""
        self.live.connect()

    def stop_websocket(self) -> None:
        """End live events, once the handlers have finished what was handed out to them."""
        self.live.disconnect()

    def connect_websocket(self) -> None:
        """Another name for `start_websocket`."""
        self.live.connect()

    def disconnect_websocket(self) -> None:
        """Another name for `stop_websocket`."""
        self.live.disconnect()

    @property
    def _ws_client(self) -> BlockingLiveEvents:
        """The live events, under their name of interpal 1.x."""
        return self.live

    def is_websocket_connected(self) -> bool:
        """Whether the socket is open."""
        return "_live" in vars(self) and self.live.is_connected

    async def _flows(self) -> AsyncGenerator[Run, None]:
        """What runs a flow in the event loop of live events."""
        from interpal._aiohttp import AiohttpRequester
        from interpal._worker import Worker
        from interpal._worker import drive as drive_there

        worker = Worker()
        send = AiohttpRequester(self._context.settings.timeout, worker, self._context.network)
        try:
            yield lambda flow: drive_there(flow, send, worker)
        finally:
            await send.close()
            await worker.close()

    def close(self) -> None:
        """Close connections and the vault. The session stays saved, with a cookie that is new.

        A save that another call is at is waited for, up to `lock_timeout`. The client forgets its
        session, its password and its key: a later call raises `ClientClosedError`.
        """
        self._context.check_not_in_hook()
        if "_live" in vars(self):
            self.live.disconnect()
        if "_requester" in vars(self):
            self._requester.close()
        drive(saving.close(self._context), self._send)

    def __enter__(self) -> Self:
        self._context.check_usable()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        # Where interpal 1.x has it.
        if name != "AsyncInterpalClient":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from interpal.async_client import AsyncInterpalClient

        return AsyncInterpalClient

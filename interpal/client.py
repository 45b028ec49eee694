"""`InterpalClient`: runs the flows with requests."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any, TypeVar

from interpal._clock import monotonic
from interpal._lazy import LateModule
from interpal.api.base import Blocking, Operation, Operations
from interpal.api.calls import Calls
from interpal.exceptions import NetworkError
from interpal.flows import resume
from interpal.transport import origin
from interpal.vault.files.forks import Process

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    import requests
    from requests.adapters import HTTPAdapter
    from typing_extensions import Self

    from interpal.api.account import Users
    from interpal.api.media import Media
    from interpal.api.messages import Messages
    from interpal.api.notifications import Notifications, Realtime
    from interpal.api.posts import Posts
    from interpal.api.search import Search
    from interpal.api.social import Social
    from interpal.live.client import BlockingLiveEvents, EventDecorator
    from interpal.live.connection import Run
    from interpal.sessions.wait import Flow
    from interpal.transport import messages, protocol
    from interpal.transport.messages import Pause, Request, Response
else:
    # Of what is loaded when it is asked for; `typing.get_type_hints` reads them.
    BlockingLiveEvents = EventDecorator = Any
    messages = LateModule("interpal.transport.messages")
    protocol = LateModule("interpal.transport.protocol")

T = TypeVar("T")

_PIECE = 65536


def pause(step: Pause) -> None:
    """Sleep."""
    time.sleep(step.seconds)


def drive(
    flow: Flow[T], send: Callable[[Request], Response], wait: Callable[[Pause], None] = pause
) -> T:
    """Run a flow to its end: send its requests, wait its pauses. Frees its locks in any case."""
    try:
        step = next(flow)
        while True:
            answer: Response | None = None
            trouble: NetworkError | None = None
            if isinstance(step, messages.Pause):
                wait(step)
            else:
                try:
                    answer = send(step)
                except NetworkError as error:
                    trouble = error
            step = flow.send(answer) if trouble is None else flow.throw(trouble)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        flow.close()


class Requester:
    """Sends requests with the requests library. Used from many threads at once."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._opened: tuple[Process, requests.Session] | None = None

    def __call__(self, request: Request) -> Response:
        """Send one request. Redirects are not followed. Raises `NetworkError`."""
        import requests
        import urllib3

        http = self._session()
        deadline = monotonic() + 2 * self._timeout
        where = f"{request.method} {request.url.partition('?')[0]}"
        try:
            with http.request(
                request.method,
                request.url,
                headers=dict(request.headers),
                data=request.body,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
                proxies=_proxies(request.url),
            ) as reply:
                body = _read(reply, deadline, where)
                headers = tuple((name.lower(), text) for name, text in reply.raw.headers.items())
                return messages.Response(reply.status_code, headers, body)
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
            ValueError,
        ) as error:
            reason = _reason(error, self._timeout)
        # Outside the handler: the library's error carries the request, and with it the session.
        raise NetworkError(f"{where}: {reason}")

    def close(self) -> None:
        """Close the connections. The next request opens new ones."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened[1].close()

    def _session(self) -> requests.Session:
        opened = self._opened
        if opened is None or not opened[0].is_current:
            # After a fork as well: two processes on one connection would get each other's replies.
            self._opened = opened = (Process(), _new_session(self._timeout))
        return opened[1]


def _new_session(timeout: float) -> requests.Session:
    from http.cookiejar import DefaultCookiePolicy

    import requests

    # What replaces the library's class for the whole program, as `requests_cache.install_cache()`
    # does, would keep the session in a file and answer one account with the replies of another.
    own = [kind for kind in requests.Session.__mro__ if kind.__module__ == "requests.sessions"]
    plain: Any = own[0] if own else requests.Session

    class Session(plain):  # type: ignore[misc]
        def get_redirect_target(self, resp: requests.Response) -> None:
            """None: to prepare what is not followed, requests reads the body, however long."""

    http = Session()
    adapter = _adapter(2 * timeout)
    http.mount("https://", adapter)
    http.mount("http://", adapter)
    # Cookies are the session's and travel with it; a jar would mix accounts.
    http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # No credentials from ~/.netrc beside the session's own.
    http.auth = _no_auth
    # A body of unknown size after decompression is not worth the bytes saved.
    http.headers["Accept-Encoding"] = "identity"
    return http


def _adapter(seconds: float) -> HTTPAdapter:
    """Bounds what the library reads by itself, head and chunk sizes, as `_read` does the body."""
    from http.client import HTTPResponse

    from requests.adapters import HTTPAdapter

    class Reply(HTTPResponse):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.fp = io.BufferedReader(_Timed(self.fp.detach(), seconds))

    class Adapter(HTTPAdapter):
        def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
            pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
            kind = pool.ConnectionCls
            if kind.response_class is not Reply:
                pool.ConnectionCls = type(kind.__name__, (kind,), {"response_class": Reply})
            return pool

    return Adapter()


class _Timed(io.RawIOBase):
    """The bytes of one reply as they come; none is waited for after so many *seconds*."""

    def __init__(self, raw: io.RawIOBase, seconds: float) -> None:
        self._raw = raw
        self._deadline = monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if monotonic() > self._deadline:
            raise TimeoutError
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _proxies(url: str) -> dict[str, str] | None:
    """None for the proxies of the environment; a loopback server is never asked through one."""
    from urllib.parse import urlsplit

    loopback = origin.is_loopback(urlsplit(url).hostname or "")
    # Not by `no_proxy`: for that requests changes the environment, which other threads read.
    return {"http": "", "https": ""} if loopback else None


def _read(reply: requests.Response, deadline: float, where: str) -> bytes:
    from interpal.transport.reply_body import ReplyBody

    body = ReplyBody(reply.headers.get("Content-Encoding"))
    while (piece := reply.raw.read1(_PIECE, decode_content=False)) and body.add(piece):
        if monotonic() > deadline:
            # A traceback may show the values of variables.
            del body, piece
            raise NetworkError(f"{where}: the reply did not end in time")
    del piece
    return body.content(where)


def _reason(error: BaseException, timeout: float) -> str:
    """What went wrong, in words of our own: the library's text may quote the request."""
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate was not accepted, or TLS failed"
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"no connection within {timeout:g} seconds"
    if isinstance(error, requests.exceptions.Timeout):
        return f"no answer within {timeout:g} seconds"
    if isinstance(error, requests.exceptions.InvalidSchema):
        return protocol.UNKNOWN_PROXY
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy of the environment did not answer"
    cause: BaseException | None = error
    while cause is not None:
        if (
            isinstance(cause, OSError)
            and cause.strerror
            and not isinstance(cause, requests.RequestException)
        ):
            return f"no connection: {cause.strerror}"
        inner = next((item for item in cause.args if isinstance(item, BaseException)), None)
        cause = getattr(cause, "reason", None) or inner or cause.__cause__ or cause.__context__
        cause = cause if isinstance(cause, BaseException) else None
    return f"the connection failed ({type(error).__name__})"


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

    def _begin(self) -> None:
        self._send = Requester(self._context.settings.timeout)
        try:
            if self._context.state.may_login or self._context.manager is not None:
                self._run(resume.start(self._context))
        except BaseException:
            self.close()
            raise

    login = Operation(Operations._login)  # noqa: SLF001  (its own base)
    import_session = Operation(Operations._import_session)  # noqa: SLF001  (its own base)
    get_session_info = Operation(Operations._get_session_info)  # noqa: SLF001  (its own base)
    clear_saved_session = Operation(Operations._clear_saved_session)  # noqa: SLF001  (its own base)

    def _run(self, flow: Flow[T]) -> T:
        self._context.check_not_in_hook()
        return drive(flow, self._send)

    # Live events.

    @property
    def live(self) -> BlockingLiveEvents:
        """The live events: handlers, settings, statistics, the connection."""
        if "_live" not in vars(self):
            from interpal.async_client import proxy_of
            from interpal.live.client import BlockingLiveEvents

            vars(self).setdefault("_live", BlockingLiveEvents(self._context, self._flows, proxy_of))
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
        from interpal._worker import Worker
        from interpal.async_client import AiohttpRequester
        from interpal.async_client import drive as drive_there

        worker = Worker()
        send = AiohttpRequester(self._context.settings.timeout, worker)
        try:
            yield lambda flow: drive_there(flow, send, worker)
        finally:
            await send.close()
            await worker.close(None)

    def close(self) -> None:
        """Close connections and the vault. The session stays saved.

        The client may be used again, so the key and the password that it was given stay in memory.
        """
        self._context.check_not_in_hook()
        if "_live" in vars(self):
            self.live.disconnect()
        self._send.close()
        if self._context.manager is not None:
            self._context.manager.close()

    def __enter__(self) -> Self:
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

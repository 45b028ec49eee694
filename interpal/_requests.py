"""Sends requests with the requests library, for `InterpalClient`."""

from __future__ import annotations

import io
import re
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import requests
import urllib3

from interpal._clock import monotonic
from interpal._hidden import Hidden
from interpal.exceptions import NetworkError
from interpal.transport import messages
from interpal.transport.environment import context_of
from interpal.vault.files.forks import Process

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests.adapters import HTTPAdapter

    from interpal.transport.environment import Authorities, Network, Proxy
    from interpal.transport.messages import Request, Response

_PIECE = 65536


class Requester:
    """Sends requests with the requests library. Used from many threads at once."""

    def __init__(self, timeout: float, network: Network) -> None:
        self._timeout = timeout
        self._network = network
        # Those that hold certificates: requests says of others that the server's is not accepted.
        self._known: Authorities | None = None
        self._opened: tuple[Process, requests.Session] | None = None

    def __call__(self, request: Request) -> Response:
        """Send one request. Redirects are not followed. Raises `NetworkError`."""
        http = self._session()
        deadline = monotonic() + 2 * self._timeout
        where = f"{request.method} {request.url.partition('?')[0]}"
        try:
            reply = self._ask(http, request)
            try:
                return _response(reply, Hidden(_read(reply, deadline, where)))
            finally:
                if reply.raw is not None:
                    reply.close()
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
            ValueError,
        ) as error:
            reason = _reason(error, self._timeout, self._network.proxy_of(request.url))
        # Outside the handler: the library's error carries the request, and with it the session.
        raise NetworkError(f"{where}: {reason}")

    def _ask(self, http: requests.Session, request: Request) -> requests.Response:
        # By itself: some reporters evaluate the names in the source of the frames that they show.
        proxy, authorities = self._network.proxy_of(request.url), self._network.authorities()
        if authorities is not None and authorities != self._known:
            context_of(authorities)
            self._known = authorities
        proxies: dict[str, str] = {}
        if proxy is not None:
            proxies = {"http": proxy.url.reveal(), "https": proxy.url.reveal()}
        return http.request(
            request.method,
            request.url,
            headers=dict(request.headers),
            data=request.body,
            timeout=self._timeout,
            allow_redirects=False,
            stream=True,
            proxies=proxies,
            verify=True if authorities is None else authorities.path,
        )

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
    # Proxies and authorities are for `Network` to say.
    http.trust_env = False
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
            # Where a test has put bytes in the place of the socket, there is nothing to wait for.
            with suppress(io.UnsupportedOperation):
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


def _response(reply: requests.Response, body: Hidden[bytes]) -> Response:
    # What a test puts in the place of a reply has no `raw`, or one of its own.
    headers = getattr(reply.raw, "headers", None) or reply.headers
    headers = tuple((name.lower(), text) for name, text in headers.items())
    return messages.Response(reply.status_code, headers, body.reveal())


def _read(reply: requests.Response, deadline: float, where: str) -> bytes:
    from interpal.transport.reply_body import ReplyBody

    if reply.raw is None:
        # A test has made it, with its content set, which is decoded.
        body = ReplyBody(None)
        body.add(reply.content)
        return body.content(where)
    body = ReplyBody(reply.headers.get("Content-Encoding"))
    next_piece = _reader(reply.raw)
    while (piece := next_piece()) and body.add(piece):
        if monotonic() > deadline:
            # A traceback may show the values of variables.
            del body, piece
            raise NetworkError(f"{where}: the reply did not end in time")
    del piece
    return body.content(where)


def _reader(raw: Any) -> Callable[[], bytes]:
    """What gives the next bytes as they came: of urllib3, or of what stands in for it in tests."""
    if isinstance(raw, urllib3.HTTPResponse):
        return partial(raw.read1, _PIECE, decode_content=False)
    # A mock of everything gives a mock, for ever.
    return lambda: piece if isinstance(piece := raw.read(_PIECE), bytes) else b""


def _reason(error: BaseException, timeout: float, proxy: Proxy | None) -> str:
    """What went wrong, in words of our own: the library's text may quote the request."""
    from interpal.transport import failures

    known: str | None = None
    if isinstance(error, requests.exceptions.ConnectTimeout) and proxy is None:
        known = f"no connection within {timeout:g} seconds"
    elif isinstance(error, requests.exceptions.Timeout):
        known = f"no answer within {timeout:g} seconds"
    elif proxy is not None and isinstance(error, requests.exceptions.ProxyError):
        # urllib3 has the status in this text alone.
        refused = re.search(r"Tunnel connection failed: (\d{3})\b", str(error))
        if refused:
            return failures.refused_by(proxy, int(refused[1]))
        return failures.no_proxy(error, proxy)
    return failures.reason_of(error, proxy, known)

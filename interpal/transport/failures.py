"""Why a request did not get through: the same words for both clients and for the WebSocket.

The text of a library's error may contain the request, and with it the session: none of it is used.
"""

from __future__ import annotations

import os
import ssl
from http.client import BadStatusLine, IncompleteRead, RemoteDisconnected
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interpal.transport.environment import Proxy


def reason_of(error: BaseException, proxy: Proxy | None, known: str | None = None) -> str:
    """What went wrong on the way to the server, for a message.

    *known* is what the library's own kind of error says already.
    """
    reason = known or _reason(list(causes(error)))
    what, semicolon, remedy = reason.partition("; ")
    way = "" if proxy is None else f", through the proxy {_named(proxy)}"
    return f"{what}{way}{semicolon}{remedy}"


def _reason(chain: list[BaseException]) -> str:
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in chain):
        # A library's own kind of it has no such text.
        said = [getattr(cause, "verify_message", None) for cause in chain]
        why = next((f" ({text})" for text in said if text), "")
        return (
            f"the server's certificate was not accepted{why}; if this network has an authority of "
            "its own, name its certificate with SSL_CERT_FILE or verify="
        )
    for cause in chain:
        if isinstance(cause, ssl.SSLError):
            return NO_TLS
        if isinstance(cause, RemoteDisconnected):
            return HUNG_UP
        if isinstance(cause, BadStatusLine):
            return NO_HTTP
        if isinstance(cause, IncompleteRead):
            return CUT_OFF
    system = strerror(chain)
    return f"no connection: {system}" if system else f"the connection failed ({kind(chain[0])})"


NO_TLS = (
    "the TLS handshake failed; something else than the server may answer, such as a captive "
    "portal: open a page in a browser"
)
HUNG_UP = "the server closed the connection without an answer"
NO_HTTP = "what was answered is not HTTP"
CUT_OFF = "the reply was cut off"


def of_aiohttp(error: BaseException, proxy: Proxy | None, known: str | None = None) -> str:
    """`reason_of` an error of aiohttp."""
    import aiohttp

    if proxy is not None and isinstance(error, aiohttp.ClientHttpProxyError):
        return refused_by(proxy, error.status)
    if proxy is not None and _is_of_proxy(error, proxy):
        return no_proxy(error, proxy)
    if isinstance(error, aiohttp.ClientConnectorError) and error.errno is None:
        # TLS that the other side ended is no error of TLS to asyncio. (Those that are have no
        # number in older versions.)
        known = known if isinstance(error, aiohttp.ClientSSLError) else NO_TLS
    elif isinstance(error, aiohttp.ServerDisconnectedError):
        known = HUNG_UP
    elif isinstance(error, aiohttp.ClientPayloadError):
        known = CUT_OFF
    elif isinstance(error, aiohttp.ClientResponseError):
        known = NO_HTTP
    return reason_of(error, proxy, known)


def _is_of_proxy(error: BaseException, proxy: Proxy) -> bool:
    """Whether the connection that failed was that to the proxy."""
    import aiohttp

    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return True
    # The name of a proxy that is not known is an error as that of any server.
    return isinstance(error, aiohttp.ClientConnectorDNSError) and error.host == proxy.host


def no_proxy(error: BaseException, proxy: Proxy) -> str:
    """That there is no connection to the proxy itself."""
    chain = list(causes(error))
    return (
        f"no connection to the proxy {_named(proxy)}: {strerror(chain) or kind(chain[0])}; check "
        "its address"
    )


def refused_by(proxy: Proxy, status: int) -> str:
    """What a proxy's answer to CONNECT means, for a message."""
    if status == 407:
        return (
            f"the proxy {_named(proxy)} wants a username and password (407): write "
            "http://USER:PASSWORD@HOST:PORT, special characters as %XX, or correct them"
        )
    if status == 403:
        return (
            f"the proxy {_named(proxy)} refuses connections to this server (403): ask whoever "
            "runs it"
        )
    return f"the proxy {_named(proxy)} refused the connection ({status})"


def _named(proxy: Proxy) -> str:
    return f"{proxy.shown} ({proxy.name})"


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it comes of, however a library keeps them."""
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        inner = next((item for item in cause.args if isinstance(item, BaseException)), None)
        found = getattr(cause, "reason", None) or inner or cause.__cause__ or cause.__context__
        cause = found if isinstance(found, BaseException) else None


def strerror(chain: list[BaseException]) -> str | None:
    """What the system says of it."""
    for cause in chain:
        # Libraries make an `OSError` of any text.
        if isinstance(cause, OSError) and cause.errno is not None and cause.strerror:
            # asyncio writes the address into it; resolvers have numbers of their own, below 0.
            return os.strerror(cause.errno) if cause.errno > 0 else cause.strerror
    return None


def kind(error: BaseException) -> str:
    """The kind of an error of which there is nothing better to say."""
    return type(error).__name__

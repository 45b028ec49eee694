"""Proxies and certificate authorities: one rule for both clients and for the WebSocket.

What the libraries read of the environment differs: requests knows REQUESTS_CA_BUNDLE and no
networks in NO_PROXY of aiohttp, which knows neither. So it is read here and handed to them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from interpal._hidden import Hidden, Opaque
from interpal._tuples import NamedTuple
from interpal.exceptions import NetworkError, ValidationError
from interpal.transport.origin import is_loopback

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where the certificates of trusted authorities are, the first that is set."""


class Authorities(NamedTuple):
    """The file or folder of trusted authorities, and what named it."""

    path: str
    name: str


class Proxy(Opaque):
    """The proxy for a request; its repr shows no password. *name* is what named it."""

    __slots__ = ("name", "url")

    name: str
    url: Hidden[str]

    def __init__(self, url: str, name: str) -> None:
        self._fill(name, Hidden(url))

    def __repr__(self) -> str:
        return f"<Proxy of {self.name}>"

    @property
    def host(self) -> str | None:
        """Its host."""
        from urllib.parse import urlsplit

        return urlsplit(self.url.reveal()).hostname

    @property
    def shown(self) -> str:
        """Its host and port, for a message."""
        return self.url.reveal().rpartition("@")[2].rpartition("://")[2].strip("/")


class Network(Opaque):
    """How a client reaches the server: `proxy=` and `verify=`, else the environment."""

    __slots__ = ("_proxy", "_verify")

    _proxy: Hidden[str] | None
    _verify: str | None

    def __init__(self, proxy: Hidden[str | None], verify: object) -> None:
        """*verify* is True, or the path of a file or folder. Raises `ValidationError`."""
        if verify is not True and (not isinstance(verify, (str, os.PathLike)) or not str(verify)):
            raise ValidationError(
                "verify: expected True, or the path of the certificates of the authorities to "
                "trust; the server's certificate is always checked"
            )
        given = proxy.reveal() is not None
        if given and not isinstance(proxy.reveal(), str):
            raise ValidationError("proxy: expected the address of a proxy, or '' for none")
        self._fill(
            Hidden(proxy.reveal() or "") if given else None,
            None if verify is True else os.fspath(verify),
        )
        if given and proxy.reveal():
            _checked(str(proxy.reveal()), "proxy", ValidationError)

    def proxy_of(self, url: str, environ: Mapping[str, str] = os.environ) -> Proxy | None:
        """The proxy for *url*; a server on this machine is never asked through one.

        Raises `NetworkError` where the environment names none that can be used.
        """
        from urllib.parse import urlsplit

        parts = urlsplit(url)
        host = parts.hostname or ""
        if is_loopback(host):
            return None
        if self._proxy is not None:
            text = self._proxy.reveal()
            return Proxy(_checked(text, "proxy", ValidationError), "proxy=") if text else None
        port = parts.port or {"https": 443, "wss": 443}.get(parts.scheme, 80)
        for name in ("no_proxy", "NO_PROXY"):
            if environ.get(name):
                if is_excepted(host, port, environ[name]):
                    return None
                break
        kind = "https" if parts.scheme in ("https", "wss") else "http"
        for name in (f"{kind}_proxy", f"{kind.upper()}_PROXY", "all_proxy", "ALL_PROXY"):
            # In a CGI program it is a header of whoever asks it.
            if name == "HTTP_PROXY" and "REQUEST_METHOD" in environ:
                continue
            if environ.get(name, "").strip():
                return Proxy(_checked(environ[name], name, NetworkError), name)
        return None

    def authorities(self, environ: Mapping[str, str] = os.environ) -> Authorities | None:
        """The authorities to trust; None for those that the library brings.

        Raises `NetworkError` where what is named is not there.
        """
        if self._verify is not None:
            return _there(Authorities(self._verify, "verify="))
        for name in CA_VARIABLES:
            if environ.get(name):
                return _there(Authorities(environ[name], name))
        return None


def _there(found: Authorities) -> Authorities:
    if not os.path.exists(found.path):
        raise NetworkError(
            f"{found.name}: {found.path}: no such file or folder of certificates; correct it"
        )
    return found


_QUOTES = ("'", '"')
_NO_ADDRESS = "not the address of a proxy; write http://HOST:PORT"


def _checked(text: str, name: str, error: type[NetworkError | ValidationError]) -> str:
    """The address of a proxy, with its scheme. Raises *error*, which shows none of it."""
    from urllib.parse import urlsplit

    wanted = Hidden(text.strip() if "://" in text else f"http://{text.strip()}")
    quoted = text.strip()[:1] in _QUOTES or text.strip()[-1:] in _QUOTES
    del text
    fault = None
    try:
        parts = Hidden(urlsplit(wanted.reveal()))
        if quoted:
            fault = "there are quotes around the address; remove them"
        elif parts.reveal().scheme not in ("http", "https"):
            fault = "a proxy of a kind that is not supported; set an http:// or https:// one"
            fault += "" if name == "proxy" else ", or NO_PROXY"
        elif set(wanted.reveal().partition("://")[2].rpartition("@")[0]) & set("#/?"):
            fault = "write #, / and ? in a password as %23, %2F and %3F"
        elif (
            not _is_name(parts.reveal().hostname)
            or parts.reveal().port == 0
            or parts.reveal().query
            or parts.reveal().fragment
            or parts.reveal().path.strip("/")
        ):
            fault = _NO_ADDRESS
    except ValueError:
        fault = _NO_ADDRESS
    if fault is None:
        return wanted.reveal()
    raise error(f"{name}: {fault}")


def _is_name(host: str | None) -> bool:
    return bool(host) and not set(str(host)) & set("\"' \t\\<>")


def is_excepted(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY names this host: itself or a domain above it, a network, perhaps a port."""
    import ipaddress

    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    for entry in no_proxy.replace(",", " ").split():
        name = entry.lower()
        if name == "*":
            return True
        if address is not None and "/" in name:
            try:
                if address in ipaddress.ip_network(name, strict=False):
                    return True
            except ValueError:
                pass
            continue
        name, wanted_port = _split_port(name)
        if wanted_port is not None and wanted_port != port:
            continue
        if address is not None:
            try:
                if address == ipaddress.ip_address(name):
                    return True
            except ValueError:
                pass
            continue
        name = name.removeprefix("*").lstrip(".")
        if name and (host.lower() == name or host.lower().endswith(f".{name}")):
            return True
    return False


def _split_port(name: str) -> tuple[str, int | None]:
    """`host:port`, `[address]:port` or either alone."""
    if name.startswith("["):
        inner, _, rest = name[1:].partition("]")
        port = rest.removeprefix(":")
    elif name.count(":") == 1:
        inner, _, port = name.partition(":")
    else:
        return name, None
    return inner, int(port) if port.isdecimal() and port.isascii() else None


def context_of(authorities: Authorities) -> ssl.SSLContext:
    """What checks certificates against these. Raises `NetworkError` for what holds none."""
    import ssl

    is_folder = os.path.isdir(authorities.path)
    try:
        if is_folder:
            return ssl.create_default_context(capath=authorities.path)
        return ssl.create_default_context(cafile=authorities.path)
    except (OSError, ValueError):
        fault = f"{authorities.name}: {authorities.path}: not a file of certificates (PEM)"
    raise NetworkError(fault)

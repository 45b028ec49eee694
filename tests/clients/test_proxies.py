"""Proxies and authorities, the same for both clients: a real proxy and a real TLS server."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest

from interpal._hidden import Hidden
from interpal.exceptions import NetworkError, ValidationError
from interpal.transport.environment import CA_VARIABLES, Network, is_excepted
from tests import certificates
from tests.helpers import http, request_head

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from tests.helpers import Driver, Place

HOST = "site.invalid"
BASE_URL = f"https://{HOST}"
USER, PASSWORD = "me", "s3cr3t@pw/#"
VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, *(name.lower() for name in VARIABLES), *CA_VARIABLES):
        monkeypatch.delenv(name, raising=False)


@contextlib.contextmanager
def accepting(answer: Callable[[socket.socket], None]) -> Generator[int, None, None]:
    """A server of threads on loopback: its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def one(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(10)
            answer(connection)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def pipe(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)


class Proxy:
    """Answers CONNECT, and joins whatever host is asked for to the site; TLS where given."""

    def __init__(self, site: int, *, tls: ssl.SSLContext | None = None, status: int = 200) -> None:
        self._site, self._tls, self._status = site, tls, status
        self.asked: list[bytes] = []

    def __call__(self, plain: socket.socket) -> None:
        if self._tls is not None:
            with self._tls.wrap_socket(plain, server_side=True) as connection:
                self._answer(connection)
        else:
            self._answer(plain)

    def _answer(self, connection: socket.socket) -> None:
        head = request_head(connection)
        self.asked.append(head)
        if self._status != 200:
            reason = b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % self._status
            connection.sendall(reason)
            return
        with socket.create_connection(("127.0.0.1", self._site), 10) as behind:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pipe, args=(behind, connection), daemon=True)
            back.start()
            pipe(connection, behind)
            back.join(10)


class Site:
    """The site behind TLS: logs in whoever asks. `ca` is the certificate to trust."""

    def __init__(self, folder: Path) -> None:
        self.ca, key = make_certificate(folder)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.ca, key)

    def __call__(self, plain: socket.socket) -> None:
        # A client that does not trust the certificate hangs up.
        with self.tls.wrap_socket(plain, server_side=True) as connection:
            head, _, body = request_head(connection).partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            while length and len(body) < int(length[1]):
                body += connection.recv(65536)
            if b"/v1/token" in head:
                cookie = "Set-Cookie: interpals_sessid=7f3k; Path=/"
                body = b'{"auth_token": "t", "uid": "17"}'
                connection.sendall(http("201 Created", body, cookie))
            else:
                connection.sendall(http("200 OK", b'{"id": "17", "username": "maple_ink"}'))


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[tuple[Site, int]]:
    folder = tmp_path / "certificates"
    folder.mkdir()
    site = Site(folder)
    with accepting(site) as port:
        yield site, port


def settings(place: Place, **changes: Any) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        "base_url": BASE_URL,
        "persist_session": False,
        "max_retries": 0,
        "timeout": 30,
    }
    return place.settings(**{**chosen, **changes})


def log_in(driver: Driver, place: Place, **changes: Any) -> Any:
    client = driver.open(**settings(place, **changes))
    return driver.run(client, "get_self")["username"]


@pytest.mark.parametrize("form", ["http://127.0.0.1:{}", "127.0.0.1:{}", " http://127.0.0.1:{}/\r"])
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_the_proxy_of_the_environment_is_used(
    driver: Driver,
    place: Place,
    behind: tuple[Site, int],
    monkeypatch: pytest.MonkeyPatch,
    form: str,
    name: str,
) -> None:
    site, port = behind
    proxy = Proxy(port)
    with accepting(proxy) as proxy_port:
        monkeypatch.setenv(name, form.format(proxy_port))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", site.ca)
        assert log_in(driver, place) == "maple_ink"
    assert proxy.asked[0].startswith(b"CONNECT site.invalid:443 ")


def test_the_arguments_win_over_the_environment(
    driver: Driver, place: Place, behind: tuple[Site, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, port = behind
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    proxy = Proxy(port)
    with accepting(proxy) as proxy_port:
        address = f"http://{USER}:s3cr3t%40pw%2F%23@127.0.0.1:{proxy_port}"
        assert log_in(driver, place, proxy=address, verify=site.ca) == "maple_ink"
    sent = base64.b64encode(f"{USER}:{PASSWORD}".encode())
    assert b"proxy-authorization: basic " + sent.lower() in proxy.asked[0].lower()


def test_a_proxy_behind_tls(driver: Driver, place: Place, behind: tuple[Site, int]) -> None:
    site, port = behind
    proxy = Proxy(port, tls=site.tls)
    with accepting(proxy) as proxy_port:
        address = f"https://localhost:{proxy_port}"
        assert log_in(driver, place, proxy=address, verify=site.ca) == "maple_ink"


@pytest.mark.parametrize("name", [*CA_VARIABLES[:3], "SSL_CERT_DIR", "verify"])
def test_the_authorities_of_the_environment_are_trusted_by_both_clients(
    driver: Driver,
    place: Place,
    behind: tuple[Site, int],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    site, port = behind
    with accepting(Proxy(port)) as proxy_port:
        address = f"http://127.0.0.1:{proxy_port}"
        with pytest.raises(NetworkError, match=r"certificate was not accepted \(self.signed"):
            log_in(driver, place, proxy=address)
        where, given = site.ca, {}
        if name == "SSL_CERT_DIR":
            where = os.path.dirname(site.ca)
            hashed = ssl_hash(site.ca)
            os.symlink(site.ca, os.path.join(where, f"{hashed}.0"))
        if name == "verify":
            given = {"verify": where}
        else:
            monkeypatch.setenv(name, where)
        assert log_in(driver, place, proxy=address, **given) == "maple_ink"


def test_authorities_that_are_not_there_are_named(
    driver: Driver, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURL_CA_BUNDLE", "/no/such.pem")
    with pytest.raises(NetworkError, match=r"CURL_CA_BUNDLE: /no/such\.pem: no such file"):
        driver.open(**settings(place))
    (tmp_path / "rubbish.pem").write_text("rubbish")
    monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path / "rubbish.pem"))
    with pytest.raises(NetworkError, match=r"CURL_CA_BUNDLE: .*not a file of certificates"):
        driver.open(**settings(place))


@pytest.mark.parametrize(
    ("status", "said"),
    [(407, "wants a username and password"), (403, "refuses connections"), (502, "refused")],
)
def test_what_a_proxy_answers_is_told_as_the_proxys(
    driver: Driver,
    place: Place,
    behind: tuple[Site, int],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    said: str,
) -> None:
    with accepting(Proxy(behind[1], status=status)) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:s3cr3tpw@127.0.0.1:{port}")
        with pytest.raises(NetworkError) as caught:
            driver.open(**settings(place))
    text = str(caught.value)
    assert f"the proxy 127.0.0.1:{port} (HTTPS_PROXY) " in text
    assert said in text
    assert str(status) in text
    assert "s3cr3t" not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("socks5://127.0.0.1:9", "of a kind that is not supported"),
        ('"http://127.0.0.1:9"', "quotes around the address"),
        ("'127.0.0.1:9'", "quotes around the address"),
        ("http://me:s3cr3t#pw@127.0.0.1:9", "as %23"),
        ("http://me:s3cr3tpw@127.0.0.1:31x8", "write http://HOST:PORT"),
        ("http://me:s3/cr3tpw@127.0.0.1:9", "as %23, %2F"),
        ("http://127.0.0.1:9 9", "write http://HOST:PORT"),
        ("http://", "write http://HOST:PORT"),
    ],
)
def test_what_is_no_proxy_is_named_and_not_shown(
    driver: Driver, place: Place, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", text)
    with pytest.raises(NetworkError, match=f"HTTPS_PROXY: .*{said}") as caught:
        driver.open(**settings(place))
    assert "cr3t" not in str(caught.value)
    with pytest.raises(ValidationError, match=f"proxy: .*{said}") as refused:
        driver.open(**settings(place, proxy=text))
    assert "cr3t" not in str(refused.value)


def unheard(connection: socket.socket) -> None:
    """Reads, says nothing, and waits for the client to go."""
    while connection.recv(65536):
        pass


def portal(connection: socket.socket) -> None:
    """A captive portal that lets everything through to its own page."""
    request_head(connection)
    connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    connection.recv(65536)
    connection.sendall(http("302 Found", b"", "Location: http://portal.invalid/"))


def page(connection: socket.socket) -> None:
    """A captive portal that answers CONNECT itself."""
    request_head(connection)
    connection.sendall(http("200 OK", b"<html>log in</html>"))
    # What the client begins with is read: a connection that is closed over it is reset.
    connection.recv(65536)


def hang_up(connection: socket.socket) -> None:
    request_head(connection)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (portal, "the TLS handshake failed, through .*; .*portal"),
        (page, "the TLS handshake failed, through .*; .*portal"),
        (hang_up, "closed the connection without an answer"),
    ],
)
def test_what_comes_in_the_place_of_a_tunnel_is_told_in_one_way(
    driver: Driver, place: Place, answer: Callable[[socket.socket], None], said: str
) -> None:
    with accepting(answer) as port:
        with pytest.raises(NetworkError, match=said) as caught:
            driver.open(**settings(place, proxy=f"http://127.0.0.1:{port}"))
        assert f"through the proxy 127.0.0.1:{port} (proxy=)" in str(caught.value)


@pytest.mark.timeout(60)
def test_a_silent_proxy_is_waited_for_as_long_as_any_answer(
    driver: Driver, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    import aiohttp

    limits: Any = aiohttp.ClientTimeout
    # What bounds a whole request must not be what ends it.
    monkeypatch.setattr(
        aiohttp, "ClientTimeout", lambda **given: limits(**{**given, "total": None})
    )
    with accepting(unheard) as port:
        address = f"http://127.0.0.1:{port}"
        with pytest.raises(NetworkError, match=r"no answer within 0\.5 seconds") as caught:
            driver.open(**settings(place, proxy=address, timeout=0.5))
        assert f"through the proxy 127.0.0.1:{port} (proxy=)" in str(caught.value)


@pytest.mark.parametrize("address", ["me:s3cr3tpw@proxy.invalid:3128", "127.0.0.1:9"])
def test_a_proxy_that_is_not_there_is_named(
    driver: Driver, place: Place, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    with pytest.raises(NetworkError) as caught:
        driver.open(**settings(place))
    shown = address.partition("@")[2] or address
    text = str(caught.value)
    assert f"no connection to the proxy {shown} (HTTPS_PROXY): " in text
    assert ("not known" in text) is ("invalid" in shown)
    assert "s3cr3t" not in text


@pytest.mark.parametrize("wrong", [{"verify": False}, {"verify": ""}, {"proxy": 5}])
def test_wrong_arguments_are_refused(driver: Driver, place: Place, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        driver.open(**settings(place, **wrong))


@pytest.mark.parametrize(
    ("host", "port", "no_proxy", "expected"),
    [
        ("api.interpals.net", 443, "interpals.net", True),
        ("api.interpals.net", 443, ".interpals.net", True),
        ("api.interpals.net", 443, "*.interpals.net", True),
        ("api.interpals.net", 443, "example.org, API.Interpals.NET", True),
        ("api.interpals.net", 443, "pals.net", False),
        ("api.interpals.net", 443, "interpals.net:443", True),
        ("api.interpals.net", 443, "interpals.net:8443", False),
        ("api.interpals.net", 443, "*", True),
        ("api.interpals.net", 443, "", False),
        ("10.1.2.3", 443, "10.0.0.0/8", True),
        ("10.1.2.3", 443, "10.1.2.3", True),
        ("10.1.2.3", 443, "10.1.2.3:443", True),
        ("11.1.2.3", 443, "10.0.0.0/8", False),
        ("11.1.2.3", 443, "1.2.3", False),
        ("fd00::1", 443, "fd00::/8", True),
        ("fd00::1", 443, "[fd00::1]:443", True),
        ("fd00::1", 443, "nonsense/8, fd00::2", False),
    ],
)
def test_hosts_that_are_reached_without_a_proxy(
    host: str, port: int, no_proxy: str, expected: bool
) -> None:
    assert is_excepted(host, port, no_proxy) is expected
    shown = f"[{host}]" if ":" in host else host
    environ = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": no_proxy}
    network = Network(Hidden(None), True)
    found = network.proxy_of(f"https://{shown}:{port}/v1", environ)
    assert (found is None) is expected
    assert "127" not in repr(found)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "[::1]"])
def test_no_proxy_is_asked_for_a_server_on_this_machine(host: str) -> None:
    environ = {"ALL_PROXY": "http://127.0.0.1:9"}
    for argument in (None, "http://127.0.0.1:9"):
        for scheme in ("http", "https"):
            network = Network(Hidden(argument), True)
            assert network.proxy_of(f"{scheme}://{host}:8473/v1", environ) is None


def test_a_header_of_a_stranger_is_no_proxy() -> None:
    environ = {"HTTP_PROXY": "http://127.0.0.1:9", "REQUEST_METHOD": "GET"}
    assert Network(Hidden(None), True).proxy_of("http://site.invalid/", environ) is None
    del environ["REQUEST_METHOD"]
    assert Network(Hidden(None), True).proxy_of("http://site.invalid/", environ) is not None


def ssl_hash(path: str) -> str:
    import subprocess

    command = ["openssl", "x509", "-hash", "-noout", "-in", path]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def make_certificate(folder: Path) -> tuple[str, str]:
    from cryptography import x509

    names = (x509.DNSName(HOST), x509.DNSName("localhost"))
    return certificates.make_certificate(folder, HOST, *names)

"""Connections: whose they are, and servers that answer with more than they should."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests

from interpal import AsyncInterpalClient, InterpalClient
from interpal.exceptions import APIError, NetworkError
from tests.helpers import SELF, listening, replying, request_head
from tests.helpers import http as reply

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from interpal.sandbox import Sandbox
    from tests.helpers import Driver, Place

FORKING = """
import os, sys
from interpal import InterpalClient

cookie, base_url = sys.argv[1:]
client = InterpalClient(session_cookie=cookie, base_url=base_url)
client.get_self()
children = []
for name in ("pedro_k", "lin.m") * 2:
    child = os.fork()
    if not child:
        for _ in range(30):
            found = client.search_users(username=name)
            if [user["username"] for user in found] != [name]:
                os._exit(1)
        os._exit(0)
    children.append(child)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_children_of_a_fork_do_not_get_each_others_replies(place: Place) -> None:
    cookie = place.log_in().session_cookie
    command = [sys.executable, "-c", FORKING, cookie, place.site.base_url]
    assert subprocess.run(command, check=False, timeout=60).returncode == 0


def test_one_client_serves_several_loops_at_once(place: Place) -> None:
    place.save()
    client = AsyncInterpalClient(**place.settings(max_retries=0))

    async def calls() -> list[Any]:
        found = []
        for _ in range(10):
            found += await asyncio.gather(*(client.get_self() for _ in range(3)))
        return found

    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(asyncio.run, calls()) for _ in range(4)]
        for run in runs:
            assert [found["username"] for found in run.result()] == ["maple_ink"] * 30
    asyncio.run(client.close())


def endless(head: bytes, sent: list[int]) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        request_head(connection)
        connection.sendall(head)
        for _ in range(64):
            connection.sendall(b"x" * 2**20)
            sent.append(1)

    return answer


@pytest.mark.parametrize(
    "head",
    [b"200 OK\r\n\r\n", b"302 Found\r\nLocation: /v1/elsewhere\r\n\r\n"],
    ids=["reply", "redirect"],
)
def test_a_body_without_end_is_not_read_to_its_end(driver: Driver, head: bytes) -> None:
    sent: list[int] = []
    with listening(endless(b"HTTP/1.1 " + head, sent)) as base_url:
        client = driver.open(session_cookie="abc", base_url=base_url, timeout=60, max_retries=0)
        with pytest.raises(NetworkError, match="more than 16 MiB"):
            driver.run(client, "get", "/v1/thing")
    assert len(sent) < 64


def compressed(size: int, *, window: int = 31) -> bytes:
    """So many zeros: as gzip, or for zlib's *window* of 15 or -15 as either form of deflate."""
    packer = zlib.compressobj(wbits=window)
    packed = [packer.compress(bytes(2**20)) for _ in range(size // 2**20)]
    return b"".join([*packed, packer.compress(bytes(size % 2**20)), packer.flush()])


MEASURED = """
import asyncio, resource, sys
from interpal import AsyncInterpalClient, InterpalClient
from interpal.exceptions import NetworkError

kind, base_url = sys.argv[1:]
settings = dict(session_cookie="abc", base_url=base_url, max_retries=0)

def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

async def ask(path):
    async with AsyncInterpalClient(**settings) as client:
        return await client.get(path)

def get(path):
    if kind == "async":
        return asyncio.run(ask(path))
    with InterpalClient(**settings) as client:
        return client.get(path)

get("/small")
before = most()
try:
    get("/large")
except NetworkError as error:
    print(most() - before, error)
"""


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("status", ["200 OK", "302 Found"])
def test_a_small_reply_that_grows_without_end_takes_little_memory(kind: str, status: str) -> None:
    handler, _ = replying(
        reply("200 OK", b"{}"),
        reply(status, compressed(128 * 2**20), "Content-Encoding: gzip", "Location: /elsewhere"),
    )
    with listening(handler) as base_url:
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, kind, base_url],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    used, _, said = done.stdout.partition(" ")
    assert "the reply has more than 16 MiB" in said
    assert int(used) < 3 * 16, f"{used} MiB for a reply of at most 16"


@pytest.mark.parametrize(
    ("coding", "window"), [("gzip", 31), ("X-GZip", 31), ("deflate", 15), ("deflate", -15)]
)
def test_a_compressed_reply_is_read_though_none_was_asked_for(
    driver: Driver, coding: str, window: int
) -> None:
    packer = zlib.compressobj(wbits=window)
    body = packer.compress(b'{"answer": 42}') + packer.flush()
    handler, heard = replying(reply("200 OK", body, f"Content-Encoding: {coding}"))
    with listening(handler) as base_url:
        client = driver.open(session_cookie="abc", base_url=base_url, max_retries=0)
        assert driver.run(client, "get", "/v1/thing") == {"answer": 42}
    assert b"accept-encoding: identity" in heard[0].lower()


@pytest.mark.parametrize(
    ("body", "coding", "said"),
    [
        (b"\x1f\x8b but no more of gzip", "gzip", "cannot be decompressed"),
        (compressed(10) + b"and more", "gzip", "cannot be decompressed"),
        (compressed(2**20)[:-30], "gzip", "ended early"),
        (b"anything", "br", "compressed in a way that is not supported"),
        (b"anything", "gzip, gzip", "compressed in a way that is not supported"),
    ],
    ids=["damaged", "more behind it", "cut off", "unknown", "twice"],
)
def test_a_reply_that_cannot_be_decompressed_is_a_network_error(
    driver: Driver, body: bytes, coding: str, said: str
) -> None:
    handler, _ = replying(reply("200 OK", body, f"Content-Encoding: {coding}"))
    with listening(handler) as base_url:
        client = driver.open(session_cookie="abc", base_url=base_url, max_retries=0)
        with pytest.raises(NetworkError, match=said):
            driver.run(client, "get", "/v1/thing")


def dribbling(head: bytes, piece: bytes, sent: list[int]) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        request_head(connection)
        connection.sendall(head)
        for _ in range(100):
            time.sleep(0.1)
            connection.sendall(piece)
            sent.append(1)

    return answer


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0", b"0"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    ],
    ids=["head", "chunk-size", "body"],
)
def test_a_reply_that_comes_byte_by_byte_has_its_time(
    driver: Driver, head: bytes, piece: bytes
) -> None:
    sent: list[int] = []
    with listening(dribbling(head, piece, sent)) as base_url:
        client = driver.open(session_cookie="abc", base_url=base_url, timeout=0.5, max_retries=0)
        with pytest.raises(NetworkError):
            driver.run(client, "get", "/v1/thing")
    assert len(sent) < 100


@pytest.mark.parametrize("where", ["/v1/other", "http://[bad", "http://127.0.0.1:1/"])
def test_a_redirect_is_told_and_its_target_not_looked_at(driver: Driver, where: str) -> None:
    handler, heard = replying(reply("302 Found", b'{"error": "moved"}', f"Location: {where}"))
    with listening(handler) as base_url:
        client = driver.open(session_cookie="abc", base_url=base_url, max_retries=0)
        with pytest.raises(APIError, match="302: moved"):
            driver.run(client, "get", "/v1/thing")
    assert len(heard) == 1


def test_a_cookie_whose_name_cannot_be_sent_is_left_out(driver: Driver, place: Place) -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n"
    odd = b"Set-Cookie: \xff=1\r\nSet-Cookie: a b=2\r\nSet-Cookie: good=3\r\n"
    handler, heard = replying(head + odd + b"\r\n{}")
    with listening(handler) as base_url:
        place.save(user_id="17", origin=base_url)
        client = driver.open(**place.settings(base_url=base_url))
        assert dict(client.session.cookies) == {"good": "3"}
        driver.run(client, "get", SELF)
        assert "save_failed" not in place.told
    assert b"; good=3\r\n" in heard[-1]


def test_a_class_that_takes_the_place_of_the_librarys_does_not_see_the_session(
    monkeypatch: pytest.MonkeyPatch, site: Sandbox
) -> None:
    """As `requests_cache.install_cache()` puts one there, for all of a program."""
    seen: list[str] = []

    class Caching(requests.Session):
        def send(self, request: requests.PreparedRequest, **settings: Any) -> requests.Response:
            seen.append(str(request.url))
            return super().send(request, **settings)

    monkeypatch.setattr(requests, "Session", Caching)
    monkeypatch.setattr(requests.sessions, "Session", Caching)
    with InterpalClient("maple_ink", "secret", auto_login=True, base_url=site.base_url) as client:
        assert client.get_self()["username"] == "maple_ink"
    assert requests.get(site.base_url, timeout=30).status_code
    assert seen == [f"{site.base_url}/"]

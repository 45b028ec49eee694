"""A browser-like user of a sandbox: real HTTP requests, nothing of the package under test."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

    from aiohttp import web

    from interpal.sandbox import Sandbox

COOKIE = "interpals_sessid"


def log_in(sandbox: Sandbox, username: str, password: str) -> requests.Response:
    form = {"username": username, "password": password}
    return requests.post(f"{sandbox.base_url}/v1/token", data=form, timeout=10)


class User:
    """One signed-in user who sends the cookie, and the token unless told otherwise."""

    def __init__(self, sandbox: Sandbox, username: str = "maple_ink", password: str = "secret"):
        reply = log_in(sandbox, username, password)
        assert reply.status_code == 201
        self.base_url = sandbox.base_url
        self.cookie = reply.cookies[COOKIE]
        self.token: str = reply.json()["auth_token"]
        self.id: str = reply.json()["uid"]

    def headers(self, *, token: str | None = "") -> dict[str, str]:
        headers = {"Cookie": f"{COOKIE}={self.cookie}"}
        if token is not None:
            headers["X-Auth-Token"] = token or self.token
        return headers

    def call(self, method: str, path: str, **extra: Any) -> requests.Response:
        extra.setdefault("headers", self.headers())
        extra.setdefault("timeout", 10)
        return requests.request(method, f"{self.base_url}{path}", allow_redirects=False, **extra)

    def get(self, path: str, **extra: Any) -> Any:
        reply = self.call("GET", path, **extra)
        assert reply.status_code == 200
        return reply.json()


class WebSocket:
    """The few lines of RFC 6455 that a test needs, over a plain socket."""

    def __init__(self, base_url: str, query: str, headers: dict[str, str] | None = None):
        host, _, port = base_url.removeprefix("http://").partition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=60)
        self._file = self._socket.makefile("rb")
        lines = [
            f"GET /v1/ws{query} HTTP/1.1",
            f"Host: {host}:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
        ]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self.status = int(self._file.readline().split()[1])
        while self._file.readline().strip():
            pass

    def send(self, opcode: int, payload: bytes) -> None:
        # A mask of zeros leaves the payload as it is.
        self._socket.sendall(bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload)

    def receive(self) -> tuple[int, bytes]:
        first, length = self._file.read(2)
        if length == 126:
            length = int.from_bytes(self._file.read(2), "big")
        return first & 0x0F, self._file.read(length)

    def event(self, kind: str) -> Any:
        """The next text frame of this type; others are passed over."""
        while True:
            opcode, payload = self.receive()
            assert opcode == 0x1, f"opcode {opcode} while waiting for {kind}"
            frame = json.loads(payload)
            if frame["type"] == kind:
                return frame

    def until(self, wanted: int) -> bytes:
        """The payload of the next frame of this opcode; others are passed over."""
        while True:
            opcode, payload = self.receive()
            if opcode == wanted:
                return payload

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self._socket.close()


@contextmanager
def held_back(
    site: Sandbox,
    path: str,
    *,
    until: Callable[[], bool] = bool,
    after: bool = False,
    times: int | None = None,
) -> Generator[threading.Event, None, None]:
    """What is sent to *path* is answered when the event is set, at the latest after the block.

    Or when *until* says so. It is carried out then; with *after*, when it comes. *times* bounds how
    many requests wait so.
    """
    left = count() if times is None else iter(range(times))
    released = threading.Event()
    server = site._server
    assert server is not None
    answer = server._answer

    async def late(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path != path or next(left, None) is None:
            return await answer(request, handler)
        reply = await answer(request, handler) if after else None
        while not (released.is_set() or until()):  # noqa: ASYNC110  (of other threads)
            await asyncio.sleep(0.005)
        return await answer(request, handler) if reply is None else reply

    server._answer = late  # type: ignore[method-assign]
    try:
        yield released
    finally:
        released.set()
        server._answer = answer  # type: ignore[method-assign]


def eventually(condition: Callable[[], bool]) -> bool:
    """Wait until *condition* holds, for a minute at most; whether it does."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return condition()

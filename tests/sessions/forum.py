"""A site of another kind than Interpals, on loopback: cookies, a login by form, a page for members.

`GET /page` is for members and counts the visits in a cookie; `POST /login` takes `user` and
`password`; `POST /echo` answers a member with the body. `GET /rotate` gives the session another
name. `/_stats`, `/_end` and `/_refuse?status=…` are for the tests.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from tests import loopback

ATTRIBUTES = "; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax"


class Forum(loopback.Loopback):
    """The site, as a context. `url` has the name `localhost`, which every jar takes cookies of."""

    def __init__(self) -> None:
        self.stats: Counter[str] = Counter()
        self.sessions: set[str] = set()
        self.refuse: int | None = None
        self.attributes = ATTRIBUTES
        self.seen: list[dict[str, str]] = []
        self.given: list[str] = []
        self.connections: list[object] = []
        self._number = 0
        self._lock = threading.Lock()
        forum = self

        class Handler(loopback.Quiet, BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                forum.answer(self, b"")

            def do_POST(self) -> None:
                forum.answer(self, self.rfile.read(int(self.headers["Content-Length"])))

        super().__init__(Handler, "localhost")

    def new_session(self) -> str:
        self._number += 1
        name = f"member-{self._number}"
        self.sessions.add(name)
        return name

    def end_all(self) -> None:
        with self._lock:
            self.sessions.clear()

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        url = urlsplit(handler.path)
        given = handler.headers.get("Cookie", "")
        cookies = {name: morsel.value for name, morsel in SimpleCookie(given).items()}
        with self._lock:
            self.stats[url.path] += 1
            self.seen.append(cookies)
            self.given.append(given)
            self.connections.append(handler.client_address)
            status, headers, text = self._reply(
                url.path, parse_qs(url.query, keep_blank_values=True), cookies, body
            )
        handler.send_response(status)
        for name, value in headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def _reply(
        self, path: str, query: dict[str, list[str]], cookies: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        member = cookies.get("sid") in self.sessions
        if path == "/login":
            given = parse_qs(body.decode())
            if self.refuse is not None:
                return self.refuse, [("Retry-After", "120")], b"not now"
            if given.get("password") != ["correct horse"]:
                return 401, [], b"no such user"
            return 200, [self._cookie("sid", self.new_session())], b"welcome"
        if path == "/theme":
            name = query["name"][0]
            return 200, [self._cookie(name, query["value"][0])], b""
        if path == "/forget":
            return 200, [("Set-Cookie", f"{query['name'][0]}=; Path=/; Max-Age=0")], b""
        if path == "/me":
            return (200, [], b"true") if member else (403, [], b"false")
        if path == "/forbidden" or not member:
            return 401, [], b"members only"
        if path == "/rotate":
            self.sessions.discard(cookies["sid"])
            return 200, [self._cookie("sid", self.new_session())], b"rotated"
        return 200, [], body or json.dumps(sorted(cookies)).encode()

    def _cookie(self, name: str, value: str) -> tuple[str, str]:
        return "Set-Cookie", f"{name}={value}{self.attributes}"

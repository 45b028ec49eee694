"""Canaries: the token in the WebSocket's address is in no log, error, repr or traceback."""

from __future__ import annotations

import asyncio
import logging
import socket
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

import interpal
from interpal.ext.commands import Bot
from tests.helpers import http, listening, replying, unused_port

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "canary.token-5b1e.signature"
COOKIE = "canarycookie0c9d"
CANARIES = (TOKEN, "token-5b1e", COOKIE)
PACKAGE = str(Path(interpal.__file__).parent)


def check(text: str, where: str) -> None:
    for canary in CANARIES:
        assert canary not in text, f"{where} shows {canary}:\n{text[:3000]}"


def check_error(error: BaseException | None) -> None:
    """Message, causes and contexts, and the variables of every frame of the package's own."""
    seen: set[int] = set()
    queue = [error]
    while queue:
        current = queue.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        queue += [current.__cause__, current.__context__]
        check(f"{current} {current!r} {vars(current)}", f"{type(current).__name__}")
        captured = traceback.TracebackException(
            type(current), current, current.__traceback__, capture_locals=True
        )
        for frame in captured.stack:
            if frame.filename.startswith(PACKAGE):
                check(str(frame.locals), f"{frame.filename}:{frame.lineno} in {frame.name}")


def run_a_bot(base_url: str, token: str | None = TOKEN, troubles: int = 3) -> list[Any]:
    """Run a bot until its connection was so often in trouble; what it was told."""
    told: list[Any] = []

    async def main() -> None:
        asyncio.get_running_loop().set_debug(True)
        troubled = asyncio.Event()
        bot = Bot("!", session_cookie=COOKIE, auth_token=token, base_url=base_url, timeout=1,
                  max_retries=0)  # fmt: skip
        bot.live.settings = bot.live.settings._replace(
            reconnect_base_delay=0.01, connect_timeout=0.5, max_reconnect_attempts=2,
            ping_interval=0.05, ping_timeout=0.1,
        )  # fmt: skip

        @bot.event
        async def on_error(error: Exception, event: Any) -> None:
            told.append(error)
            if len(told) == troubles:
                troubled.set()
            check(f"{bot!r} {bot.live!r} {bot.live._connection!r}", "a repr")
            for task in asyncio.all_tasks():
                check(repr(task), "the repr of a task")

        running: list[asyncio.Task[Any]]
        running = [asyncio.create_task(bot.start()), asyncio.create_task(troubled.wait())]
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        await bot.close()
        running[1].cancel()
        told.extend(
            error
            for error in await asyncio.gather(*running, return_exceptions=True)
            if isinstance(error, interpal.InterpalException)
        )

    asyncio.run(main())
    return told


def closing(connection: socket.socket) -> None:
    connection.recv(65536)


def silent(connection: socket.socket) -> None:
    connection.settimeout(3)
    while connection.recv(65536):
        pass


PROFILE = http("200 OK", b'{"id": "17", "username": "maple_ink"}')
ECHO = http("200 OK", f'{{"error": "{TOKEN} {COOKIE}"}}'.encode(), f"X-Echo: {TOKEN}")


def refusing(status: str) -> Callable[[socket.socket], None]:
    """A site whose API works and whose socket answers so, and repeats what it was told."""

    def answer(connection: socket.socket) -> None:
        asked = connection.recv(65536)
        if b"/v1/ws" in asked:
            body = f"{TOKEN} {COOKIE}".encode()
            connection.sendall(http(status, body, f"Location: /?token={TOKEN}", f"X: {TOKEN}"))
        elif b"/v1/account/self" in asked:
            connection.sendall(PROFILE)
        else:
            connection.sendall(http("200 OK", b"[]"))

    return answer


@pytest.mark.parametrize(
    "status",
    ["401 No", "403 No", "404 No", "429 Slow", "500 Oh", "200 OK", "302 Found",
     f"101 {TOKEN}"],
)  # fmt: skip
def test_a_refused_handshake_shows_no_token(status: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with listening(refusing(status), at_once=True) as base_url:
        # After a 429 it waits a minute.
        told = run_a_bot(base_url, troubles=1 if status.startswith("429") else 3)
    assert told
    for error in told:
        check_error(error)
    check(caplog.text, "the log")


def test_a_session_without_a_token_opens_no_socket_and_shows_no_cookie(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    asked: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        asked.append(connection.recv(65536, socket.MSG_PEEK))
        refusing("500 Oh")(connection)

    with listening(answer, at_once=True) as base_url:
        told = run_a_bot(base_url, token=None)
    assert type(told[-1]) is interpal.AuthenticationError
    assert "only the token opens" in str(told[-1])
    assert asked
    for request in asked:
        assert b"/v1/ws" not in request
        assert COOKIE.encode() not in request.partition(b"\r\n")[0]
    for error in told:
        check_error(error)
    check(caplog.text, "the log")


@pytest.mark.parametrize("case", ["nobody", "closing", "no-http", "silent"])
def test_a_connection_that_fails_shows_no_token(
    case: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answers: dict[str, Callable[[socket.socket], object]] = {
        "closing": closing,
        "no-http": replying(b"\xff\xfe " + TOKEN.encode() + b"\r\n\r\n")[0],
        "silent": silent,
    }

    def answer(connection: socket.socket) -> None:
        asked = connection.recv(65536, socket.MSG_PEEK)
        if b"/v1/ws" not in asked:
            refusing("500 Oh")(connection)
        else:
            answers[case](connection)

    if case == "nobody":
        told = run_a_bot(f"http://127.0.0.1:{unused_port()}")
    else:
        with listening(answer, at_once=True) as base_url:
            told = run_a_bot(base_url)
    assert told
    for error in told:
        check_error(error)
    check(caplog.text, "the log")


def test_a_connection_that_breaks_shows_no_token(caplog: pytest.LogCaptureFixture) -> None:
    """A ping without an answer, a frame that is too long, and a handler that raises."""
    caplog.set_level(logging.DEBUG)

    async def serve(request: web.Request) -> web.StreamResponse:
        channel = web.WebSocketResponse(autoping=False)
        await channel.prepare(request)
        await channel.send_str('{"type": "THREAD_NEW_MESSAGE", "data": {"message": "!fail"}}')
        await asyncio.sleep(0.3)
        return channel

    async def profile(_: web.Request) -> web.Response:
        return web.json_response({"id": "17", "username": "maple_ink"})

    async def threads(_: web.Request) -> web.Response:
        return web.json_response([])

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/v1/ws", serve)
        app.router.add_get("/v1/account/self", profile)
        app.router.add_get("/v1/user/self/threads", threads)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        told = await asyncio.get_running_loop().run_in_executor(None, run_a_bot, base_url)
        await runner.cleanup()
        assert told
        for error in told:
            check_error(error)

    asyncio.run(main())
    check(caplog.text.replace("GET /v1/ws", ""), "the log")

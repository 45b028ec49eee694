"""Runs one program in the Python that has the library under test: PyPI 1.2.0 or this package.

`python guest.py BASE_URL PROGRAM RESULT STYLE`, in a folder of its own. Uses nothing of the
project. What the program is the continuation of (a client that has logged in, a bot, the context
of a command) is made for it, by the names that it uses and does not make itself.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import importlib
import importlib.metadata
import inspect
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

BASE, PROGRAM, RESULT, STYLE = sys.argv[1:5]
CONTROL = {"Authorization": "Bearer " + os.environ["INTERPALS_SANDBOX_TOKEN"]}
USER, PASSWORD = "maple_ink", "correct horse"
# What a program that does not end by itself is given before it is interrupted.
SECONDS = float(os.environ.get("GUEST_SECONDS", "4"))

started: dict[str, bool] = {}


def only_loopback() -> None:
    """No address but this machine's: the programs name real hosts."""
    look_up = socket.getaddrinfo

    def guarded(host: Any, *rest: Any, **options: Any) -> Any:
        if host not in (None, "", "127.0.0.1", "localhost", b"127.0.0.1"):
            raise OSError(f"{host} is out of reach here")
        return look_up(host, *rest, **options)

    socket.getaddrinfo = guarded


def point_at_sandbox() -> None:
    """Let the library talk to the sandbox; what 1.2.0 itself prints is not the program's."""
    os.environ["INTERPALS_BASE_URL"] = BASE
    if importlib.metadata.packages_distributions().get("interpal") != ["interpal"]:
        return
    auth: Any = importlib.import_module("interpal.auth")
    http: Any = importlib.import_module("interpal.http")
    websocket: Any = importlib.import_module("interpal.websocket")
    importlib.import_module("interpal.ext.commands")
    auth.AuthManager.BASE_URL = BASE
    http.HTTPClient.BASE_URL = http.AsyncHTTPClient.BASE_URL = BASE
    websocket.WebSocketClient.WS_URL = BASE.replace("http", "ws", 1) + "/v1/ws"
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "interpal":
            vars(module)["print"] = lambda *_args, **_options: None


def names_used(code: str) -> set[str]:
    """The names that a program reads and does not make."""
    tree = ast.parse(code)
    made, read = set(dir(builtins)), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else made).add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            made |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            made.add(node.name)
        elif isinstance(node, ast.arg):
            made.add(node.arg)
    # What is read before it is made, as a client that is logged in and then made anew.
    first: dict[str, tuple[tuple[int, int], bool]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            place = (node.lineno, node.col_offset)
            kind = isinstance(node.ctx, ast.Load)
            if node.id not in first or place < first[node.id][0]:
                first[node.id] = (place, kind)
    early = {name for name, (_, load) in first.items() if load and name in ("client", "bot")}
    return (read - made) | early


FRAME = {
    "type": "THREAD_NEW_MESSAGE",
    "data": {
        "id": "190",
        "thread_id": "180",
        "sender_id": "170",
        "message": "!x hello",
        "created": "2026-11-22T07:00:00Z",
        "fake_id": "",
        "tmp_id": "",
    },
    "sender": {
        "id": "170",
        "username": "pedro_k",
        "name": "Pedro",
        "age": 31,
        "sex": "male",
        "country_code": "PT",
        "is_online": True,
        "last_login": "2026-11-22T06:00:00Z",
        "avatar": {"url": "u", "thumb_small": "s", "thumb_medium": "m", "thumb_large": "l"},
    },
    "counters": {
        "new_messages": 1,
        "unread_threads": 1,
        "total_threads": 1,
        "new_notifications": 0,
        "new_friend_requests": 0,
        "new_views": 0,
    },
    "click_url": "/app/messages?thread_id=180",
}


def surroundings(code: str) -> dict[str, Any]:
    """What stands before the program on its page."""
    interpal: Any = importlib.import_module("interpal")
    names = names_used(code)
    awaits = "await client." in code or "@client.event" in code
    space: dict[str, Any] = {"__name__": "__main__"}
    sources: list[Any] = [interpal]
    sources += [importlib.import_module(f"interpal.{name}") for name in ("exceptions", "models")]
    if names & {"Bot", "Cog", "command", "listener", "Context", "bot", "ctx"} or "Cog" in code:
        sources.append(importlib.import_module("interpal.ext.commands"))
    for name in names:
        for source in sources:
            if name[0].isupper() or name in ("command", "listener"):
                value = getattr(source, name, None)
                if value is not None and not hasattr(builtins, name):
                    space.setdefault(name, value)
    for name in names & {"time", "asyncio", "os", "json", "random", "logging"}:
        space[name] = importlib.import_module(name)
    if "client" in names:
        kind = interpal.AsyncInterpalClient if awaits else interpal.InterpalClient
        client = kind(username=USER, password=PASSWORD, persist_session=True)
        client.login()
        space["client"] = client
    if "bot" in names and "ctx" not in names:
        bot = interpal.ext.commands.Bot(
            command_prefix="!", username=USER, password=PASSWORD, persist_session=True
        )
        if "await bot." in code:
            bot.login()
        space["bot"] = bot
    if "session" in names:
        space["session"] = space.get("client") and space["client"].export_session()
    threads, me = things()
    values = {
        "thread_id": threads[0]["id"],
        "user_id": threads[0]["user"]["id"],
        "message_id": threads[0]["last_msg_id"],
        "post_id": me["post"],
        "notification_id": me["notice"],
        "saved_cookie": me["cookie"],
    }
    space.update({name: value for name, value in values.items() if name in names})
    helpers = {
        "fault": fault,
        "invalidate": invalidate,
        "shown": shown,
        "requests_made": requests_made,
    }
    space.update({name: value for name, value in helpers.items() if name in names})
    if "event" in names:
        space["event"] = interpal.models.ThreadNewMessageEvent(data=FRAME)
    if "ws" in names:
        websocket = importlib.import_module("interpal.websocket")
        client = interpal.AsyncInterpalClient(username=USER, password=PASSWORD)
        client.login()
        space["ws"] = websocket.WebSocketClient(client.auth)
    return space


def asked(method: str, path: str, token: str | None = None, **fields: str) -> tuple[Any, str]:
    """One request to the sandbox, without the library."""
    import http.client
    from urllib.parse import urlencode

    connection = http.client.HTTPConnection(BASE.partition("//")[2])
    headers = {"Content-Type": "application/x-www-form-urlencoded", **CONTROL}
    if token:
        headers["Cookie"] = f"interpals_sessid={token}"
    connection.request(method, path, urlencode(fields), headers)
    reply = connection.getresponse()
    text = reply.read()
    cookie = (reply.getheader("Set-Cookie") or "").partition("=")[2].partition(";")[0]
    connection.close()
    return (json.loads(text) if text else None), cookie


def fault(path: str, **what: Any) -> None:
    """Let the next request to a path fail."""
    what = {"times": 1, **what}
    body = {"path": path, **{n: int(v) for n, v in what.items() if n in ("status", "times")}}
    if "drop" in what:
        body["drop"] = True
    control("fault", body)


def invalidate() -> None:
    """End all sessions."""
    control("invalidate", {})


def requests_made() -> list[str]:
    """The paths that were asked for."""
    found, _ = asked("GET", "/_sandbox/stats")
    return list(found["requests"])


def control(name: str, body: dict[str, Any]) -> None:
    import http.client

    connection = http.client.HTTPConnection(BASE.partition("//")[2])
    headers = {"Content-Type": "application/json", **CONTROL}
    connection.request("POST", f"/_sandbox/{name}", json.dumps(body), headers)
    assert connection.getresponse().status == 200, name
    connection.close()


def shown(function: Callable[[], Any]) -> Any:
    """What a function gives, or the name of what it raises."""
    try:
        return function()
    except Exception as error:  # noqa: BLE001  (what it raises is the result)
        return type(error).__name__


def things() -> tuple[list[Any], dict[str, str]]:
    """Ids of things of the account."""
    _, cookie = asked("POST", "/v1/token", username=USER, password=PASSWORD)
    threads, _ = asked("GET", "/v1/user/self/threads", cookie)
    post, _ = asked("POST", "/v1/post", cookie, content="Hello")
    notices, _ = asked("GET", "/v1/notification/my", cookie)
    return threads, {"post": post["id"], "notice": notices[0]["id"], "cookie": cookie}


def run(code: str, space: dict[str, Any]) -> None:
    compiled = compile(code, "block", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(compiled, space)
    if inspect.iscoroutine(result):
        asyncio.run(result)


def in_a_command(code: str, space: dict[str, Any]) -> None:
    """Run a program that has a `ctx` in a real command of a real bot."""
    bot = importlib.import_module("interpal.ext.commands").Bot(
        command_prefix="!", username=USER, password=PASSWORD
    )
    space["bot"] = bot
    done: list[str] = []

    async def x(ctx: Any, *_words: str) -> None:
        space["ctx"] = ctx
        compiled = compile(code, "block", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        try:
            result = eval(compiled, space)
            if inspect.iscoroutine(result):
                await result
            done.append("ran")
        except BaseException as error:  # noqa: BLE001  (what it raises is the result)
            done.append(f"{type(error).__name__}: {error}")
        finish.set()

    finish = threading.Event()
    bot.command()(x)

    def speak() -> None:
        _, cookie = asked("POST", "/v1/token", username="pedro_k", password="radio")
        threads, _ = asked("GET", "/v1/user/self/threads", cookie)
        mine = next(t for t in threads if t["user"]["username"] == USER)
        for _ in range(20):
            time.sleep(0.5)
            if finish.is_set():
                break
            asked("POST", "/v1/message", cookie, thread_id=mine["id"], message="!x hello")
        finish.wait(10)
        report(done[0] if done else "the command was never called")
        os._exit(0)

    threading.Thread(target=speak, daemon=True).start()
    bot.run()
    finish.wait(10)


def report(outcome: str) -> None:
    with open(RESULT, "w", encoding="utf-8") as file:
        json.dump({"outcome": outcome}, file)


def main() -> None:
    only_loopback()
    point_at_sandbox()
    with open(PROGRAM, encoding="utf-8") as file:
        code = file.read()
    sys.argv = [PROGRAM]
    if STYLE == "script":
        exec(compile(code, PROGRAM, "exec"), {"__name__": "__main__"})
        return
    try:
        space = surroundings(code)
    except BaseException as error:  # noqa: BLE001  (what it raises is the result)
        traceback.print_exc()
        report(f"surroundings: {type(error).__name__}: {error}")
        return

    def interrupt() -> None:
        started["interrupted"] = True
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(8)
        report("ran, and did not end when it was interrupted")
        os._exit(1)

    timer = threading.Timer(SECONDS, interrupt)
    timer.daemon = True
    try:
        if "ctx" in names_used(code):
            in_a_command(code, space)
            return
        timer.start()
        run(code, space)
        outcome = "ran"
    except KeyboardInterrupt:
        outcome = "ran" if started.get("interrupted") else "KeyboardInterrupt"
    except SystemExit as error:
        outcome = "ran" if not error.code or started.get("interrupted") else f"exit {error.code}"
    except BaseException as error:  # noqa: BLE001  (what it raises is the result)
        traceback.print_exc()
        outcome = f"{type(error).__name__}: {error}"[:300]
    timer.cancel()
    report(outcome)
    sys.stdout.flush()
    os._exit(0)


main()

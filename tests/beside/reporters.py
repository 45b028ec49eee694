"""Run in an environment of its own: what one reporter of errors would send, over many faults.

`reporters.py TOOL` prints a JSON object: how many reports there were, and for each that shows a
secret its fault, the secret and the text around it. No frame of this program has a secret in a
variable, and its source has none: some send that too, and evaluate the names that stand in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import os
import resource
import signal
import socket
import sys
import threading
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interpal import AsyncInterpalClient, InterpalClient, SessionManager
from interpal.sandbox import Sandbox
from interpal.vault import KdfParameters, Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WEAK = KdfParameters.INSECURE_FOR_TESTS


def _made() -> Callable[[str], Any]:
    """A function from the name of a secret to it. None is ever bound to the name of a variable."""
    made: dict[str, Any] = {
        "password": "pw-" + os.urandom(12).hex(),
        "passphrase": " ".join(os.urandom(4).hex() for _ in range(12)),
        "other_passphrase": " ".join(os.urandom(4).hex() for _ in range(12)),
        "cookie": "c" + os.urandom(12).hex(),
        "token": "t" + os.urandom(12).hex(),
        "other_cookie": "o" + os.urandom(12).hex(),
        "key": os.urandom(16).hex().encode(),
        "other_key": os.urandom(16).hex().encode(),
    }
    NAMES.extend(made)
    return made.__getitem__


NAMES: list[str] = []
_secret = _made()


def secret(name: str) -> Any:
    """One of them. (The method of a dict would show the dict.)"""
    return _secret(name)


def leaks_of(text: str) -> Iterator[tuple[str, str]]:
    """The secrets that are in *text*, cut off in their middle too, and what stands before them."""
    for name in NAMES:
        whole = secret(name)
        whole = whole.decode() if isinstance(whole, bytes) else whole
        for part in (whole[:12], whole[-12:]):
            if part in text:
                at = text.find(part)
                yield name, text[max(0, at - 300) : at]
                break


# The tools: each gives a function from an exception to what it would send or print.


def sentry() -> Callable[[BaseException], str]:
    import sentry_sdk

    sent: list[str] = []

    class Keep(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope: Any) -> None:
            sent.extend(json.dumps(item.payload.json) for item in envelope.items)

    sentry_sdk.init("https://key@sentry.invalid/1", transport=Keep)

    def report(error: BaseException) -> str:
        sentry_sdk.capture_exception(error)
        sentry_sdk.flush()
        found, sent[:] = "\n".join(sent), []
        return found

    return report


def elastic() -> Callable[[BaseException], str]:
    import elasticapm

    sent: list[str] = []

    class Client(elasticapm.Client):
        def queue(self, event_type: str, data: Any, flush: bool = False) -> None:
            sent.append(json.dumps([event_type, data], default=repr))

    client = Client({"SERVICE_NAME": "bot", "DISABLE_SEND": True, "CLOUD_PROVIDER": "none"})

    def report(error: BaseException) -> str:
        client.capture_exception(exc_info=(type(error), error, error.__traceback__))
        found, sent[:] = "\n".join(sent), []
        return found

    return report


def rollbar() -> Callable[[BaseException], str]:
    import rollbar as tool

    sent: list[str] = []

    def keep(payload: Any, _: object) -> None:
        sent.append(json.dumps(payload, default=repr))

    tool.init("token", handler="blocking")
    tool.send_payload = keep

    def report(error: BaseException) -> str:
        tool.report_exc_info((type(error), error, error.__traceback__))
        found, sent[:] = "\n".join(sent), []
        return found

    return report


def stackprinter() -> Callable[[BaseException], str]:
    import stackprinter as tool

    return lambda error: tool.format(error, show_vals="all", truncate_vals=5000)


def traceback_with_variables() -> Callable[[BaseException], str]:
    import traceback_with_variables as tool

    return lambda error: "\n".join(tool.iter_exc_lines(error))


def rich() -> Callable[[BaseException], str]:
    from rich.console import Console
    from rich.traceback import Traceback

    def report(error: BaseException) -> str:
        text = io.StringIO()
        trace = Traceback.from_exception(
            type(error), error, error.__traceback__, show_locals=True, locals_max_string=None
        )
        Console(file=text, width=400).print(trace)
        return text.getvalue()

    return report


def cgitb() -> Callable[[BaseException], str]:
    import cgitb as tool

    def report(error: BaseException) -> str:
        text = io.StringIO()
        for form in ("text", "html"):
            # As in its place as `sys.excepthook`: where a frame has deleted an argument, which it
            # cannot show, a plain traceback.
            hook = tool.Hook(display=1, file=text, format=form)
            hook.handle((type(error), error, error.__traceback__))
        return text.getvalue()

    return report


TOOLS = {
    tool.__name__: tool
    for tool in (
        sentry,
        elastic,
        rollbar,
        stackprinter,
        traceback_with_variables,
        rich,
        cgitb,
    )
}


# The faults.


@contextlib.contextmanager
def server(*replies: Callable[[], bytes]) -> Iterator[str]:
    """Answers each connection with the next of *replies*, the last one for ever; None hangs."""
    listener = socket.create_server(("127.0.0.1", 0))
    left = list(replies)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                data = b""
                while b"\r\n\r\n" not in data and (more := connection.recv(65536)):
                    data += more
                connection.sendall((left.pop(0) if len(left) > 1 else left[0])())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def reply(status: str, body: Callable[[], bytes], *headers: Callable[[], str]) -> Any:
    def text() -> bytes:
        lines = [f"HTTP/1.1 {status}", "Connection: close", f"Content-Length: {len(body())}"]
        lines += [header() for header in headers]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body()

    return text


def echo(status: str) -> Any:
    return reply(
        status,
        lambda: json.dumps(
            {"error": " ".join(map(secret, ("password", "cookie", "token")))}
        ).encode(),
        lambda: "X-Echo: " + secret("cookie"),
    )


def cut() -> bytes:
    start = "HTTP/1.1 201 Created\r\nContent-Length: 9999\r\nSet-Cookie: interpals_sessid="
    return (start + secret("cookie") + "\r\n\r\n" + secret("token")).encode()


def rubbish() -> bytes:
    return b"\xff\xfe" + secret("cookie").encode() + b"\r\n\r\n"


SELF = reply("200 OK", lambda: b'{"id": "17", "username": "maple_ink"}')
TOKEN = reply(
    "201 Created",
    lambda: json.dumps({"auth_token": secret("token"), "uid": "17"}).encode(),
    lambda: "Set-Cookie: interpals_sessid=" + secret("cookie") + "; Path=/",
    lambda: "Set-Cookie: other=" + secret("other_cookie") + "; Path=/",
)
KEPT = {"persist_session": True, "session_file": "v.json", "max_retries": 0, "timeout": 1}
NOBODY = "http://127.0.0.1:9"


def sync(base_url: str, options: Callable[[], Any] = dict) -> None:
    with InterpalClient(
        "maple_ink",
        secret("password"),
        auto_login=True,
        base_url=base_url,
        vault_key=secret("key"),
        **{**KEPT, **options()},
    ) as client:
        client.get_self()
        client.get_threads()


def awaited(base_url: str, options: Callable[[], Any] = dict) -> None:
    async def main() -> None:
        async with AsyncInterpalClient(
            "maple_ink",
            secret("password"),
            auto_login=True,
            base_url=base_url,
            vault_key=secret("key"),
            **{**KEPT, **options()},
        ) as client:
            await client.get_self()
            await client.get_threads()

    asyncio.run(main())


def record() -> dict[str, Any]:
    return {
        "session_cookie": secret("cookie"),
        "auth_token": secret("token"),
        "cookies": {"other": secret("other_cookie")},
        "list": [secret("other_cookie")],
    }


def a_vault(place: str, **options: Any) -> Vault:
    vault = Vault.open(place, passphrase=secret("passphrase"), kdf=WEAK, create=True, **options)
    vault["maple_ink"] = record()
    return vault


def at_hand() -> None:
    """Everything that a program may have in its variables, at an error of its own."""
    with Sandbox({"maple_ink": secret("password")}) as site:
        site.open_session("maple_ink", secret("cookie"))
        client = InterpalClient(
            "maple_ink",
            secret("password"),
            auto_login=True,
            base_url=site.base_url,
            vault_key=secret("key"),
            **KEPT,  # type: ignore[arg-type]
        )
        client.import_session(secret("cookie"))
        session, info, auth = client.session, client.get_session_info(), client.auth
        vault = a_vault("hand.json")
        apart = a_vault(f"sqlite:{Path('hand.db').absolute()}")
        one, another = vault["maple_ink"], apart["maple_ink"]
        inner, values = one["cookies"], one["list"]
        snapshot, items = vault.snapshot(), apart.items()
        manager = SessionManager("hand.json", passphrase=secret("passphrase"))
        stored = manager.load_session()
        attributes = vars(client)
        with vault.transaction() as records:
            # No loop: its variable would be each of them.
            kept = [
                client, session, info, auth, one, another, inner, values, snapshot, items, stored,
                records, attributes,
            ]  # fmt: skip
            raise KeyError(f"an error of the program, which has {len(kept)} things at hand")


def full_disk(place: str) -> None:
    vault = a_vault(place)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
    try:
        vault["another"] = record()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def locked(place: str) -> None:
    vault = a_vault(place)
    with vault.transaction() as records:
        records["b"] = record()
        other = Vault.open(place, passphrase=secret("passphrase"), lock_timeout=0.1)
        other["c"] = record()


def unfit(place: str) -> None:
    vault = a_vault(place)
    with vault.transaction() as records:
        records["maple_ink"]["session_cookie"] = {1, 2}


def rotation(place: str) -> None:
    vault = a_vault(place)
    vault.add_slot(passphrase=secret("other_passphrase"), kid="second", kdf=WEAK)
    vault.rotate(secrets={"second": secret("password")})


def environment(name: str, text: Callable[[], str]) -> None:
    os.environ[name] = text()
    try:
        Vault.open("v-env.json", create=True)
    finally:
        del os.environ[name]


def live(base_url: str) -> None:
    async def main() -> None:
        async with AsyncInterpalClient(
            session_cookie=secret("cookie"),
            auth_token=secret("token"),
            base_url=base_url,
            max_retries=0,
            timeout=1,
        ) as client:
            await asyncio.wait_for(client.connect_websocket(), 10)

    asyncio.run(main())


def with_server(act: Callable[[str], object], *replies: Any) -> Callable[[], None]:
    def run() -> None:
        with server(*replies) as base_url:
            act(base_url)

    return run


def elsewhere() -> dict[str, Any]:
    return {"session_file": None, "store": "redis://:" + secret("password") + "@127.0.0.1:9/0"}


FAULTS: dict[str, Callable[[], object]] = {"objects at hand": at_hand}
for kind, act in (("sync", sync), ("async", awaited)):
    FAULTS[f"{kind}: nobody listens"] = partial(act, NOBODY)
    for name, replies in {
        "refused": [echo("401 No")],
        "limited": [echo("429 Slowly")],
        "broken": [echo("500 Oh")],
        "cut": [cut],
        "rubbish": [rubbish],
        "call refused": [TOKEN, SELF, echo("403 No")],
        "call broken": [TOKEN, SELF, echo("500 Oh")],
        "call cut": [TOKEN, SELF, cut],
        "call rubbish": [TOKEN, SELF, rubbish],
        "call too long": [
            TOKEN,
            SELF,
            reply("200 OK", lambda: secret("cookie").encode() * 700_000),
        ],
        "another account": [TOKEN, reply("200 OK", lambda: b'{"id": "18", "username": "pedro"}')],
    }.items():
        FAULTS[f"{kind}: {name}"] = with_server(act, *replies)
    FAULTS[f"{kind}: wrong store"] = partial(act, NOBODY, elsewhere)


def wrong_passphrase(place: str) -> None:
    a_vault(place).close()
    Vault.open(place, passphrase=secret("other_passphrase"))


def wrong_key(place: str) -> None:
    a_vault(place).close()
    Vault.open(place, key=secret("other_key"))


for kind, form in (("file", "v-{}.json"), ("sqlite", "sqlite:v-{}.db")):
    for fault in (full_disk, locked, unfit, rotation, wrong_passphrase, wrong_key):
        FAULTS[f"{kind}: {fault.__name__}"] = partial(fault, form.format(fault.__name__))
FAULTS |= {
    "short key": lambda: Vault.open("s.json", key=secret("key")[:31], create=True),
    "key of the environment": lambda: environment(
        "INTERPALS_VAULT_KEY", lambda: secret("key").decode() + "!"
    ),
    "command": lambda: environment(
        "INTERPALS_VAULT_PASSPHRASE_COMMAND", lambda: "/no/such/program " + secret("passphrase")
    ),
    "import": lambda: InterpalClient("maple_ink").import_session(
        {"session_cookie": secret("cookie"), "auth_token": secret("token") + "\n"}
    ),
    "argument": lambda: InterpalClient(session_cookie=secret("cookie") + " x"),
    "socket": with_server(live, SELF, echo("401 No")),
}


class Outcome:
    """What came of it. Not in variables of frames that are in the next report."""

    reports = 0
    leaks: tuple[list[str], ...] = ()
    no_error: tuple[str, ...] = ()


def judge(fault: str, text: str) -> None:
    Outcome.reports += bool(text)
    Outcome.leaks += tuple([fault, *leak] for leak in leaks_of(text))


def main(tool: str) -> None:
    logging.basicConfig(stream=io.StringIO(), level=logging.INFO)
    warnings.simplefilter("ignore")
    report = TOOLS[tool]()
    for fault, act in FAULTS.items():
        for path in Path().glob("v.json*"):
            if path.is_file():
                path.unlink()
        try:
            act()
        except Exception as error:  # noqa: BLE001
            judge(fault, report(error))
        else:
            Outcome.no_error += (fault,)
    said = {
        "faults": len(FAULTS),
        "reports": Outcome.reports,
        "leaks": Outcome.leaks,
        "no error": Outcome.no_error,
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1])

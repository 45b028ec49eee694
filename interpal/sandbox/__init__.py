"""A loopback server that speaks the Interpals protocol, for demonstrations and tests.

`python -m interpal.sandbox`, or `with Sandbox(accounts={"maple_ink": "secret"}) as sandbox`. It
answers requests for this machine only, whatever name a browser was given for it, and follows
the rules of docs/sandbox.md, so that the unmodified PyPI `interpal` 1.2.0 works against it. Its
people are invented, and it binds to 127.0.0.1 only.

Test controls lie outside `/v1` and are not counted: `GET /_sandbox/stats` and `/messages`,
`/sockets`, `POST /_sandbox/invalidate`, `/fault`, `/rotate`, `/reset`, `/say`, `/push` and
`/drop_sockets`. Their JSON members are the arguments of the methods of `Sandbox`. They want
`control_token` as `Authorization: Bearer`: other users of the machine reach the port too.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import ssl
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from aiohttp import web

from interpal._clock import monotonic
from interpal._hidden import Hidden
from interpal.sandbox.server import SandboxServer
from interpal.sandbox.site import TOKEN_LIFETIME, Fault, Site
from interpal.sandbox.values import user_id

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from interpal.sandbox.values import Json

# Those of the documentation.
DEFAULT_ACCOUNTS = {"maple_ink": "correct horse", "pedro_k": "battery staple"}
TOKEN_VARIABLE = "INTERPALS_SANDBOX_TOKEN"  # noqa: S105  (the name of a variable)


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose pauses end also where the program that runs the sandbox is frozen."""

    def time(self) -> float:
        return monotonic()


def _run_in_a_loop(main: Coroutine[None, None, None]) -> None:
    """What `asyncio.run` does, in a `_Loop`."""
    loop = _Loop()
    try:
        loop.run_until_complete(main)
    finally:
        if left := asyncio.all_tasks(loop):
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.wait(left))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


class Sandbox:
    """The server, run in a thread of this process while its `with` block lasts.

    The methods may be called from any thread.

    Args:
        accounts: Passwords by user names or e-mail addresses; `maple_ink` and `pedro_k` of the
            documentation by default. An address also logs in by its part before the `@`, which
            is the username of its profile.
        port: The number of the TCP port on 127.0.0.1; 0 takes a free one.
        one_session: End the other sessions of an account when it logs in.
        login_delay: Seconds that a login takes.
        token_lifetime: Seconds from a login to the end of its token; 90 days by default.
        upload_polls: The number of times that the status of an upload is `pending`.
        tls: The path of a certificate and that of its key; plain http without them.
        control_token: What the controls want over HTTP; `INTERPALS_SANDBOX_TOKEN` by default,
            else random.

    Raises ValueError for two accounts with the same username.
    """

    def __init__(
        self,
        accounts: Mapping[str, str] | None = None,
        *,
        port: int = 0,
        one_session: bool = False,
        login_delay: float = 0.0,
        token_lifetime: int = TOKEN_LIFETIME,
        upload_polls: int = 0,
        tls: tuple[str, str] | None = None,
        control_token: str | None = None,
    ) -> None:
        self.base_url = ""
        self.control_token = (
            control_token or os.environ.get(TOKEN_VARIABLE) or secrets.token_urlsafe(16)
        )
        self._port = port
        self._login_delay = login_delay
        self._tls = tls
        self._lock = threading.Lock()
        self._site = Site(
            DEFAULT_ACCOUNTS if accounts is None else accounts,
            one_session=one_session,
            token_lifetime=token_lifetime,
            upload_polls=upload_polls,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: SandboxServer | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<Sandbox {self.base_url or 'not running'} accounts={self._site.usernames}>"

    def __enter__(self) -> Sandbox:
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(ready,), name="interpal-sandbox", daemon=True
        )
        self._thread.start()
        ready.result()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
        if self._thread is not None:
            self._thread.join()

    # controls

    def stats(self) -> dict[str, dict[str, int]]:
        """Return counts: `logins` (successful) and `login_attempts` by account, `requests` by path.

        A request counts when it arrives, whatever becomes of it; an attempt when its password
        is looked at, under the account's name or else the name that was sent.
        """
        with self._lock:
            return {name: dict(counter) for name, counter in self._site.counts.items()}

    def messages(self, thread_id: str | None = None) -> list[Json]:
        """Return what clients have sent (into one thread), in order and without the seeded text."""
        with self._lock:
            sent = self._site.world.sent
            return [dict(message) for message in sent if thread_id in (None, message["thread_id"])]

    def add_person(self, username: str, user_id: str | None = None) -> str:
        """Add somebody who cannot log in; the id, made of the username where none is given."""
        with self._lock:
            return self._site.world.add_person(username, user_id)

    def open_thread(
        self, username: str, thread_id: str | None = None, account: str | None = None
    ) -> str:
        """Begin a conversation of an account (the first) with somebody; its id.

        There is one message in it. KeyError if either is unknown.
        """
        with self._lock:
            return self._site.open_thread(username, thread_id, account)

    def open_session(self, username: str, cookie: str | None = None) -> Json:
        """Open a session without a login; `session_cookie` and `auth_token`. KeyError if unknown.

        *cookie* is the value that it shall have.
        """
        with self._lock:
            session = self._site.open_session(username, cookie)
            return {"session_cookie": session.cookie, "auth_token": session.token}

    def invalidate(self, username: str | None = None) -> None:
        """End every session, or those of one account: 401 from now on. KeyError if unknown."""
        with self._lock:
            self._site.invalidate(username)
        self._soon(lambda server: server.sockets.close_ended())

    def rotate(self, username: str | None = None, *, token: bool = False) -> None:
        """Let the next reply to each open session carry a new cookie; the old one dies with it.

        With `token`, the next reply of `/v1/account/self` also carries a new token as its
        member `auth_token`, and the old token dies with that. KeyError if unknown.
        """
        with self._lock:
            self._site.rotate(username, token=token)

    def fault(
        self,
        path: str,
        *,
        status: int | None = None,
        hang: float | None = None,
        drop: bool = False,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        times: int | None = 1,
        after: bool = False,
    ) -> None:
        """Make the next `times` requests to `path` fail; `"*"` is every path under `/v1`.

        Exactly one of `status` (with `headers` and `body`: text as it is, else JSON), `hang`
        (seconds, then the usual answer) and `drop` (the connection is reset without an answer).
        `times` None or -1 is always. With `after` the request is carried out first, its
        answer lost or late. A 429 without `headers` says `Retry-After: 60`. Of several faults
        that fit, the oldest is used. Raises ValueError.
        """
        if status == 429 and headers is None:
            headers = {"Retry-After": "60"}
        times = -1 if times is None else times
        fault = Fault(path, status, hang, drop, headers, body, times, after)
        fault.check()
        with self._lock:
            self._site.faults.append(fault)

    def say(self, username: str, text: str, to: str | None = None) -> Json:
        """Have somebody write to an account: the message, which its open sockets hear of.

        `username` is one of the invented people, or another account; `to` is the account, the
        first one unless given. Raises KeyError for an unknown name, ValueError for an empty text.
        """
        if not text:
            raise ValueError("a message needs a text")
        with self._lock:
            sender, receiver = user_id(username), self._site.user_id(to)
            if sender not in self._site.world.people or sender == receiver:
                raise KeyError(username)
            message = self._site.world.say(sender, text, receiver)
        self._soon(lambda server: server.sockets.pump())
        return message

    def push(self, frame: Json, to: str | None = None) -> None:
        """Send any frame into the open sockets of an account, the first one unless given.

        Raises KeyError for an unknown name.
        """
        with self._lock:
            self._site.world.outbox.append((self._site.user_id(to), dict(frame)))
        self._soon(lambda server: server.sockets.pump())

    def drop_sockets(self, username: str | None = None) -> None:
        """Cut every open WebSocket, or those of one account. KeyError if unknown."""
        with self._lock:
            uid = None if username is None else self._site.user_id(username)

        async def drop(server: SandboxServer) -> None:
            server.sockets.drop(uid)

        self._soon(drop)

    def sockets(self) -> dict[str, int]:
        """Return how many WebSockets are open by account, those without one left out."""
        return {} if self._server is None else self._server.sockets.counts()

    def reset(self) -> None:
        """Start afresh: no sessions, no faults, counts of zero, only the seeded messages."""
        with self._lock:
            self._site.reset()
        self._soon(lambda server: server.sockets.close_ended())

    def stop(self) -> None:
        """End `serve`, from any thread."""
        if self._loop is not None and self._stop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)

    def _soon(self, what: Callable[[SandboxServer], Coroutine[None, None, None]]) -> None:
        """Do it in the event loop of the server, if that runs; from any thread."""
        loop, server = self._loop, self._server
        if loop is not None and server is not None and not loop.is_closed():
            asyncio.run_coroutine_threadsafe(what(server), loop)

    def _run(self, ready: Future[None]) -> None:
        try:
            _run_in_a_loop(self.serve(lambda: ready.set_result(None)))
        except OSError as error:
            if ready.done():
                raise
            ready.set_exception(error)
        finally:
            if not ready.done():
                ready.set_exception(RuntimeError("the sandbox did not start"))

    def _application(self) -> web.Application:
        controls: dict[tuple[str, str], Callable[..., object]] = {
            ("GET", "stats"): self.stats,
            ("GET", "messages"): self.messages,
            ("POST", "add_person"): self.add_person,
            ("POST", "open_thread"): self.open_thread,
            ("POST", "open_session"): self.open_session,
            ("POST", "invalidate"): self.invalidate,
            ("POST", "rotate"): self.rotate,
            ("POST", "fault"): self.fault,
            ("POST", "reset"): self.reset,
            ("POST", "say"): self.say,
            ("POST", "push"): self.push,
            ("POST", "drop_sockets"): self.drop_sockets,
            ("GET", "sockets"): self.sockets,
        }
        server = SandboxServer(
            self._site, self._lock, Hidden(self.control_token), login_delay=self._login_delay
        )
        self._server = server
        return server.application(controls)

    async def serve(self, on_ready: Callable[[], None]) -> None:
        """Serve until `stop`; `on_ready` is called once `base_url` answers. Raises OSError."""
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        context = None
        if self._tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._tls)
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", self._port, ssl_context=context, backlog=1024)
            await site.start()
            port = runner.addresses[0][1]
            self.base_url = f"{'https' if context else 'http'}://127.0.0.1:{port}"
            self._site.origin = f"http://127.0.0.1:{port}"
            on_ready()
            await self._stop.wait()
        finally:
            await runner.cleanup()

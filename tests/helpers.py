"""What the tests of the clients share: one driver for both, a vault to look into, plain sockets."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from interpal import AsyncInterpalClient, InterpalClient
from interpal._clock import utc_now
from interpal.session import Session, to_text
from interpal.session_manager import SessionManager
from interpal.sessions.singleflight import Flight
from interpal.transport.protocol import read_login
from interpal.vault import Vault
from tests.sandbox.web import log_in

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from interpal.sandbox import Sandbox
    from interpal.sessions.events import Event

SELF = "/v1/account/self"
TOKEN = "/v1/token"
ACCOUNTS = {"maple_ink": "secret", "pedro_k": "radio", "name@example.org": "mail"}

TWINS = {
    "login": "alogin",
    "get_session_info": "aget_session_info",
    "clear_saved_session": "aclear_saved_session",
}


class Driver:
    """One way to use the clients; the same test runs with each."""

    kind = ""
    client_class: type[Any]

    def open(self, *arguments: Any, **settings: Any) -> Any:
        """A client that has resumed or logged in, as far as its settings say so."""
        raise NotImplementedError

    def run(self, client: Any, name: str, *arguments: Any, **settings: Any) -> Any:
        """Call a method and wait for its result."""
        raise NotImplementedError

    def together(self, client: Any, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Call many at once: threads, or tasks. A result, or the error, of each."""
        raise NotImplementedError

    def close(self, client: Any) -> None:
        raise NotImplementedError

    def end(self) -> None:
        raise NotImplementedError


class SyncDriver(Driver):
    kind = "sync"
    client_class = InterpalClient

    def __init__(self) -> None:
        self._clients: list[InterpalClient] = []

    def open(self, *arguments: Any, **settings: Any) -> Any:
        client = InterpalClient(*arguments, **settings)
        self._clients.append(client)
        return client

    def run(self, client: Any, name: str, *arguments: Any, **settings: Any) -> Any:
        return getattr(client, name)(*arguments, **settings)

    def together(self, client: Any, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        start = threading.Barrier(len(calls))

        def one(call: tuple[Any, ...]) -> Any:
            start.wait()
            try:
                return self.run(client, *call)
            except Exception as error:  # noqa: BLE001  (each thread's outcome is handed back)
                return error

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(one, calls))

    def close(self, client: Any) -> None:
        client.close()

    def end(self) -> None:
        for client in self._clients:
            client.close()


class AsyncDriver(Driver):
    kind = "async"
    client_class = AsyncInterpalClient

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._clients: list[AsyncInterpalClient] = []

    def open(self, *arguments: Any, **settings: Any) -> Any:
        client = AsyncInterpalClient(*arguments, **settings)
        self._clients.append(client)
        return self.loop.run_until_complete(client.__aenter__())

    def run(self, client: Any, name: str, *arguments: Any, **settings: Any) -> Any:
        result = getattr(client, TWINS.get(name, name))(*arguments, **settings)
        return self.loop.run_until_complete(result) if inspect.isawaitable(result) else result

    def together(self, client: Any, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        async def all_of_them() -> list[Any]:
            return await asyncio.gather(
                *(self._awaited(client, *call) for call in calls),
                return_exceptions=True,
            )

        return self.loop.run_until_complete(all_of_them())

    def _awaited(self, client: Any, name: str, *arguments: Any) -> Any:
        return getattr(client, TWINS.get(name, name))(*arguments)

    def close(self, client: Any) -> None:
        self.loop.run_until_complete(client.close())

    def end(self) -> None:
        for client in self._clients:
            self.close(client)
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


class Place:
    """A vault in a folder of its own, the sandbox that its sessions are for, and the events."""

    def __init__(self, folder: Path, site: Sandbox) -> None:
        folder.mkdir(mode=0o700)
        self.folder = folder
        self.path = folder / "v.json"
        self.key = os.urandom(32)
        self.site = site
        self.events: list[Event] = []

    def settings(self, username: str | None = "maple_ink", **changes: Any) -> dict[str, Any]:
        """The arguments of a client at this place; None takes one away."""
        chosen = {
            "username": username,
            "password": None if username is None else ACCOUNTS.get(username, "secret"),
            "auto_login": True,
            "persist_session": True,
            "session_file": self.path,
            "vault_key": self.key,
            "base_url": self.site.base_url,
            "timeout": 30,
            "lock_timeout": 60,
            "on_event": self.events.append,
            **changes,
        }
        return {name: value for name, value in chosen.items() if value is not None}

    def manager(self, username: str | None = "maple_ink", **changes: Any) -> SessionManager:
        settings: dict[str, Any] = {"key": self.key, "origin": self.site.base_url, **changes}
        return SessionManager(self.path, username=username, **settings)

    def vault(self) -> Vault:
        return Vault.open(self.path, key=self.key)

    def record(self, name: str = "maple_ink") -> dict[str, Any]:
        with self.vault() as vault:
            return dict(vault[name])

    def names(self) -> list[str]:
        if not self.path.exists():
            return []
        with self.vault() as vault:
            return sorted(vault)

    def change(self, name: str = "maple_ink", **members: Any) -> None:
        with self.vault() as vault, vault.transaction() as records:
            records[name].update(members)

    def log_in(self, username: str = "maple_ink") -> Session:
        """A session of the sandbox, got with nothing of the package's clients."""
        return fresh_session(self.site, username)

    def save(self, session: Session | None = None, **changes: Any) -> Session:
        """Put a living session into the vault, as another process would have."""
        session = self.log_in() if session is None else session
        session = session.replace(**changes)
        manager = self.manager(session.username)
        manager.put(session)
        manager.close()
        return session

    def snapshot(self) -> dict[str, tuple[bytes, int]]:
        """Every file of the folder but the locks: bytes and time of change."""
        return {
            str(path.relative_to(self.folder)): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and ".locks" not in str(path)
        }

    @property
    def bytes(self) -> bytes:
        return self.path.read_bytes()

    @property
    def told(self) -> list[str]:
        """The names of the events so far."""
        return [event.name for event in self.events]

    @property
    def logins(self) -> int:
        return sum(self.site.stats()["logins"].values())

    @property
    def attempts(self) -> int:
        return sum(self.site.stats()["login_attempts"].values())

    def requests(self, path: str = SELF) -> int:
        return self.site.stats()["requests"].get(path, 0)


@contextlib.contextmanager
def waiting_calls() -> Generator[set[Flight], None, None]:
    """The calls that have waited for what another call of this process does for both."""
    waiting: set[Flight] = set()
    try_acquire = Flight.try_acquire

    def noted(flight: Flight) -> bool:
        taken = try_acquire(flight)
        if not taken and flight._key[1] != "refusal":
            waiting.add(flight)
        return taken

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flight, "try_acquire", noted)
        yield waiting


def fresh_session(site: Sandbox, username: str = "maple_ink") -> Session:
    from interpal.transport.messages import Response

    reply = log_in(site, username, ACCOUNTS[username])
    headers = tuple((name.lower(), value) for name, value in reply.headers.items())
    now = utc_now()
    login = read_login(Response(reply.status_code, headers, reply.content), now)
    from datetime import timedelta

    return Session(
        session_cookie=reply.cookies["interpals_sessid"],
        auth_token=login.auth_token,
        username=username,
        user_id=login.user_id,
        origin=site.base_url,
        created_at=now,
        expires_at=now + timedelta(hours=24),
        last_validated_at=now,
    )


def export_of(session: Session) -> dict[str, Any]:
    assert session.expires_at is not None
    return {
        "session_cookie": session.session_cookie,
        "auth_token": session.auth_token,
        "username": session.username,
        "user_id": session.user_id,
        "created_at": to_text(session.created_at),
        "expires_at": to_text(session.expires_at),
    }


@contextlib.contextmanager
def listening(
    answer: Callable[[socket.socket], None], *, at_once: bool = False
) -> Generator[str, None, None]:
    """A server of our own on loopback: its base URL. *answer* is given each connection.

    One after the other, or *at_once* in threads of their own.
    """
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.1)
    done = threading.Event()

    def attend(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(30)
            answer(connection)

    def serve() -> None:
        while not done.is_set():
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            if at_once:
                threading.Thread(target=attend, args=[connection]).start()
            else:
                attend(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        done.set()
        thread.join()
        server.close()


def replying(*replies: bytes) -> tuple[Callable[[socket.socket], None], list[bytes]]:
    """An *answer* that gives these replies in turn (the last for ever), and what it was sent."""
    left = list(replies)
    heard: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        data = request_head(connection)
        if not data:
            return
        heard.append(data)
        connection.sendall(left.pop(0) if len(left) > 1 else left[0])

    return answer, heard


def request_head(connection: socket.socket) -> bytes:
    """What a client sends, up to the empty line at least; nothing where it hangs up before."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece
    return data


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port

"""What the clients of a schedule live in: a site, a store, processes, and one clock for all."""

from __future__ import annotations

import json
import os
import random
import time
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from interpal import _clock, session
from interpal._log import Logger
from interpal.flows import context, explicit, login, request, resume, saving
from interpal.flows.context import ClientContext
from interpal.sessions import contested, cookies, singleflight, wait
from interpal.transport.messages import Pause, Response
from interpal.transport.origin import DEFAULT_BASE_URL
from interpal.vault.core.versions import Versions
from interpal.vault.files.locks import FileLock, is_login_under_way
from interpal.vault.format import envelope
from interpal.vault.keys.unlock import SlotOpener
from interpal.vault.stores.base import Stored
from interpal.vault.stores.file import FileStore
from interpal.vault.stores.redis.lock import RedisLock

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from interpal._hidden import Hidden
    from interpal.transport.messages import Request
    from interpal.vault.format.envelope import Header, Payload
    from interpal.vault.stores.redis.store import RedisStore

KEY = bytes(range(32))
# Nothing is sent: the site is `Site`.
ORIGIN = DEFAULT_BASE_URL
ACCOUNTS = {"maple_ink": "17", "pedro_k": "23"}
PASSWORD = "correct-horse"
COOKIE = "interpals_sessid"
START = datetime(2026, 11, 27, 12, 0, tzinfo=timezone.utc)

JSON = ("content-type", "application/json")


class SiteSession:
    """One session at the site: the cookie that is good now, and whose it is."""

    __slots__ = ("account", "alive", "cookie")

    def __init__(self, account: str, cookie: str) -> None:
        self.account = account
        self.cookie = cookie
        self.alive = True


class Site:
    """The server: logs in, knows its sessions, ends and rotates them.

    Where *single*, a login ends the account's other sessions.
    """

    def __init__(self, *, single: bool = False) -> None:
        self.single = single
        # Hosts that it lets nobody log in from, and how often they have asked.
        self.blocked: set[int] = set()
        self.refused: dict[tuple[int, str], int] = {}
        self.logins = dict.fromkeys(ACCOUNTS, 0)
        self.endings = dict.fromkeys(ACCOUNTS, 0)
        self._sessions: dict[str, SiteSession] = {}
        self._rotating: set[str] = set()
        self._made = 0

    def new_session(self, account: str) -> str:
        """The cookie of a new session."""
        self._made += 1
        cookie = f"{account}-{self._made}"
        self._sessions[cookie] = SiteSession(account, cookie)
        return cookie

    def owner(self, cookie: str) -> str | None:
        """Whose session a cookie is or was."""
        found = self._sessions.get(cookie)
        return None if found is None else found.account

    def is_alive(self, cookie: str) -> bool:
        """Whether the site lets this cookie in."""
        found = self._sessions.get(cookie)
        return found is not None and found.alive and found.cookie == cookie

    def successor(self, cookie: str) -> str | None:
        """The cookie that is good in the place of one that the site has changed."""
        found = self._sessions.get(cookie)
        if found is None or not found.alive or found.cookie == cookie:
            return None
        return found.cookie

    def end(self, account: str) -> None:
        """End every session of an account."""
        for one in self._sessions.values():
            if one.account == account and one.alive:
                one.alive = False
                self.endings[account] += 1

    def rotate(self, account: str) -> None:
        """Give a new cookie with the next reply to a session of the account."""
        self._rotating.add(account)

    def handle(self, request: Request, host: int = 0) -> Response:
        """Answer a request of a host."""
        if request.method == "POST" and request.url.endswith("/v1/token"):
            if host in self.blocked:
                assert isinstance(request.body, bytes)
                asked = host, parse_qs(request.body.decode())["username"][0]
                self.refused[asked] = self.refused.get(asked, 0) + 1
                return Response(403, (JSON,), b'{"error":"not from there"}')
            return self._log_in(request)
        found = self._sessions.get(cookie_of(request))
        if found is None or not found.alive or found.cookie != cookie_of(request):
            return Response(401, (JSON,), b'{"error":"no session"}')
        if request.url.endswith("/never"):
            return Response(401, (JSON,), b'{"error":"not for you"}')
        headers: list[tuple[str, str]] = [JSON]
        if found.account in self._rotating:
            self._rotating.discard(found.account)
            self._made += 1
            found.cookie = f"{found.account}-{self._made}"
            self._sessions[found.cookie] = found
            headers.append(("set-cookie", f"{COOKIE}={found.cookie}; Path=/"))
        body = b"[]"
        if request.url.endswith("/v1/account/self"):
            account = found.account
            body = b'{"id":"%s","username":"%s"}' % (ACCOUNTS[account].encode(), account.encode())
        return Response(200, tuple(headers), body)

    def _log_in(self, request: Request) -> Response:
        assert isinstance(request.body, bytes)
        form = parse_qs(request.body.decode())
        account = form["username"][0]
        if form["password"][0] != PASSWORD:
            return Response(401, (JSON,), b'{"error":"wrong password"}')
        self.logins[account] += 1
        if self.single:
            for one in self._sessions.values():
                one.alive = one.alive and one.account != account
        cookie = self.new_session(account)
        body = json.dumps({"uid": ACCOUNTS[account]}).encode()
        return Response(200, (JSON, ("set-cookie", f"{COOKIE}={cookie}; Path=/")), body)


def cookie_of(request: Request) -> str:
    """The session cookie that a request carries, empty where it carries none."""
    for pair in request.headers.get("Cookie", "").split("; "):
        name, _, value = pair.partition("=")
        if name == COOKIE:
            return value
    return ""


class Place:
    """One vault: its bytes, what they hold, and who holds which of its locks."""

    can_stall = False

    def __init__(self, stored: Stored | None = None, payload: Payload | None = None) -> None:
        self.stored = stored
        self.payload = payload
        self.writer: MemoryStore | None = None
        self.logins: dict[bytes, MemoryLock] = {}
        self._saves = 0

    def put(self, data: bytes) -> Stored:
        """Put bytes in the place of what is there."""
        self._saves += 1
        self.stored = Stored(data, self._saves)
        return self.stored

    @property
    def version(self) -> object:
        """What is another after each save."""
        return self.stored

    def cookies(self) -> dict[str, str]:
        """The session cookies that are saved, by the name of the record."""
        records: Mapping[str, Mapping[str, Any]] = {}
        if self.version is not None and self.payload is not None:
            records = self.payload.records
        return {
            name: record["session_cookie"]
            for name, record in records.items()
            if isinstance(record.get("session_cookie"), str)
        }

    def store_of(self, process: Process) -> MemoryStore | DiskStore | RedisStore:
        """The vault, as a process sees it."""
        return MemoryStore(self, process)

    @property
    def is_locked(self) -> bool:
        """Whether somebody holds a login lock."""
        return bool(self.logins)

    @property
    def is_there(self) -> bool:
        """Whether there is a vault."""
        return self.version is not None

    def stall(self, process: Process) -> float:
        """A process is stopped: its locks stay its own. For how many seconds."""
        raise AssertionError(f"process {process.number} cannot lose a lock")

    def pass_time(self) -> None:
        """Nothing runs out."""

    def let_go(self, process: Process) -> None:
        """What the kernel does when a process ends: its locks are free."""
        for tag, lock in list(self.logins.items()):
            if lock.store.process is process:
                del self.logins[tag]


class MemoryStore:
    """A `Store` in memory, as one process sees it."""

    location = "memory"

    def __init__(self, place: Place, process: Process) -> None:
        self.place = place
        self.process = process

    def load(self) -> Stored | None:
        """The newest bytes."""
        return self.place.stored

    @contextmanager
    def write_lock(self, timeout: float) -> Generator[MemoryStore, None, None]:
        """The write lock: a step of a flow is never interrupted while it has it."""
        assert self.place.writer is None, f"the write lock is held, after {timeout} seconds"
        self.place.writer = self
        try:
            yield self
        finally:
            self.place.writer = None

    def save(self, data: bytes, *, verify: Callable[[bytes], None] | None = None) -> Stored:
        """Put bytes in the place of what is there."""
        assert self.place.writer is self
        if verify is not None:
            verify(data)
        return self.place.put(data)

    def remove(self) -> None:
        """Take away what is there."""
        assert self.place.writer is self
        self.place.stored = self.place.payload = None

    def set_aside(self, seen: Stored) -> str | None:
        """Nothing is ever damaged here."""
        raise AssertionError(f"the vault was set aside: {seen}")

    def login_lock(self, tag: bytes) -> MemoryLock:
        """The login lock of an account."""
        return MemoryLock(self, tag)

    def is_login_under_way(self) -> bool:
        """Whether anybody holds a login lock."""
        return self.place.is_locked

    def close(self) -> None:
        """Nothing is open."""


class MemoryLock:
    """A login lock in memory."""

    fence = 0

    def __init__(self, store: MemoryStore, tag: bytes) -> None:
        self.store = store
        self.tag = tag

    def try_acquire(self) -> bool:
        """Take it if it is free."""
        return self.store.place.logins.setdefault(self.tag, self) is self

    def holder(self) -> str | None:
        """The number of the process that holds it."""
        lock = self.store.place.logins.get(self.tag)
        return None if lock is None else str(lock.store.process.number)

    def release(self) -> None:
        """Free it, where this object holds it."""
        if self.store.place.logins.get(self.tag) is self:
            del self.store.place.logins[self.tag]


class DiskPlace(Place):
    """One vault in a real file, encrypted, with real locks."""

    def __init__(self, path: str, stored: Stored | None, payload: Payload | None) -> None:
        super().__init__(None, payload)
        self._path = path
        self._locks: list[tuple[Process, FileLock]] = []
        with suppress(FileNotFoundError):
            os.unlink(path)
        if stored is not None:
            with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(stored.reveal())

    @property
    def version(self) -> object:
        """What is another after each save."""
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def store_of(self, process: Process) -> DiskStore:
        """The vault, as a process sees it."""
        return DiskStore(self._path, self, process)

    def note(self, process: Process, lock: FileLock) -> None:
        """A process may come to hold this lock."""
        self._locks.append((process, lock))

    @property
    def is_locked(self) -> bool:
        """Whether somebody holds a login lock, by the word of the kernel."""
        return is_login_under_way(self._path)

    def let_go(self, process: Process) -> None:
        """What the kernel does when a process ends: its locks are free."""
        for holder, lock in self._locks:
            if holder is process:
                lock.release()


class DiskStore(FileStore):
    """A `FileStore`, as one process sees it."""

    def __init__(self, path: str, place: DiskPlace, process: Process) -> None:
        super().__init__(path)
        self.place = place
        self.process = process

    def login_lock(self, tag: bytes) -> FileLock:
        """The login lock of an account."""
        lock = super().login_lock(tag)
        self.place.note(self.process, lock)
        return lock


class Process:
    """A process: what its threads share and no other process sees."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.flights: dict[Any, Any] = {}
        self.logins: dict[Any, Any] = {}

    def enter(self) -> None:
        """From now on its code runs."""
        CLOCK.host = self.number
        singleflight._flights = self.flights
        contested._logins = self.logins


class NoRenewer:
    """A lock is renewed as long as its host runs: in no time, so that there is nothing to do."""

    def add(self, lock: RedisLock) -> None:
        """Nothing."""

    def drop(self, lock: RedisLock) -> None:
        """Nothing."""


class Clock:
    """The one clock. It stands still but for the pauses that are waited for."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._moments = 0
        # Whose turn it is: the number of its process, which stands for its host.
        self.host = 0

    def start(self) -> None:
        """Begin anew."""
        self.seconds, self._moments = 0.0, 0

    def monotonic(self) -> float:
        """Seconds since the start, and a thousand."""
        return 1000.0 + self.seconds

    def epoch(self) -> float:
        """Epoch seconds."""
        return START.timestamp() + self.seconds

    def now(self) -> datetime:
        """Aware UTC; no two moments are the same."""
        self._moments += 1
        return START + timedelta(seconds=self.seconds, microseconds=self._moments)


CLOCK = Clock()


class Envelopes:
    """Vaults that are not encrypted: their bytes are a number, and what they hold stands here.

    The format has tests of its own, and takes a good part of the time of a schedule.
    """

    def __init__(self) -> None:
        self._kept: dict[bytes, tuple[Header, Payload, Hidden[bytes]]] = {}
        self._keys: dict[bytes, tuple[Hidden[bytes], Any]] = {}
        self._first: set[bytes] = set()
        self._made = 0

    def seal(self, header: Header, payload: Payload, vault_key: Hidden[bytes], **_: Any) -> bytes:
        """In the place of `envelope.seal`."""
        self._made += 1
        data = b"%d" % self._made
        self._kept[data] = header, payload, vault_key
        return data

    def parse(self, data: bytes) -> envelope.Envelope:
        """In the place of `envelope.parse`."""
        return envelope.Envelope(self._kept[data][0], data)  # type: ignore[arg-type]

    def open_payload(self, parsed: envelope.Envelope, vault_key: Hidden[bytes]) -> Payload:
        """In the place of `envelope.open_payload`."""
        _, payload, wanted = self._kept[parsed.sealed]  # type: ignore[index]
        assert vault_key == wanted, "opened with a key that is not its own"
        return payload

    def open_slots(self, opener: SlotOpener, header: Header) -> Hidden[bytes]:
        """In the place of `SlotOpener.open`: each vault key is unwrapped once for all."""
        known = self._keys.get(header.commitment)
        if known is None:
            known = self._keys[header.commitment] = _open_slots(opener, header), opener._known
        opener._known = known[1]
        return known[0]

    def keep(self) -> None:
        """Keep for all schedules what is there now: they begin with it."""
        self._first = set(self._kept)

    def forget(self) -> None:
        """Drop what earlier schedules have made."""
        if len(self._kept) > 1000:
            self._kept = {data: self._kept[data] for data in self._first}


_open_slots = SlotOpener.open
ENVELOPES = Envelopes()


@contextmanager
def frozen(*, sealed: bool = False) -> Generator[None, None, None]:
    """Inside, time is that of `CLOCK`; waiting and chance are the same in every run.

    Vaults are `Envelopes`, unless they are to be *sealed*, as they are outside.

    What a flow does with the vault after it has waited for it is a step of its own there, as it
    is between processes: `patiently` gives way before each action, too.
    """
    plain, real_save = wait.patiently, Versions.save

    def patiently(action: Callable[[], Any], seconds: float) -> wait.Flow[Any]:
        yield GIVE_WAY
        return (yield from plain(action, seconds))

    def save(self: Versions, *args: Any, **kwargs: Any) -> None:
        real_save(self, *args, **kwargs)
        if isinstance(self.store, (MemoryStore, DiskStore)):
            state = self.known()
            assert state is not None
            self.store.place.payload = state.payload

    with pytest.MonkeyPatch.context() as patch:
        for module in (context, explicit, login, request, resume, saving):
            if hasattr(module, "patiently"):
                patch.setattr(module, "patiently", patiently)
        patch.setattr(Versions, "save", save)
        if not sealed:
            patch.setattr(envelope, "seal", ENVELOPES.seal)
            patch.setattr(envelope, "parse", ENVELOPES.parse)
            patch.setattr(envelope, "open_payload", ENVELOPES.open_payload)
            patch.setattr(SlotOpener, "open", lambda *args: ENVELOPES.open_slots(*args))
        for module, name in PURE:
            patch.setattr(module, name, lru_cache(4096)(getattr(module, name)))
        patch.setattr(ClientContext, "tell", lambda *_, **__: None)
        patch.setattr(Logger, "_log", lambda *_: None)
        patch.setattr(login, "LONGEST_LOOK", LOOK)
        patch.setattr(_clock, "clock", CLOCK.monotonic)
        patch.setattr(time, "time", CLOCK.epoch)
        patch.setattr(_clock, "utc_clock", CLOCK.now)
        patch.setattr(random, "uniform", lambda _, longest: longest)
        if sealed:
            patch.setattr(RedisLock, "_renewer", NoRenewer())
            patch.setattr(os, "uname", lambda: SimpleNamespace(nodename=f"host-{CLOCK.host}"))
        patch.setattr(singleflight, "_flights", {})
        patch.setattr(contested, "_logins", {})
        yield


# What gives the same for the same: remembered, since a schedule is much like the one before.
PURE = (
    (session, "from_text"),
    (session, "to_text"),
    (session, "record_name"),
    (cookies, "read_cookie_date"),
    (envelope, "lock_tag"),
)
GIVE_WAY = Pause(0.0)
# Seconds to look for a cookie that another process is about to save: three looks, not thirty.
LOOK = 0.01

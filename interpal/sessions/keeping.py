"""The session of any site, kept in a vault for a client of any HTTP library.

A `Keeper` is the half that knows no library: it loads cookies and headers, merges what changed
into the record, and sees to it that all processes share one login. Its flows are driven like
those of the Interpals clients; what concerns the client itself (its jar, its requests, `login=`
and `is_valid=`) is a `Turn`, which the driver takes where the client lives.

The record has `login`, a random name of the login that it comes from: what a client still does
with an ended session changes nothing of the next one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from interpal._clock import is_recent, monotonic, utc_now
from interpal.exceptions import (
    AuthenticationError,
    InterpalException,
    LockTimeoutError,
    ValidationError,
    VaultError,
    VaultNotFoundError,
)
from interpal.session import from_text, to_text
from interpal.sessions import events, refused_logins, set_up
from interpal.sessions.contested import Contest
from interpal.sessions.events import Event, OnEvent
from interpal.sessions.jars import Cookies, Jar, JarCookie, end_of
from interpal.sessions.merging import merged
from interpal.sessions.one_login import one_login, take_login_lock, wait_visibly
from interpal.sessions.refused_logins import RATE_LIMIT, Refusal, RefusedLogins, kind_of_status
from interpal.sessions.singleflight import Flight, Work
from interpal.sessions.wait import Flow, patiently, pauses, wait_for
from interpal.transport.messages import Response
from interpal.transport.protocol import retry_after
from interpal.vault.core.record_views import thaw
from interpal.vault.files.forks import Process
from interpal.vault.files.thread_lock import ThreadLock
from interpal.vault.files.writable import is_set_up_wrong
from interpal.vault.stores.opening import open_store
from interpal.vault.vault import Vault

if TYPE_CHECKING:
    from interpal._hidden import Hidden
    from interpal._worker import Worker
    from interpal.vault.core.login_locks import AccountLock
    from interpal.vault.stores.base import Store

T = TypeVar("T")

HOW_TO_FORCE = "renew(client, force=True)"
_ENDED_ANEW = 60.0


class Turn(NamedTuple):
    """Something to be done where the client lives: *work* returns a value, or an awaitable.

    *flight* is the login that it belongs to, of `login=` and of what is asked with it.
    """

    work: Callable[[], Any]
    flight: tuple[object, str] | None = None


class Replies(NamedTuple):
    """What the requests of a library end in: *errors* that they raise, or a reply.

    *drop* gives the connection of a reply back; it may return an awaitable.
    """

    errors: tuple[type[Exception], ...]
    status: Callable[[Any], int]
    drop: Callable[[Any], Any]


class Failed(NamedTuple):
    """What a library raised in a `Turn`."""

    error: Exception

    @property
    def status(self) -> int | None:
        """The status of the reply that it was raised for; None where that is no reply of a site."""
        return None if isinstance(self.error, InterpalException) else status_of(self.error)[0]


class Kept(NamedTuple):
    """What a record says: the login it comes from, its cookies and its headers.

    *instead_of* is of a login made here, while no record says it: the login whose record it
    takes the place of.
    """

    login: str
    cookies: Cookies
    headers: Mapping[str, str]
    expires_at: datetime | None
    validated_at: datetime | None
    instead_of: str | None = None

    def __repr__(self) -> str:
        return f"<{len(self.cookies)} cookies and {len(self.headers)} headers, kept>"

    @classmethod
    def from_record(cls, record: Mapping[str, Any] | None) -> Kept | None:
        """What a record holds; None where it is none of ours, or all of it has ended."""
        record = None if record is None else thaw(record)
        if record is None or not isinstance(record.get("jar"), list):
            return None
        now = utc_now()
        found = [JarCookie.from_member(one) for one in record["jar"]]
        cookies = {c.key: c for c in found if c is not None and not c.has_expired(now)}
        headers = record.get("headers")
        texts = headers.items() if isinstance(headers, Mapping) else ()
        return cls(
            str(record.get("login")),
            cookies,
            {name: text for name, text in texts if isinstance(text, str)},
            from_text(record.get("expires_at")),
            from_text(record.get("last_validated_at")),
        )

    def has_expired(self) -> bool:
        """Whether the end of all of its cookies has come."""
        return self.expires_at is not None and self.expires_at <= utc_now()


NOTHING = Kept("", {}, {}, None, None)


class Settings(NamedTuple):
    """What `keep` was given, checked; times in seconds. *headers* are in lower case."""

    name: str
    login: Callable[[Any], Any] | None
    is_valid: Callable[[Any], Any] | None
    headers: frozenset[str]
    credentials: Hidden[bytes]
    revalidate_after: float
    lock_timeout: float
    on_event: OnEvent | None


class _Guest:
    """Code of the user's that runs for a keeper, and what it starts, until it has returned."""

    __slots__ = ("flight", "is_over", "keeper")

    def __init__(self, keeper: Keeper, flight: tuple[object, str] | None) -> None:
        self.keeper = keeper
        self.flight = flight
        self.is_over = False


_guests: ContextVar[tuple[_Guest, ...]] = ContextVar("_guests", default=())


class Call:
    """One call of a client, for which a vault that cannot be written is told once.

    *deadline*, by the monotonic clock, is that of its saves. `flight` is the login that it is in.
    """

    __slots__ = ("deadline", "flight", "has_failed")

    def __init__(self, deadline: float = float("inf")) -> None:
        self.deadline = deadline
        self.flight: tuple[object, str] | None = None
        self.has_failed = False


class Keeper:
    """Keeps the session of one client under one name of a vault."""

    def __init__(
        self,
        client: Any,
        jar: Jar,
        place: Vault | str | os.PathLike[str] | Store,
        settings: Settings,
        replies: Replies,
    ) -> None:
        self.client = client
        self._jar = jar
        self.settings = settings
        self._replies = replies
        self._errors: tuple[type[Exception], ...] = (*replies.errors, InterpalException)
        self._place = place if isinstance(place, Vault) else open_store(place)
        self._vault: Vault | None = place if isinstance(place, Vault) else None
        # What is in the vault as far as is known here, or what a login has given; cookies that
        # differ from it are news. Changes whole, against the value that a step began with.
        self.base = NOTHING
        self._started = self._closed = False
        # What goes wrong with the vault's place later costs the save only.
        self.could_save = False
        # Of each process, since a forked child has none of its parent's threads.
        self._at_work: dict[int, set[Work]] = {}
        self._gave_up_at = float("-inf")
        self._logins = 0
        # What its jar does not take, and other clients do: aiohttp's none of an IP address.
        self._foreign: Cookies = {}
        # What the client has of its own: a program may add to it before the first request.
        self._at_first = self._looked_at()
        self.refusals = RefusedLogins()
        self.contest = Contest()
        self._ended_anew: tuple[str, float] = "", float("-inf")
        self._guard, self._opening = ThreadLock(), ThreadLock()
        self._worker: Worker | None = None
        self._process = Process()

    def __repr__(self) -> str:
        return f"<Keeper of {self.settings.name!r} in {self.path}>"

    @property
    def path(self) -> str:
        """Where the vault is, without a password."""
        place = self._place
        return place.path if isinstance(place, Vault) else place.location

    @property
    def rests(self) -> bool:
        """Whether a request is sent by code that runs for this keeper: `login=`, or a hook."""
        return any(guest.keeper is self and not guest.is_over for guest in _guests.get())

    def is_forked(self) -> bool:
        """Whether this is a child that was forked since it was last asked here."""
        before, self._process = self._process, Process()
        return not before.is_current

    @contextmanager
    def _guest(self, flight: tuple[object, str] | None = None) -> Generator[None, None, None]:
        guest = _Guest(self, flight)
        token = _guests.set((*_guests.get(), guest))
        try:
            yield
        finally:
            # For the tasks as well that it has started, which have a copy of the context.
            guest.is_over = True
            _guests.reset(token)

    def turn(self, turn: Turn) -> Any:
        """Take a turn that returns a value: its value, or `Failed`."""
        with self._guest(turn.flight):
            try:
                result = turn.work()
            except self._errors as error:
                return Failed(error)
        if isinstance(result, Coroutine):
            result.close()
            raise ValidationError(
                "login=, is_valid=: expected plain functions, as the client is not one of asyncio"
            )
        return result

    async def awaited_turn(self, turn: Turn) -> Any:
        """Take a turn that may return an awaitable."""
        with self._guest(turn.flight):
            try:
                result = turn.work()
                return await result if hasattr(result, "__await__") else result
            except self._errors as error:
                return Failed(error)

    async def awaited(self, flow: Flow[T]) -> T:
        """Run a flow for a client of asyncio: what blocks in threads, turns in its event loop."""
        from interpal import _worker

        if self._worker is None:
            self._worker = _worker.Worker()
        return await _worker.drive(flow, self.awaited_turn, self._worker)

    async def aclose(self) -> None:
        """`close`, for a client of asyncio."""
        await self.awaited(self.close())
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.close()

    # What a client does.

    def exchange(
        self,
        send: Callable[[], Any],
        send_again: Callable[[], Any] | None,
        *,
        made_with: Kept | None = None,
        call: Call | None = None,
    ) -> Flow[Any]:
        """Send a request, and once more where the session had ended; save what the reply changed.

        *send_again* is None for a body that can be read only once. *made_with* is the `base` that
        its cookies were taken from, where that was before, and *call* that of `start`. The last
        reply, or what was raised for it.
        """
        call = call or Call()
        yield from self.start(call)
        # In this order: what is sent is never older than what it is taken for.
        logins, seen = self._logins, made_with or self.base
        reply = yield from self._sent(send)
        logged_in, tried = False, ""
        # What has become of the session meanwhile, then another's, then one of a login.
        for _ in range(3):
            if self._status(reply) != 401 or self.settings.login is None:
                break
            if self._logins != logins and self.base.login == seen.login:
                # It was sent with the session of a login made since.
                break
            is_over = seen.login == tried
            try:
                with self._working():
                    renewed = yield from self._renew_after_refusal(call, seen, is_over=is_over)
            except Exception:
                yield from self._drop(reply)
                raise
            if renewed is None:
                break
            logged_in, tried = renewed, seen.login
            if send_again is None:
                break
            seen = self.base
            yield from self._drop(reply)
            reply = yield from self._sent(send_again)
        status = self._status(reply)
        if status == 401:
            if logged_in:
                self._ended_anew = seen.login, monotonic()
        elif status < 500:
            self.contest.answered()
        with self._working():
            yield from self._save_changes(call)
        if isinstance(reply, Failed):
            raise reply.error
        return reply

    def _sent(self, send: Callable[[], Any]) -> Flow[Any]:
        """The reply; `Failed` where a hook, or a setting of the client, raises for its status."""
        reply = yield Turn(send)  # type: ignore[misc]  # A step of drivers of ours alone.
        if isinstance(reply, Failed) and reply.status is None:
            raise reply.error
        return reply

    def _status(self, reply: Any) -> int:
        return (reply.status or 0) if isinstance(reply, Failed) else self._replies.status(reply)

    def _drop(self, reply: Any) -> Flow[None]:
        if isinstance(reply, Failed):
            reply = getattr(reply.error, "response", None)
        if reply is not None:
            yield from self._take(Turn(partial(self._replies.drop, reply)))

    def start(self, call: Call) -> Flow[None]:
        """Load the session, and see to it that there is one, at the first call."""
        if self._started:
            return
        flight = Flight((self, "start"))
        with self._working():
            try:
                yield from wait_for(flight, self._deadline(), "the start of this client")
                if not self._started:
                    yield from self.load(call)
                    yield from self._begin(call)
                    self._started = True
                    if self.settings.login is not None and not self.could_save:
                        self.could_save = self.opened().seems_writable()
            finally:
                flight.release()

    def load(self, call: Call) -> Flow[None]:
        """Put the saved cookies and headers into the client."""
        stored = yield from self.patiently(self.stored)
        if stored is not None and stored != self.base:
            mine = self._at_first if self.base is NOTHING else self.base
            yield from self.adopt(call, stored, mine)

    def logged_in(self) -> None:
        """A login of this client has given a session."""
        self._logins += 1
        self.refusals.forget()
        self.contest.made(*self.whose)

    def renew(self, *, force: bool) -> Flow[None]:
        """A new session: another's newer one, or, in any case with *force*, one of a login.

        Raises `ValidationError` without `login=` and inside of it, what `login=` raises, and what
        a login that was refused before does.
        """
        if self.settings.login is None:
            raise ValidationError("renew: this client was kept without login=")
        with self._working():
            yield from self._one_login(Call(), self.base, force=force)
        self._started = True

    def close(self) -> Flow[None]:
        """Save what is left, and close a vault that was opened here.

        Logins and saves of others are waited for, for `lock_timeout` at most with its own save;
        then the last of them closes the vault. A reply, which may take any time, is not.
        """
        self._closed = True
        # The handler of a signal, and code that runs for this keeper, would wait for themselves.
        in_vain = self.rests or self._is_amid(1)
        call = Call(monotonic() if in_vain else self._deadline())
        coming = pauses()
        while self._works and monotonic() < call.deadline:
            yield next(coming)
        with self._working():
            yield from self._save_changes(call)

    # How.

    @property
    def _works(self) -> set[Work]:
        return self._at_work.setdefault(os.getpid(), set())

    def _is_amid(self, number: int) -> bool:
        """Whether so many works are going on below this one, in its thread."""
        return sum(work.is_below() for work in self._works.copy()) >= number

    @contextmanager
    def _working(self) -> Generator[None, None, None]:
        """Inside, the vault stays open; the last to leave closes it where the client was closed."""
        work = Work()
        self._works.add(work)
        try:
            yield
        finally:
            self._works.discard(work)
            if self._closed:
                self.let_go()

    def let_go(self) -> None:
        """Close a vault that was opened here, unless somebody is at work with it."""
        while not self._works and self._opening.acquire(timeout=0):
            try:
                vault = self._vault
                if vault is None or vault is self._place:
                    return
                self._vault = None
                if not self._works:
                    vault.close()
                    return
                # Whoever has begun meanwhile may have it.
                self._vault = vault
            finally:
                self._opening.release()

    def _deadline(self) -> float:
        return monotonic() + self.settings.lock_timeout

    def _begin(self, call: Call) -> Flow[None]:
        base, settings = self.base, self.settings
        usable = bool(base.cookies or base.headers) and not base.has_expired()
        trusted = timedelta(seconds=settings.revalidate_after)
        asks = settings.is_valid is not None and not is_recent(
            base.validated_at, utc_now(), trusted
        )
        if usable and asks:
            if settings.login is not None:
                set_up.check_before_asking(self.opened().check_writable)
            usable = yield from self.ask(call)
            if usable:
                yield from self.save(call, validated=True)
            else:
                self.tell(call, "invalidated")
        if not usable and settings.login is not None:
            yield from self._one_login(call, base)

    def _renew_after_refusal(self, call: Call, seen: Kept, *, is_over: bool) -> Flow[bool | None]:
        """After a 401: whether there was a login for it; None where there is no other session.

        *is_over*: with other cookies of the same login the reply was the same.
        """
        if self.base.login != seen.login:
            return False
        login, at = self._ended_anew
        if self.settings.is_valid is not None:
            if (yield from self.ask(call)):
                return None
        elif login == seen.login and monotonic() - at < _ENDED_ANEW:
            # Refused with a session just made: it is not the session that is refused.
            return None
        self.contest.ended(*self.whose)
        self.tell(call, "invalidated")
        return (yield from self._one_login(call, seen, is_over=is_over))

    def _one_login(
        self, call: Call, old: Kept, *, force: bool = False, is_over: bool = False
    ) -> Flow[bool]:
        """Another session than *old*; whether there was a login for it."""
        renewal = _Renewal(self, call, old, force=force, is_over=is_over)
        if any(guest.flight == renewal.flight and not guest.is_over for guest in _guests.get()):
            raise ValidationError(
                f"the login of {self.settings.name} cannot wait for itself: call renew() after "
                "login= and is_valid= have returned, and send what they need with the client that "
                "they are given"
            )
        call.flight = renewal.flight
        try:
            yield from one_login(renewal, self._deadline())
        finally:
            call.flight = None
        return renewal.has_logged_in

    @property
    def whose(self) -> tuple[tuple[str, str], object]:
        """The session and its place, for `Contest`."""
        return ("", self.settings.name), self.path

    def ask(self, call: Call) -> Flow[bool]:
        """What `is_valid=` says of the session."""
        is_valid = self.settings.is_valid
        if is_valid is None:
            return True
        said = yield Turn(lambda: is_valid(self.client), call.flight)  # type: ignore[misc]
        if isinstance(said, Failed):
            if said.status != 401:
                raise said.error
            yield from self._drop(said)
            return False
        return bool(said)

    def _take(self, turn: Turn) -> Flow[Any]:
        """Have a turn taken; what the library raised is raised here."""
        result = yield turn  # type: ignore[misc]  # A step of drivers of ours alone.
        if isinstance(result, Failed):
            raise result.error
        return result

    def mine(self) -> Flow[Kept]:
        """What the client has now."""
        kept: Kept = yield from self._take(Turn(self._looked_at))
        return kept

    def _looked_at(self) -> Kept:
        wanted = self.settings.headers
        texts = {name.lower(): _text(value) for name, value in self._jar.headers.items()}
        headers = {n: text for n, text in texts.items() if n in wanted and text is not None}
        return self.base._replace(cookies=self._cookies(), headers=headers)

    def _cookies(self) -> Cookies:
        now = utc_now()
        foreign = {key: one for key, one in self._foreign.items() if not one.has_expired(now)}
        return {**foreign, **self._jar.cookies(now)}

    def adopt(self, call: Call, kept: Kept, mine: Kept | None = None) -> Flow[None]:
        """Go over to what is kept, but for what the client has no longer as it was in *mine*."""
        yield from self._put(kept, mine)
        self.base = kept
        self.tell(call, "session_loaded")

    def _put(self, kept: Kept, mine: Kept | None) -> Flow[None]:
        """Put what is kept into the client, where it still has what it had (*mine*)."""

        def put() -> None:
            jar = self._jar
            now_here = self._cookies()
            before = now_here if mine is None else mine.cookies
            for key in [key for key in before if key not in kept.cookies]:
                if now_here.get(key) == before[key]:
                    jar.drop(key)
                    self._foreign.pop(key, None)
            coming = {
                key: cookie
                for key, cookie in kept.cookies.items()
                if cookie != now_here.get(key) and now_here.get(key) == before.get(key)
            }
            for cookie in coming.values():
                jar.put(cookie)
            held = jar.cookies(utc_now()) if coming else {}
            for key, cookie in coming.items():
                self._foreign.pop(key, None)
                if key not in held:
                    self._foreign[key] = cookie
            for name in self.settings.headers:
                old, new = _text(jar.headers.get(name)), kept.headers.get(name)
                if old == new or (mine is not None and old != mine.headers.get(name)):
                    continue
                if new is not None:
                    jar.headers[name] = new
                else:
                    del jar.headers[name]

        yield from self._take(Turn(put))

    def opened(self) -> Vault:
        """The vault, opened at its first use."""
        if (vault := self._vault) is not None:
            return vault
        with self._opening:
            if self._vault is None:
                place = self._place
                self._vault = place if isinstance(place, Vault) else Vault.open(place, create=True)
            return self._vault

    def stored(self) -> Kept | None:
        """What is in the vault."""
        return Kept.from_record(self.opened().get(self.settings.name))

    def patiently(self, action: Callable[[], T]) -> Flow[T]:
        """Do *action*, again while somebody holds the write lock."""
        return (yield from patiently(action, self.settings.lock_timeout))

    def change(self, call: Call, action: Callable[[], T]) -> Flow[T | Failed]:
        """Change the vault, once it can be written. A failure is told, and costs the change alone.

        Nobody waits for the write lock longer than has passed since that was given up.
        """
        now = monotonic()
        seconds = min(self.settings.lock_timeout, now - self._gave_up_at, call.deadline - now)
        try:
            return (yield from patiently(action, max(0.0, seconds)))
        except (VaultError, ValidationError) as error:
            if isinstance(error, LockTimeoutError):
                self._gave_up_at = monotonic()
            self.tell(call, "save_failed", reason=str(error))
            return Failed(error)

    def _save_changes(self, call: Call) -> Flow[None]:
        """Save what has changed since it was loaded or saved, and take over what others saved."""
        base = self.base
        mine = yield from self.mine()
        is_new = base.instead_of is not None
        if is_new or mine.cookies != base.cookies or mine.headers != base.headers:
            yield from self.save(call)

    def save(
        self, call: Call, *, lock: AccountLock | None = None, validated: bool = False
    ) -> Flow[None]:
        """Save what the client has, and put into it what others have saved."""
        while True:
            # What is in the client is never older than the base: this is read first, and set last.
            base = self.base
            mine = yield from self.mine()
            save = partial(self._save, base, mine, lock=lock, validated=validated)
            kept = yield from self.change(call, save)
            if kept is None or isinstance(kept, Failed):
                return
            if kept is not NOTHING:
                break
        if kept.cookies != mine.cookies or kept.headers != mine.headers:
            yield from self._put(kept, mine)
        with self._guard:
            if self.base is base:
                self.base = kept
        self.tell(call, "saved")

    @contextmanager
    def _saving(self) -> Generator[None, None, None]:
        """One save at a time; one that this thread was interrupted in is not waited for."""
        if not self._guard.acquire(timeout=0 if self._is_amid(2) else -1):
            raise LockTimeoutError(f"{self.path}: another save of this client is under way")
        try:
            yield
        finally:
            self._guard.release()

    def _save(
        self, base: Kept, mine: Kept, *, lock: AccountLock | None, validated: bool
    ) -> Kept | None:
        """Save *mine*, which *base* has become; what is kept then.

        None where somebody has taken the session away; `NOTHING` where another thread has saved
        meanwhile, perhaps without what came to this one. A session of a login takes the place of
        any other while its *lock* is held; later, of the one before it.
        """
        name, before = self.settings.name, base.instead_of
        with self._saving(), self.opened().transaction(lock_timeout=0.0, lock=lock) as records:
            if self.base is not base:
                return NOTHING
            record = records.get(name)
            stored = Kept.from_record(record)
            if before is None:
                if base.login and (stored is None or stored.login != base.login):
                    return stored
            elif lock is None and stored is not None and stored.login != before:
                return stored
            else:
                stored = None
            now = utc_now().replace(microsecond=0)
            if stored is None:
                # One of a login, or the first there is.
                stored = NOTHING._replace(login=base.login or os.urandom(8).hex())
                record = {**(record or {}), "login": stored.login, "created_at": to_text(now)}
                base = NOTHING
            cookies = merged(base.cookies, mine.cookies, stored.cookies)
            headers = merged(base.headers, mine.headers, stored.headers)
            end = None if headers else end_of(cookies)
            validated_at = now if validated else stored.validated_at
            records[name] = {
                **(record or {}),
                "jar": [cookie.to_member() for cookie in cookies.values()],
                "headers": dict(headers),
                "expires_at": None if end is None else to_text(end),
                "last_validated_at": None if validated_at is None else to_text(validated_at),
            }
            if before is not None:
                records.attempts.pop(name, None)
        return Kept(stored.login, cookies, headers, end, validated_at)

    def tell(self, call: Call, name: str, /, **facts: Any) -> None:
        """Tell an event."""
        if name == "save_failed":
            if call.has_failed:
                return
            call.has_failed = True
        event = Event(name, self.settings.name, self.path, utc_now(), facts)
        with self._guest(call.flight):
            events.tell(event, self.settings.on_event)


class _Renewal:
    """One wish of a `Keeper` for another session than *old*, for `one_login`."""

    def __init__(
        self, keeper: Keeper, call: Call, old: Kept, *, force: bool, is_over: bool
    ) -> None:
        """*is_over*: *old* is so, whatever cookies of that login there are."""
        self._is_over = is_over
        self._keeper = keeper
        self._call = call
        self._tell = partial(keeper.tell, call)
        self._old = old
        self._force = force
        self._since = monotonic()
        self.has_logged_in = False

    @property
    def flight(self) -> tuple[object, str]:
        """The place and the name that this process lines up for."""
        return self._keeper.path, self._keeper.settings.name

    def wait(self, lock: Flight | AccountLock, deadline: float) -> Flow[None]:
        """Take *lock*."""
        keeper = self._keeper
        what = f"the login of {keeper.settings.name}"
        yield from wait_visibly(lock, deadline, what, keeper.path, self._tell)

    def arrived(self) -> Kept | None:
        """The session that another thread of this client has got meanwhile."""
        base = self._keeper.base
        return base if base.login != self._old.login and not self._force else None

    def login_lock(self, deadline: float) -> Flow[AccountLock | None]:
        """The login lock of the vault."""
        keeper = self._keeper

        def lock() -> AccountLock:
            vault, name = keeper.opened(), keeper.settings.name
            vault.check_writable()
            try:
                vault.ensure_salt()
            except VaultNotFoundError:
                vault.start(create=True)
            if not keeper.could_save:
                set_up.check_room(vault, name)
            return vault.login_lock(name)

        def refuses(error: VaultError) -> bool:
            return is_set_up_wrong(error, was_right=keeper.could_save)

        found = yield from take_login_lock(self.wait, lock, deadline, self._tell, refuses=refuses)
        keeper.could_save = keeper.could_save or found is not None
        return found

    def newer(self) -> Flow[Kept | None]:
        """Under the lock: what another process has saved."""
        keeper, old = self._keeper, self._old
        if self._force:
            return None
        stored = yield from keeper.patiently(keeper.stored)
        if stored is None or stored.has_expired() or not (stored.cookies or stored.headers):
            return None
        if stored.login == old.login and (
            self._is_over or (stored.cookies == old.cookies and stored.headers == old.headers)
        ):
            return None
        yield from keeper.adopt(self._call, stored)
        if (yield from keeper.ask(self._call)):
            return stored
        return None

    def log_in(self, lock: AccountLock | None) -> Flow[Kept]:
        """Call `login=`, and save what it has left in the client."""
        keeper, settings = self._keeper, self._keeper.settings
        name, force, login = settings.name, self._force, settings.login
        if login is None:
            raise ValidationError("this client was kept without login=")
        if not force:
            keeper.contest.check(name, place="vault", how=HOW_TO_FORCE)
        keeper.refusals.check(
            name, settings.credentials, since=self._since, force=force, how=HOW_TO_FORCE
        )
        try:
            refused_logins.check(
                keeper.opened(),
                name,
                settings.credentials,
                who=name,
                now=utc_now().timestamp(),
                force=force,
                how=HOW_TO_FORCE,
            )
        except VaultNotFoundError:
            pass  # Taken away a moment ago: no word of anybody is left.
        self._tell("login_started")
        result = yield Turn(lambda: login(keeper.client), self.flight)  # type: ignore[misc]
        if isinstance(result, Failed):
            yield from self._note(result.error)
            raise result.error
        mine = yield from keeper.mine()
        if not (mine.cookies or mine.headers):
            raise AuthenticationError(
                f"login= of {name} has left neither a cookie nor one of the headers= that are kept"
            )
        validated = settings.is_valid is not None
        if validated and not (yield from keeper.ask(self._call)):
            yield from self._remember(Refusal("no-session"))
            raise AuthenticationError(
                f"login= of {name} has run, and is_valid= says that there is no session: the site "
                "has refused it, or asks for more"
            )
        mine = yield from keeper.mine()
        self.has_logged_in = True
        keeper.logged_in()
        login_name = os.urandom(8).hex()
        keeper.base = Kept(
            login_name, mine.cookies, mine.headers, None, None, instead_of=keeper.base.login
        )
        self._tell("logged_in")
        yield from keeper.save(self._call, lock=lock, validated=validated)
        return keeper.base

    def _note(self, error: Exception) -> Flow[None]:
        """Remember what a failed login says: a refusal, or that the site cannot be reached."""
        status, wait = status_of(error)
        if status == 429:
            yield from self._remember(Refusal(RATE_LIMIT, 60.0 if wait is None else wait))
            return
        kind = kind_of_status(status)
        if kind is not None:
            yield from self._remember(Refusal(kind))
        elif status is None and not isinstance(error, (VaultError, ValidationError)):
            reason = f"the login of {self._keeper.settings.name}: {type(error).__name__}"
            self._keeper.refusals.unreachable(reason)

    def _remember(self, refusal: Refusal) -> Flow[None]:
        keeper, settings = self._keeper, self._keeper.settings
        keeper.refusals.note(refusal, settings.credentials)

        def note() -> None:
            now = utc_now().timestamp()
            vault = keeper.opened()
            refused_logins.note(vault, settings.name, refusal, settings.credentials, now=now)

        yield from keeper.change(self._call, note)


def _text(value: object) -> str | None:
    """The value of a header, which may be bytes in requests; None where it is not to be sent."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else None


def status_of(error: Exception) -> tuple[int | None, float | None]:
    """The status of a reply that an error stands for, and the seconds of its `Retry-After`."""
    reply = getattr(error, "response", None)
    headers = getattr(reply, "headers", None) or getattr(error, "headers", None) or {}
    for holder, name in ((error, "status_code"), (reply, "status_code"), (error, "status")):
        status = getattr(holder, name, None)
        if isinstance(status, int) and status:
            wait = getattr(error, "retry_after", None)
            if wait is None:
                said = (("retry-after", headers.get("Retry-After") or ""),)
                wait = retry_after(Response(status, said, b""), utc_now())
            return status, wait
    return None, None

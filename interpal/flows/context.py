"""What the flows of one client share: its settings, its state, its saved sessions, its requests."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from interpal._clock import monotonic, utc_now
from interpal._hidden import Hidden
from interpal._lazy import LateModule
from interpal._log import Logger
from interpal._tuples import NamedTuple
from interpal.exceptions import (
    AuthenticationError,
    SessionExpiredError,
    VaultCorruptError,
    VaultError,
    VaultFormatError,
    VaultIOError,
)
from interpal.sessions.events import Event, OnEvent, tell
from interpal.sessions.state import ClientState, Phase, StateCell, held_for_a_moment
from interpal.sessions.wait import check_not_abandoned, patiently
from interpal.transport import origin

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from datetime import datetime, timedelta

    from interpal.flows.pending_requests import Sending
    from interpal.session import Session
    from interpal.session_manager import SessionManager
    from interpal.sessions import contested, cookies, refused_logins
    from interpal.sessions.wait import Flow
    from interpal.transport import environment, messages, protocol
    from interpal.transport.environment import Network
    from interpal.transport.messages import Request
else:
    environment = LateModule("interpal.transport.environment")
    messages = LateModule("interpal.transport.messages")
    contested = LateModule("interpal.sessions.contested")
    cookies = LateModule("interpal.sessions.cookies")
    refused_logins = LateModule("interpal.sessions.refused_logins")
    protocol = LateModule("interpal.transport.protocol")

_log = Logger("interpal.flows")

DEFAULT_LOGIN_TIMEOUT = 60
"""Seconds to wait for another process's login."""

# Seconds for which a path that is refused is not asked about again.
ASKED_AGAIN_AFTER = 60.0


class Settings(NamedTuple):
    """What a client was constructed with, checked; times in seconds."""

    base_url: str
    user_agent: str | None
    lifetime: timedelta
    revalidate_after: float
    timeout: float
    max_retries: int
    min_interval: float
    lock_timeout: float
    on_event: OnEvent | None
    network: Network | None
    """What was given of proxy and certificates; None where nothing was."""


class Asked:
    """The paths that the server refused while it said that the session lives.

    A session is known by when it was made: its cookie may have been changed since.
    """

    def __init__(self) -> None:
        self._at: dict[str, tuple[datetime, float]] = {}

    def __repr__(self) -> str:
        return f"<Asked: {len(self._at)} paths>"

    def lives(self, path: str, session: Session) -> bool:
        """Whether the server has said so within the last minute, when it refused *path*."""
        made, at = self._at.get(path, (None, 0.0))
        return made == session.created_at and monotonic() - at < ASKED_AGAIN_AFTER

    def note(self, path: str, session: Session) -> None:
        """The server has said so now."""
        now = monotonic()
        recent = {p: one for p, one in self._at.items() if now - one[1] < ASKED_AGAIN_AFTER}
        self._at = {**recent, path: (session.created_at, now)}


class _HookCall:
    """One call of an `on_event`, as long as it runs."""

    __slots__ = ("context", "runs")

    def __init__(self, context: ClientContext) -> None:
        self.context = context
        self.runs = True


_hook_calls: ContextVar[tuple[_HookCall, ...]] = ContextVar("_hook_calls", default=())


class ClientContext:
    """What all threads and tasks of one client share. Its state changes by `change` alone."""

    def __init__(self, settings: Settings, manager: SessionManager | None, state: ClientState):
        self.settings = settings
        self.manager = manager
        self._cell = StateCell(state)
        self._refusals: dict[str, refused_logins.RefusedLogins] = {}
        self.asked = Asked()
        self._contest: contested.Contest | None = None
        # Requests with a session whose replies are not yet applied.
        self.pending: set[Sending] = set()
        self._next_slot = 0.0
        # What goes wrong with the vault's place later costs the save only, not the session.
        self.could_save = False

    def __repr__(self) -> str:
        return f"<ClientContext of {self.state.name}>"

    @property
    def state(self) -> ClientState:
        """The state of the client as it is now: a frozen value."""
        return self._cell.state

    def change(
        self, transition: Callable[[ClientState], ClientState], *, epoch: int | None = None
    ) -> ClientState:
        """Make a transition of the state (`StateCell.change`); the new state."""
        if epoch is not None:
            check_not_abandoned()
        return self._cell.change(transition, epoch=epoch)

    def check_usable(self) -> None:
        """Raise `ClientClosedError` where the client was closed, `RuntimeError` in its hook."""
        self.check_not_in_hook()
        self.state.check_not_closed()

    @contextmanager
    def told_of_its_end(self) -> Generator[None, None, None]:
        """Raise `ClientClosedError` for what a vault raises since the client was closed."""
        try:
            yield
        except VaultError:
            self.state.check_not_closed()
            raise

    def close(self) -> None:
        """Forget the session, the password and the key, for good. The saved session stays."""
        self.change(lambda now: now.close())
        self._refusals.clear()
        if self.manager is not None:
            self.manager.close()
            self.manager.forget_key()

    def change_in_any_case(
        self, transition: Callable[[ClientState], ClientState], *, epoch: int
    ) -> ClientState:
        """`change`, also where the task that wanted it was cancelled: what is made is not lost."""
        return self._cell.change(transition, epoch=epoch)

    def check_epoch(self, epoch: int) -> None:
        """Raise `AuthenticationError` where what began in *epoch* is not to be done any more."""
        check_not_abandoned()
        self.state.check_epoch(epoch)

    def guard(self, epoch: int) -> Callable[[], None]:
        """`check_epoch(epoch)`, for a save to call when it holds the write lock."""
        return lambda: self.check_epoch(epoch)

    @property
    def origin(self) -> str:
        """Scheme, host and port that its sessions belong to."""
        return origin.origin_of(self.settings.base_url)

    @property
    def place(self) -> object:
        """Where its sessions are kept: what clients have to share to share a login."""
        return self if self.manager is None else self.manager.path

    @property
    def path(self) -> str | None:
        """The path of the vault, None where no session is saved."""
        return None if self.manager is None else self.manager.path

    @property
    def contest(self) -> contested.Contest:
        """What this client knows of the endings of its own logins."""
        if self._contest is None:
            self._contest = contested.Contest()
        return self._contest

    def count_answer(self) -> None:
        """The server has answered a request with the session in use."""
        if self._contest is not None:
            self._contest.answered()

    @property
    def whose_login(self) -> tuple[tuple[str, str], object]:
        """The account and the place of its sessions, for `Contest`."""
        return (self.origin, self.state.record_name), self.path or id(self)

    def refusals(self, name: str) -> refused_logins.RefusedLogins:
        """What the server said about logging in to the account whose record has this name."""
        return self._refusals.setdefault(name, refused_logins.RefusedLogins())

    # What is saved.

    def find_saved(
        self, username: str | None, *, damage_is_an_error: bool = False
    ) -> Flow[tuple[Session | None, bool]]:
        """The saved session of an account (None: of the only one), and whether it is in the vault.

        It is not where a plain file of interpal 1.x could not be encrypted in place, or a damaged
        vault not be set aside, for a disk that is full or read-only.
        """
        manager = self.manager
        if manager is None:
            return None, False
        try:
            found = yield from patiently(
                lambda: manager.find(username, damage_is_an_error=damage_is_an_error),
                self.settings.lock_timeout,
            )
            return found, found is not None
        except VaultCorruptError as error:
            if damage_is_an_error:
                raise
            # One record of a store that keeps them apart: the login that follows replaces it.
            _log.warning("%s; a login replaces it", error)
            return None, False
        except VaultIOError as error:
            try:
                found = manager.peek(username)
            except (VaultCorruptError, VaultFormatError):
                # What is not to be touched was raised before: this is damaged, empty or cut off.
                found = None
            if found is None and not self.state.has_credentials:
                raise
            self.tell("save_failed", reason=str(error))
            return found, False

    # Errors.

    def expired(self, session: Session, status_code: int | None = None) -> SessionExpiredError:
        """The error for a session that is over."""
        who = session.username or "this account"
        over = status_code is None
        why = _expiry_of(session) if over else "was ended by the server"
        how = (
            "call login()"
            if self.state.has_credentials
            else "log in again with username= and password=, or import a new session"
        )
        return SessionExpiredError(
            f"the session of {who} {why}: {how}",
            status_code=status_code,
            expired_at=session.expires_at if over else None,
        )

    def no_session(self) -> AuthenticationError:
        """The error for a call without any session."""
        state = self.state
        if state.phase is Phase.ENDED and state.session is not None:
            return self.expired(state.session, state.ended_status)
        saved = (
            ""
            if self.manager is None or not state.may_resume
            else (
                f" and none is saved in {self.manager.path} (nobody has logged in, or it has ended)"
            )
        )
        how = "" if state.has_credentials else " with username and password"
        return AuthenticationError(
            f"there is no session{saved}: call login(){how}, give session_cookie=, or "
            "import_session()"
        )

    # Requests.

    @property
    def network(self) -> Network:
        """How the server is reached: by what was given, else by what the environment says."""
        return self.settings.network or environment.Network(Hidden(None), verify=True)

    @property
    def user_agent(self) -> str:
        """The `User-Agent` header of every request."""
        if self.settings.user_agent is not None:
            return self.settings.user_agent
        from interpal._version import __version__

        return f"interpal/{__version__}"

    def self_request(self) -> Request:
        """`GET /v1/account/self`, which only a live session gets an answer to."""
        return self.request("GET", protocol.SELF_PATH)

    def is_self(self, request: Request) -> bool:
        """Whether a request asks just what `self_request` does."""
        own = self.self_request()
        return request.method == own.method and request.url == own.url

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Request:
        """A request below the base URL, without the session, which is put in when it is sent."""
        return messages.Request(
            method,
            origin.url_of(self.settings.base_url, path, params),
            {
                "User-Agent": self.user_agent,
                "Accept": "application/json",
                **(headers or {}),
            },
            body,
        )

    def authenticated(self, session: Session, request: Request) -> Request:
        """The request with the session's cookie and token."""
        sent = cookies.cookie_header(session, request.url, utc_now())
        carried = protocol.session_headers(sent, session.auth_token)
        taken = {name.lower() for name in carried}
        others = {k: v for k, v in request.headers.items() if k.lower() not in taken}
        return request.with_headers({**others, **carried})

    def next_slot(self) -> float:
        """Seconds to wait before the next request, by `min_interval`; takes the place in line."""
        interval = self.settings.min_interval
        if not interval:
            return 0.0
        with held_for_a_moment():
            now = monotonic()
            slot = max(now, self._next_slot)
            self._next_slot = slot + interval
        return slot - now

    def exchange(self, request: Request) -> cookies.Exchange:
        """What is to be known of a request to read the cookies of its reply."""
        return cookies.Exchange(request.url, self.self_request().url, utc_now())

    def secrets(self, session: Session | None) -> protocol.Secrets:
        """What no text of a server may carry into a message."""
        password = self.state.password
        texts = [] if password is None else [password.reveal().decode()]
        if session is not None:
            texts.append(session.auth_token or "")
            texts += [cookie.value for cookie in cookies.cookies_of(session)]
        return protocol.Secrets(texts)

    # Events.

    def tell(self, name: str, username: str | None = None, **facts: Any) -> None:
        """Log an event and hand it to the hook."""
        event = Event(name, username or self.state.name, self.path, utc_now(), facts)
        call = _HookCall(self)
        token = _hook_calls.set((*_hook_calls.get(), call))
        try:
            tell(event, self.settings.on_event)
        finally:
            call.runs = False
            _hook_calls.reset(token)

    def check_not_in_hook(self) -> None:
        """Raise RuntimeError inside of this client's `on_event`: the flow that reports it waits."""
        if any(call.context is self and call.runs for call in _hook_calls.get()):
            raise RuntimeError(
                "on_event must not use its client, whose call waits for it: note what is to be "
                "done, and do it when the call has returned"
            )

    def notify(self, name: str, facts: dict[str, Any]) -> None:
        """Events of the session manager."""
        self.tell(name, **facts)


def _expiry_of(session: Session) -> str:
    at = session.expires_at
    if session.has_expired(utc_now(), leeway=False):
        return f"expired at {at}"
    # By `Session.has_expired` with its leeway.
    return f"expires at {at} (less than a minute is left)"

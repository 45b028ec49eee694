"""What the flows of one client share: its settings, its session, and what may be done about it."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from interpal.exceptions import AuthenticationError, NetworkError, SessionExpiredError
from interpal.session import Session, record_name
from interpal.sessions import cookies, refused_logins
from interpal.sessions.clock import utc_now
from interpal.sessions.events import Event, OnEvent, tell
from interpal.transport import origin, protocol
from interpal.transport.protocol import Request

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from interpal._secret import Secret
    from interpal.flows.pending_requests import Sending
    from interpal.session_manager import SessionManager


# Held for moments only. One for all clients, so that a forked child has a free one.
_guard = threading.RLock()


class Settings(NamedTuple):
    """What a client was constructed with, checked; times in seconds."""

    base_url: str
    user_agent: str
    lifetime: timedelta
    revalidate_after: float
    timeout: float
    max_retries: int
    min_interval: float
    lock_timeout: float
    on_event: OnEvent | None


class Refusals:
    """What this client was told about logging in; the vault tells the others.

    Times are of the monotonic clock.
    """

    def __init__(self) -> None:
        # No login before this moment.
        self.held_until = 0.0
        self._password: Secret | None = None
        self._password_until = 0.0
        self._unreachable = ""
        self._unreachable_at = float("-inf")

    def __repr__(self) -> str:
        return "<Refusals>"

    def hold(self, seconds: float) -> None:
        """The server wants no login for so long."""
        self.held_until = time.monotonic() + seconds

    def refuse(self, password: Secret, seconds: float) -> None:
        """The server refused this password."""
        self._password, self._password_until = password, time.monotonic() + seconds

    def unreachable(self, reason: str) -> None:
        """The server could not be asked."""
        self._unreachable, self._unreachable_at = reason, time.monotonic()

    def check(self, who: str, password: Secret, *, since: float, force: bool) -> None:
        """Raise what would be told again; what the network did only where it was after *since*."""
        now = time.monotonic()
        if now < self.held_until:
            raise refused_logins.rate_limit(who, self.held_until - now)
        if self._unreachable_at > since:
            raise NetworkError(self._unreachable)
        if not force and now < self._password_until and password == self._password:
            raise refused_logins.refused_before(who)


class Account:
    """The account of one client, shared by all its threads and tasks.

    `session` is replaced, never changed, so that reading it needs no lock.
    """

    def __init__(
        self,
        settings: Settings,
        manager: SessionManager | None,
        *,
        username: str | None = None,
        password: Secret | None = None,
        session: Session | None = None,
        may_login: bool = False,
    ) -> None:
        self.settings = settings
        self.manager = manager
        self.username = username
        self.password = password
        self.session = session
        # Whether the session is in the vault.
        self.persisted = False
        # Whether a client without a session looks for a saved one. Not in the place of one that
        # the caller handed over, and not after a logout.
        self.may_resume = session is None
        # Whether an ended session may be followed by a login of our own accord.
        self.may_login = may_login
        # The last session that was found to be over, and the server's status where it said so.
        self.dead: Session | None = None
        self.dead_status: int | None = None
        # The last session that the server was seen to take, and the last that it gave us.
        self.seen_working: Session | None = None
        self.made: Session | None = None
        self.refusals = Refusals()
        # Requests with a session whose replies are not yet taken on.
        self.under_way: set[Sending] = set()
        # Another object for another account: what is asked as one is never answered as another.
        self.tenure = object()
        self._next_slot = 0.0

    def __repr__(self) -> str:
        return f"<Account {self.username}>"

    @property
    def has_credentials(self) -> bool:
        """Whether there are a username and a password."""
        return bool(self.username) and self.password is not None

    @property
    def can_log_in(self) -> bool:
        """Whether an ended session may be followed by a login, and there is what it takes."""
        return self.may_login and self.has_credentials

    @property
    def origin(self) -> str:
        """Scheme, host and port that its sessions belong to."""
        return origin.origin_of(self.settings.base_url)

    @property
    def place(self) -> object:
        """Where its sessions are kept: what clients have to share to share a login."""
        return self if self.manager is None else self.manager.path

    @property
    def flight_key(self) -> tuple[object, str]:
        """What threads and tasks of this process must agree on to share one login."""
        return self.place, record_name(self.username or "")

    def use(self, username: str, password: Secret | None) -> None:
        """Take on other credentials. Another account's session and password are dropped."""
        with _guard:
            if self.username is not None:
                if record_name(username) != record_name(self.username):
                    self._leave()
                    self.password = None
                    self.refusals = Refusals()
            elif self.session is None or not _is_of(self.session, username):
                # Handed over, or found without a name, or still being looked for: anybody's.
                self._leave()
            self.may_resume = True
            self.username = username
            if password is not None:
                self.password = password
        if self.manager is not None:
            self.manager.use_account(username)

    def leave(self) -> None:
        """End the tenure: what is under way does not bring the session back."""
        with _guard:
            self._leave()

    def _leave(self) -> None:
        self.tenure = object()
        self.session = self.dead = None
        self.persisted = False

    def adopt(self, session: Session, *, persisted: bool, tenure: object | None = None) -> None:
        """Use *session* from now on; one got in an earlier *tenure* is refused (`check_tenure`)."""
        with _guard:
            if tenure is not None:
                self.check_tenure(tenure)
            self.session = session
            self.persisted = persisted
            self.may_resume = True
            self.dead = None

    def take(self, session: Session) -> None:
        """Use a session that was handed over; one that may be another account's begins anew."""
        with _guard:
            if self.username is None and not session.same_account(self.session):
                self._leave()
            self.session, self.persisted = session, False
            self.may_resume, self.dead = True, None

    def check_tenure(self, tenure: object) -> None:
        """Refuse to do as one account what was asked as another.

        Raises `AuthenticationError` where the client was logged out or has gone over to another
        account since.
        """
        if self.tenure is not tenure:
            raise AuthenticationError(
                "this client was logged out, or has gone over to another account, while a call was "
                "under way, which was not done; use a client for each account"
            )

    def replace(self, seen: Session, session: Session) -> None:
        """Put *session* in the place of *seen*, unless a newer one has taken it."""
        with _guard:
            if seen.same_credentials(self.session):
                self.session = session

    def forget(self, seen: Session | None = None) -> None:
        """Drop the session; with *seen*, only if it is still that one."""
        with _guard:
            if seen is None or seen.same_credentials(self.session):
                self.session = None
                self.persisted = False

    def bury(self, session: Session, status_code: int | None = None) -> SessionExpiredError:
        """Note that a session is over; the error for it where nothing can be done about it."""
        self.dead, self.dead_status = session, status_code
        return self.expired(session, status_code)

    def expired(self, session: Session, status_code: int | None = None) -> SessionExpiredError:
        """The error for a session that is over."""
        who = session.username or "this account"
        over = status_code is None
        why = _expiry_of(session) if over else "was ended by the server"
        how = (
            "call login()"
            if self.has_credentials
            else "log in again with username= and password=, or import a new session"
        )
        return SessionExpiredError(
            f"the session of {who} {why}: {how}",
            status_code=status_code,
            expired_at=session.expires_at if over else None,
        )

    def no_session(self) -> AuthenticationError:
        """The error for a call without any session."""
        if self.dead is not None:
            return self.expired(self.dead, self.dead_status)
        saved = (
            ""
            if self.manager is None or not self.may_resume
            else (
                f" and none is saved in {self.manager.path} (nobody has logged in, or it has ended)"
            )
        )
        how = "" if self.has_credentials else " with username and password"
        return AuthenticationError(
            f"there is no session{saved}: call login(){how}, give session_cookie=, or "
            "import_session()"
        )

    # Requests.

    def self_request(self) -> Request:
        """`GET /v1/account/self`, which only a live session gets an answer to."""
        return self.request("GET", protocol.SELF_PATH)

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
        return Request(
            method,
            origin.url_of(self.settings.base_url, path, params),
            {
                "User-Agent": self.settings.user_agent,
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
        return request._replace(headers={**others, **carried})

    def next_slot(self) -> float:
        """Seconds to wait before the next request, by `min_interval`; takes the place in line."""
        interval = self.settings.min_interval
        if not interval:
            return 0.0
        with _guard:
            now = time.monotonic()
            slot = max(now, self._next_slot)
            self._next_slot = slot + interval
        return slot - now

    def exchange(self, request: Request) -> cookies.Exchange:
        """What is to be known of a request to read the cookies of its reply."""
        return cookies.Exchange(request.url, self.self_request().url, utc_now())

    def secrets(self, session: Session) -> protocol.Secrets:
        """What no text of a server may carry into a message."""
        password = [] if self.password is None else [self.password.text]
        own = [cookie.value for cookie in cookies.cookies_of(session)]
        return protocol.Secrets([*password, session.auth_token or "", *own])

    # Events.

    def tell(self, name: str, username: str | None = None, **facts: Any) -> None:
        """Log an event and hand it to the hook."""
        path = None if self.manager is None else self.manager.path
        event = Event(name, username or self.username, path, utc_now(), facts)
        tell(event, self.settings.on_event)

    def notify(self, name: str, facts: dict[str, Any]) -> None:
        """Events of the session manager."""
        self.tell(name, **facts)


def _is_of(session: Session, username: str) -> bool:
    return record_name(session.username or "") == record_name(username)


def _expiry_of(session: Session) -> str:
    at = session.expires_at
    if session.has_expired(utc_now(), leeway=False):
        return f"expired at {at}"
    # By `Session.has_expired` with its leeway.
    return f"expires at {at} (less than a minute is left)"


def _renew_guard() -> None:
    """The child of a fork has only the thread that forked; another's hold would last for ever."""
    global _guard
    _guard = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_guard)

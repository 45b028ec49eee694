"""Step 6 of the resume table: one login for all who need it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from interpal._secret import Secret
from interpal.exceptions import (
    InvalidCredentialsError,
    NetworkError,
    NotDurableError,
    RateLimitError,
    ValidationError,
    VaultIOError,
    VaultNotFoundError,
    VaultPermissionError,
)
from interpal.flows.saving import find_saved, save_quietly
from interpal.session import Session
from interpal.sessions import cookies
from interpal.sessions.clock import utc_now
from interpal.sessions.refused_logins import REMEMBER_REFUSAL
from interpal.sessions.singleflight import Flight
from interpal.sessions.wait import Flow, patiently, wait_for
from interpal.transport import protocol

if TYPE_CHECKING:
    from interpal.flows.account import Account, Refusals
    from interpal.session_manager import SessionManager
    from interpal.vault.vault import AccountLock

HOLD_WITHOUT_RETRY_AFTER = 60.0


def renew(
    account: Account,
    dead: Session | None,
    *,
    ended: bool = False,
    force: bool = False,
    since: float | None = None,
) -> Flow[Session]:
    """A session in the place of *dead*: another's newer one, or one from a login of our own.

    *ended* tells that the server refused *dead*, so that it is deleted; one that merely passed
    its expiry is kept until it is replaced. *force* logs in whatever is stored. Threads and
    tasks of this process share one flight, processes the account's login lock. Whoever waited
    *since* before another found the server out of reach is told the same (monotonic clock; from
    now on where None).

    Raises `SessionExpiredError` where there is no newer one and no login is possible,
    `ValidationError` without credentials, `LockTimeoutError`, and what the server's reply to a
    login raises (`protocol.read_login`).
    """
    if not account.can_log_in and (dead is None or force):
        raise _nothing_to_go_on(account, force=force)
    tenure, start = account.tenure, time.monotonic()
    deadline = start + account.settings.lock_timeout
    flight = Flight(account.flight_key)
    try:
        yield from _wait_visibly(account, flight, deadline)
        account.check_tenure(tenure)
        current = account.session
        if current is not None and not force and not current.same_credentials(dead):
            return current
        if ended and dead is not None and not dead.same_credentials(account.dead):
            account.tell("invalidated", dead.username)
        lock = yield from _login_lock(account, dead, deadline)
        try:
            reason = Reason(
                ended=ended, since=start if since is None else since, force=force, tenure=tenure
            )
            newer = None if force else (yield from _adopt_newer(account, dead, reason))
            if newer is not None:
                return newer
            return (yield from _replace(account, dead, lock, reason))
        finally:
            if lock is not None:
                lock.release()
    finally:
        flight.release()


def _nothing_to_go_on(account: Account, *, force: bool) -> Exception:
    if account.dead is not None and not force:
        return account.no_session()
    return ValidationError(
        "username, password: both are needed to log in, and there is no saved session"
    )


def _wait_visibly(account: Account, lock: Flight | AccountLock, deadline: float) -> Flow[None]:
    path = None if account.manager is None else account.manager.path
    start = time.monotonic()
    if lock.try_acquire():
        return
    try:
        yield from wait_for(lock, deadline, f"the login of {account.username}", path)
    finally:
        account.tell("login_waited", seconds=round(time.monotonic() - start, 3))


def _login_lock(
    account: Account, dead: Session | None, deadline: float
) -> Flow[AccountLock | None]:
    """The account's login lock; None where nothing is saved, or none can be had (full disk)."""
    manager = account.manager
    username = account.username or (None if dead is None else dead.username)
    if manager is None or username is None:
        return None
    lock: AccountLock | None = None
    try:
        while lock is None:
            lock = yield from _try_login_lock(account, manager, username, deadline)
            if lock is None and not account.can_log_in:
                return None
    except (VaultIOError, VaultPermissionError) as error:
        account.tell("save_failed", reason=str(error))
    return lock


def _try_login_lock(
    account: Account, manager: SessionManager, username: str, deadline: float
) -> Flow[AccountLock | None]:
    """The login lock; None where the vault was removed by somebody in between."""
    try:
        if account.can_log_in:
            # The name of the lock is an HMAC under the key of the vault.
            left = max(0.0, deadline - time.monotonic())
            yield from patiently(manager.ensure_vault, left)
        lock = manager.login_lock(username)
        yield from _wait_visibly(account, lock, deadline)
        return lock
    except VaultNotFoundError:
        return None
    except NotDurableError:
        return None  # Made; whether it would outlive a power cut does not matter yet.


def _adopt_newer(account: Account, dead: Session | None, reason: Reason) -> Flow[Session | None]:
    """Under the lock, steps 1 to 4 again: take on another's session, or delete the dead one."""
    username = account.username or (None if dead is None else dead.username)
    found, saved = yield from find_saved(account, username)
    manager = account.manager
    if found is None or manager is None:
        return None
    if found.same_credentials(dead):
        if reason.ended:
            yield from save_quietly(account, lambda: manager.discard(found))
        return None
    known_dead = found.same_credentials(account.dead) and account.dead_status is not None
    if known_dead or found.has_expired(utc_now()):
        return None
    if account.username is None and not found.same_account(dead):
        return None  # The only record of the vault, and it may be anybody's by now.
    account.tell("session_loaded", found.username, adopted=True)
    account.adopt(found, persisted=saved, tenure=reason.tenure)
    return found


class Reason(NamedTuple):
    """Why a login is wanted: see `renew`. *since* is when, by the monotonic clock."""

    ended: bool
    since: float
    force: bool
    tenure: object


def _replace(
    account: Account, dead: Session | None, lock: AccountLock | None, reason: Reason
) -> Flow[Session]:
    """Log in, and save the session in the place of the dead one."""
    account.check_tenure(reason.tenure)
    manager = account.manager
    if dead is not None:
        if reason.ended:
            account.forget(dead)
        error = account.bury(dead, 401 if reason.ended else None)
        if not account.can_log_in:
            raise error
    username, password = account.username or "", account.password or Secret()
    refusals = account.refusals
    account.check_tenure(reason.tenure)
    refusals.check(username, password, since=reason.since, force=reason.force)
    if manager is not None:
        try:
            manager.check_attempts(username, password, force=reason.force)
        except (VaultNotFoundError, VaultIOError):
            pass  # Taken away a moment ago, or unreadable: no word of anybody is left.
    session = yield from _log_in(account, username, password, refusals)
    account.tell("logged_in", username)
    account.adopt(session, persisted=False, tenure=reason.tenure)
    account.made = session
    if manager is not None:
        saved = yield from save_quietly(account, lambda: manager.put(session, lock=lock))
        if saved and session.same_credentials(account.session):
            account.persisted = True
            account.tell("saved", username)
    return session


def _log_in(account: Account, username: str, password: Secret, refusals: Refusals) -> Flow[Session]:
    """Ask the server for a session. A refusal is remembered, for this process and others."""
    settings = account.settings
    account.tell("login_started", username)
    try:
        request = protocol.login_request(
            settings.base_url, username, password.text, settings.user_agent
        )
        response = yield request
        login = protocol.read_login(response, utc_now())
        received = cookies.after_login(response, account.exchange(request))
    except NetworkError as error:
        refusals.unreachable(str(error))
        raise
    except RateLimitError as error:
        hold = HOLD_WITHOUT_RETRY_AFTER if error.retry_after is None else error.retry_after
        refusals.hold(hold)
        yield from _note_refusal(account, username, None, hold)
        raise
    except InvalidCredentialsError:
        refusals.refuse(password, REMEMBER_REFUSAL)
        yield from _note_refusal(account, username, password, REMEMBER_REFUSAL)
        raise
    now = utc_now()
    session = Session(
        session_cookie=received.own,
        auth_token=login.auth_token,
        cookies=received.others,
        cookie_attributes=received.attributes,
        username=username,
        user_id=login.user_id,
        origin=account.origin,
        created_at=now,
        expires_at=now + settings.lifetime,
        last_validated_at=now,
    )
    session = session.no_longer_than(protocol.fresh_token_expiry(login.auth_token, now))
    return session.no_longer_than(received.expires)


def _note_refusal(
    account: Account, username: str, password: Secret | None, seconds: float
) -> Flow[None]:
    manager = account.manager
    if manager is not None:
        yield from save_quietly(account, lambda: manager.note_attempt(username, password, seconds))

"""Steps 6 and 7 of the resume table: one login for all who need it, and its save."""

from __future__ import annotations

import time
from collections.abc import Callable

from interpal import protocol
from interpal._secret import Secret
from interpal.exceptions import (
    InvalidCredentialsError,
    NotDurableError,
    RateLimitError,
    StoreUnavailableError,
    ValidationError,
    VaultError,
    VaultIOError,
    VaultNotFoundError,
    VaultPermissionError,
)
from interpal.flight import Flight
from interpal.flows.account import Account
from interpal.flows.wait import Flow, patiently, wait_for
from interpal.session import Session
from interpal.session_manager import REMEMBER_REFUSAL, SessionManager, utc_now
from interpal.vault.vault import AccountLock

HOLD_WITHOUT_RETRY_AFTER = 60.0


def renew(
    account: Account, dead: Session | None, *, ended: bool = False, force: bool = False
) -> Flow[Session]:
    """A session in the place of *dead*: another's newer one, or one from a login of our own.

    *ended* tells that the server refused *dead*, so that it is deleted; one that merely passed
    its expiry is kept until it is replaced. *force* logs in whatever is stored. Threads and
    tasks of this process share one flight, processes the account's login lock.
    """
    if not account.has_credentials and not ended:
        raise account.ended or ValidationError(
            "username, password: both are needed to log in, and there is no saved session"
        )
    deadline = time.monotonic() + account.settings.lock_timeout
    flight = Flight(account.flight_key)
    try:
        yield from _wait_visibly(account, flight, deadline)
        current = account.session
        if current is not None and not force and not current.same_credentials(dead):
            return current
        lock = yield from _login_lock(account, dead, deadline)
        try:
            return (yield from _renew_alone(account, dead, ended=ended, force=force))
        finally:
            if lock is not None:
                lock.release()
    finally:
        flight.release()


def drop(account: Account, dead: Session) -> Flow[None]:
    """Delete a session that the server has ended, here and, if it is still that one, saved."""
    account.forget(dead)
    manager = account.manager
    if manager is not None:
        yield from save_quietly(account, lambda: manager.discard(dead))


def save_quietly(account: Account, save: Callable[[], object]) -> Flow[bool]:
    """Step 7: save; a fault of the disk is told and costs the save, not the session."""
    try:
        yield from patiently(save, account.settings.lock_timeout)
    except NotDurableError as error:
        account.tell("save_failed", reason=str(error))
    except VaultError as error:
        account.tell("save_failed", reason=str(error))
        return False
    return True


def _wait_visibly(account: Account, lock: Flight | AccountLock, deadline: float) -> Flow[None]:
    path = None if account.manager is None else account.manager.path
    start = time.monotonic()
    if lock.try_acquire():
        return
    try:
        yield from wait_for(lock, deadline, f"the login of {account.username}", path)
    finally:
        account.tell("login_waited", seconds=round(time.monotonic() - start, 3))


def _login_lock(account: Account, dead: Session | None, deadline: float) -> Flow[AccountLock | None]:
    """The account's login lock; None where nothing is saved, or none can be had (full disk)."""
    manager = account.manager
    username = account.username or (dead.username if dead is not None else None)
    if manager is None or account.in_memory or username is None:
        return None
    while True:
        try:
            yield from patiently(manager.ensure_vault, account.settings.lock_timeout)
            lock = manager.login_lock(username)
            yield from _wait_visibly(account, lock, deadline)
            return lock
        except VaultNotFoundError:
            continue  # Removed by somebody in between: made again.
        except StoreUnavailableError:
            raise
        except (VaultIOError, VaultPermissionError) as error:
            account.tell("save_failed", reason=str(error))
            return None


def _renew_alone(
    account: Account, dead: Session | None, *, ended: bool, force: bool
) -> Flow[Session]:
    """Under the locks: steps 1 to 4 again, then adopt, or delete and log in."""
    manager = None if account.in_memory else account.manager
    if manager is not None and not force:
        found = yield from patiently(manager.find, account.settings.lock_timeout)
        if found is not None and found.same_credentials(dead):
            if ended:
                yield from drop(account, found)
        elif found is not None and not found.has_expired(utc_now()):
            account.tell("session_loaded", found.username, adopted=True)
            account.adopt(found, persisted=True)
            return found
    if dead is not None and ended:
        account.forget(dead)
    if not account.has_credentials:
        assert dead is not None
        account.ended = account.expired(dead, status_code=401 if ended else None)
        raise account.ended
    if manager is not None:
        username, password = account.username or "", account.password or Secret()
        manager.check_attempts(username, password, force=force)
    session = yield from _log_in(account, manager)
    account.tell("logged_in", session.username)
    account.adopt(session, persisted=False)
    keep = account.manager
    if keep is not None:
        account.persisted = yield from save_quietly(account, lambda: keep.put(session))
        if account.persisted:
            account.tell("saved", session.username)
    return session


def _log_in(account: Account, manager: SessionManager | None) -> Flow[Session]:
    """Ask the server for a session. A refusal is remembered, for this process and others."""
    assert account.username is not None
    assert account.password is not None
    username, password = account.username, account.password
    left = account.held_until - time.monotonic()
    if left > 0:
        raise RateLimitError(
            f"the server allows no login for {username} for another {left:.0f} seconds",
            retry_after=left,
        )
    account.tell("login_started", username)
    settings = account.settings
    response = yield protocol.login_request(
        settings.base_url, username, password.text, settings.user_agent
    )
    try:
        login = protocol.read_login(response, utc_now())
    except RateLimitError as error:
        hold = HOLD_WITHOUT_RETRY_AFTER if error.retry_after is None else error.retry_after
        account.held_until = time.monotonic() + hold
        yield from _note_refusal(account, manager, None, hold)
        raise
    except InvalidCredentialsError:
        yield from _note_refusal(account, manager, password, REMEMBER_REFUSAL)
        raise
    now = utc_now()
    token_end = protocol.token_expiry(login.auth_token)
    expires_at = now + settings.lifetime
    return Session(
        session_cookie=login.session_cookie,
        auth_token=login.auth_token,
        cookies=login.cookies,
        username=username,
        user_id=login.user_id,
        origin=account.origin,
        created_at=now,
        expires_at=expires_at if token_end is None else min(expires_at, token_end),
        last_validated_at=now,
    )


def _note_refusal(
    account: Account, manager: SessionManager | None, password: Secret | None, seconds: float
) -> Flow[None]:
    if manager is not None and account.username is not None:
        username = account.username
        yield from save_quietly(account, lambda: manager.note_attempt(username, password, seconds))


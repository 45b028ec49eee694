"""The saved session at the caller's own word: log in, import, log out, clear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interpal import protocol
from interpal._secret import Secret
from interpal.exceptions import ValidationError
from interpal.flows.account import Account
from interpal.flows.calls import ready
from interpal.flows.login import renew, save_quietly
from interpal.flows.resume import resume
from interpal.flows.wait import Flow, patiently
from interpal.session import Session, SessionInfo, from_text
from interpal.session_manager import utc_now


def login(
    account: Account, username: str | None, password: Secret | None, *, force: bool = False
) -> Flow[Session]:
    """Make sure of a session: resume the saved one of the account, else log in.

    *force* always logs in. From here on an ended session is renewed without being asked.
    """
    if username is not None:
        account.use(username, password)
    elif password is not None:
        account.password = password
    account.may_login = True
    if force:
        account.in_memory = False
        return (yield from renew(account, account.session, force=True))
    if account.session is None and account.manager is not None:
        yield from resume(account)
    if account.session is None:
        yield from renew(account, None)
    return (yield from ready(account))


def imported(
    account: Account,
    session: str | Mapping[str, Any],
    auth_token: str | None = None,
    user_id: str | None = None,
) -> Session:
    """The session in what a caller handed over: a cookie, a `Cookie` header, or an export.

    Raises `ValidationError`.
    """
    given = session if isinstance(session, Mapping) else {"session_cookie": session}
    if not isinstance(given.get("session_cookie"), str):
        raise ValidationError(
            "session: expected a cookie, a Cookie header, or what export_session() gives"
        )
    cookie, cookies = protocol.cookie_in(given["session_cookie"])
    token = auth_token or given.get("auth_token")
    if token is not None and not isinstance(token, str):
        raise ValidationError("auth_token: expected text")
    known_id = user_id or given.get("user_id") or given.get("bot_id")
    now = utc_now()
    created_at = from_text(given.get("created_at")) or now
    token_end = protocol.token_expiry(token)
    expires_at = from_text(given.get("expires_at")) or now + account.settings.lifetime
    return Session(
        session_cookie=cookie,
        auth_token=token or None,
        cookies=cookies,
        username=account.username or given.get("username"),
        user_id=None if known_id is None else str(known_id),
        origin=account.origin,
        created_at=min(created_at, now),
        expires_at=expires_at if token_end is None else min(expires_at, token_end),
    )


def import_session(account: Account, session: Session) -> Flow[None]:
    """Use a session, and save it where the client saves sessions."""
    account.adopt(session, persisted=False)
    account.started = True
    manager = account.manager
    account.in_memory = manager is None
    if manager is not None:
        account.persisted = yield from save_quietly(account, lambda: manager.put(session))
        if account.persisted:
            account.tell("saved", session.username)


def logout(account: Account) -> Flow[None]:
    """Forget the session here and in the vault. The site has no known call for it."""
    account.forget()
    account.ended = None
    account.may_login = False
    account.started = True
    yield from clear(account)


def clear(account: Account) -> Flow[None]:
    """Remove the account's record; where nothing else would be lost, the file too."""
    account.persisted = False
    manager = account.manager
    if manager is not None:
        yield from patiently(manager.clear_session, account.settings.lock_timeout)


def info(account: Account) -> Flow[SessionInfo | None]:
    """What is known of the saved session. Takes no lock and changes nothing."""
    manager = account.manager
    if manager is None:
        return None
    return (yield from patiently(manager.get_session_info, account.settings.lock_timeout))

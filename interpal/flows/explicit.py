"""The saved session at the caller's own word: log in, import, log out, clear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from interpal.exceptions import ValidationError
from interpal.flows.apply_reply import check_account
from interpal.flows.login import renew
from interpal.flows.request import ready
from interpal.flows.resume import start
from interpal.flows.saving import save_quietly
from interpal.session import Session, SessionInfo, local_time
from interpal.sessions.clock import utc_now
from interpal.sessions.wait import Flow, patiently
from interpal.transport import protocol

if TYPE_CHECKING:
    from interpal._secret import Secret
    from interpal.flows.account import Account


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
    account.may_login = account.may_resume = True
    if force:
        return (yield from renew(account, account.session, force=True))
    if account.session is None:
        yield from start(account)
    return (yield from ready(account))


class Handed:
    """A session that a caller handed over, not yet looked at. Its repr shows nothing of it."""

    __slots__ = ("auth_token", "session", "user_id")

    def __init__(self, session: object, auth_token: object = None, user_id: object = None) -> None:
        self.session = session
        self.auth_token = auth_token
        self.user_id = user_id

    def __repr__(self) -> str:
        return "<a session that was handed over>"

    def read(self, account: Account) -> Session:
        """The session in it: a cookie, a `Cookie` header, or an export.

        Raises `ValidationError`, and `AccountMismatchError` where an export names another
        account than the client's.
        """
        given: Mapping[str, Any] = self.session if isinstance(self.session, Mapping) else {}
        text = given.get("session_cookie") if given else self.session
        token = self.auth_token or given.get("auth_token") or None
        known_id = self.user_id or given.get("user_id") or given.get("bot_id")
        username = given.get("username")
        username = username if isinstance(username, str) and username else None
        created_at, expires_at = given.get("created_at"), given.get("expires_at")
        del given
        found = protocol.cookie_in(text)
        del text
        if found is None:
            del token
            raise ValidationError(
                f"session_cookie: expected the value of {protocol.SESSION_COOKIE}, a Cookie header "
                "with it, or what export_session() gives"
            )
        if token is not None and not protocol.is_token(token):
            del token, found
            raise ValidationError("auth_token: expected printable ASCII text")
        now = utc_now()
        session = Session(
            session_cookie=found[0],
            auth_token=token,
            cookies=found[1],
            username=account.username or username,
            user_id=None if known_id is None else str(known_id),
            origin=account.origin,
            created_at=min(local_time(created_at) or now, now),
            expires_at=local_time(expires_at) or now + account.settings.lifetime,
        )
        del token, found
        check_account(None, account.username, None, username)
        return session.no_longer_than(protocol.token_expiry(session.auth_token))


def import_session(account: Account, session: Session) -> Flow[None]:
    """Use a session, and save it where the client saves sessions."""
    account.take(session)
    manager = account.manager
    if manager is None:
        account.may_resume = False
        return
    account.persisted = bool((yield from save_quietly(account, lambda: manager.put(session))))
    if account.persisted:
        account.tell("saved", session.username)


def logout(account: Account) -> Flow[None]:
    """Forget the session here and in the vault. The site has no known call for it."""
    account.leave()
    account.may_login = account.may_resume = False
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

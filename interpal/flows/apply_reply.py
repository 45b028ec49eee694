"""What a reply teaches: whether the session lives, whose it is, and what of it was renewed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from interpal.exceptions import AccountMismatchError
from interpal.flows.saving import save_quietly
from interpal.session import Session, record_name
from interpal.sessions import cookies
from interpal.sessions.clock import utc_now
from interpal.transport import protocol

if TYPE_CHECKING:
    from interpal.flows.account import Account
    from interpal.sessions.wait import Flow
    from interpal.transport.protocol import Request, Response


class Verdict(NamedTuple):
    """What the server says of a session: True it lives, False it ended, None it did not say."""

    valid: bool | None
    reason: str = ""
    user_id: str | None = None
    username: str | None = None


def judge(session: Session, response: Response) -> Verdict:
    """What a reply to `GET /v1/account/self` says of the session that asked.

    Raises `AccountMismatchError` where it is somebody else's.
    """
    verdict = _read(session, response)
    if verdict.valid:
        check_account(session.user_id, session.username, verdict.user_id, verdict.username)
        if session.last_validated_at is None:
            # Its id is what somebody wrote into a file or handed over, not what the server said.
            check_account(None, session.username, None, verdict.username)
    return verdict


def _read(session: Session, response: Response) -> Verdict:
    if response.status == 401:
        return Verdict(False, "the server answered 401")
    profile = response.json_object() if response.status == 200 else None
    if profile is None:
        what = " without a profile" if response.status == 200 else ""
        return Verdict(None, f"the server answered {response.status}{what}")
    user_id, username = protocol.user_id_of(profile), profile.get("username")
    return Verdict(True, "", _told(user_id, session), _told(username, session))


def _told(name: object, session: Session) -> str | None:
    """A name or id as the server tells it; messages show it, so none that echoes the session."""
    secrets = filter(None, (session.session_cookie, session.auth_token))
    return name if protocol.is_name(name) and not any(map(name.__contains__, secrets)) else None


def check_account(
    user_id: str | None, username: str | None, found_id: str | None, found_name: str | None
) -> None:
    """A session is bound by the id where both are known, else by the name without case.

    An e-mail address says nothing of the name: such a login is bound once the id is known.
    Raises `AccountMismatchError`.
    """
    if user_id and found_id:
        if user_id == found_id:
            return
        expected, found = user_id, found_id
    else:
        expected, found = username or "", found_name or ""
        unknown = not expected or not found or "@" in expected or "@" in found
        if unknown or record_name(expected) == record_name(found):
            return
    raise AccountMismatchError(
        f"this session belongs to {found_name or found}, not to {username or expected}; nothing "
        "was changed: give the right username, or another session_file",
        expected=expected,
        found=found,
    )


def learn(
    account: Account,
    seen: Session,
    request: Request,
    response: Response,
    verdict: Verdict | None = None,
) -> Flow[None]:
    """Keep what a reply to a request with *seen* changes, here and in the vault.

    A rotated cookie or token, other cookies, where the reply is one of the API; of a *verdict*
    that the session lives its time, the user's id and name.
    """
    current = account.session
    if current is not None and seen.same_credentials(current):
        seen = current
    # A page may be of something in front of the site, with cookies of its own.
    session = _renewed(account, seen, request, response) if _is_of_api(response) else seen
    if verdict is not None and verdict.valid:
        session = session.replace(
            last_validated_at=utc_now(),
            user_id=session.user_id or verdict.user_id,
            username=session.username or verdict.username,
        )
        account.tell("validated", session.username)
    if response.status < 500:
        account.seen_working = session
    if session is seen:
        return
    account.replace(seen, session)
    manager = account.manager
    if manager is not None and account.persisted:
        saved = yield from save_quietly(account, lambda: manager.mark_validated(seen, session))
        if saved is False and session.same_credentials(account.session):
            # Logged out or replaced elsewhere: what is in use here is no longer the saved one.
            account.persisted = False


def _is_of_api(response: Response) -> bool:
    """Whether a reply may change the session: a 2xx one that is JSON, or empty.

    One that has nothing to change it with is not looked into.
    """
    if not 200 <= response.status < 300:
        return False
    if response.header("set-cookie") is None and not protocol.new_token(response):
        return False
    try:
        response.json()
    except (ValueError, RecursionError):
        return False
    return True


def _renewed(account: Account, session: Session, request: Request, response: Response) -> Session:
    """The session as the reply leaves it; the same object where it changes nothing."""
    received = cookies.after_reply(session, response, account.exchange(request))
    token = protocol.new_token(response) or session.auth_token
    renewed = session.replace(auth_token=token)
    if received is not None:
        renewed = renewed.replace(
            session_cookie=received.own,
            cookies=received.others,
            cookie_attributes=received.attributes,
        )
    if renewed == session:
        return session
    if token != session.auth_token:
        renewed = renewed.no_longer_than(protocol.fresh_token_expiry(token, utc_now()))
    if received is None:
        return renewed
    if received.expired is not None and received.expired == session.expires_at:
        # It was to end with its cookie, which the server has prolonged.
        renewed = renewed.replace(expires_at=session.created_at + account.settings.lifetime)
        renewed = renewed.no_longer_than(protocol.fresh_token_expiry(token, utc_now()))
    return renewed.no_longer_than(received.expires)

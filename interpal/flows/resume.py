"""Steps 1 to 5 of the resume table: load, check, ask the server."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import NamedTuple

from interpal import protocol
from interpal.exceptions import (
    AccountMismatchError,
    APIError,
    NetworkError,
)
from interpal.flight import Flight
from interpal.flows.account import Account
from interpal.flows.login import drop, renew, save_quietly
from interpal.flows.wait import Flow, patiently, wait_for
from interpal.protocol import Response
from interpal.session import Session
from interpal.session_manager import record_name, utc_now


class Verdict(NamedTuple):
    """What the server says of a session: True it lives, False it ended, None it did not say."""

    valid: bool | None
    reason: str = ""
    user_id: str | None = None
    username: str | None = None


def start(account: Account) -> Flow[None]:
    """Resume the saved session, or log in where that was asked for; once for all who wait."""
    flight = Flight((account, "start"))
    deadline = time.monotonic() + account.settings.lock_timeout
    try:
        yield from wait_for(flight, deadline, "the start of this client")
        if account.session is None and account.manager is not None:
            yield from resume(account)
        if account.session is None and account.may_login:
            yield from renew(account, None)
        account.started = True
    finally:
        flight.release()


def resume(account: Account) -> Flow[None]:
    """Make the saved session the client's, if there is one that may be used."""
    assert account.manager is not None
    found = yield from patiently(account.manager.find, account.settings.lock_timeout)
    if found is None:
        return
    account.tell("session_loaded", found.username)
    now = utc_now()
    if found.has_expired(now):
        account.ended = account.expired(found)
        if account.may_login and not account.has_credentials:
            raise account.ended
    elif _recently_validated(account, found, now):
        account.adopt(found, persisted=True)
    else:
        verdict = yield from _ask(account, found)
        if verdict.valid is False:
            account.tell("invalidated", found.username)
            if account.may_login:
                yield from renew(account, found, ended=True)
            else:
                account.ended = account.expired(found, status_code=401)
                yield from drop(account, found)
            return
        account.adopt(found, persisted=True)
        if verdict.valid:
            yield from learn_identity(account, found, verdict)
        else:
            account.tell("unverified", found.username, reason=verdict.reason)


def validate(account: Account) -> Flow[bool]:
    """Ask the server for the session in use: True, False (401), or the error that stopped it."""
    session = account.session
    if session is None:
        raise account.no_session()
    request = account.self_request()
    response = yield account.authenticated(session, request)
    verdict = judge(session, response)
    if verdict.valid is None:
        protocol.read_reply(response, request, utc_now(), account.secrets())
        raise APIError(
            f"the session could not be validated: {verdict.reason}", status_code=response.status
        )
    if verdict.valid:
        yield from learn_identity(account, session, verdict)
    return verdict.valid


def judge(session: Session, response: Response) -> Verdict:
    """What a reply to `GET /v1/account/self` says of the session that asked.

    Raises `AccountMismatchError` where it is somebody else's.
    """
    if response.status == 401:
        return Verdict(False, "the server answered 401")
    profile = response.json_object() if response.status == 200 else None
    if profile is None:
        what = " without a profile" if response.status == 200 else ""
        return Verdict(None, f"the server answered {response.status}{what}")
    username = profile.get("username")
    verdict = Verdict(
        True, "", protocol.user_id_of(profile), username if isinstance(username, str) else None
    )
    _check_account(session, verdict)
    return verdict


def learn_identity(account: Account, seen: Session, verdict: Verdict) -> Flow[None]:
    """Keep what a validation taught: when it was, and the user's id and name."""
    current = account.session
    base = current if current is not None and seen.same_credentials(current) else seen
    session = base.replace(
        last_validated_at=utc_now(),
        user_id=base.user_id or verdict.user_id,
        username=base.username or verdict.username,
    )
    account.seen_working = session
    account.tell("validated", session.username)
    account.replace(seen, session)
    manager = account.manager
    if manager is not None and account.persisted:
        yield from save_quietly(account, lambda: manager.mark_validated(base, session))


def _ask(account: Account, session: Session) -> Flow[Verdict]:
    """One question to the server, never repeated: the session is kept unless it says 401."""
    try:
        response = yield account.authenticated(session, account.self_request())
    except NetworkError as error:
        return Verdict(None, str(error))
    return judge(session, response)


def _recently_validated(account: Account, session: Session, now: datetime) -> bool:
    last = session.last_validated_at
    trusted = timedelta(seconds=account.settings.revalidate_after)
    # A time in the future comes from a clock that was wrong, and does not count.
    return last is not None and timedelta(0) <= now - last < trusted


def _check_account(session: Session, verdict: Verdict) -> None:
    """A session is bound by the id where both are known, else by the name without case.

    An e-mail address says nothing of the name: such a login is bound once the id is known.
    """
    if session.user_id and verdict.user_id:
        same, expected, found = session.user_id == verdict.user_id, session.user_id, verdict.user_id
    else:
        expected, found = session.username or "", verdict.username or ""
        unknown = not expected or not found or "@" in expected
        same = unknown or record_name(expected) == record_name(found)
    if not same:
        raise AccountMismatchError(
            f"this session belongs to {verdict.username or found}, not to "
            f"{session.username or expected}; nothing was changed: give the right username, or "
            "another session_file",
            expected=expected,
            found=found,
        )


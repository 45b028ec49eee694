"""Steps 1 to 5 of the resume table: load, check, ask the server."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from interpal.exceptions import APIError, NetworkError, SessionExpiredError
from interpal.flows.apply_reply import Verdict, judge, learn
from interpal.flows.login import renew
from interpal.flows.pending_requests import Sending, replies_to
from interpal.flows.saving import find_saved
from interpal.sessions.clock import utc_now
from interpal.sessions.singleflight import Flight
from interpal.sessions.wait import Flow, wait_for
from interpal.transport import protocol

if TYPE_CHECKING:
    from interpal.flows.account import Account
    from interpal.session import Session
    from interpal.transport.protocol import Response


def start(account: Account) -> Flow[None]:
    """Resume the saved session, or log in where that was asked for; once for all who wait."""
    flight = Flight((account, "start"))
    since = time.monotonic()
    try:
        yield from wait_for(
            flight, since + account.settings.lock_timeout, "the start of this client"
        )
        if account.session is None and account.may_resume:
            yield from resume(account)
        if account.session is None and account.may_login:
            yield from renew(account, None, since=since)
    finally:
        flight.release()


def resume(account: Account) -> Flow[None]:
    """Make the saved session the client's, if there is one that may be used.

    Raises `SessionExpiredError` where it is over and a login that is wanted is not possible;
    `VaultCorruptError` where a damaged vault was set aside and there are no credentials.
    """
    tenure = account.tenure
    found, saved = yield from find_saved(account, damage_is_an_error=not account.has_credentials)
    if found is None:
        return
    account.tell("session_loaded", found.username)
    now = utc_now()
    if found.has_expired(now):
        error = account.bury(found)
        if account.may_login and not account.has_credentials:
            raise error
        return
    if _recently_validated(account, found, now):
        account.adopt(found, persisted=saved, tenure=tenure)
        return
    request, response = account.self_request(), None
    try:
        # Never repeated: whatever it says but 401, the session is kept.
        reply: Response = yield account.authenticated(found, request)
        response, verdict = reply, judge(found, reply)
    except NetworkError as fault:
        verdict = Verdict(None, str(fault))
    if verdict.valid is False:
        try:
            yield from renew(account, found, ended=True)
        except SessionExpiredError:
            # Without auto_login it is told at the first call.
            if account.may_login:
                raise
        return
    account.adopt(found, persisted=saved, tenure=tenure)
    if response is not None:
        yield from learn(account, found, request, response, verdict)
    if verdict.valid is None:
        account.tell("unverified", found.username, reason=verdict.reason)


def current(account: Account) -> Flow[Session]:
    """The session in use; where there is none yet, `start` is what it takes.

    Raises `AuthenticationError` where there is none all the same.
    """
    if account.session is None and (account.may_login or account.may_resume):
        yield from start(account)
    session = account.session
    if session is None:
        raise account.no_session()
    return session


def validate(account: Account) -> Flow[bool]:
    """Ask the server for the session in use: True, False (401), or the error that stopped it."""
    request = account.self_request()
    tenure = account.tenure
    session = yield from current(account)
    account.check_tenure(tenure)
    again = True
    while True:
        with Sending(account, session):
            response: Response = yield account.authenticated(session, request)
            verdict = judge(session, response)
            if verdict.valid is not False:
                yield from learn(account, session, request, response, verdict)
                break
        yield from replies_to(account, session)
        newest = account.session
        if newest is None or session.same_credentials(newest):
            return False
        if not again or account.tenure is not tenure:
            return False
        session, again = newest, False
    if verdict.valid is None:
        protocol.read_reply(response, request, utc_now(), account.secrets(session))
        raise APIError(
            f"the session could not be validated: {verdict.reason}", status_code=response.status
        )
    return bool(verdict.valid)


def _recently_validated(account: Account, session: Session, now: datetime) -> bool:
    last = session.last_validated_at
    trusted = timedelta(seconds=account.settings.revalidate_after)
    # A time in the future comes from a clock that was wrong, and does not count.
    return last is not None and timedelta(0) <= now - last < trusted

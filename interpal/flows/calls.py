"""A request with the session: retries, an ended session in mid-run, and what a reply teaches."""

from __future__ import annotations

import random
from typing import Any

from interpal import protocol
from interpal.exceptions import NetworkError, SessionExpiredError
from interpal.flows.account import Account
from interpal.flows.login import drop, renew, save_quietly
from interpal.flows.resume import judge, learn_identity, start
from interpal.flows.wait import Flow
from interpal.protocol import Pause, Request, Response
from interpal.session import Session
from interpal.session_manager import utc_now

RETRIED_STATUSES = frozenset({429, 502, 503, 504})
FIRST_RETRY_PAUSE = 0.5
LONGEST_RETRY_PAUSE = 30.0
MOST_RECOVERIES = 8


def call(account: Account, request: Request) -> Flow[Any]:
    """Send a request with the session; the parsed JSON of the reply, None for an empty one.

    A session that the server has ended is replaced and the request sent once more. A 401 is a
    refusal: the server has done nothing, so even a message is not sent twice.
    """
    session = yield from ready(account)
    replayed = False
    for _ in range(MOST_RECOVERIES):
        response = yield from _send(account, account.authenticated(session, request))
        if response.status != 401:
            yield from _learn(account, session, request, response)
            return protocol.read_reply(response, request, utc_now(), account.secrets())
        if replayed and not (yield from _ended_again(account, session, request)):
            break
        account.tell("invalidated", session.username)
        session = yield from _recover(account, session)
        if not request.repeatable:
            raise SessionExpiredError(
                f"{_name(request)}: the session had ended, and a body that is streamed cannot be "
                "sent a second time; send the request again with a new one",
                status_code=401,
                replayed=False,
            )
        replayed = True
    raise SessionExpiredError(
        f"{_name(request)}: the server refuses this call even with a session that it has just "
        "given out",
        status_code=401,
        replayed=True,
    )


def ready(account: Account) -> Flow[Session]:
    """The session to send with; one past its expiry is renewed first (step 4)."""
    if account.session is None and (account.may_login or not account.started):
        yield from start(account)
    session = account.session
    if session is None:
        raise account.no_session()
    if session.has_expired(utc_now()):
        if not (account.may_login and account.has_credentials):
            raise account.expired(session)
        session = yield from renew(account, session)
    return session


def _recover(account: Account, dead: Session) -> Flow[Session]:
    """Step 5's 401 in mid-run: another's newer session, or a login where that is allowed."""
    if account.may_login:
        return (yield from renew(account, dead, ended=True))
    account.ended = account.expired(dead, status_code=401)
    yield from drop(account, dead)
    raise account.ended


def _ended_again(account: Account, session: Session, request: Request) -> Flow[bool]:
    """Whether a session that is refused right after a renewal has ended too.

    A call that the server refuses whatever the session must not log in again and again. The
    session is known to have lived where the server took it before; else the server is asked.
    """
    if session.same_credentials(account.seen_working):
        return True
    probe = account.self_request()
    if request.method == probe.method and request.url == probe.url:
        return False
    try:
        response: Response = yield account.authenticated(session, probe)
    except NetworkError:
        return False
    return response.status == 401


def _send(account: Account, request: Request) -> Flow[Response]:
    """Send, and again where that is safe: idempotent methods, on trouble that passes."""
    for attempt in range(account.settings.max_retries + 1):
        wait = account.next_slot()
        if wait > 0:
            yield Pause(wait)
        last = attempt == account.settings.max_retries
        try:
            response: Response = yield request
        except NetworkError:
            if last or not (request.idempotent and request.repeatable):
                raise
            yield Pause(_backoff(attempt))
            continue
        pause = None if last else _retry_pause(account, request, response, attempt)
        if pause is None:
            return response
        yield Pause(pause)
    raise AssertionError  # the last attempt returns or raises


def _retry_pause(
    account: Account, request: Request, response: Response, attempt: int
) -> float | None:
    """Seconds until the next try; None where the reply is to be taken as it is."""
    if response.status not in RETRIED_STATUSES:
        return None
    if not (request.idempotent and request.repeatable):
        return None
    asked = protocol.retry_after(response, utc_now())
    if response.status == 429 and asked is None:
        return None
    if asked is not None and asked > account.settings.timeout:
        return None
    return _backoff(attempt) if asked is None else max(asked, 0.0)


def _backoff(attempt: int) -> float:
    longest = min(LONGEST_RETRY_PAUSE, FIRST_RETRY_PAUSE * 2.0**attempt)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  (spreads load, hides nothing)


def _learn(account: Account, session: Session, request: Request, response: Response) -> Flow[None]:
    """Keep what a reply changes: a rotated cookie or token, other cookies, the user's id."""
    account.seen_working = session
    current = _rotated(session, request, response)
    if current is not session:
        account.seen_working = current
        account.replace(session, current)
        manager = account.manager
        if manager is not None and account.persisted:
            yield from save_quietly(account, lambda: manager.update(session, current))
    if response.status == 200 and request.url == account.self_request().url:
        verdict = judge(current, response)
        if verdict.valid:
            yield from learn_identity(account, current, verdict)


def _rotated(session: Session, request: Request, response: Response) -> Session:
    """The session as the reply leaves it; the same object where it changes nothing."""
    cookies = protocol.cookies_of(response)
    cookie = cookies.pop(protocol.SESSION_COOKIE, "") or session.session_cookie
    token = protocol.new_token(response) or session.auth_token
    merged = {**session.cookies, **cookies}
    others = {name: value for name, value in merged.items() if value}
    if (cookie, token, others) == (session.session_cookie, session.auth_token, session.cookies):
        return session
    return session.replace(session_cookie=cookie, auth_token=token, cookies=others)


def _name(request: Request) -> str:
    return f"{request.method} {request.url.partition('?')[0]}"

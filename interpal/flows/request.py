"""A request with the session: retries, an ended session in mid-run, and what a reply teaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interpal.exceptions import NetworkError, SessionExpiredError
from interpal.flows.apply_reply import judge, learn
from interpal.flows.login import renew
from interpal.flows.pending_requests import Sending, replies_to
from interpal.flows.resume import current
from interpal.sessions.clock import utc_now
from interpal.transport import protocol
from interpal.transport.protocol import Pause, Request, Response

if TYPE_CHECKING:
    from interpal.flows.account import Account
    from interpal.session import Session
    from interpal.sessions.wait import Flow

RETRIED_STATUSES = frozenset({429, 502, 503, 504})
FIRST_RETRY_PAUSE = 0.5
LONGEST_RETRY_PAUSE = 30.0
# Sessions that end faster than a call can be sent; each is known to have ended by then.
MOST_SENDINGS = 8


def call(account: Account, request: Request) -> Flow[Any]:
    """Send a request with the session; the parsed JSON of the reply, None for an empty one.

    A session that the server has ended is replaced and the request sent once more. A 401 is a
    refusal: the server has done nothing, so even a message is not sent twice.

    Raises `SessionExpiredError`, `AuthenticationError` where there is no session at all, or where
    the client has gone over to another account before it could be sent or repeated,
    `RateLimitError`, `APIError`, `NetworkError`, and what a login raises.
    """
    tenure = account.tenure
    session = yield from ready(account)
    account.check_tenure(tenure)
    for attempt in range(MOST_SENDINGS):
        with Sending(account, session):
            response = yield from _send(account, account.authenticated(session, request))
            if response.status != 401:
                verdict = judge(session, response) if _is_self(account, request) else None
                yield from learn(account, session, request, response, verdict)
                return protocol.read_reply(response, request, utc_now(), account.secrets(session))
        yield from replies_to(account, session)
        account.check_tenure(tenure)
        if attempt and not (yield from _ended_again(account, session, request)):
            break
        try:
            session = yield from renew(account, session, ended=True)
        except SessionExpiredError as error:
            error.replayed = attempt > 0
            raise
        account.check_tenure(tenure)
        if not request.repeatable:
            raise SessionExpiredError(
                f"{_name(request)}: the session had ended, and a body that is streamed cannot be "
                "sent a second time; send the request again with a new one",
                status_code=401,
                replayed=False,
            )
    raise SessionExpiredError(
        f"{_name(request)}: the server refuses this call even with a session that it has just "
        "given out",
        status_code=401,
        replayed=True,
    )


def ready(account: Account) -> Flow[Session]:
    """The session to send with; one past its expiry is renewed first (step 4).

    Raises `AuthenticationError` where there is none.
    """
    session = yield from current(account)
    if session.has_expired(utc_now()):
        session = yield from renew(account, session)
    return session


def _ended_again(account: Account, session: Session, request: Request) -> Flow[bool]:
    """Whether a session that is refused right after a renewal has ended too.

    A call that the server refuses whatever the session must not log in again and again: the
    server is asked whether it is the session, or the call.
    """
    if _is_self(account, request):
        # This is the very question. A session that nobody has seen to work is doubted where it
        # was another's, not where the server has just given it to us.
        made = session.same_credentials(account.made)
        return not made or session.same_credentials(account.seen_working)
    try:
        with Sending(account, session):
            question = account.self_request()
            response: Response = yield account.authenticated(session, question)
            if response.status != 401:
                yield from learn(account, session, question, response)
    except NetworkError:
        return False
    return response.status == 401


def _is_self(account: Account, request: Request) -> bool:
    own = account.self_request()
    return request.method == own.method and request.url == own.url


def _send(account: Account, request: Request) -> Flow[Response]:
    """Send, and again where that is safe: idempotent methods, on trouble that passes."""
    attempt = 0
    while True:
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
        else:
            pause = None if last else _retry_pause(account, request, response, attempt)
            if pause is None:
                return response
            yield Pause(pause)
        attempt += 1


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
    import random

    longest = min(LONGEST_RETRY_PAUSE, FIRST_RETRY_PAUSE * 2.0**attempt)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  (spreads load, hides nothing)


def _name(request: Request) -> str:
    return f"{request.method} {request.url.partition('?')[0]}"

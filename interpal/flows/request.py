"""A request with the session: retries, an ended session in mid-run, and what a reply changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interpal._clock import monotonic, utc_now
from interpal.exceptions import (
    APIError,
    AuthenticationError,
    CallNetworkError,
    NetworkError,
    SessionExpiredError,
)
from interpal.flows import identity
from interpal.flows.apply_reply import (
    apply_reply,
    ask,
    check_reply,
    mark_ended,
    unknown_whose,
)
from interpal.flows.pending_requests import Sending, replies_to
from interpal.flows.resume import start
from interpal.flows.saving import save
from interpal.sessions.singleflight import Flight
from interpal.sessions.state import Phase
from interpal.sessions.wait import wait_for
from interpal.transport import origin, protocol
from interpal.transport.messages import Pause, Request, Response

if TYPE_CHECKING:
    from interpal.flows.context import ClientContext
    from interpal.session import Session
    from interpal.sessions.wait import Flow

RETRIED_STATUSES = frozenset({429, 502, 503, 504})
FIRST_RETRY_PAUSE = 0.5
LONGEST_RETRY_PAUSE = 30.0
# Sessions of our own logins that end faster than a call can be sent; each is known to have ended
# by then. Those that other processes save cost nobody a login, and may be more.
MOST_SENDINGS = 8
MOST_TAKEN_OVER = 32


def call(context: ClientContext, request: Request) -> Flow[Any]:
    """Send a request with the session; the parsed JSON of the reply, None for an empty one.

    A session that the server has ended is replaced and the request sent once more. A 401 is a
    refusal: the server has done nothing, so even a message is not sent twice.

    Raises `SessionExpiredError`; `AuthenticationError` where there is no session at all, where
    the server refuses this call though the session lives (`status_code` 401), or where the
    client has gone over to another account before it could be sent or repeated;
    `AccountMismatchError`, `RateLimitError`, `APIError`, `CallNetworkError`, and what a login
    raises.
    """
    epoch = context.state.epoch
    session = yield from ready(context, epoch, is_question=context.is_self(request))
    for attempt in range(MOST_TAKEN_OVER):
        with Sending(context, session):
            response = yield from _send(context, epoch, context.authenticated(session, request))
            if response.status != 401:
                validation = (
                    check_reply(context, epoch, session, response)
                    if context.is_self(request)
                    else None
                )
                yield from apply_reply(context, epoch, session, request, response, validation)
                return protocol.read_reply(response, request, utc_now(), context.secrets(session))
        yield from _settle(context, epoch, session, request, response, replayed=attempt > 0)
        yield from _renewed(context, epoch, session, replayed=attempt > 0)
        # What is in use now may have been handed over, and nobody has said yet whose it is.
        session = yield from ready(context, epoch, is_question=context.is_self(request))
        if attempt + 1 >= MOST_SENDINGS and context.state.phase is Phase.NEW:
            break
        if not request.repeatable:
            raise SessionExpiredError(
                f"{_name(request)}: the session had ended, and a body that is streamed cannot be "
                "sent a second time; send the request again with a new one",
                status_code=401,
                replayed=False,
            )
    raise _refused_anew(request)


def _renewed(
    context: ClientContext, epoch: int, session: Session, *, replayed: bool
) -> Flow[Session]:
    """A session in the place of one that has ended."""
    from interpal.flows.login import renew

    try:
        return (yield from renew(context, session, epoch))
    except SessionExpiredError as error:
        error.replayed = replayed
        raise


def ready(
    context: ClientContext, epoch: int | None = None, *, is_question: bool = False
) -> Flow[Session]:
    """The session to send with. One past its expiry is renewed first (step 4).

    One that was never validated is asked about first, unless what is to be sent *is_question*
    itself. Raises `AuthenticationError` where there is none, or where *epoch* (None: that of
    now) is over.
    """
    epoch = context.state.epoch if epoch is None else epoch
    session = yield from current(context, epoch)
    if session.has_expired(utc_now()):
        from interpal.flows.login import renew

        session = yield from renew(context, session, epoch)
    if is_question or identity.is_validated(session):
        return session
    if identity.claims_nothing(context.state, session):
        return session
    return (yield from _proven(context, epoch, session))


def current(context: ClientContext, epoch: int) -> Flow[Session]:
    """The session in use; where there is none yet, `start` is what it takes.

    Raises `AuthenticationError` where there is none all the same.
    """
    state = context.state
    if state.live is None and (state.may_login or state.may_resume):
        yield from start(context, epoch)
    session = context.state.live
    context.check_epoch(epoch)
    if session is None:
        raise context.no_session()
    if context.state.is_unsaved:
        # The call that logged in or got a new cookie was cancelled before the save, or is at it.
        yield from save(context, epoch, wait=False)
    return session


def validate(context: ClientContext) -> Flow[bool]:
    """Ask the server for the session in use: True, False (401), or the error that stopped it."""
    epoch, request = context.state.epoch, context.self_request()
    session = yield from current(context, epoch)
    again = True
    while True:
        with Sending(context, session):
            context.check_epoch(epoch)
            response: Response = yield context.authenticated(session, request)
            validation = check_reply(context, epoch, session, response)
            if validation.valid is not False:
                yield from apply_reply(context, epoch, session, request, response, validation)
                break
        yield from replies_to(context, session)
        state = context.state
        if not again or state.epoch != epoch or state.live is None or state.uses(session):
            return False
        session, again = state.live, False
    if validation.valid is None:
        protocol.read_reply(response, request, utc_now(), context.secrets(session))
        raise APIError(
            f"the session could not be validated: {validation.reason}",
            status_code=response.status,
        )
    return True


def _proven(context: ClientContext, epoch: int, session: Session) -> Flow[Session]:
    """The session in use when the server has said whose it is; asked once for all who wait."""
    flight = Flight((context, "whose"))
    try:
        deadline = monotonic() + context.settings.lock_timeout
        yield from wait_for(flight, deadline, "the validation of the session")
        context.check_epoch(epoch)
        live = context.state.live
        if live is not None and identity.is_validated(live):
            return live
        validation, proven = yield from ask(context, epoch, session)
        if validation.valid is None:
            raise unknown_whose(context, session, validation)
        if validation.valid:
            return proven
        if context.state.uses(session):
            mark_ended(context, epoch, session)
    finally:
        flight.release()
    yield from _renewed(context, epoch, session, replayed=False)
    return (yield from ready(context, epoch))


def _settle(
    context: ClientContext,
    epoch: int,
    session: Session,
    request: Request,
    response: Response,
    *,
    replayed: bool,
) -> Flow[None]:
    """Find out what the 401 of a request means. Returns where the session is over or replaced.

    A 401 of one path is a question, and only that of `/v1/account/self` is the answer. It is
    asked once for all who wait, and for one path at most once a minute while the session lives.

    Raises `AuthenticationError` with status 401 where the session lives, or where the server
    could not be asked; `SessionExpiredError` where the server refuses it with a session that it
    has just given out.
    """
    yield from replies_to(context, session)
    flight = Flight((context, "refusal"))
    try:
        deadline = monotonic() + context.settings.lock_timeout
        yield from wait_for(flight, deadline, "the validation of the session")
        context.check_epoch(epoch)
        if not context.state.uses(session):
            return
        if context.is_self(request):
            if replayed and context.state.phase is Phase.NEW:
                raise _refused_anew(request)
        else:
            path = origin.path_of(request.url)
            if context.asked.lives(path, session):
                raise _lives(context, session, request, response)
            validation, _ = yield from ask(context, epoch, session)
            if validation.valid is None:
                raise AuthenticationError(
                    f"{_name(request)}: the server answered 401, and could not be asked "
                    f"whether the session has ended ({validation.reason}); it was kept: try again",
                    status_code=401,
                )
            if validation.valid:
                context.asked.note(path, session)
                raise _lives(context, session, request, response)
        if context.state.uses(session):
            mark_ended(context, epoch, session)
    finally:
        flight.release()


def _lives(
    context: ClientContext, session: Session, request: Request, response: Response
) -> AuthenticationError:
    text = protocol.error_text(response, context.secrets(session))
    return AuthenticationError(
        f"{_name(request)}: the server answered 401{f' ({text})' if text else ''}, although "
        "the session is alive; it was kept: this account may not do this, or not in this way",
        status_code=401,
    )


def _refused_anew(request: Request) -> SessionExpiredError:
    return SessionExpiredError(
        f"{_name(request)}: the server refuses this call even with a new session",
        status_code=401,
        replayed=True,
    )


def _send(context: ClientContext, epoch: int, request: Request) -> Flow[Response]:
    """Send, and again where that is safe: idempotent methods, on trouble that passes."""
    attempt = 0
    while True:
        wait = context.next_slot()
        if wait > 0:
            yield Pause(wait)
        last = attempt == context.settings.max_retries
        context.check_epoch(epoch)
        try:
            response: Response = yield request
        except NetworkError as error:
            if last or not (request.idempotent and request.repeatable):
                raise CallNetworkError(str(error)) from None
            yield Pause(_backoff(attempt))
        else:
            pause = None if last else _retry_pause(context, request, response, attempt)
            if pause is None:
                return response
            yield Pause(pause)
        attempt += 1


def _retry_pause(
    context: ClientContext, request: Request, response: Response, attempt: int
) -> float | None:
    """Seconds until the next try; None where the reply is to be taken as it is."""
    if response.status not in RETRIED_STATUSES:
        return None
    if not (request.idempotent and request.repeatable):
        return None
    asked = protocol.retry_after(response, utc_now())
    if response.status == 429 and asked is None:
        return None
    if asked is not None and asked > context.settings.timeout:
        return None
    return _backoff(attempt) if asked is None else max(asked, 0.0)


def _backoff(attempt: int) -> float:
    import random

    longest = min(LONGEST_RETRY_PAUSE, FIRST_RETRY_PAUSE * 2.0**attempt)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  (spreads load, hides nothing)


def _name(request: Request) -> str:
    return f"{request.method} {request.url.partition('?')[0]}"

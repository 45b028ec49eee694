"""Steps 1 to 5 of the resume table: load, check, ask the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal._clock import datetime, monotonic, timedelta
from interpal._lazy import LateModule
from interpal.exceptions import APIError, NetworkError, SessionExpiredError
from interpal.flows import identity
from interpal.flows.saving import find_saved, save
from interpal.sessions.clock import utc_now
from interpal.sessions.singleflight import Flight
from interpal.sessions.wait import Flow, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from interpal.flows import apply_reply, pending_requests
    from interpal.flows.apply_reply import Validation
    from interpal.flows.context import ClientContext
    from interpal.session import Session
    from interpal.sessions.state import ClientState
    from interpal.transport import protocol
    from interpal.transport.messages import Response
else:
    apply_reply = LateModule("interpal.flows.apply_reply")
    pending_requests = LateModule("interpal.flows.pending_requests")
    protocol = LateModule("interpal.transport.protocol")


def start(context: ClientContext, epoch: int | None = None) -> Flow[None]:
    """Resume the saved session, or log in where that was asked for; once for all who wait.

    Raises `AuthenticationError` where *epoch* (None: that of now) is over.
    """
    epoch = context.state.epoch if epoch is None else epoch
    flight = Flight((context, "start"))
    since = monotonic()
    try:
        yield from wait_for(
            flight, since + context.settings.lock_timeout, "the start of this client"
        )
        context.check_epoch(epoch)
        if context.state.may_resume:
            yield from resume(context, epoch)
        state = context.state
        if state.live is None and state.may_login:
            from interpal.flows.login import renew

            yield from renew(context, None, epoch, since=since)
        manager = context.manager
        if manager is not None and state.has_credentials and not context.could_save:
            # Only now: what is wrong with the place when a start needs a login is an error.
            context.could_save = manager.seems_writable()
    finally:
        flight.release()


def resume(context: ClientContext, epoch: int) -> Flow[None]:
    """Make the saved session the client's, if there is one that may be used.

    Raises `SessionExpiredError` where it is over and a login that is wanted is not possible;
    `VaultCorruptError` where a damaged vault was set aside and there are no credentials;
    `AccountMismatchError` where it is another account's; `NetworkError` where nobody has ever
    said whose it is, and the server could not be asked.
    """
    state = context.state
    found, saved = yield from find_saved(
        context, state.name, damage_is_an_error=not state.has_credentials
    )
    if found is None:
        return
    context.tell("session_loaded", found.username)
    if state.was_refused(found):
        # By this client, a moment ago: the login that follows replaces it.
        return
    if not identity.may_be_used(state, found):
        identity.check_it_can_be_replaced(state, found)
        return
    now = utc_now()
    if found.has_expired(now):
        context.change(lambda state: state.end(found, None), epoch=epoch)
        if state.may_login and not state.has_credentials:
            raise context.expired(found)
        return
    asks_first = identity.has_to_be_asked_about(state, found)
    if not asks_first and _recently_validated(context, found, now):
        context.change(lambda state: state.resume(found, saved=saved, verified=False), epoch=epoch)
        return

    def use(validation: Validation) -> bool:
        if asks_first and validation.valid is None:
            return False
        valid = bool(validation.valid)
        context.change(lambda state: state.resume(found, saved=saved, verified=valid), epoch=epoch)
        return True

    validation, _ = yield from ask(context, epoch, found, use)
    if validation.valid is False:
        from interpal.flows.login import renew

        mark_ended(context, epoch, found)
        try:
            yield from renew(context, found, epoch)
        except SessionExpiredError:
            # Without auto_login the first call raises it.
            if context.state.may_login:
                raise
        return
    if asks_first and validation.valid is None:
        raise unknown_whose(context, found, validation)
    if not validation.valid:
        context.tell("unverified", found.username, reason=validation.reason)


def mark_ended(context: ClientContext, epoch: int, session: Session) -> None:
    """Note that the server has ended a session, and report it once.

    Raises `AuthenticationError` where *epoch* is over.
    """
    news = False

    def end(state: ClientState) -> ClientState:
        nonlocal news
        ended = state.end(session, 401)
        news = ended.was_refused(session) and not state.was_refused(session)
        return ended

    context.change(end, epoch=epoch)
    if news:
        context.contest.ended(*context.whose_login)
        context.tell("invalidated", session.username)


def ask(
    context: ClientContext,
    epoch: int,
    session: Session,
    use: Callable[[Validation], bool] | None = None,
) -> Flow[tuple[Validation, Session]]:
    """Ask the server once whose a session is, and whether it lives; and the session after that.

    *use* puts a session into use that is not yet, where it is not over, and returns whether it did.
    Never repeated: whatever the server says but 401, the session is kept. After a 401 the replies
    to what was sent with it before have been applied, as they may have brought a new cookie.
    Raises `AccountMismatchError`.
    """
    request = context.self_request()
    with pending_requests.Sending(context, session):
        context.check_epoch(epoch)
        try:
            response: Response = yield context.authenticated(session, request)
        except NetworkError as fault:
            validation = apply_reply.Validation(None, str(fault))
            if use is not None:
                use(validation)
            return validation, session
        validation = apply_reply.check_reply(context, epoch, session, response)
        if validation.valid is not False:
            if bool(validation.valid) if use is None else use(validation):
                session = yield from apply_reply.apply_reply(
                    context, epoch, session, request, response, validation
                )
            return validation, session
    yield from pending_requests.replies_to(context, session)
    return validation, session


def unknown_whose(context: ClientContext, session: Session, validation: Validation) -> NetworkError:
    """The error for a session of which nobody has ever said whose it is, while nobody can."""
    who = context.state.name or session.username or "this account"
    where = "" if context.path is None else f" in {context.path}"
    return NetworkError(
        f"the session of {who}{where} was never validated, and the server could not be asked "
        f"whose it is ({validation.reason}); it was kept and not used: try again later"
    )


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
        with pending_requests.Sending(context, session):
            context.check_epoch(epoch)
            response: Response = yield context.authenticated(session, request)
            validation = apply_reply.check_reply(context, epoch, session, response)
            if validation.valid is not False:
                yield from apply_reply.apply_reply(
                    context, epoch, session, request, response, validation
                )
                break
        yield from pending_requests.replies_to(context, session)
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


def _recently_validated(context: ClientContext, session: Session, now: datetime) -> bool:
    last = session.last_validated_at
    trusted = timedelta(seconds=context.settings.revalidate_after)
    # A time in the future comes from a clock that was wrong, and does not count.
    return last is not None and timedelta(0) <= now - last < trusted

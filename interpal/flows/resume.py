"""Steps 1 to 5 of the resume table: load, check, ask the server. A start logs in after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal._clock import datetime, timedelta, utc_now
from interpal._lazy import LateModule
from interpal._log import Logger
from interpal.exceptions import NetworkError, VaultCorruptError, VaultFormatError, VaultIOError
from interpal.flows import identity
from interpal.sessions.wait import Flow, patiently

if TYPE_CHECKING:
    from collections.abc import Callable

    from interpal.flows import apply_reply, pending_requests, set_up
    from interpal.flows.apply_reply import Validation
    from interpal.flows.context import ClientContext
    from interpal.session import Session
    from interpal.sessions.state import ClientState
    from interpal.transport.messages import Response
else:
    apply_reply = LateModule("interpal.flows.apply_reply")
    pending_requests = LateModule("interpal.flows.pending_requests")
    set_up = LateModule("interpal.flows.set_up")

_log = Logger("interpal.flows")


def resume(context: ClientContext, epoch: int) -> Flow[Session | None]:
    """Make the saved session the client's, if there is one that may be used.

    Returns it where the server, asked about it, says that it has ended. Raises
    `SessionExpiredError` where it is over and a login that is wanted is not possible;
    `VaultCorruptError` where a damaged vault was set aside and there are no credentials;
    `AccountMismatchError` where it is another account's; `NetworkError` where nobody has ever
    said whose it is, and the server could not be asked; `VaultPermissionError` or `VaultIOError`
    where a login that may follow could not be saved (`set_up.check_place`).
    """
    state = context.state
    found, saved = yield from find_saved(
        context, state.name, damage_is_an_error=not state.has_credentials
    )
    if found is None:
        return None
    context.tell("session_loaded", found.username)
    # One that this client has seen refused, a moment ago, is replaced by the login that follows.
    asks_first = None if state.was_refused(found) else identity.check_saved(state, found)
    if asks_first is None:
        return None
    now = utc_now()
    if found.has_expired(now):
        context.change(lambda state: state.end(found, None), epoch=epoch)
        if state.may_login and not state.has_credentials:
            raise context.expired(found)
        return None
    if not asks_first and _recently_validated(context, found, now):
        context.change(lambda state: state.resume(found, saved=saved, verified=False), epoch=epoch)
        return None

    def use(validation: Validation) -> bool:
        if asks_first and validation.valid is None:
            return False
        valid = bool(validation.valid)
        context.change(lambda state: state.resume(found, saved=saved, verified=valid), epoch=epoch)
        return True

    set_up.check_place(context)
    validation, _ = yield from ask(context, epoch, found, use)
    if validation.valid is False:
        mark_ended(context, epoch, found)
        return found
    if asks_first and validation.valid is None:
        raise unknown_whose(context, found, validation)
    if not validation.valid:
        context.tell("unverified", found.username, reason=validation.reason)
    return None


def find_saved(
    context: ClientContext, username: str | None, *, damage_is_an_error: bool = False
) -> Flow[tuple[Session | None, bool]]:
    """The saved session of an account (None: of the only one), and whether it is in the vault.

    It is not where a plain file of interpal 1.x could not be encrypted in place, or a damaged
    vault not be set aside, for a disk that is full or read-only.
    """
    manager = context.manager
    if manager is None:
        return None, False
    try:
        found = yield from patiently(
            lambda: manager.find(username, damage_is_an_error=damage_is_an_error),
            context.settings.lock_timeout,
        )
        return found, found is not None
    except VaultCorruptError as error:
        if damage_is_an_error:
            raise
        # One record of a store that keeps them apart: the login that follows replaces it.
        _log.warning("%s; a login replaces it", error)
        return None, False
    except VaultIOError as error:
        try:
            found = manager.peek(username)
        except (VaultCorruptError, VaultFormatError):
            # What is not to be touched was raised before: this is damaged, empty or cut off.
            found = None
        if found is None and not context.state.has_credentials:
            raise
        context.tell("save_failed", reason=str(error))
        return found, False


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


def _recently_validated(context: ClientContext, session: Session, now: datetime) -> bool:
    last = session.last_validated_at
    trusted = timedelta(seconds=context.settings.revalidate_after)
    # A time in the future comes from a clock that was wrong, and does not count.
    return last is not None and timedelta(0) <= now - last < trusted

"""The start of a client. Steps 1 to 5 of the resume table: load, check, ask the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal._clock import is_recent, monotonic, timedelta, utc_now
from interpal._lazy import LateModule
from interpal.exceptions import SessionExpiredError
from interpal.flows import identity
from interpal.sessions.singleflight import Flight
from interpal.sessions.wait import Flow, wait_for

if TYPE_CHECKING:
    from interpal.flows import apply_reply, login, set_up
    from interpal.flows.apply_reply import Validation
    from interpal.flows.context import ClientContext
    from interpal.session import Session
else:
    apply_reply = LateModule("interpal.flows.apply_reply")
    login = LateModule("interpal.flows.login")
    set_up = LateModule("interpal.flows.set_up")


def start(context: ClientContext, epoch: int | None = None) -> Flow[None]:
    """Resume the saved session, or log in where that was asked for; once for all who wait.

    Raises `AuthenticationError` where *epoch* (None: that of now) is over, and what `resume` and
    `renew` raise.
    """
    epoch = context.state.epoch if epoch is None else epoch
    flight = Flight((context, "start"))
    since = monotonic()
    try:
        yield from wait_for(
            flight, since + context.settings.lock_timeout, "the start of this client"
        )
        context.check_epoch(epoch)
        ended = (yield from resume(context, epoch)) if context.state.may_resume else None
        state = context.state
        if ended is not None:
            try:
                yield from login.renew(context, ended, epoch)
            except SessionExpiredError:
                # Without auto_login the first call raises it.
                if context.state.may_login:
                    raise
        elif state.live is None and state.may_login:
            yield from login.renew(context, None, epoch, since=since)
        state, manager = context.state, context.manager
        if manager is not None and state.has_credentials and not context.could_save:
            # Only now: what is wrong with the place when a start needs a login is an error.
            context.could_save = manager.seems_writable()
    finally:
        flight.release()


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
    found, saved = yield from context.find_saved(
        state.name, damage_is_an_error=not state.has_credentials
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
    trusted = timedelta(seconds=context.settings.revalidate_after)
    if not asks_first and is_recent(found.last_validated_at, now, trusted):
        context.change(lambda state: state.resume(found, saved=saved, verified=False), epoch=epoch)
        return None

    def use(validation: Validation) -> bool:
        if asks_first and validation.valid is None:
            return False
        valid = bool(validation.valid)
        context.change(lambda state: state.resume(found, saved=saved, verified=valid), epoch=epoch)
        return True

    set_up.check_place(context)
    validation, _ = yield from apply_reply.ask(context, epoch, found, use)
    if validation.valid is False:
        apply_reply.mark_ended(context, epoch, found)
        return found
    if asks_first and validation.valid is None:
        raise apply_reply.unknown_whose(context, found, validation)
    if not validation.valid:
        context.tell("unverified", found.username, reason=validation.reason)
    return None

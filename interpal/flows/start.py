"""The start of a client: resume the saved session, or log in; once for all who wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal._clock import monotonic
from interpal._lazy import LateModule
from interpal.exceptions import SessionExpiredError
from interpal.flows.resume import resume
from interpal.sessions.singleflight import Flight
from interpal.sessions.wait import Flow, wait_for

if TYPE_CHECKING:
    from interpal.flows import login
    from interpal.flows.context import ClientContext
else:
    login = LateModule("interpal.flows.login")


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

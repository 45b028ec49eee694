"""Step 7 of the resume table: a disk that takes nothing costs the save, not the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal._clock import is_recent, monotonic, timedelta
from interpal.exceptions import (
    AuthenticationError,
    ClientClosedError,
    LockTimeoutError,
    NotDurableError,
    ValidationError,
    VaultError,
)
from interpal.sessions.singleflight import Flight
from interpal.sessions.state import Saving
from interpal.sessions.wait import Flow, patiently, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from interpal.flows.context import ClientContext
    from interpal.session import Session
    from interpal.sessions.state import ClientState
    from interpal.vault.core.login_locks import AccountLock

VALIDATION_IS_SAVED_EVERY = timedelta(seconds=60)


def save(
    context: ClientContext,
    epoch: int,
    *,
    lock: AccountLock | None = None,
    wait: bool = True,
    imports: bool = False,
    deadline: float | None = None,
) -> Flow[None]:
    """Bring the vault up to the session in use, as it is by then.

    One flow of a client at a time, so that of two new cookies the newer is saved last; without
    *wait* nothing is done where another is at it. A session that the caller has given is saved by
    what *imports* it alone, since that may replace what another process saves later. With the
    login *lock*, nothing is saved where that was lost. Waits until *deadline*, by default for
    `lock_timeout`. What could not be saved is reported. Raises `AuthenticationError` where *epoch*
    is over.
    """
    flight = _saves_of(context)
    if deadline is None:
        deadline = monotonic() + context.settings.lock_timeout
    try:
        if not _is_worth_saving(context.state, imports=imports):
            return
        if wait:
            yield from wait_for(flight, deadline, "the save of a session", context.path)
        elif not flight.try_acquire():
            return
        while context.state.epoch == epoch and _is_worth_saving(context.state, imports=imports):
            if not (yield from _save_once(context, epoch, lock, deadline, imports=imports)):
                return
    except LockTimeoutError as error:
        context.tell("save_failed", reason=str(error))
    finally:
        flight.release()


def close(context: ClientContext) -> Flow[None]:
    """Close a client when what it has got is in the vault.

    Waits up to `lock_timeout` for a call that is saving a session; a new cookie whose call was
    cancelled, or could not save it, is saved here. Cancelled itself, it leaves the client open.
    """
    flight, epoch = _saves_of(context), context.state.epoch
    deadline = monotonic() + context.settings.lock_timeout
    try:
        if not flight.is_held_below():
            yield from wait_for(flight, deadline, "the save of a session", context.path)
            flight.release()
            if context.state.saved:
                yield from save(context, epoch, deadline=deadline)
    except LockTimeoutError as error:
        context.tell("save_failed", reason=str(error))
    except (AuthenticationError, ClientClosedError):
        pass  # Another thread has logged it out, or closed it.
    context.close()


def _saves_of(context: ClientContext) -> Flight:
    return Flight((context, "save"))


def _is_worth_saving(state: ClientState, *, imports: bool) -> bool:
    """Whether the vault is to be changed: not for a validation a moment after the last."""
    session, stored = state.live, state.stored
    if session is None or not state.is_unsaved:
        return False
    if state.saving is Saving.DUE_OVER_ANY and not imports:
        return False
    if state.is_due or stored is None:
        return True
    last, now = stored.last_validated_at, session.last_validated_at
    if last is not None and now is not None:
        recent = is_recent(last, now, VALIDATION_IS_SAVED_EVERY)
        return not recent or stored.replace(last_validated_at=now) != session
    return stored != session


def _save_once(
    context: ClientContext,
    epoch: int,
    lock: AccountLock | None,
    deadline: float,
    *,
    imports: bool,
) -> Flow[bool]:
    """Save the session in use; whether it was saved."""
    manager, guard, state = context.manager, context.guard(epoch), context.state
    if manager is None:
        return False
    session = state.live

    def put() -> bool | None:
        nonlocal state, session
        guard()
        state = context.state
        session, stored = state.live, state.stored
        if session is None or not _is_worth_saving(state, imports=imports):
            session = None
            return None
        if state.saved and stored is not None:
            return manager.update(stored, session, username=state.name, guard=guard)

        def may_replace(found: Session) -> bool:
            return found.same_login(stored) or found.same_login(state.session)

        over_any = state.saving is Saving.DUE_OVER_ANY
        return manager.put(
            session,
            username=state.name,
            lock=lock,
            guard=guard,
            may_replace=None if over_any else may_replace,
        )

    saved = yield from save_quietly(context, put, max(0.0, deadline - monotonic()))
    tried = session
    if tried is None:
        return False
    if saved:
        context.change(lambda now: now.note_saved(tried), epoch=epoch)
        if state.is_due:
            context.tell("saved", state.name or tried.username)
        return True
    if state.is_due or saved is False:
        # Logged out, replaced or imported elsewhere: what is in use is not the saved one.
        context.change(lambda now: now.note_unsaved(tried) if now.epoch == epoch else now)
    if state.is_due and saved is False:
        context.tell("save_failed", reason="another session was imported meanwhile; it stays")
    return False


def save_change(context: ClientContext, epoch: int, seen: Session, session: Session) -> Flow[None]:
    """Save what became of a session that is not in use, where the vault still holds it."""
    manager, name, guard = context.manager, context.state.name, context.guard(epoch)
    if manager is not None:
        yield from save_quietly(
            context, lambda: manager.update(seen, session, username=name, guard=guard)
        )


def save_quietly(
    context: ClientContext, put: Callable[[], bool | None], seconds: float | None = None
) -> Flow[bool | None]:
    """Save. False where *put* says so, None where it could not be done, which is reported.

    The write lock is waited for *seconds*, None for `lock_timeout`.
    What *put* itself raises of the client's epoch is passed on.
    """
    if seconds is None:
        seconds = context.settings.lock_timeout
    try:
        return (yield from patiently(put, seconds)) is not False
    except NotDurableError as error:
        context.tell("save_failed", reason=str(error))
        return True
    except (VaultError, ValidationError) as error:
        # Also a session of more than a record can hold: it serves as long as this client does.
        context.tell("save_failed", reason=str(error))
        return None

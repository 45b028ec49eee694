"""Step 6 of the resume table: one login for all who need it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from interpal._clock import monotonic, utc_now
from interpal._hidden import Hidden
from interpal.exceptions import (
    AuthenticationError,
    LoginNetworkError,
    NetworkError,
    RateLimitError,
    ValidationError,
    VaultError,
    VaultIOError,
    VaultNotFoundError,
)
from interpal.flows import identity
from interpal.flows.apply_reply import ask, unknown_whose
from interpal.flows.saving import save, save_quietly
from interpal.session import Session, record_name
from interpal.sessions import cookies
from interpal.sessions.one_login import one_login, take_login_lock, wait_visibly
from interpal.sessions.refused_logins import RATE_LIMIT, Refusal, kind_of
from interpal.sessions.state import Phase
from interpal.sessions.wait import Flow, pauses
from interpal.transport import protocol

if TYPE_CHECKING:
    from interpal.flows.apply_reply import Validation
    from interpal.flows.context import ClientContext
    from interpal.sessions.singleflight import Flight
    from interpal.sessions.state import ClientState
    from interpal.vault.core.login_locks import AccountLock

# Seconds. Another process that has got a new cookie, and takes longer to save it, costs a login.
LONGEST_LOOK = 0.5
LONGEST_LOOK_PAUSE = 0.05
# Sessions that others save one after the other, and the server has ended by then.
MOST_ASKED_ABOUT = 3


class Reason(NamedTuple):
    """Why a login is wanted: see `renew`. *since* is when, by the monotonic clock."""

    epoch: int
    since: float
    force: bool


def renew(
    context: ClientContext,
    old: Session | None,
    epoch: int,
    *,
    force: bool = False,
    since: float | None = None,
) -> Flow[Session]:
    """A session in the place of *old*: another's newer one, or one from a login of our own.

    An old one that the server refused (`mark_ended`) is deleted; one that merely passed its
    expiry is kept until it is replaced. *force* logs in whatever is stored. Threads and tasks of
    this process share one flight, processes the account's login lock. Whoever waited *since*
    before another found the server out of reach gets the same error (monotonic clock; from now on
    where None).

    Raises `SessionExpiredError` where there is no newer one and no login is possible,
    `ValidationError` without credentials, `AuthenticationError` where *epoch* is over,
    `LockTimeoutError`, what `resume` raises of a saved session, and what the server's reply to a
    login raises (`protocol.read_login`).
    """
    state = context.state
    if not state.can_log_in and (old is None or force):
        raise _nothing_to_go_on(context, force=force)
    began = monotonic()
    reason = Reason(epoch, began if since is None else since, force)
    deadline = began + context.settings.lock_timeout
    return (yield from one_login(_Renewal(context, old, reason), deadline))


class _Renewal:
    """The wish of a client for a session in the place of *old*, for `one_login`."""

    def __init__(self, context: ClientContext, old: Session | None, reason: Reason) -> None:
        self._context = context
        self._old = old
        self._reason = reason

    @property
    def flight(self) -> tuple[object, str]:
        """The place of the sessions, and the account."""
        return self._context.place, self._context.state.record_name

    def wait(self, lock: Flight | AccountLock, deadline: float) -> Flow[None]:
        """Take *lock*."""
        context = self._context
        what = f"the login of {context.state.name}"
        return wait_visibly(lock, deadline, what, context.path, context.tell)

    def arrived(self) -> Session | None:
        """The session that another call of this client has got meanwhile."""
        context, old, reason = self._context, self._old, self._reason
        context.check_epoch(reason.epoch)
        live = context.state.live
        if live is not None and not reason.force and not live.same_credentials(old):
            return live
        if old is not None and live is not None and not reason.force:
            context.change(lambda now: now.end(old, None), epoch=reason.epoch)
        return None

    def login_lock(self, deadline: float) -> Flow[AccountLock | None]:
        """The account's login lock; None where nothing is saved, or none can be had (full disk).

        Where the client has not yet seen that it could save, a place that is set up wrong is an
        error: it would cost a login at each start.
        """
        context = self._context
        manager = context.manager
        username = context.state.name or (None if self._old is None else self._old.username)
        if manager is None or username is None:
            return None

        def make() -> AccountLock:
            if context.state.can_log_in:
                manager.check_writable()
                # The name of the lock is an HMAC under the key of the vault.
                manager.ensure_vault(username)
                if not context.could_save:
                    manager.check_room(username)
            return manager.login_lock(username)

        def refuses(error: VaultError) -> bool:
            from interpal.vault.files.writable import is_set_up_wrong

            return is_set_up_wrong(error, was_right=context.could_save)

        lock = yield from take_login_lock(
            self.wait,
            make,
            deadline,
            context.tell,
            again=lambda: context.state.can_log_in,
            refuses=refuses,
        )
        context.could_save = context.could_save or lock is not None
        return lock

    def newer(self) -> Flow[Session | None]:
        """Under the lock: what another process has saved meanwhile."""
        if self._reason.force:
            return None
        return (yield from _adopt_newer(self._context, self._old, self._reason.epoch))

    def log_in(self, lock: AccountLock | None) -> Flow[Session]:
        """Log in, and save the session."""
        return _replace(self._context, self._old, lock, self._reason)


def _nothing_to_go_on(context: ClientContext, *, force: bool) -> Exception:
    if context.state.phase is Phase.ENDED and not force:
        return context.no_session()
    return ValidationError(
        "username, password: both are needed to log in, and there is no saved session"
    )


def _adopt_newer(context: ClientContext, old: Session | None, epoch: int) -> Flow[Session | None]:
    """Under the lock, steps 1 to 5 again: take over another's session, or delete the ended one."""
    state = context.state
    username = state.name or (None if old is None else old.username)
    found, saved = yield from context.find_saved(username)
    context.check_epoch(epoch)
    has_ended = found is not None and state.was_refused(found)
    for _ in range(MOST_ASKED_ABOUT):
        if found is not None and has_ended:
            found, saved = (yield from _newer_than(context, found, username)), True
            context.check_epoch(epoch)
        if found is None or found.same_credentials(old) or found.has_expired(utc_now()):
            return None
        if not identity.may_be_used(state, found):
            return None
        if not identity.has_to_be_asked_about(state, found):
            return _adopt(context, epoch, found, saved=saved, verified=False)
        session = yield from _ask_about(context, epoch, found, saved=saved)
        if session is not None:
            return session
        has_ended = True
    if found is not None:
        yield from _discard(context, found, username)
    return None


def _ask_about(
    context: ClientContext, epoch: int, found: Session, *, saved: bool
) -> Flow[Session | None]:
    """Take over a session that was never validated, if it lives; None where it has ended."""

    def use(validation: Validation) -> bool:
        if validation.valid:
            _adopt(context, epoch, found, saved=saved, verified=True)
        return bool(validation.valid)

    validation, session = yield from ask(context, epoch, found, use)
    if validation.valid is None:
        raise unknown_whose(context, found, validation)
    return session if validation.valid else None


def _adopt(
    context: ClientContext, epoch: int, session: Session, *, saved: bool, verified: bool
) -> Session:
    context.tell("session_loaded", session.username, adopted=True)
    context.change(lambda now: now.resume(session, saved=saved, verified=verified), epoch=epoch)
    return session


def _newer_than(
    context: ClientContext, ended: Session, username: str | None
) -> Flow[Session | None]:
    """What another process saves in the place of a session that the server has ended.

    It may have got a new cookie, in a reply on which the server ended the old one, and be about
    to save it. Where nothing comes for a moment, the ended one is deleted.
    """
    deadline = monotonic() + LONGEST_LOOK
    coming = pauses(LONGEST_LOOK_PAUSE)
    while True:
        found, _ = yield from context.find_saved(username)
        if found is None or not found.same_credentials(ended):
            return found
        if monotonic() >= deadline:
            yield from _discard(context, ended, username)
            return None
        yield next(coming)


def _discard(context: ClientContext, session: Session, username: str | None) -> Flow[None]:
    manager = context.manager
    if manager is not None:
        yield from save_quietly(context, lambda: manager.discard(session, username=username))


def _replace(
    context: ClientContext, old: Session | None, lock: AccountLock | None, reason: Reason
) -> Flow[Session]:
    """Log in, and save the session in the place of the old one."""
    context.check_epoch(reason.epoch)
    state, manager = context.state, context.manager
    if old is not None and not state.can_log_in:
        raise context.expired(old, 401 if state.was_refused(old) else None)
    if not reason.force:
        context.contest.check(state.name or "")
    username, password = state.name or "", state.password or Hidden(b"")
    refusals = context.refusals(state.record_name)
    refusals.check(username, password, since=reason.since, force=reason.force)
    if manager is not None:
        try:
            manager.check_attempts(username, password, force=reason.force)
        except (VaultNotFoundError, VaultIOError):
            pass  # Taken away a moment ago, or unreadable: no word of anybody is left.
    before, _ = yield from context.find_saved(username)
    live = context.state.live
    if live is not None and not reason.force and not live.same_credentials(old):
        return live  # Imported meanwhile.
    session = yield from _log_in(context, reason.epoch, username, password)

    def use(now: ClientState) -> ClientState:
        # What was in use before (of a login that was cancelled, say) may have been saved since.
        since = now.stored is not None and now.stored.same_login(live)
        stored = now.stored if since else before
        return now.log_in(session, due=manager is not None, stored=stored)

    # Also where nobody waits for it any more: the next call saves it.
    context.change_in_any_case(use, epoch=reason.epoch)
    context.contest.made(*context.whose_login)
    context.tell("logged_in", username)
    yield from save(context, reason.epoch, lock=lock)
    live = context.state.live
    return live if live is not None and live.same_login(session) else session


def _log_in(
    context: ClientContext, epoch: int, username: str, password: Hidden[bytes]
) -> Flow[Session]:
    """Ask the server for a session. A refusal is remembered, for this process and others."""
    settings, refusals = context.settings, context.refusals(record_name(username))
    context.tell("login_started", username)
    context.check_epoch(epoch)
    try:
        request = protocol.login_request(
            settings.base_url, username, password.reveal().decode(), context.user_agent
        )
        response = yield request
        login = protocol.read_login(response, utc_now(), context.secrets(context.state.session))
        received = cookies.after_login(response, context.exchange(request))
    except NetworkError as error:
        refusals.unreachable(str(error))
        raise LoginNetworkError(str(error)) from None
    except RateLimitError as error:
        error.args = (f"{username}: {error}",)
        yield from _note_refusal(
            context, epoch, username, password, Refusal(RATE_LIMIT, error.retry_after)
        )
        raise
    except AuthenticationError as error:
        error.args = (f"{username}: {error}",)
        kind = kind_of(error)
        if kind is not None:
            yield from _note_refusal(context, epoch, username, password, Refusal(kind))
        raise
    refusals.forget()
    now = utc_now()
    session = Session(
        session_cookie=received.own,
        auth_token=login.auth_token,
        cookies=received.others,
        cookie_attributes=received.attributes,
        username=username,
        user_id=login.user_id,
        origin=context.origin,
        created_at=now,
        expires_at=now + settings.lifetime,
        last_validated_at=now,
    )
    session = session.no_longer_than(protocol.fresh_token_expiry(login.auth_token, now))
    return session.no_longer_than(received.expires)


def _note_refusal(
    context: ClientContext,
    epoch: int,
    username: str,
    password: Hidden[bytes],
    refusal: Refusal,
) -> Flow[None]:
    context.refusals(record_name(username)).note(refusal, password)
    manager, guard = context.manager, context.guard(epoch)
    if manager is None:
        return
    try:
        yield from save_quietly(
            context, lambda: manager.note_refusal(username, password, refusal, guard=guard)
        )
    except AuthenticationError:
        pass  # Logged out meanwhile, or gone over to another account: nothing is saved.

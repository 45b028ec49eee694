"""Mistakes put in on purpose: each brings back a way in which sessions were mixed up or lost."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest import MonkeyPatch  # noqa: PT013  (needed at run time for its context)

from interpal.exceptions import AuthenticationError
from interpal.flows import (
    apply_reply,
    explicit,
    identity,
    login,
    pending_requests,
    request,
    saving,
)
from interpal.flows.apply_reply import mark_ended
from interpal.flows.context import ClientContext
from interpal.flows.saving import save_quietly
from interpal.session_manager import SessionManager
from interpal.sessions import refused_logins
from interpal.sessions.record_matching import RecordMatching
from interpal.sessions.singleflight import Flight
from interpal.sessions.state import ClientState, Phase, Saving
from interpal.vault.core.login_locks import AccountLock
from interpal.vault.format import envelope
from interpal.vault.vault import Vault
from tests.interleavings import explore
from tests.interleavings.clients import (
    CALL,
    CLEAR,
    FORCE,
    IMPORT,
    LOGIN,
    LOGIN_OTHER,
    LOGOUT,
    NEVER,
    VALIDATE,
)
from tests.interleavings.plans import Plan, any_plan, plan_of_hosts
from tests.interleavings.schedule import BrokenPromiseError
from tests.interleavings.world import MemoryLock

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tests.interleavings.hosts import Hosts

MOST_SCHEDULES = 20_000


class Mutant(NamedTuple):
    """What is wrong with it, what puts it in, and in which plans it is looked for.

    One that shows in one of a hundred thousand orders is looked for in those of one plan.
    """

    name: str
    put_in: Callable[[MonkeyPatch], None]
    plan: Plan | None = None


class Caught(NamedTuple):
    """After how many schedules a mutant was noticed, and as what."""

    schedules: int
    as_what: str


def catch(mutant: Mutant, hosts: Hosts | None = None) -> Caught:
    """Walk until the mutant is noticed, over *hosts* where there are any.

    AssertionError where it never is. To be called inside `world.frozen`.
    """
    any_of_them = any_plan if hosts is None else plan_of_hosts
    with MonkeyPatch.context() as patch:
        mutant.put_in(patch)
        for seed in count():
            assert seed < MOST_SCHEDULES, f"nothing notices: {mutant.name}"
            try:
                explore.walk(mutant.plan or any_of_them(seed), seed, hosts)
            except BrokenPromiseError as error:
                return Caught(seed + 1, str(error).partition("\n")[0])
    raise AssertionError


def _never(*_: object, **__: object) -> bool:
    return False


def _always(*_: object, **__: object) -> bool:
    return True


def _nothing(*_: object, **__: object) -> None:
    return None


def _nobody_is_asked(patch: MonkeyPatch) -> None:
    patch.setattr(identity, "is_validated", _always)


def _the_word_is_not_compared(patch: MonkeyPatch) -> None:
    patch.setattr(identity, "check", _nothing)


def _an_account_is_like_another(patch: MonkeyPatch) -> None:
    patch.setattr(ClientState, "_is_another", _never)


def _epochs_are_not_looked_at(patch: MonkeyPatch) -> None:
    patch.setattr(ClientState, "check_epoch", _nothing)


def _logout_begins_no_epoch(patch: MonkeyPatch) -> None:
    def log_out(state: ClientState) -> ClientState:
        return state._with(
            phase=Phase.LOGGED_OUT,
            session=None,
            saving=Saving.NONE,
            stored=None,
            may_login=False,
            logouts=state.logouts + 1,
        )

    patch.setattr(ClientState, "log_out", log_out)


def _saves_are_not_guarded(patch: MonkeyPatch) -> None:
    patch.setattr(ClientContext, "guard", lambda *_: _nothing)
    patch.setattr(login, "save", _save_as_it_was)


def _any_record_is_the_one(patch: MonkeyPatch) -> None:
    patch.setattr(RecordMatching, "holds", _always)


def _no_look_for_a_newer(patch: MonkeyPatch) -> None:
    def discard_at_once(context: Any, ended: Any, username: Any) -> Generator[Any, Any, None]:
        yield from login._discard(context, ended, username)

    patch.setattr(login, "_newer_than", discard_at_once)


def _any_401_is_an_end(patch: MonkeyPatch) -> None:
    def settle(
        context: Any, epoch: int, session: Any, *_: object, **__: object
    ) -> Generator[Any, Any, None]:
        yield from ()
        if context.state.uses(session):
            mark_ended(context, epoch, session)

    patch.setattr(request, "_settle", settle)


def _threads_do_not_share_a_login(patch: MonkeyPatch) -> None:
    def try_acquire(lock: MemoryLock) -> bool:
        holder = lock.store.place.logins.setdefault(lock.tag, lock)
        return holder.store.process is lock.store.process

    # The lock alone would do, since it is one for each flow and not for a process.
    patch.setattr(Flight, "try_acquire", _always)
    patch.setattr(MemoryLock, "try_acquire", try_acquire)


def _processes_do_not_share_a_login(patch: MonkeyPatch) -> None:
    patch.setattr(AccountLock, "try_acquire", _always)


def _a_lock_is_not_let_go(patch: MonkeyPatch) -> None:
    patch.setattr(AccountLock, "release", _nothing)


def _a_flight_is_not_let_go(patch: MonkeyPatch) -> None:
    patch.setattr(Flight, "release", _nothing)


def _a_login_replaces_an_import(patch: MonkeyPatch) -> None:
    real = SessionManager.put

    def put(manager: SessionManager, session: Any, **options: Any) -> bool:
        options.pop("may_replace", None)
        return real(manager, session, **options)

    patch.setattr(SessionManager, "put", put)


def _save_as_it_was(
    context: Any, epoch: int, *, lock: Any = None, **_: object
) -> Generator[Any, Any, None]:
    """Save a new session as it was when the save was asked for."""
    state, manager, guard = context.state, context.manager, context.guard(epoch)
    session = state.live
    if session is None or manager is None or not state.is_due:
        return
    saved = yield from save_quietly(
        context, lambda: manager.put(session, username=state.name, lock=lock, guard=guard)
    )
    if saved:
        context.change(lambda now: now._with(saving=Saving.SAVED, stored=now.session), epoch=epoch)


def _an_old_cookie_of_a_login_is_saved(patch: MonkeyPatch) -> None:
    patch.setattr(login, "save", _save_as_it_was)


def _an_old_cookie_of_an_import_is_saved(patch: MonkeyPatch) -> None:
    patch.setattr(saving, "save", _save_as_it_was)


def _result_of(flow: Generator[Any, Any, Any]) -> Any:
    try:
        next(flow)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


def _new_cookies_are_saved_as_they_come(patch: MonkeyPatch) -> None:
    real = apply_reply.apply_reply

    def apply(context: Any, epoch: int, seen: Any, *more: Any) -> Generator[Any, Any, Any]:
        flow = real(context, epoch, seen, *more)
        with MonkeyPatch.context() as inner:
            inner.setattr(apply_reply, "save", lambda *_, **__: iter(()))
            # Without the save there is nothing to wait for.
            session = _result_of(flow)
        state, manager, guard = context.state, context.manager, context.guard(epoch)
        if session is seen or not state.saved or state.epoch != epoch:
            return session
        saved = yield from save_quietly(
            context, lambda: manager.update(seen, session, username=state.name, guard=guard)
        )
        if saved:
            context.change(lambda now: now.note_saved(session), epoch=epoch)
        else:
            context.change(lambda now: now.note_unsaved(session), epoch=epoch)
        return session

    patch.setattr(request, "apply_reply", apply)


def _nobody_waits_for_the_reply_to_another(patch: MonkeyPatch) -> None:
    patch.setattr(pending_requests, "replies_to", lambda *_: iter(()))
    # That it is saved all the same, and found there in time, would mend it.
    patch.setattr(apply_reply, "save_change", lambda *_: iter(()))


def _a_login_that_was_cancelled_is_forgotten(patch: MonkeyPatch) -> None:
    patch.setattr(request, "save", lambda *_, **__: iter(()))


def _a_session_from_a_renewal_is_not_asked_about(patch: MonkeyPatch) -> None:
    real = request.ready

    def ready(context: Any, epoch: Any = None, **options: Any) -> Generator[Any, Any, Any]:
        live = context.state.live
        if epoch is not None and live is not None and context.state.phase is Phase.UNVERIFIED:
            return live
        return (yield from real(context, epoch, **options))

    patch.setattr(request, "ready", ready)


def _a_logout_does_not_reach_who_waits(patch: MonkeyPatch) -> None:
    real = explicit._after_removals

    def after(context: Any, username: Any) -> Generator[Any, Any, None]:
        with suppress(AuthenticationError):
            yield from real(context, username)

    patch.setattr(explicit, "_after_removals", after)


def _a_login_after_a_logout_hides_it(patch: MonkeyPatch) -> None:
    real = explicit._after_removals

    def after(context: Any, username: Any) -> Generator[Any, Any, None]:
        try:
            yield from real(context, username)
        except AuthenticationError:
            if username is None or context.state.phase is Phase.LOGGED_OUT:
                raise

    patch.setattr(explicit, "_after_removals", after)


def _a_rotation_renames_the_locks(patch: MonkeyPatch) -> None:
    def login_lock(vault: Vault, name: str) -> AccountLock:
        def identify() -> tuple[bytes, bytes]:
            state = vault._read()
            return state.header.id, envelope.name_tag(state.vault_key, name)

        return AccountLock(identify, vault._store.login_lock)

    patch.setattr(Vault, "login_lock", login_lock)


def _fences_are_not_handed_in(patch: MonkeyPatch) -> None:
    patch.setattr(AccountLock, "fence", None)
    # What is saved there by then would be known as another's, too.
    _a_login_replaces_an_import(patch)


def _a_host_is_refused_what_another_is(patch: MonkeyPatch) -> None:
    def tags(vault: Vault, name: str, _: str, password: Any) -> list[str]:
        return [vault.attempt_tag(name, password)]

    patch.setattr(refused_logins, "_tags", tags)


def _a_refusal_is_forgotten(patch: MonkeyPatch) -> None:
    patch.setattr(SessionManager, "check_attempts", _nothing)
    patch.setattr(refused_logins.RefusedLogins, "check", _nothing)


OF_HOSTS = (
    Mutant(
        "a lock that has run out lets its holder save",
        _fences_are_not_handed_in,
        Plan((0, 1), ((0, (CALL,)), (1, (CALL,))), "nothing", faults=1, single=True),
    ),
    Mutant("a host is held back by what another was refused", _a_host_is_refused_what_another_is),
    Mutant("a host asks again for what it was refused", _a_refusal_is_forgotten),
)
"""Mistakes that show between hosts alone."""

MUTANTS = (
    Mutant("what was never validated is used without a question", _nobody_is_asked),
    Mutant("the server's word is not compared with the account", _the_word_is_not_compared),
    Mutant("login() of another account keeps the session in use", _an_account_is_like_another),
    Mutant("what began as one account goes on as another", _epochs_are_not_looked_at),
    Mutant("what began before a logout goes on", _logout_begins_no_epoch),
    Mutant("what began before a logout is saved", _saves_are_not_guarded),
    Mutant("a change is written over whatever is saved", _any_record_is_the_one),
    Mutant("an ended session is discarded without a look for a newer one", _no_look_for_a_newer),
    Mutant("the 401 of any call ends the session", _any_401_is_an_end),
    Mutant("threads log in side by side", _threads_do_not_share_a_login),
    Mutant("processes log in side by side", _processes_do_not_share_a_login),
    Mutant("a login lock is kept", _a_lock_is_not_let_go),
    Mutant("the right to log in is kept", _a_flight_is_not_let_go),
    Mutant(
        "a login replaces what was imported meanwhile",
        _a_login_replaces_an_import,
        Plan((0, 1), ((0, (FORCE,)), (1, (IMPORT, CALL))), events=("end",)),
    ),
    Mutant(
        "a login saves a cookie that was replaced meanwhile", _an_old_cookie_of_a_login_is_saved
    ),
    Mutant(
        "an import saves a cookie that was replaced meanwhile",
        _an_old_cookie_of_an_import_is_saved,
        Plan((0, 1), ((0, (CALL, CALL)), (0, (IMPORT,)), (1, (CALL,))), events=("rotate",)),
    ),
    Mutant(
        "new cookies are saved in the order they come",
        _new_cookies_are_saved_as_they_come,
        Plan((0,), ((0, (CALL, CALL)), (0, (NEVER,))), events=("rotate", "rotate")),
    ),
    Mutant(
        "the answer to who it is overtakes a new cookie",
        _nobody_waits_for_the_reply_to_another,
        Plan((0,), ((0, (VALIDATE,)), (0, (IMPORT, CALL))), "unvalidated", ("rotate", "rotate")),
    ),
    Mutant(
        "what a cancelled login has made is not saved",
        _a_login_that_was_cancelled_is_forgotten,
        Plan((0,), ((0, (LOGIN, LOGIN)),), "nothing", faults=1),
    ),
    Mutant(
        "a session that another thread imported is used without a question",
        _a_session_from_a_renewal_is_not_asked_about,
    ),
    Mutant("a login that waited goes on after a logout", _a_logout_does_not_reach_who_waits),
    Mutant(
        "a login that waited goes on after a logout and another login",
        _a_login_after_a_logout_hides_it,
        Plan((0,), ((0, (LOGIN_OTHER,)), (0, (CLEAR,)), (0, (LOGOUT, LOGIN)))),
    ),
    Mutant("a rotation of the key renames the login locks", _a_rotation_renames_the_locks),
)

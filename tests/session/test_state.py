"""The state of a client: its table of transitions, line by line, and that it changes whole."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from docs.states import phases, transitions
from interpal._clock import utc_now
from interpal._hidden import Hidden
from interpal.exceptions import AuthenticationError, ClientClosedError
from interpal.session import Session
from interpal.sessions.state import IN_USE, ClientState, Phase, Saving, StateCell

if TYPE_CHECKING:
    from collections.abc import Callable

WITHOUT_SESSION = frozenset({Phase.NONE, Phase.LOGGED_OUT, Phase.CLOSED})


def session_of(cookie: str, username: str | None = "maple_ink", **changes: Any) -> Session:
    now = utc_now()
    fields: dict[str, Any] = {
        "session_cookie": cookie,
        "username": username,
        "user_id": "17",
        "created_at": now,
        "expires_at": now + timedelta(hours=1),
        "last_validated_at": now,
    }
    return Session(**{**fields, **changes})


CURRENT, OTHER = session_of("current"), session_of("other")
PEDRO = session_of("pedro", "pedro_k", user_id="18")

# Each line of the table by what it says "when": the transition, as the flows make it.
DONE: dict[str, Callable[[ClientState], ClientState]] = {
    "login() of another account": lambda state: state.use("pedro_k", Hidden(b"radio")),
    "login() after a logout": lambda state: state.use("maple_ink", None),
    "one is given for its account": lambda state: state.hand_over(OTHER),
    "one that may be another's is given": lambda state: nameless(state).hand_over(PEDRO),
    "a saved one is used unasked": lambda state: state.resume(OTHER, saved=True, verified=False),
    "the server says whose it is": lambda state: state.resume(OTHER, saved=True, verified=True),
    "a login has given it": lambda state: state.log_in(OTHER),
    "the server answers with it": lambda state: state.answer(CURRENT, OTHER),
    "it is past its expiry": lambda state: state.end(CURRENT, None),
    "the server says 401 to who it is": lambda state: state.end(CURRENT, 401),
    "the server says it is another's": lambda state: state.mismatch(CURRENT),
    "logout()": lambda state: state.log_out(),
    "close()": lambda state: state.close(),
}


def in_phase(phase: Phase) -> ClientState:
    session = None if phase in WITHOUT_SESSION else CURRENT
    return ClientState(
        name="maple_ink",
        password=Hidden(b"secret"),
        user_id="17",
        session=session,
        phase=phase,
        saving=Saving.SAVED if phase in IN_USE else Saving.NONE,
        stored=CURRENT if phase in IN_USE else None,
        may_login=True,
        epoch=7,
    )


def nameless(state: ClientState) -> ClientState:
    return ClientState(session=state.session, phase=state.phase, epoch=state.epoch)


@pytest.mark.parametrize("row", transitions(), ids=lambda row: f"{row[0]}: {row[4]}")
def test_each_line_of_the_table_is_what_the_transition_does(row: tuple[str, ...]) -> None:
    name, before, after, epoch, when = row
    assert name in vars(ClientState)
    for phase in phases(before):
        state = in_phase(phase)
        new = DONE[when](state)
        assert new.phase is Phase(after), phase
        assert new.epoch == state.epoch + (epoch == "new"), phase
        assert state == state, "nothing of the old value changes"
        assert state.phase is phase
        if new.phase in WITHOUT_SESSION:
            assert new.session is None
        assert new.live is None or new.live is new.session


def test_the_table_has_every_transition_and_each_phase() -> None:
    rows = transitions()
    assert {row[4] for row in rows} == set(DONE)
    assert {Phase(row[2]) for row in rows} == set(Phase)
    named = {
        name
        for name, value in vars(ClientState).items()
        if callable(value) and not name.startswith("_")
    }
    assert {row[0] for row in rows} | {
        "note_saved",
        "note_unsaved",
        "uses",
        "was_refused",
        "check_epoch",
        "check_not_closed",
    } == named


def test_what_is_not_in_the_table_changes_nothing() -> None:
    for row in transitions():
        _, before, _, _, when = row
        for phase in frozenset(Phase) - phases(before):
            if row[0] == "use":
                continue  # There is a line for every phase.
            state = in_phase(phase)
            if when == "one that may be another's is given":
                state = nameless(state)
            new = DONE[when](state)
            assert (new.phase, new.session, new.epoch) == (phase, state.session, 7), when


def test_another_account_leaves_nothing_of_the_one_before() -> None:
    state = in_phase(Phase.VERIFIED).use("pedro_k", None)
    assert (state.name, state.password, state.user_id, state.session, state.saved) == (
        ("pedro_k", None, None, None, False)
    )
    assert state.may_login


def test_the_same_account_by_another_spelling_stays_what_it_is() -> None:
    state = in_phase(Phase.VERIFIED)
    same = state.use("MAPLE_Ink", Hidden(b"new"))
    assert (same.epoch, same.session, same.password) == (state.epoch, state.session, Hidden(b"new"))


def test_a_session_that_the_server_has_refused_stays_so() -> None:
    state = in_phase(Phase.VERIFIED).end(CURRENT, 401)
    assert state.end(CURRENT, None).was_refused(CURRENT)
    assert not state.end(OTHER, None).was_refused(OTHER)


def test_what_is_given_after_a_mismatch_begins_anew_where_no_account_was_asked_for() -> None:
    state = nameless(in_phase(Phase.VERIFIED)).mismatch(CURRENT)
    assert state.hand_over(OTHER).epoch == state.epoch + 1


def test_a_late_end_of_an_older_session_does_not_touch_the_newer_one() -> None:
    state = in_phase(Phase.VERIFIED)
    assert state.end(OTHER, 401) is state
    assert state.mismatch(OTHER) is state
    assert state.answer(OTHER, session_of("late")) is state


def test_a_claim_of_an_id_is_not_taken_for_the_word_of_the_server() -> None:
    claimed = OTHER.replace(last_validated_at=None, user_id="99")
    assert ClientState(name="maple_ink").hand_over(claimed).user_id is None
    assert ClientState(name="maple_ink").log_in(OTHER).user_id == "17"


def test_a_state_is_frozen() -> None:
    state: Any = in_phase(Phase.VERIFIED)
    with pytest.raises(AttributeError):
        state.saving = Saving.NONE
    with pytest.raises(AttributeError):
        del state.saving


def test_a_step_of_an_epoch_that_is_over_changes_nothing() -> None:
    cell = StateCell(in_phase(Phase.VERIFIED))
    epoch = cell.state.epoch
    cell.change(lambda state: state.log_out())
    with pytest.raises(AuthenticationError, match="was logged out"):
        cell.change(lambda state: state.log_in(OTHER), epoch=epoch)
    assert cell.state.phase is Phase.LOGGED_OUT


def test_a_closed_client_has_no_secret_left_and_says_that_it_was_closed() -> None:
    state = in_phase(Phase.VERIFIED).close()
    assert (state.session, state.stored, state.password) == (None, None, None)
    with pytest.raises(ClientClosedError, match="make a new one"):
        state.check_epoch(state.epoch)
    in_phase(Phase.LOGGED_OUT).check_not_closed()


def test_a_save_says_what_is_in_the_vault_now() -> None:
    first = session_of("first")
    state = in_phase(Phase.VERIFIED).log_in(first, due=True, stored=CURRENT)
    assert (state.is_due, state.is_unsaved, state.saved) == (True, True, False)
    saved = state.note_saved(first)
    assert (saved.is_unsaved, saved.saved, saved.stored) == (False, True, first)
    # A reply changes the cookie: what is in the vault is the one before.
    second = first.replace(session_cookie="second")
    newer = saved.answer(first, second)
    assert (newer.is_unsaved, newer.saved, newer.stored) == (True, True, first)
    # The first save ends after that: what it has saved is still the one before.
    late = state.answer(first, second).note_saved(first)
    assert (late.is_unsaved, late.saved, late.stored) == (True, True, first)
    # What another login is, a save of this one says nothing of.
    assert newer.note_saved(OTHER) is newer
    assert newer.note_unsaved(OTHER) is newer
    assert not newer.note_unsaved(first).is_unsaved


def test_what_the_server_has_ended_is_over_in_the_vault_too() -> None:
    second = CURRENT.replace(session_cookie="second")
    ended = in_phase(Phase.VERIFIED).answer(CURRENT, second).end(second, 401)
    assert ended.was_refused(second)
    assert ended.was_refused(CURRENT)
    assert not ended.was_refused(OTHER)


def test_a_change_that_another_thread_makes_meanwhile_is_not_lost() -> None:
    cell = StateCell(in_phase(Phase.VERIFIED))
    turns = 0

    def slowly(state: ClientState) -> ClientState:
        nonlocal turns
        turns += 1
        if turns == 1:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(cell.change, lambda now: now.answer(CURRENT, OTHER)).result()
        return state.note_unsaved()

    cell.change(slowly)
    assert turns == 2
    assert (cell.state.session, cell.state.saved) == (OTHER, False)


def test_every_one_of_many_changes_counts() -> None:
    cell = StateCell(in_phase(Phase.VERIFIED))
    start = threading.Barrier(8)

    def log_out_often() -> None:
        start.wait()
        for _ in range(200):
            cell.change(lambda state: state.log_out())

    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(log_out_often)
    assert cell.state.epoch == 7 + 8 * 200

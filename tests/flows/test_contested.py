"""Two clients of one account at a server that allows one session at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from interpal import InterpalClient
from interpal.exceptions import AuthenticationError, SessionExpiredError
from interpal.sandbox import Sandbox
from interpal.sessions import contested
from tests.helpers import ACCOUNTS, Place

if TYPE_CHECKING:
    from pathlib import Path

TOLD = "another login keeps ending this session"


class Clock:
    """The monotonic clock of contests, to be turned."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(contested, "monotonic", clock.monotonic)
    return clock


@pytest.fixture
def one(tmp_path: Path) -> Any:
    with Sandbox(ACCOUNTS, one_session=True) as site:
        yield Place(tmp_path / "one", site)


def most_in_a_minute(times: list[float]) -> int:
    return max(sum(1 for at in times if start <= at < start + 60) for start in times)


def failure_of(client: InterpalClient) -> SessionExpiredError | None:
    """What three calls raise."""
    try:
        for _ in range(3):
            client.get_threads()
    except SessionExpiredError as error:
        return error
    return None


@pytest.mark.parametrize("saved", [True, False])
def test_two_clients_that_end_each_others_sessions_are_told_and_slow_down(
    one: Place, clock: Clock, saved: bool
) -> None:
    nothing: dict[str, Any] = {"persist_session": False, "session_file": None, "vault_key": None}
    first = one.settings(session_file=one.folder / "a.json") if saved else one.settings(**nothing)
    second = one.settings(session_file=one.folder / "b.json") if saved else one.settings(**nothing)
    logins: list[float] = []
    told = 0
    with InterpalClient(**first) as a, InterpalClient(**second) as b:
        logins += [clock.now] * one.logins
        while clock.now < 1000 + 600:
            for client in (a, b):
                before = one.logins
                error = failure_of(client)
                told += error is not None
                assert error is None or TOLD in str(error)
                logins += [clock.now] * (one.logins - before)
            clock.now += 1
    assert told
    assert most_in_a_minute(logins) <= 5
    assert len(logins) <= 20, "it becomes slower and slower"


def test_a_login_at_the_callers_word_is_made_all_the_same(one: Place, clock: Clock) -> None:
    with (
        InterpalClient(**one.settings(session_file=one.folder / "a.json")) as a,
        InterpalClient(**one.settings(session_file=one.folder / "b.json")) as b,
    ):
        with pytest.raises(AuthenticationError, match=TOLD):
            for _ in range(9):
                a.get_threads()
                b.get_threads()
        assert a.login(force=True)
        assert a.get_threads()


def test_clients_that_share_a_vault_do_not_quarrel(one: Place, clock: Clock) -> None:
    with InterpalClient(**one.settings()) as a, InterpalClient(**one.settings()) as b:
        for _ in range(6):
            for client in (a, b):
                one.site.invalidate()
                assert client.get_threads()
                assert client.get_threads()
                assert client.get_threads()
    assert one.logins == 13


def test_a_session_that_lives_a_while_is_no_sign_of_a_quarrel(one: Place, clock: Clock) -> None:
    with (
        InterpalClient(**one.settings(session_file=one.folder / "a.json")) as a,
        InterpalClient(**one.settings(session_file=one.folder / "b.json")) as b,
    ):
        for _ in range(6):
            for client in (a, b):
                assert client.get_threads()
                clock.now += 61


def test_a_session_that_ends_before_it_has_answered_twice_is_a_sign_of_one(
    one: Place, clock: Clock
) -> None:
    with InterpalClient(**one.settings()) as client:
        with pytest.raises(SessionExpiredError, match=TOLD):
            for _ in range(9):
                one.site.invalidate()
                client.get_threads()
        assert one.logins <= 5

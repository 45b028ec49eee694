"""A session that the server ends in the middle of a run."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from interpal._hidden import Hidden
from interpal.exceptions import (
    APIError,
    AuthenticationError,
    InvalidCredentialsError,
    NetworkError,
    SessionExpiredError,
)
from interpal.flows import context as context_module
from interpal.sandbox import Sandbox
from tests.helpers import ACCOUNTS, SELF, TOKEN, Place, waiting_calls
from tests.sandbox.web import held_back

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.helpers import Driver

THREADS = "/v1/user/self/threads"


def thread_of(driver: Driver, client: Any) -> str:
    identity: str = driver.run(client, "get_threads")[0]["id"]
    return identity


def test_a_401_is_followed_by_one_login_and_the_request_once_more(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings())
    first = client.session
    place.site.invalidate()
    assert driver.run(client, "get_threads")
    assert place.logins == 2
    assert place.requests(THREADS) == 2
    assert place.requests(SELF) == 1  # Whether the session has ended, or only that call is refused.
    assert client.session.session_cookie != first.session_cookie
    assert place.record()["session_cookie"] == client.session.session_cookie
    assert client.persisted


def test_a_newer_session_of_another_process_is_taken_on(driver: Driver, place: Place) -> None:
    one = driver.open(**place.settings())
    other = driver.open(**place.settings())
    place.site.invalidate()
    driver.run(one, "get_threads")
    driver.run(other, "get_threads")
    assert other.session.same_credentials(one.session)
    assert other.persisted
    assert place.logins == 2
    assert place.requests(THREADS) == 4


@pytest.mark.parametrize("settings", [{"password": None}, {"auto_login": False}])
def test_a_newer_session_is_taken_on_without_credentials_too(
    driver: Driver, place: Place, settings: dict[str, Any]
) -> None:
    place.save()
    client = driver.open(**place.settings(**settings))
    place.site.invalidate()
    newer = place.save()
    assert driver.run(client, "get_threads")
    assert client.session.same_credentials(newer)
    assert place.logins == 2


def test_a_session_of_another_process_that_is_dead_too_is_followed_by_a_login(
    driver: Driver, place: Place
) -> None:
    for path, name in ((THREADS, "get_threads"), (SELF, "get_self")):
        client = driver.open(**place.settings())
        place.site.invalidate()
        place.save()
        place.site.invalidate()
        logins = place.logins
        sent = place.requests(path)
        assert driver.run(client, name)
        assert place.logins == logins + 1
        assert place.requests(path) <= sent + 3 + (path == SELF)


def test_a_message_is_sent_once_although_its_session_had_ended(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings())
    thread = thread_of(driver, client)
    place.site.invalidate()
    driver.run(client, "send_message", thread, "hello")
    assert [message["message"] for message in place.site.messages(thread)] == ["hello"]
    assert place.requests("/v1/message") == 2


def test_a_message_whose_fate_is_unknown_is_never_sent_again(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings())
    thread = thread_of(driver, client)
    place.site.fault("/v1/message", drop=True, after=True)
    with pytest.raises(NetworkError):
        driver.run(client, "send_message", thread, "hello")
    assert len(place.site.messages(thread)) == 1
    place.site.fault("/v1/message", drop=True)
    with pytest.raises(NetworkError):
        driver.run(client, "send_message", thread, "again")
    assert len(place.site.messages(thread)) == 1
    assert place.requests("/v1/message") == 2


def test_a_login_whose_fate_is_unknown_is_not_repeated(driver: Driver, place: Place) -> None:
    place.site.fault(TOKEN, drop=True, after=True)
    with pytest.raises(NetworkError):
        driver.open(**place.settings())
    assert place.requests(TOKEN) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_endpoint_that_always_says_401_costs_no_login(
    driver: Driver, place: Place, method: str
) -> None:
    client = driver.open(**place.settings())
    path = "/v1/settings/self"
    place.site.fault(path, status=401, times=None)
    saved = place.record()
    for asked in (1, 2):
        with pytest.raises(AuthenticationError, match="session is alive") as caught:
            driver.run(client, "request", method, path)
        assert type(caught.value) is AuthenticationError
        assert caught.value.status_code == 401
        assert place.requests(path) == asked
    # The session is alive, and stays where it is; it was asked about once.
    assert place.requests(SELF) == 1
    assert driver.run(client, "get_threads")
    assert place.logins == 1
    assert client.persisted
    assert place.record()["session_cookie"] == saved["session_cookie"]


def test_a_path_that_is_refused_is_asked_about_again_after_a_minute(
    driver: Driver, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = driver.open(**place.settings())
    path, other = "/v1/settings/self", "/v1/feed"
    for refused in (path, other):
        place.site.fault(refused, status=401, times=None)
    for wanted, asked in ((path, 1), (path, 1), (other, 2), (path, 2)):
        with pytest.raises(AuthenticationError, match="session is alive"):
            driver.run(client, "get", wanted)
        assert place.requests(SELF) == asked
    monkeypatch.setattr(context_module, "ASKED_AGAIN_AFTER", 0)
    with pytest.raises(AuthenticationError, match="session is alive"):
        driver.run(client, "get", path)
    assert place.requests(SELF) == 3
    # It was asked about the session of before.
    monkeypatch.setattr(context_module, "ASKED_AGAIN_AFTER", 60)
    place.site.invalidate()
    driver.run(client, "get_threads")
    with pytest.raises(AuthenticationError, match="session is alive"):
        driver.run(client, "get", path)
    assert place.logins == 2


def test_a_refused_call_says_what_the_server_said(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings())
    echo = f"not with {client.session.session_cookie}"
    place.site.fault("/v1/feed", status=401, body={"error": echo}, times=None)
    with pytest.raises(AuthenticationError, match="not with <") as caught:
        driver.run(client, "get_feed")
    assert client.session.session_cookie not in str(caught.value)


def test_without_credentials_a_refused_call_costs_nothing(driver: Driver, place: Place) -> None:
    place.save()
    before = place.snapshot()
    place.site.fault("/v1/feed", status=401, times=None)
    client = driver.open(**place.settings(password=None, revalidate_after=3600))
    with pytest.raises(AuthenticationError, match="session is alive"):
        driver.run(client, "get_feed")
    assert place.snapshot() == before
    assert driver.run(client, "get_threads")


def test_a_profile_that_always_says_401_costs_one_login_a_call(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings())
    place.site.fault(SELF, status=401, times=None)
    with pytest.raises(SessionExpiredError) as caught:
        driver.run(client, "get_self")
    assert caught.value.replayed
    assert place.requests(SELF) == 2
    assert place.logins == 2


def test_a_forbidden_call_beside_good_ones_does_not_log_in_again_and_again(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings())
    path = "/v1/settings/self"
    place.site.fault(path, status=401, times=None)
    calls = [("get", path)] * 4 + [("get_threads",)] * 4
    results = driver.together(client, calls)
    assert all(type(result) is AuthenticationError for result in results[:4])
    assert all(isinstance(result, list) for result in results[4:])
    assert place.logins == 1
    assert place.requests(SELF) == 1


def test_a_streamed_body_is_not_repeated_but_the_session_is_renewed(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings())
    place.site.invalidate()
    body = iter([b'{"thread_id": "1",', b'"message": "x"}'])
    with pytest.raises(SessionExpiredError, match="stream") as caught:
        driver.run(client, "post", "/v1/message", data=body)
    assert not caught.value.replayed
    assert place.requests("/v1/message") == 1
    assert place.logins == 2
    assert driver.run(client, "get_threads")
    assert place.logins == 2


def test_without_credentials_a_401_deletes_the_record_and_is_told(
    driver: Driver, place: Place
) -> None:
    place.save(place.log_in("pedro_k"))
    place.save()
    client = driver.open(**place.settings(password=None))
    place.site.invalidate("maple_ink")
    results = driver.together(client, [("get_threads",)] * 4)
    assert all(isinstance(result, SessionExpiredError) for result in results)
    assert not any(result.replayed for result in results)
    assert place.names() == ["pedro_k"]
    assert not client.is_authenticated
    assert place.told.count("invalidated") == 1
    with pytest.raises(SessionExpiredError):
        driver.run(client, "get_threads")


def test_a_client_that_never_logged_in_does_not_log_in_by_itself(
    driver: Driver, place: Place
) -> None:
    place.save()
    client = driver.open(**place.settings(auto_login=False))
    place.site.invalidate()
    with pytest.raises(SessionExpiredError):
        driver.run(client, "get_threads")
    assert place.logins == 1
    # One login() of the caller's, and from then on by itself.
    driver.run(client, "login")
    place.site.invalidate()
    assert driver.run(client, "get_threads")
    assert place.logins == 3


def test_an_explicit_cookie_that_ends_is_followed_by_the_saved_session_of_its_account(
    driver: Driver, place: Place
) -> None:
    dead = place.log_in()
    place.site.invalidate()
    saved = place.save()
    client = driver.open(**place.settings(session_cookie=dead.session_cookie))
    assert driver.run(client, "get_threads")
    assert client.session.same_credentials(saved)
    assert place.logins == 2


def test_an_explicit_cookie_that_ends_never_becomes_somebody_elses_session(
    driver: Driver, place: Place
) -> None:
    dead = place.log_in()
    place.site.invalidate()
    place.save(place.log_in("pedro_k"))
    before = place.snapshot()
    settings = place.settings(None, session_cookie=dead.session_cookie, auto_login=False)
    client = driver.open(**settings)
    for _ in range(2):
        with pytest.raises(SessionExpiredError):
            driver.run(client, "get_self")
    assert place.snapshot() == before


def test_a_client_without_a_name_stays_with_its_account(driver: Driver, place: Place) -> None:
    place.save()
    client = driver.open(**place.settings(None))
    manager = place.manager()
    manager.clear_session()
    place.save(place.log_in("pedro_k"))
    place.site.invalidate("maple_ink")
    with pytest.raises(SessionExpiredError):
        driver.run(client, "get_self")
    assert place.names() == ["pedro_k"]


def test_eight_threads_or_fifty_tasks_that_meet_the_401_cause_one_login(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings())
    place.site.invalidate()
    count = 8 if driver.kind == "sync" else 50
    with held_back(place.site, TOKEN, until=lambda: place.requests(THREADS) == count):
        results = driver.together(client, [("get_threads",)] * count)
    assert all(isinstance(result, list) for result in results)
    assert place.logins == 2
    assert place.told.count("invalidated") == 1
    assert place.requests(THREADS) == 2 * count


def test_threads_of_a_client_that_saves_nothing_share_a_login_too(
    driver: Driver, tmp_path: Path
) -> None:
    with Sandbox(ACCOUNTS, login_delay=0.1) as site:
        place = Place(tmp_path / "p", site)
        client = driver.open(**place.settings(persist_session=False))
        site.invalidate()
        results = driver.together(client, [("get_threads",)] * 8)
        assert all(isinstance(result, list) for result in results)
        assert place.logins == 2
        assert list(place.folder.iterdir()) == []


@contextmanager
def lost_when_seven_wait(place: Place) -> Generator[None, None, None]:
    """The server answers no login: it drops the connection when seven more calls wait for one."""
    place.site.fault(TOKEN, drop=True, after=True, times=None)
    with waiting_calls() as calls, held_back(place.site, TOKEN, until=lambda: len(calls) >= 7):
        yield


def test_many_that_wait_for_a_login_that_fails_do_not_all_try_it(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings(persist_session=False))
    place.site.invalidate()
    with lost_when_seven_wait(place):
        results = driver.together(client, [("get_threads",)] * 8)
    assert all(isinstance(result, NetworkError) for result in results)
    assert place.requests(TOKEN) == 2


def test_calls_that_come_while_a_client_starts_do_not_each_try_a_login_that_fails(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings(persist_session=False, auto_login=False))
    context = client._context
    context.change(lambda state: state.use(None, None))
    with lost_when_seven_wait(place):
        results = driver.together(client, [("get_threads",)] * 8)
    assert all(isinstance(result, NetworkError) for result in results)
    assert place.requests(TOKEN) == 1


def test_a_password_that_was_changed_meanwhile_is_told_to_all_after_one_attempt(
    driver: Driver, tmp_path: Path
) -> None:
    with Sandbox(ACCOUNTS) as site:
        place = Place(tmp_path / "p", site)
        client = driver.open(**place.settings(persist_session=False))
        site.invalidate()
        site._site._accounts["maple_ink"] = site._site._accounts["maple_ink"]._replace(
            password=Hidden("changed")
        )
        attempts = place.attempts
        results = driver.together(client, [("get_threads",)] * 8)
        assert all(isinstance(result, InvalidCredentialsError) for result in results)
        assert place.attempts == attempts + 1


def test_sessions_that_the_server_ends_all_the_time_still_serve(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings())
    stop = threading.Event()

    def end_them() -> None:
        served = 0
        while not stop.wait(0.05):
            # In step with what the machine has time for.
            now = sum(place.site.stats()["requests"].values())
            if now - served >= 6:
                served = now
                place.site.invalidate()

    thread = threading.Thread(target=end_them)
    thread.start()
    try:
        results = [
            result for _ in range(4) for result in driver.together(client, [("get_threads",)] * 4)
        ]
    finally:
        stop.set()
        thread.join()
    good = [result for result in results if isinstance(result, list)]
    assert len(good) >= len(results) - 1
    assert not any(isinstance(result, APIError) for result in results)

"""Logins that the server refuses: remembered here, and in the vault for everybody else."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from interpal import InterpalClient, _clock
from interpal._hidden import Hidden
from interpal.exceptions import (
    APIError,
    AuthenticationError,
    InvalidCredentialsError,
    LockTimeoutError,
    RateLimitError,
    ValidationError,
)
from interpal.session import record_name
from interpal.session_manager import SessionManager
from tests.helpers import TOKEN

if TYPE_CHECKING:
    from pathlib import Path

    from interpal.testing import FrozenClock
    from tests.helpers import Driver, Place

OTHER_PROCESS = """
import sys
from interpal import InterpalClient
base_url, path, key, password = sys.argv[1:]
try:
    InterpalClient("maple_ink", password, auto_login=True, persist_session=True,
                   session_file=path, vault_key=key, base_url=base_url)
    print("ok")
except Exception as error:
    print(type(error).__name__, getattr(error, "retry_after", None) is not None)
"""


def other_process(place: Place, password: str = "secret") -> str:
    arguments = [place.site.base_url, str(place.path), place.key.hex(), password]
    done = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.strip()


def test_after_a_429_nobody_logs_in_before_its_time(
    driver: Driver, place: Place, interpal_clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.site.fault(TOKEN, status=429, headers={"Retry-After": "100"})
    client = driver.open(**place.settings(auto_login=False))
    with pytest.raises(RateLimitError) as caught:
        driver.run(client, "login")
    assert caught.value.retry_after == 100
    assert "maple_ink" in str(caught.value)
    # This client, another client, another process; even with force, or another password.
    with pytest.raises(RateLimitError) as caught:
        driver.run(client, "login", force=True)
    assert 95 < caught.value.retry_after <= 101
    with pytest.raises(RateLimitError) as caught:
        driver.open(**place.settings(password="another"))
    assert 95 < caught.value.retry_after <= 102
    assert other_process(place) == "LoginRateLimitError True"
    assert place.requests(TOKEN) == 1
    # Its time is over.
    interpal_clock.move(timedelta(seconds=102))
    driver.open(**place.settings())
    assert place.requests(TOKEN) == 2


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "soon"}])
def test_a_429_that_names_no_time_holds_logins_back_for_a_minute(
    driver: Driver, place: Place, headers: dict[str, str]
) -> None:
    place.site.fault(TOKEN, status=429, headers=headers)
    with pytest.raises(RateLimitError) as caught:
        driver.open(**place.settings())
    assert caught.value.retry_after == 60
    with pytest.raises(RateLimitError) as caught:
        driver.open(**place.settings())
    assert 50 < caught.value.retry_after <= 62
    assert place.requests(TOKEN) == 1


def test_a_429_that_names_days_is_kept_too(driver: Driver, place: Place) -> None:
    place.site.fault(TOKEN, status=429, headers={"Retry-After": "1000000"})
    for _ in range(2):
        with pytest.raises(RateLimitError):
            driver.open(**place.settings())
    assert place.requests(TOKEN) == 1


def test_a_429_for_one_account_does_not_hold_back_another(driver: Driver, place: Place) -> None:
    place.site.fault(TOKEN, status=429)
    with pytest.raises(RateLimitError):
        driver.open(**place.settings())
    assert driver.open(**place.settings("pedro_k")).is_authenticated
    client = driver.open(**place.settings(auto_login=False))
    with pytest.raises(RateLimitError):
        driver.run(client, "login")
    driver.run(client, "login", "pedro_k", "radio")
    assert client.session.username == "pedro_k"


def test_a_wrong_password_is_tried_once_a_minute(
    driver: Driver, place: Place, interpal_clock: FrozenClock
) -> None:
    for _ in range(2):
        with pytest.raises(InvalidCredentialsError) as caught:
            driver.open(**place.settings(password="wrong"))
        assert caught.value.status_code == 401
    assert other_process(place, "wrong") == "InvalidCredentialsError False"
    assert place.attempts == 1
    interpal_clock.move(timedelta(seconds=62))
    with pytest.raises(InvalidCredentialsError):
        driver.open(**place.settings(password="wrong"))
    assert place.attempts == 2


def test_another_password_is_tried_at_once(driver: Driver, place: Place) -> None:
    with pytest.raises(InvalidCredentialsError):
        driver.open(**place.settings(password="wrong"))
    with pytest.raises(InvalidCredentialsError):
        driver.open(**place.settings(password="wrong too"))
    driver.open(**place.settings())
    assert place.attempts == 3
    with place.vault() as vault:
        assert dict(vault.attempts) == {}


def test_force_tries_the_same_password_again(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings(password="wrong", auto_login=False))
    for count in (1, 2):
        with pytest.raises(InvalidCredentialsError):
            driver.run(client, "login", force=True)
        assert place.attempts == count


def test_a_client_that_saves_nothing_remembers_too(driver: Driver, place: Place) -> None:
    client = driver.open(
        **place.settings(password="wrong", auto_login=False, persist_session=False)
    )
    for _ in range(3):
        with pytest.raises(InvalidCredentialsError):
            driver.run(client, "login")
    assert place.attempts == 1
    driver.run(client, "login", "maple_ink", "secret")
    assert client.is_authenticated


REFUSALS: dict[str, dict[str, Any]] = {
    "200 without a cookie": {"status": 200, "body": {"two_factor": True}},
    "a redirect": {"status": 302, "headers": {"Location": "/v1/elsewhere"}},
    "400": {"status": 400, "body": {"error": "two_factor_required"}},
    "403": {"status": 403, "body": {"error": "checkpoint_required"}},
    "423": {"status": 423, "body": {"error": "account locked"}},
    "a wrong password": {"status": 401, "body": {"error": "wrong"}},
}


@pytest.mark.parametrize("fault", REFUSALS.values(), ids=list(REFUSALS))
def test_ten_starts_after_any_refusal_make_one_attempt(
    driver: Driver, place: Place, interpal_clock: FrozenClock, fault: dict[str, Any]
) -> None:
    place.site.fault(TOKEN, **fault, times=None)
    errors: list[Any] = []
    for start in range(10):
        with pytest.raises(AuthenticationError) as caught:
            driver.open(**place.settings())
        errors.append(caught.value)
        if start == 4:
            driver.run(driver.open(**place.settings("pedro_k", auto_login=False)), "logout")
    assert place.requests(TOKEN) == 1
    assert {error.status_code for error in errors} == {fault["status"]}
    assert len({type(error) for error in errors}) == 1
    assert place.requests("/v1/elsewhere") == 0
    said = dict(fault.get("body", {})).get("error", "")
    assert said in str(errors[0])
    assert "is not tried again before 20" in str(errors[1])
    assert "login(force=True)" in str(errors[1])
    assert all("maple_ink" in str(error) for error in errors)
    is_password = fault["status"] == 401
    assert ("give another password" in str(errors[1])) is is_password
    assert ("see in a browser what the site asks for" in str(errors[1])) is not is_password
    # Another password is tried at once, and so is the same one at the caller's word.
    with pytest.raises(AuthenticationError):
        driver.open(**place.settings(password="another"))
    assert place.requests(TOKEN) == 2
    client = driver.open(**place.settings(password="another", auto_login=False))
    with pytest.raises(AuthenticationError):
        driver.run(client, "login", force=True)
    assert place.requests(TOKEN) == 3


@pytest.mark.parametrize("status", [500, 503])
def test_trouble_of_the_server_is_no_refusal(driver: Driver, place: Place, status: int) -> None:
    place.site.fault(TOKEN, status=status, body="<html>no</html>")
    with pytest.raises(APIError) as caught:
        driver.open(**place.settings())
    assert caught.value.status_code == status
    assert driver.open(**place.settings()).is_authenticated


def test_a_job_with_an_old_password_asks_less_and_less_often(
    driver: Driver, place: Place, interpal_clock: FrozenClock
) -> None:
    asked: list[int] = []
    for minute in range(0, 12 * 60, 2):
        before = place.attempts
        with pytest.raises(InvalidCredentialsError):
            driver.open(**place.settings(password="old"))
        if place.attempts > before:
            asked.append(minute)
        interpal_clock.move(timedelta(minutes=2))
    assert len([minute for minute in asked if minute < 40]) <= 6
    pauses = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert pauses == sorted(pauses)
    assert max(pauses) == 62, "an hour, by a job that comes every two minutes"
    # Once a login has succeeded, the next refusal is the first.
    driver.open(**place.settings())
    driver.run(driver.open(**place.settings()), "clear_saved_session")
    with pytest.raises(InvalidCredentialsError):
        driver.open(**place.settings(password="old"))
    interpal_clock.move(timedelta(minutes=2))
    before = place.attempts
    with pytest.raises(InvalidCredentialsError):
        driver.open(**place.settings(password="old"))
    assert place.attempts == before + 1


@pytest.mark.parametrize(("name", "elsewhere"), [("403", 2), ("a wrong password", 1)])
def test_a_refusal_that_may_be_of_the_host_holds_for_that_host_alone(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: str, elsewhere: int
) -> None:
    place.site.fault(TOKEN, **REFUSALS[name], times=None)
    for _ in range(2):
        with pytest.raises(AuthenticationError):
            InterpalClient(**place.settings())
    assert place.requests(TOKEN) == 1
    here = os.uname()
    there = os.uname_result((here.sysname, "another", *here[2:]))
    monkeypatch.setattr(os, "uname", lambda: there)
    with pytest.raises(AuthenticationError):
        InterpalClient(**place.settings())
    assert place.requests(TOKEN) == elsewhere


def test_the_words_of_the_server_are_shown_without_the_password(
    driver: Driver, place: Place
) -> None:
    place.site.fault(TOKEN, status=403, body={"error": "not with wordpass, pal"})
    with pytest.raises(AuthenticationError, match="not with <secret>, pal"):
        driver.open(**place.settings(password="wordpass"))


def test_a_429_of_years_holds_for_a_day_at_most(driver: Driver, place: Place) -> None:
    headers = {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}
    place.site.fault(TOKEN, status=429, headers=headers)
    client = driver.open(**place.settings(auto_login=False))
    for _ in range(2):
        with pytest.raises(RateLimitError) as caught:
            driver.run(client, "login", force=True)
        assert caught.value.retry_after is not None
        assert 86000 < caught.value.retry_after <= 86401


def test_a_client_that_saves_nothing_asks_less_and_less_often_too(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(_clock, "clock", lambda: now[0])
    settings = place.settings(password="wrong", auto_login=False, persist_session=False)
    with InterpalClient(**settings) as client:
        for _ in range(20):
            with pytest.raises(InvalidCredentialsError):
                client.login()
            now[0] += 120
    assert place.attempts <= 6


def test_a_vault_with_a_refusal_from_the_future_stops_nobody(driver: Driver, place: Place) -> None:
    place.save(place.log_in("pedro_k"))
    with place.vault() as vault, vault.transaction() as records:
        tag = vault.attempt_tag("maple_ink", Hidden(b"secret"))
        records.attempts["maple_ink"] = {"until": 253402300799, "tag": tag}
    driver.open(**place.settings())
    with place.vault() as vault, vault.transaction() as records:
        records.attempts["maple_ink"] = {"until": 253402300799}
    client = driver.open(**place.settings())
    driver.run(client, "login", force=True)


def test_a_login_needs_both_username_and_password(driver: Driver, place: Place) -> None:
    for settings in ({"username": None, "password": None}, {"password": None}):
        client = driver.open(**{**place.settings(auto_login=False), **settings})
        for force in (False, True):
            with pytest.raises(ValidationError, match="username, password"):
                driver.run(client, "login", force=force)
    assert place.requests(TOKEN) == 0


def test_a_login_lock_that_another_process_holds_is_waited_for_and_then_named(
    driver: Driver, place: Place
) -> None:
    place.save(place.log_in("pedro_k"))
    holder = f"""
import sys, time
from interpal import SessionManager
m = SessionManager({str(place.path)!r}, key=bytes.fromhex({place.key.hex()!r}))
m.ensure_vault()
lock = m.login_lock("maple_ink")
assert lock.try_acquire()
print("held", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", holder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(LockTimeoutError) as caught:
            driver.open(**place.settings(lock_timeout=0.3))
        assert caught.value.holder == str(process.pid)
        assert str(process.pid) in str(caught.value)
        assert place.told == ["login_waited"]
        process.communicate("")
    assert place.logins == 1
    driver.open(**place.settings(lock_timeout=0.3))
    assert place.logins == 2


def test_names_are_the_same_without_case_and_in_any_normal_form(tmp_path: Path) -> None:
    assert record_name("Maple_INK") == "maple_ink"
    assert record_name("Jose\u0301") == record_name("JOS\u00c9") == "jos\u00e9"
    assert record_name("STRASSE") != record_name("stra\u00dfe")
    assert record_name("\u1fb4") == record_name("\u03b1\u0345\u0301")
    for name in ("\u0130", "\ufb01x", "A\u030a", "\u03a3\u03c2\u03c3"):
        assert record_name(record_name(name)) == record_name(name)
    manager = SessionManager(tmp_path / "v.json", key=bytes(32))
    manager.save_session("c", username="JOSE\u0301")
    manager.use_account("jos\u00e9")
    assert manager.load_session() is not None

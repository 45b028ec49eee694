"""How long a session is used: the caller's limit, the token's own, leeway, clocks that jump."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import SessionExpiredError, ValidationError
from interpal.sandbox import Sandbox
from interpal.session import Session, check_expiration_hours
from interpal.session_manager import SessionManager
from tests.helpers import ACCOUNTS, Place

if TYPE_CHECKING:
    from pathlib import Path

    from interpal.testing import FrozenClock
    from tests.helpers import Driver

BAD: list[Any] = [
    *(0, -1, 0.0, float("nan"), float("inf"), -float("inf"), 1e300, 1e-12, 10**400),
    *("24", True, None, []),
]


@pytest.mark.parametrize("hours", BAD, ids=lambda value: repr(value)[:12])
def test_a_bad_expiration_is_a_validation_error_that_names_it(
    driver: Driver, place: Place, hours: Any
) -> None:
    settings = {**place.settings(), "session_expiration_hours": hours}
    with pytest.raises(ValidationError, match="session_expiration_hours") as caught:
        driver.client_class(**settings)
    assert isinstance(caught.value, ValueError)
    with pytest.raises(ValidationError, match="session_expiration_hours"):
        SessionManager(place.path, hours)
    assert list(place.folder.iterdir()) == []
    assert place.attempts == 0


@pytest.mark.parametrize("hours", [24, 48, 0.5, 1 / 3600, 24 * 365])
def test_a_session_lasts_as_long_as_asked(
    driver: Driver, place: Place, interpal_clock: FrozenClock, hours: float
) -> None:
    client = driver.open(**place.settings(session_expiration_hours=hours))
    info = driver.run(client, "get_session_info")
    asked = timedelta(hours=hours)
    token_end = timedelta(days=90)
    assert abs(info.expires_at - info.created_at - min(asked, token_end)) < timedelta(seconds=2)
    assert not info.is_expired


def test_no_session_outlives_its_token(driver: Driver, tmp_path: Path) -> None:
    with Sandbox(ACCOUNTS, token_lifetime=1000) as site:
        place = Place(tmp_path / "p", site)
        client = driver.open(**place.settings())
        lifetime = client.session.expires_at - client.session.created_at
        assert timedelta(seconds=990) < lifetime <= timedelta(seconds=1000)
        # Nor does one that is handed over, or saved by hand.
        token = client.session.auth_token
        other = driver.open(**place.settings(auto_login=False, session_file=tmp_path / "q.json"))
        driver.run(other, "import_session", client.session.session_cookie, token)
        assert other.session.expires_at == client.session.expires_at
        manager = place.manager("pedro_k")
        manager.save_session("abc", token, "pedro_k")
        info = manager.get_session_info()
        assert info is not None
        assert info.expires_at == client.session.expires_at


def session(lifetime: timedelta, now: datetime) -> Session:
    return Session(session_cookie="c", created_at=now, expires_at=now + lifetime)


@pytest.mark.parametrize(
    ("lifetime", "leeway"), [(24 * 3600, 60), (600, 60), (599, 59.9), (100, 10), (1, 0.1)]
)
def test_the_leeway_is_a_minute_or_a_tenth_of_the_lifetime(lifetime: float, leeway: float) -> None:
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    value = session(timedelta(seconds=lifetime), start)
    end = start + timedelta(seconds=lifetime - leeway)
    instant = timedelta(microseconds=1)
    assert not value.has_expired(end - instant)
    assert value.has_expired(end)
    assert not value.has_expired(end, leeway=False)
    assert value.has_expired(start + timedelta(seconds=lifetime), leeway=False)


def test_a_session_within_its_leeway_is_renewed_and_its_info_says_not_expired(
    driver: Driver, place: Place, interpal_clock: FrozenClock
) -> None:
    client = driver.open(**place.settings())
    interpal_clock.move(timedelta(hours=24, seconds=-30))
    info = driver.run(client, "get_session_info")
    assert not info.is_expired
    assert info.time_remaining == timedelta(seconds=30)
    driver.run(client, "get_self")
    assert place.logins == 2


def test_a_session_within_its_leeway_is_not_said_to_have_expired_before_its_time(
    driver: Driver, place: Place, interpal_clock: FrozenClock
) -> None:
    session = place.save()
    client = driver.open(**place.settings(password=None, auto_login=False))
    interpal_clock.move(timedelta(hours=24, seconds=-30))
    with pytest.raises(SessionExpiredError, match="less than a minute is left") as caught:
        driver.run(client, "get_self")
    assert caught.value.expired_at == session.expires_at
    interpal_clock.move(timedelta(minutes=1))
    with pytest.raises(SessionExpiredError, match="expired at"):
        driver.run(client, "get_self")


def test_a_session_that_passes_its_expiry_in_mid_run_is_renewed_once(
    driver: Driver, place: Place, interpal_clock: FrozenClock
) -> None:
    client = driver.open(**place.settings())
    interpal_clock.move(timedelta(days=2))
    results = driver.together(client, [("get_self",)] * 8)
    assert [result["username"] for result in results] == ["maple_ink"] * 8
    assert place.logins == 2
    assert "invalidated" not in place.told


def test_an_expired_session_in_mid_run_takes_on_what_another_has_logged_in(
    driver: Driver, place: Place, interpal_clock: FrozenClock
) -> None:
    variants: list[dict[str, Any]] = [{}, {"password": None}, {"auto_login": False}]
    for settings in variants:
        client = driver.open(**place.settings(**settings))
        interpal_clock.move(timedelta(days=2))
        newer = place.save()
        driver.run(client, "get_self")
        assert client.session.same_credentials(newer)
        assert client.persisted


def test_an_expired_session_in_mid_run_without_credentials_is_told_and_kept(
    driver: Driver, place: Place, interpal_clock: FrozenClock
) -> None:
    place.save()
    client = driver.open(**place.settings(password=None))
    before = place.snapshot()
    start = interpal_clock.now
    interpal_clock.move(timedelta(days=2))
    with pytest.raises(SessionExpiredError) as caught:
        driver.run(client, "get_self")
    assert caught.value.expired_at is not None
    assert caught.value.status_code is None
    assert place.snapshot() == before
    # The clock was wrong: nothing is lost.
    interpal_clock.now = start
    assert driver.run(client, "get_self")["username"] == "maple_ink"


@pytest.mark.parametrize("days", [1, 400, -1, -400])
def test_a_clock_that_jumps_there_and_back_loses_no_session(
    driver: Driver, place: Place, interpal_clock: FrozenClock, days: int
) -> None:
    place.save()
    jump = timedelta(days=days, seconds=1)
    interpal_clock.move(jump)
    client = driver.open(**place.settings(password=None, auto_login=False))
    driver.run(client, "get_session_info")
    interpal_clock.move(-jump)
    # The same client, and a new one.
    assert driver.run(client, "get_self")["username"] == "maple_ink"
    again = driver.open(**place.settings(password=None))
    assert driver.run(again, "get_self")["username"] == "maple_ink"
    assert place.logins == 1


def test_a_clock_that_is_ahead_of_every_token_costs_no_login_per_call(
    driver: Driver, place: Place, interpal_clock: FrozenClock
) -> None:
    interpal_clock.move(timedelta(days=100))
    client = driver.open(**place.settings())
    for token in (False, True, False):
        assert driver.run(client, "get_self")
        place.site.rotate(token=token)
    assert driver.run(client, "get_self")
    assert place.logins == 1


def test_the_longest_lifetime_is_longer_than_any_life() -> None:
    assert check_expiration_hours(24 * 366 * 500).days > 500 * 365

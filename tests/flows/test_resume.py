"""The resume table of docs/client.md, row by row, with both clients."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from interpal._clock import utc_now
from interpal.exceptions import (
    AccountMismatchError,
    AmbiguousAccountError,
    AuthenticationError,
    KeyRequiredError,
    SessionExpiredError,
    ValidationError,
    VaultPermissionError,
    WrongKeyError,
)
from interpal.session_manager import SessionManager
from tests.helpers import SELF, TOKEN, Place

if TYPE_CHECKING:
    from pathlib import Path

    from interpal.sandbox import Sandbox
    from interpal.session import Session
    from interpal.testing import FrozenClock
    from tests.helpers import Driver


# Step 0: precedence.


def test_an_explicit_cookie_wins_over_a_saved_session(driver: Driver, place: Place) -> None:
    saved = place.save()
    before = place.bytes
    other = place.log_in()
    client = driver.open(
        **place.settings(session_cookie=other.session_cookie, auth_token=other.auth_token)
    )
    assert client.session.session_cookie == other.session_cookie != saved.session_cookie
    assert not client.persisted
    assert driver.run(client, "get_self")["username"] == "maple_ink"
    assert place.bytes == before
    assert place.requests(TOKEN) == 2  # The two of this test; none of the client.


def test_a_saved_session_wins_over_the_password(driver: Driver, place: Place) -> None:
    saved = place.save()
    client = driver.open(**place.settings(password="wrong"))
    assert client.session.session_cookie == saved.session_cookie
    assert client.persisted
    assert place.logins == 1
    assert place.told == ["session_loaded", "validated"]


# Step 1: load.


def test_without_a_vault_there_is_one_login_and_it_is_saved(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings())
    assert client.is_authenticated
    assert client.persisted
    assert place.logins == 1
    assert place.told == ["login_started", "logged_in", "saved"]
    assert place.record()["session_cookie"] == client.session.session_cookie
    assert place.record()["user_id"] == client.session.user_id
    assert place.path.stat().st_mode & 0o777 == 0o600


def test_the_second_run_only_validates(driver: Driver, place: Place) -> None:
    first = driver.open(**place.settings())
    second = driver.open(**place.settings())
    assert second.session.same_credentials(first.session)
    assert place.logins == 1
    assert place.requests() == 1


def test_others_are_untouched_where_this_account_has_no_record(
    driver: Driver, place: Place
) -> None:
    place.save(place.log_in("pedro_k"))
    pedro = place.record("pedro_k")
    driver.open(**place.settings())
    assert place.names() == ["maple_ink", "pedro_k"]
    assert place.record("pedro_k") == pedro


def test_without_auto_login_nothing_is_logged_in_and_nothing_is_made(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings(auto_login=False))
    assert not client.is_authenticated
    assert place.site.stats()["requests"] == {}
    assert list(place.folder.iterdir()) == []


def test_auto_login_without_credentials_or_a_session_is_a_validation_error(
    driver: Driver, place: Place
) -> None:
    with pytest.raises(ValidationError, match="username, password"):
        driver.open(**place.settings(None))
    assert list(place.folder.iterdir()) == []


def test_an_insecure_vault_is_refused_and_untouched(driver: Driver, place: Place) -> None:
    place.save()
    if os.geteuid() == 0:
        os.chown(place.path, 1001, 1001)
    else:
        place.folder.chmod(0o777)
    before = place.snapshot()
    with pytest.raises(VaultPermissionError):
        driver.open(**place.settings())
    assert place.snapshot() == before
    assert place.logins == 1


def test_a_record_of_another_origin_is_not_sent_and_stays_until_a_login_replaces_it(
    driver: Driver, place: Place
) -> None:
    place.save(origin="https://api.interpals.net")
    before = place.bytes
    client = driver.open(**place.settings(auto_login=False))
    assert not client.is_authenticated
    assert driver.run(client, "get_session_info") is None
    driver.run(client, "clear_saved_session")
    driver.run(client, "logout")
    assert place.bytes == before
    assert place.requests() == 0
    driver.open(**place.settings())
    assert place.record()["origin"] == place.site.base_url
    assert place.logins == 2


# Step 2: decrypt.


def test_a_wrong_passphrase_touches_nothing_and_logs_nobody_in(
    driver: Driver, tmp_path: Path, site: Sandbox
) -> None:
    place = Place(tmp_path / "p", site)
    settings = place.settings(vault_key=None, vault_passphrase="correct horse")
    driver.open(**settings)
    before = place.snapshot()
    with pytest.raises(WrongKeyError) as caught:
        driver.open(**{**settings, "vault_passphrase": "battery staple"})
    assert caught.value.path == str(place.path)
    assert place.snapshot() == before
    assert place.attempts == 1


def test_a_wrong_key_touches_nothing_and_logs_nobody_in(driver: Driver, place: Place) -> None:
    place.save()
    before = place.snapshot()
    with pytest.raises(WrongKeyError):
        driver.open(**place.settings(vault_key=os.urandom(32)))
    assert place.snapshot() == before
    assert place.logins == 1


def test_a_missing_key_is_an_error_and_no_key_is_made(
    driver: Driver, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place.folder / "config"))
    place.save()
    before = place.snapshot()
    with pytest.raises(KeyRequiredError):
        driver.open(**place.settings(vault_key=None))
    with pytest.raises(KeyRequiredError, match="key"):
        driver.open(**place.settings(vault_key=None, vault_passphrase="a passphrase"))
    assert place.snapshot() == before
    assert place.logins == 1


# Step 3: belongs.


def test_several_accounts_and_no_username_is_ambiguous(driver: Driver, place: Place) -> None:
    place.save()
    place.save(place.log_in("pedro_k"))
    before = place.snapshot()
    with pytest.raises(AmbiguousAccountError) as caught:
        driver.open(**place.settings(None))
    assert caught.value.accounts == ("maple_ink", "pedro_k")
    assert "maple_ink" in str(caught.value)
    assert place.snapshot() == before


def test_one_account_and_no_username_is_that_one(driver: Driver, place: Place) -> None:
    place.save()
    client = driver.open(**place.settings(None))
    assert driver.run(client, "get_self")["username"] == "maple_ink"


# Step 4: expired.


def test_an_expired_session_is_kept_until_a_login_replaces_it(driver: Driver, place: Place) -> None:
    old = place.save(expires_at=utc_now() - timedelta(seconds=1))
    place.site.fault(TOKEN, status=503)
    before = place.bytes
    with pytest.raises(Exception, match="503"):
        driver.open(**place.settings())
    assert place.bytes == before
    client = driver.open(**place.settings())
    assert client.session.session_cookie != old.session_cookie
    assert place.record()["session_cookie"] == client.session.session_cookie
    assert place.requests() == 0  # An expired session is not worth a question.


def test_an_expired_session_without_credentials_is_told_and_kept(
    driver: Driver, place: Place
) -> None:
    end = utc_now() - timedelta(seconds=1)
    place.save(expires_at=end)
    before = place.snapshot()
    with pytest.raises(SessionExpiredError) as caught:
        driver.open(**place.settings(password=None))
    assert caught.value.expired_at == end
    # Without auto_login it is told at the first call and not before.
    client = driver.open(**place.settings(auto_login=False))
    with pytest.raises(SessionExpiredError) as caught:
        driver.run(client, "get_self")
    assert caught.value.expired_at == end
    assert place.snapshot() == before


# Step 5: validate.


def test_a_validation_within_revalidate_after_is_trusted(driver: Driver, place: Place) -> None:
    place.save(last_validated_at=utc_now() - timedelta(seconds=50))
    assert driver.open(**place.settings(revalidate_after=60)).is_authenticated
    assert place.requests() == 0
    assert driver.open(**place.settings(revalidate_after=40)).is_authenticated
    assert place.requests() == 1


def test_a_validation_in_the_future_does_not_count(driver: Driver, place: Place) -> None:
    place.save(last_validated_at=utc_now() + timedelta(hours=5))
    driver.open(**place.settings(revalidate_after=60))
    assert place.requests() == 1
    assert place.record()["last_validated_at"] <= utc_now().isoformat()


def test_a_validation_is_written_at_most_once_a_minute(
    driver: Driver, place: Place, interpal_clock: FrozenClock
) -> None:
    place.save()
    driver.open(**place.settings())
    first = place.bytes
    interpal_clock.move(timedelta(seconds=59))
    driver.open(**place.settings())
    assert place.bytes == first
    interpal_clock.move(timedelta(seconds=2))
    client = driver.open(**place.settings())
    assert place.bytes != first
    assert driver.run(client, "get_session_info").last_validated_at == interpal_clock.now


def test_another_users_profile_is_a_mismatch_and_the_vault_untouched(
    driver: Driver, place: Place
) -> None:
    pedro = place.log_in("pedro_k")
    place.save(pedro, username="maple_ink", user_id=None)
    before = place.snapshot()
    variants: list[dict[str, Any]] = [{}, {"password": None}, {"auto_login": False}]
    for settings in variants:
        with pytest.raises(AccountMismatchError) as caught:
            driver.open(**place.settings(**settings))
        assert (caught.value.expected, caught.value.found) == ("maple_ink", "pedro_k")
    assert place.snapshot() == before
    assert place.logins == 1


def test_the_id_decides_where_both_are_known(driver: Driver, place: Place) -> None:
    session = place.log_in()
    place.save(session, user_id="1700000000000000099")
    before = place.snapshot()
    with pytest.raises(AccountMismatchError) as caught:
        driver.open(**place.settings())
    assert caught.value.expected == "1700000000000000099"
    assert caught.value.found == session.user_id
    assert place.snapshot() == before


def test_a_vault_that_is_taken_away_in_the_middle_of_a_login_is_made_again(
    driver: Driver, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    discard = SessionManager.discard

    def discard_all(manager: SessionManager, seen: Session, **names: Any) -> bool:
        done = discard(manager, seen, **names)
        place.path.unlink()
        return done

    place.save()
    place.site.invalidate()
    monkeypatch.setattr(SessionManager, "discard", discard_all)
    client = driver.open(**place.settings())
    assert client.persisted
    assert place.names() == ["maple_ink"]


def test_a_401_deletes_that_record_and_logs_in_once(driver: Driver, place: Place) -> None:
    place.save(place.log_in("pedro_k"))
    dead = place.save()
    place.site.invalidate("maple_ink")
    client = driver.open(**place.settings())
    assert client.session.session_cookie != dead.session_cookie
    assert place.told == ["session_loaded", "invalidated", "login_started", "logged_in", "saved"]
    assert place.names() == ["maple_ink", "pedro_k"]
    assert place.logins == 3


@pytest.mark.parametrize("auto_login", [True, False])
def test_a_401_without_credentials_deletes_the_record_and_is_told(
    driver: Driver, place: Place, auto_login: bool
) -> None:
    place.save(place.log_in("pedro_k"))
    place.save()
    place.site.invalidate("maple_ink")
    settings = place.settings(password=None, auto_login=auto_login)
    if auto_login:
        with pytest.raises(SessionExpiredError, match="ended by the server"):
            driver.open(**settings)
    else:
        client = driver.open(**settings)
        assert not client.is_authenticated
        with pytest.raises(SessionExpiredError, match="ended by the server"):
            driver.run(client, "get_self")
    assert place.names() == ["pedro_k"]
    assert place.told[:2] == ["session_loaded", "invalidated"]
    # Whoever comes after it finds no record, and is told what to do.
    later = driver.open(**place.settings(password=None, auto_login=False))
    with pytest.raises(AuthenticationError, match=r"none is saved .* with username and password"):
        driver.run(later, "get_self")


def test_a_mismatch_found_in_mid_run_is_told(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings())
    session = client.session
    place.site.fault(SELF, status=200, body={"id": "17", "username": "pedro_k"})
    with pytest.raises(AccountMismatchError):
        driver.run(client, "get_self")
    # It is not used any more, and the record is as it was.
    assert not client.is_authenticated
    assert place.record()["session_cookie"] == session.session_cookie
    # What the server says the next time it is asked counts as much.
    assert driver.run(client, "get_threads")
    assert client.session.same_credentials(session)

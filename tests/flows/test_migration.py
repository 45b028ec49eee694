"""Plain session files of interpal 1.x: encrypted in place, used, and nothing plain left."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import AccountMismatchError, SessionExpiredError
from interpal.sandbox import Sandbox
from interpal.transport import origin
from tests.helpers import ACCOUNTS, Place
from tests.sandbox.peer import plain_session_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from interpal.session import Session
    from tests.helpers import Driver


pytestmark = pytest.mark.usefixtures("real_site")


def forms(text: str) -> Iterator[bytes]:
    """How a text may stand in a file: as it is, in base64 at any offset, in UTF-16."""
    raw = text.encode()
    yield raw
    yield text.encode("utf-16-le")
    yield raw.hex().encode()
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        # What no neighbouring byte has a part in.
        yield encoded[4 if shift else 0 : -4]


def check_nothing_plain(place: Place, *texts: str | None) -> None:
    for path in place.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert path.stat().st_mode & 0o077 == 0
            for text in texts:
                assert not any(form in content for form in forms(text or "\0\0\0none"))


def plain_form(session: Session, **changes: Any) -> dict[str, Any]:
    """As 1.2.0 writes it: naive local times."""
    now = datetime.now()  # noqa: DTZ005
    return {
        "session_cookie": session.session_cookie,
        "auth_token": session.auth_token,
        "username": session.username,
        "bot_id": session.user_id,
        "created_at": now.isoformat(),
        "expires_at": (now + timedelta(hours=24)).isoformat(),
        **changes,
    }


def write(place: Place, form: dict[str, Any], mode: int = 0o644) -> None:
    place.path.write_text(json.dumps(form, indent=2))
    place.path.chmod(mode)


def test_a_real_file_of_pypi_1_2_0_is_encrypted_at_the_first_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.helpers import AsyncDriver, SyncDriver

    with Sandbox(ACCOUNTS) as site:
        monkeypatch.setattr(origin, "DEFAULT_BASE_URL", site.base_url)
        (tmp_path / "old").mkdir()
        file = plain_session_file(site.base_url, "maple_ink", "secret", folder=tmp_path / "old")
        content = file.read_bytes()
        old = json.loads(content)
        assert len(site.stats()["logins"]) == 1
        for driver in (SyncDriver(), AsyncDriver()):
            place = Place(tmp_path / driver.kind, site)
            place.path.write_bytes(content)
            client = driver.open(**place.settings(password=None))
            assert driver.run(client, "get_self")["username"] == "maple_ink"
            assert client.session.session_cookie == old["session_cookie"]
            assert client.persisted
            assert place.told[0] == "migrated"
            assert place.path.stat().st_mode & 0o777 == 0o600
            check_nothing_plain(place, old["session_cookie"], old["auth_token"], "maple_ink")
            record = place.record()
            assert record["origin"] == site.base_url
            assert record["user_id"] == old["bot_id"]
            local = datetime.fromisoformat(old["expires_at"]).astimezone(timezone.utc)
            assert client.session.expires_at == local
            # And from then on it is a vault like any other.
            driver.open(**place.settings(password=None))
            assert place.told.count("migrated") == 1
            driver.end()
        assert site.stats()["logins"] == {"maple_ink": 1}


@pytest.mark.parametrize("named", ["bot_id", "nothing"])
def test_a_file_with_the_session_of_another_under_ones_own_name_is_refused(
    driver: Driver, place: Place, named: str
) -> None:
    theirs = place.log_in("pedro_k")
    form = plain_form(theirs, username="maple_ink")
    if named == "nothing":
        del form["bot_id"]
    write(place, form)
    with pytest.raises(AccountMismatchError) as caught:
        driver.open(**place.settings())
    assert (caught.value.expected, caught.value.found) == ("maple_ink", "pedro_k")
    assert place.requests() == 1


def test_the_form_of_the_javascript_port(driver: Driver, place: Place) -> None:
    session = place.log_in()
    form = {
        "sessionCookie": session.session_cookie,
        "authToken": session.auth_token,
        "botId": session.user_id,
        "username": "maple_ink",
        "createdAt": session.created_at.isoformat()[:23] + "Z",
        "expiresAt": (session.created_at + timedelta(hours=24)).isoformat()[:23] + "Z",
    }
    write(place, form)
    client = driver.open(**place.settings(password=None))
    assert driver.run(client, "get_self")["username"] == "maple_ink"
    assert client.session.user_id == session.user_id
    check_nothing_plain(place, session.session_cookie, session.auth_token)


@pytest.mark.parametrize("missing", [["bot_id"], ["username"], ["created_at"], ["expires_at"]])
def test_forms_that_lack_something(driver: Driver, place: Place, missing: list[str]) -> None:
    session = place.log_in()
    form = plain_form(session)
    for name in missing:
        del form[name]
    write(place, form)
    client = driver.open(**place.settings())
    assert client.session.session_cookie == session.session_cookie
    assert place.logins == 1
    assert place.names() == ["maple_ink"]
    assert driver.run(client, "get_session_info")["user_id"] == session.user_id


def test_an_export_that_was_saved_by_hand(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings(persist_session=False))
    exported = client.export_session()
    write(place, exported)
    again = driver.open(**place.settings(password=None))
    assert again.export_session() == exported


def test_a_whole_cookie_header_with_other_cookies(driver: Driver, place: Place) -> None:
    session = place.log_in()
    header = f"__ubic1=abc; interpals_sessid={session.session_cookie}; lang=en"
    write(place, plain_form(session, session_cookie=header))
    client = driver.open(**place.settings(password=None))
    assert client.session.session_cookie == session.session_cookie
    assert dict(client.session.cookies) == {"__ubic1": "abc", "lang": "en"}
    assert driver.run(client, "get_self")


def test_somebody_elses_plain_file_is_encrypted_and_not_used(driver: Driver, place: Place) -> None:
    pedro = place.log_in("pedro_k")
    write(place, plain_form(pedro))
    client = driver.open(**place.settings())
    assert driver.run(client, "get_self")["username"] == "maple_ink"
    assert place.names() == ["maple_ink", "pedro_k"]
    assert place.record("pedro_k")["session_cookie"] == pedro.session_cookie
    check_nothing_plain(place, pedro.session_cookie, pedro.auth_token, "pedro_k")
    assert place.logins == 2


def test_an_expired_plain_file_is_encrypted_and_replaced(driver: Driver, place: Place) -> None:
    old = (datetime.now() - timedelta(days=3)).isoformat()  # noqa: DTZ005
    session = place.log_in()
    write(place, plain_form(session, created_at=old, expires_at=old))
    with pytest.raises(SessionExpiredError):
        driver.open(**place.settings(password=None))
    check_nothing_plain(place, session.session_cookie)
    assert place.record()["session_cookie"] == session.session_cookie
    driver.open(**place.settings())
    assert place.logins == 2


def test_reading_the_info_of_a_plain_file_changes_nothing(driver: Driver, place: Place) -> None:
    session = place.log_in()
    client = driver.open(**place.settings(auto_login=False))
    other = driver.open(**place.settings("pedro_k", auto_login=False))
    write(place, plain_form(session), mode=0o600)
    before = place.snapshot()
    info = driver.run(client, "get_session_info")
    assert (info["username"], info["user_id"]) == ("maple_ink", session.user_id)
    assert driver.run(other, "get_session_info") is None
    assert place.snapshot() == before


def test_clearing_a_plain_file_leaves_nothing_of_it(driver: Driver, place: Place) -> None:
    session = place.log_in()
    client = driver.open(**place.settings(auto_login=False))
    write(place, plain_form(session))
    driver.run(client, "clear_saved_session")
    assert not place.path.exists()
    check_nothing_plain(place, session.session_cookie)


def test_a_wrong_environment_leaves_a_plain_file_as_it_was(
    driver: Driver, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERPALS_VAULT_KEY", "rubbish")
    write(place, plain_form(place.log_in()))
    before = place.snapshot()
    with pytest.raises(Exception, match="INTERPALS_VAULT_KEY"):
        driver.open(**place.settings(vault_key=None))
    assert place.snapshot() == before
    assert place.logins == 1

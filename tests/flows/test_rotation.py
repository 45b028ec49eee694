"""A server that changes cookie or token in the middle: nothing of it is lost."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from interpal._clock import utc_now
from interpal.exceptions import APIError
from interpal.flows import pending_requests
from interpal.sandbox import Sandbox
from interpal.sessions.wait import pauses
from tests.helpers import ACCOUNTS, SELF, TOKEN, Place, listening, replying, request_head
from tests.helpers import http as reply

if TYPE_CHECKING:
    import socket
    from collections.abc import Generator
    from pathlib import Path

    from interpal.transport.messages import Pause
    from tests.helpers import Driver


SLOW = "/v1/slow"
PROFILE = b'{"id": "17", "username": "maple_ink"}'


def saved_pair(place: Place) -> tuple[str, str]:
    record = place.record()
    return record["session_cookie"], record["auth_token"]


@pytest.mark.parametrize("token", [False, True])
def test_a_rotated_session_is_followed_and_saved(driver: Driver, place: Place, token: bool) -> None:
    client = driver.open(**place.settings())
    old = client.session
    place.site.rotate(token=token)
    driver.run(client, "get_self")
    new = client.session
    assert new.session_cookie != old.session_cookie
    assert (new.auth_token != old.auth_token) is token
    assert saved_pair(place) == (new.session_cookie, new.auth_token)
    assert driver.run(client, "get_threads")
    assert place.logins == 1


def test_a_rotation_in_the_answer_to_a_message_is_followed(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings())
    thread = driver.run(client, "get_threads")[0]["id"]
    place.site.rotate()
    driver.run(client, "send_message", thread, "hello")
    driver.run(client, "get_threads")
    assert place.logins == 1
    assert saved_pair(place)[0] == client.session.session_cookie


@pytest.mark.parametrize("token", [False, True])
def test_a_rotation_in_the_answer_to_the_validation_at_start_is_followed(
    driver: Driver, place: Place, token: bool
) -> None:
    place.save()
    place.site.rotate(token=token)
    client = driver.open(**place.settings(password=None))
    driver.run(client, "get_threads")
    assert saved_pair(place) == (client.session.session_cookie, client.session.auth_token)
    place.site.rotate(token=token)
    assert driver.run(client, "validate_session")
    driver.run(client, "get_threads")
    assert saved_pair(place) == (client.session.session_cookie, client.session.auth_token)
    assert place.logins == 1


def test_another_client_takes_on_what_was_rotated(driver: Driver, place: Place) -> None:
    one = driver.open(**place.settings())
    other = driver.open(**place.settings(password=None))
    place.site.rotate()
    driver.run(one, "get_self")
    driver.run(other, "get_self")
    assert other.session.same_credentials(one.session)
    assert place.logins == 1


def test_many_at_once_survive_a_rotation(
    driver: Driver, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_requests, "LONGEST_WAIT", 60)  # for a machine that is busy
    client = driver.open(**place.settings())
    place.site.rotate()
    results = driver.together(client, [("get_threads",)] * 8)
    assert all(isinstance(result, list) for result in results)
    assert place.logins == 1
    assert saved_pair(place)[0] == client.session.session_cookie


@pytest.mark.parametrize("call", ["get_threads", "validate_session"])
def test_a_refusal_that_overtakes_the_reply_with_the_new_cookie_is_no_end(
    driver: Driver, place: Place, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_requests, "LONGEST_WAIT", 60)  # for a machine that is busy
    asked, waits = threading.Event(), threading.Event()

    def noted(longest: float) -> Generator[Pause, None, None]:
        waits.set()
        return pauses(longest)

    monkeypatch.setattr(pending_requests, "pauses", noted)

    def answer(connection: socket.socket) -> None:
        data = request_head(connection)
        if b"interpals_sessid=rotated" in data:
            connection.sendall(reply("200 OK", PROFILE))
        elif SLOW.encode() in data:
            asked.set()
            waits.wait(60)
            connection.sendall(
                reply("200 OK", PROFILE, "Set-Cookie: interpals_sessid=rotated; Path=/")
            )
        else:
            asked.wait(60)
            connection.sendall(reply("401 Unauthorized"))

    with listening(answer, at_once=True) as base_url:
        place.save(user_id="17", origin=base_url, last_validated_at=utc_now())
        client = driver.open(**place.settings(base_url=base_url, revalidate_after=3600, timeout=60))
        slow, other = driver.together(client, [("get", SLOW), (call,)])
    assert slow == {"id": "17", "username": "maple_ink"}
    assert other
    assert client.session.session_cookie == "rotated"
    assert "login_started" not in place.told
    assert "invalidated" not in place.told


def test_a_call_that_hangs_keeps_the_others_from_a_new_login_for_a_moment_only(
    driver: Driver, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_requests, "LONGEST_WAIT", 0.1)
    asked, refused, logged_in = threading.Event(), threading.Event(), threading.Event()

    def answer(connection: socket.socket) -> None:
        data = request_head(connection)
        if TOKEN.encode() in data:
            logged_in.set()
            connection.sendall(
                reply("200 OK", b'{"id": "17"}', "Set-Cookie: interpals_sessid=new; Path=/")
            )
        elif SLOW.encode() in data:
            asked.set()
            refused.wait(60)
            came = logged_in.wait(60)
            connection.sendall(reply("200 OK" if came else "500 Oh", PROFILE))
        elif b"interpals_sessid=new" in data:
            connection.sendall(reply("200 OK", PROFILE))
        else:
            asked.wait(60)
            connection.sendall(reply("401 Unauthorized"))
            refused.set()

    with listening(answer, at_once=True) as base_url:
        place.save(user_id="17", origin=base_url, last_validated_at=utc_now())
        client = driver.open(**place.settings(base_url=base_url, revalidate_after=3600, timeout=60))
        results = driver.together(client, [("get", SLOW), ("get", "/v1/quick")])
    assert results == [{"id": "17", "username": "maple_ink"}] * 2
    assert client.session.session_cookie == "new"


def test_a_rotation_after_a_logout_elsewhere_brings_nothing_back(
    driver: Driver, place: Place
) -> None:
    one = driver.open(**place.settings())
    other = driver.open(**place.settings())
    driver.run(other, "logout")
    place.site.rotate()
    driver.run(one, "get_self")
    assert place.names() == []
    assert not one.persisted
    assert driver.run(one, "get_self")["username"] == "maple_ink"
    assert driver.run(one, "get_session_info") is None


def test_a_rotation_does_not_undo_a_newer_login(driver: Driver, place: Place) -> None:
    one = driver.open(**place.settings())
    newer = place.save()
    place.site.rotate()
    driver.run(one, "get_threads")
    assert saved_pair(place) == (newer.session_cookie, newer.auth_token)


def test_a_new_token_bounds_the_session(driver: Driver, tmp_path: Path) -> None:
    with Sandbox(ACCOUNTS, token_lifetime=10 * 24 * 3600) as site:
        place = Place(tmp_path / "p", site)
        client = driver.open(**place.settings(session_expiration_hours=24 * 60))
        site._site._token_lifetime = 3600
        site.rotate(token=True)
        end = client.session.expires_at
        driver.run(client, "get_self")
        assert client.session.expires_at < end
        assert place.record()["expires_at"].startswith(client.session.expires_at.isoformat()[:19])


def test_other_cookies_are_kept_sent_and_dropped_as_the_server_says(
    driver: Driver, place: Place
) -> None:
    handler, heard = replying(
        reply("200 OK", PROFILE, "Set-Cookie: lang=en; Path=/", "Set-Cookie: csrf=x1y2; Secure"),
        reply("200 OK", PROFILE, "Set-Cookie: lang=; Max-Age=0; Path=/", "Set-Cookie: bad=a\x01b"),
        reply("200 OK", PROFILE),
    )
    with listening(handler) as base_url:
        place.save(user_id="17", origin=base_url)
        client = driver.open(**place.settings(base_url=base_url, password=None))
        assert place.record()["cookies"] == {"lang": "en", "csrf": "x1y2"}
        driver.run(client, "get_self")
        assert place.record()["cookies"] == {"csrf": "x1y2"}
        again = driver.open(**place.settings(base_url=base_url, password=None))
        assert dict(again.session.cookies) == {"csrf": "x1y2"}
    assert b"lang=en" not in heard[0]
    assert b"lang=en; csrf=x1y2" in heard[1]
    assert b"; csrf=x1y2\r\n" in heard[2]
    assert all(b"interpals_sessid=" in request for request in heard)
    assert SELF.encode() in heard[2]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("404 Not Found", b"{}"),
        ("500 Internal Server Error", b"{}"),
        ("302 Found", b"{}"),
        ("302 Found", b""),
        ("200 OK", b"<html>Just a moment</html>"),
    ],
)
def test_a_cookie_with_an_error_a_redirect_or_a_page_is_no_rotation(
    driver: Driver, place: Place, status: str, body: bytes
) -> None:
    handler, _ = replying(
        reply("200 OK", PROFILE),
        reply(status, body, "Set-Cookie: interpals_sessid=stray", "X-Auth-Token: stray"),
    )
    with listening(handler) as base_url:
        saved = place.save(user_id="17", origin=base_url)
        client = driver.open(**place.settings(base_url=base_url, max_retries=0))
        with pytest.raises(APIError):
            driver.run(client, "get_threads")
        assert saved.same_credentials(client.session)
    assert saved_pair(place) == (saved.session_cookie, saved.auth_token)


def test_a_session_cookie_that_is_deleted_or_cannot_be_sent_stays_as_it_was(
    driver: Driver, place: Place
) -> None:
    past = "deleted; Expires=Wed, 01 Jan 2020 00:00:00 GMT; Path=/"
    for value in ("; Max-Age=0", "a\x01b", "a\u00f1b", "deleted; Max-Age=-1", past):
        handler, _ = replying(reply("200 OK", PROFILE, f"Set-Cookie: interpals_sessid={value}"))
        with listening(handler) as base_url:
            saved = place.save(user_id="17", origin=base_url)
            client = driver.open(**place.settings(base_url=base_url, password=None))
            assert client.session.session_cookie == saved.session_cookie

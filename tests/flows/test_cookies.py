"""Cookies on the wire: what one client is given, it keeps, and another sends back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.helpers import ACCOUNTS, Place, listening, replying
from tests.helpers import http as reply

if TYPE_CHECKING:
    from tests.helpers import Driver

OWN = "interpals_sessid"


def test_both_clients_send_what_one_of_them_saved(driver: Driver, place: Place) -> None:
    token = reply(
        "200 OK",
        b'{"auth_token": "tok", "uid": "17"}',
        f'Set-Cookie: {OWN}="a b\\"c"; Path=/; HttpOnly; SameSite=Lax',
        "Set-Cookie: lang=e\u00f1; Path=/",
        f"Set-Cookie: {OWN}=deleted; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/old",
        "Set-Cookie: feed=1; Path=/v1/feed; Max-Age=3600",
    )
    profile = reply("200 OK", b'{"id": "17", "username": "maple_ink"}')
    handler, heard = replying(token, profile, profile, reply("200 OK", b"[]"))
    with listening(handler) as base_url:
        options: dict[str, Any] = {"base_url": base_url, "revalidate_after": 0}
        client = driver.open(**place.settings(password=ACCOUNTS["maple_ink"], **options))
        driver.run(client, "get_self")
        again = driver.open(**place.settings(password=None, **options))
        driver.run(again, "get_feed")
    own = f'{OWN}="a b\\"c"'.encode()
    assert [request.count(own) for request in heard] == [0, 1, 1, 1]
    assert [b"feed=1" in request for request in heard] == [False, False, False, True]
    record = place.record()
    assert record["cookie_attributes"] == [
        {"name": OWN, "path": "/", "same_site": "lax", "http_only": True},
        {"name": "feed", "path": "/v1/feed", "expires": record["cookie_attributes"][1]["expires"]},
    ]


def test_a_session_ends_with_its_cookie_and_is_prolonged_with_it(
    driver: Driver, place: Place
) -> None:
    def profile(age: int) -> bytes:
        body = b'{"id": "17", "username": "maple_ink"}'
        return reply("200 OK", body, f"Set-Cookie: {OWN}=abc; Path=/; Max-Age={age}")

    handler, _ = replying(profile(3600), profile(7200), profile(90000))
    with listening(handler) as base_url:
        client = driver.open(**place.settings(base_url=base_url, session_expiration_hours=24))
        lives = []
        for _ in range(3):
            lives.append(client.session.expires_at - client.session.created_at)
            driver.run(client, "get_self")
    hours = [round(life / timedelta(hours=1), 1) for life in lives]
    assert hours == [1.0, 2.0, 24.0]

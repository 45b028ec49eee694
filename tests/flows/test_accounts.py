"""Several accounts in one file: none is ever taken for another."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from interpal._clock import utc_now
from interpal.exceptions import AccountMismatchError, AmbiguousAccountError, AuthenticationError
from interpal.sandbox import Sandbox
from tests.helpers import TOKEN, Place, export_of, http, listening, request_head

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from tests.helpers import Driver

COMPOSED, DECOMPOSED = "jos\u00e9", "jose\u0301"


def test_accounts_share_a_file_and_nothing_else(driver: Driver, place: Place) -> None:
    clients = {name: driver.open(**place.settings(name)) for name in ("maple_ink", "pedro_k")}
    for name, client in clients.items():
        assert driver.run(client, "get_self")["username"] == name
        assert driver.run(client, "get_session_info")["username"] == name
    place.site.invalidate("maple_ink")
    assert driver.run(clients["maple_ink"], "get_self")["username"] == "maple_ink"
    driver.run(clients["pedro_k"], "clear_saved_session")
    assert place.names() == ["maple_ink"]
    assert place.logins == 3


def test_case_and_normal_form_of_a_username_make_no_difference(
    driver: Driver, tmp_path: Path
) -> None:
    with Sandbox({"Maple_Ink": "secret", COMPOSED: "clave"}) as site:
        place = Place(tmp_path / "p", site)
        driver.open(**place.settings("maple_ink"))
        client = driver.open(**place.settings("MAPLE_INK"))
        assert driver.run(client, "get_self")["username"].lower() == "maple_ink"
        driver.open(**place.settings(COMPOSED, password="clave"))
        driver.open(**place.settings(DECOMPOSED, password="clave"))
        assert place.names() == [COMPOSED, "maple_ink"]
        assert place.logins == 2


@pytest.mark.parametrize("named", [True, False])
def test_a_call_under_way_is_never_repeated_as_the_account_that_took_over(
    driver: Driver, place: Place, named: bool
) -> None:
    asked, gone_over = threading.Event(), threading.Event()
    repeated: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        data = request_head(connection)
        if TOKEN.encode() in data:
            connection.sendall(
                http("200 OK", b'{"id": "18"}', "Set-Cookie: interpals_sessid=theirs; Path=/")
            )
            gone_over.set()
        elif b"interpals_sessid=theirs" in data:
            repeated.append(data)
            connection.sendall(http("200 OK", b"{}"))
        else:
            asked.set()
            gone_over.wait(60)
            connection.sendall(http("401 Unauthorized"))

    with listening(answer, at_once=True) as base_url:
        place.save(origin=base_url, last_validated_at=utc_now())
        who = {} if named else {"username": None, "password": None}
        settings = place.settings(base_url=base_url, revalidate_after=3600, timeout=60)
        client = driver.open(**{**settings, **who})

        def go_over() -> Any:
            asked.wait(60)
            return driver.client_class.login(client, "pedro_k", "radio")

        async def go_over_awaited() -> Any:
            await asyncio.to_thread(asked.wait, 60)
            return await client.alogin("pedro_k", "radio")

        client.go_over = go_over if driver.kind == "sync" else go_over_awaited
        refused, session = driver.together(client, [("get", "/v1/slow"), ("go_over",)])
    assert isinstance(refused, AuthenticationError)
    assert "switched to another account" in str(refused)
    assert session.session_cookie == "theirs"
    assert not repeated
    assert client.session.username == "pedro_k"
    assert place.names() == ["maple_ink", "pedro_k"]


def test_an_email_login_is_bound_by_the_id(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings("name@example.org"))
    assert driver.run(client, "get_self")["username"] == "name"
    assert driver.open(**place.settings("name@example.org")).is_authenticated
    assert place.logins == 1
    record = place.record("name@example.org")
    assert record["username"] == "name@example.org"
    pedro = place.log_in("pedro_k")
    place.change("name@example.org", session_cookie=pedro.session_cookie, auth_token=None)
    before = place.snapshot()
    with pytest.raises(AccountMismatchError):
        driver.open(**place.settings("name@example.org"))
    assert place.snapshot() == before


def test_an_email_session_without_an_id_learns_it(driver: Driver, place: Place) -> None:
    session = place.save(place.log_in("name@example.org"), user_id=None)
    driver.open(**place.settings("name@example.org"))
    assert place.record("name@example.org")["user_id"] is not None
    assert session.user_id is None


def test_members_of_a_record_that_nobody_knows_are_kept(driver: Driver, place: Place) -> None:
    place.save()
    place.change(note="mine", nested={"a": [1, {"b": None}]})
    client = driver.open(**place.settings())
    place.site.invalidate()
    driver.run(client, "get_self")  # A 401 deletes the record: it is a new one now.
    place.change(note="mine", nested={"a": [1, {"b": None}]})
    driver.run(client, "login", force=True)
    place.site.rotate()
    driver.run(client, "get_self")
    record = place.record()
    assert record["note"] == "mine"
    assert record["nested"] == {"a": [1, {"b": None}]}
    assert record["session_cookie"] == client.session.session_cookie


def test_a_username_given_to_login_takes_another_account(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings())
    driver.run(client, "login", "pedro_k", "radio")
    assert driver.run(client, "get_self")["username"] == "pedro_k"
    driver.run(client, "login", "MAPLE_ink", "secret")
    assert driver.run(client, "get_self")["username"] == "maple_ink"
    assert place.names() == ["maple_ink", "pedro_k"]
    assert place.logins == 2


def test_info_without_a_username_names_the_accounts(driver: Driver, place: Place) -> None:
    place.save()
    client = driver.open(**place.settings(None))
    assert driver.run(client, "get_session_info")["username"] == "maple_ink"
    place.save(place.log_in("pedro_k"))
    for name in ("get_session_info", "clear_saved_session"):
        with pytest.raises(AmbiguousAccountError) as caught:
            driver.run(client, name)
        assert caught.value.accounts == ("maple_ink", "pedro_k")
    assert place.names() == ["maple_ink", "pedro_k"]


def test_an_export_of_another_account_is_not_taken_for_this_one(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings())
    before = place.snapshot()
    with pytest.raises(AccountMismatchError) as caught:
        driver.run(client, "import_session", export_of(place.log_in("pedro_k")))
    assert (caught.value.expected, caught.value.found) == ("maple_ink", "pedro_k")
    assert client.session.username == "maple_ink"
    assert place.snapshot() == before


def test_a_session_without_a_name_keeps_its_record_when_it_learns_one(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings(None, auto_login=False))
    driver.run(client, "import_session", place.log_in().session_cookie)
    assert place.names() == ["default"]
    driver.run(client, "get_self")
    assert place.record("default")["username"] == "maple_ink"
    place.site.rotate()
    driver.run(client, "get_self")
    assert place.names() == ["default"]
    assert place.record("default")["session_cookie"] == client.session.session_cookie
    assert client.persisted

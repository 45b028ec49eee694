"""The pure parts below the clients: addresses, bodies, what is read from a reply."""

from __future__ import annotations

import json
import os
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from interpal import AsyncInterpalClient, InterpalClient, _requests, session_manager
from interpal._hidden import Hidden
from interpal.api import replies
from interpal.exceptions import APIError, NetworkError, ValidationError
from interpal.transport import bodies, origin, protocol
from interpal.transport.messages import Response
from interpal.transport.protocol import SESSION_COOKIE
from interpal.vault.format.jwe import b64encode
from tests.helpers import SELF, http, listening, request_head

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from tests.helpers import Driver, Place

NOW = datetime(2026, 11, 22, 7, 40, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "url", ["https://[::1", "https://host:99999", "https://", 7, " https://host", "https://host\n"]
)
def test_what_is_no_url_is_no_base_url(url: Any) -> None:
    with pytest.raises(ValidationError, match="base_url"):
        origin.check_base_url(url)


@pytest.mark.parametrize("given", ["store", "vault_passphrase", "vault_key"])
def test_what_is_for_saving_needs_persist_session(given: str, tmp_path: Path) -> None:
    values: dict[str, Any] = {given: str(tmp_path / "v") if given == "store" else "k" * 43}
    for make in (InterpalClient, AsyncInterpalClient):
        with pytest.raises(ValidationError, match=f"{given}: .*persist_session=True") as caught:
            make("maple_ink", "pw", **values)
        assert "k" * 43 not in str(caught.value)
        # This is how saving is switched off.
        make("maple_ink", "pw", persist_session=False, session_file="x", **values)


def test_a_session_file_alone_is_a_warning(tmp_path: Path) -> None:
    for make in (InterpalClient, AsyncInterpalClient):
        with pytest.warns(UserWarning, match="session_file: .*persist_session=True") as caught:
            make("maple_ink", "pw", session_file=tmp_path / "v")
        assert [warning.filename for warning in caught] == [__file__]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_address_in_the_environment_is_an_error(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("INTERPALS_BASE_URL", text)
    with pytest.raises(ValidationError, match="INTERPALS_BASE_URL is set, but empty"):
        InterpalClient("maple_ink", "pw")


def test_loopback_is_this_machine_and_nothing_that_looks_like_it() -> None:
    assert all(map(origin.is_loopback, ["localhost", "::1", "127.0.0.1", "127.255.0.9"]))
    others = ["localhost.example", "127.0.0.1.example", "127.0.0", "128.0.0.1", "127.0.0.256"]
    assert not any(map(origin.is_loopback, others))


def test_a_path_with_other_letters_is_encoded_and_one_with_blanks_refused() -> None:
    url = origin.url_of("https://host", "v1/caf\u00e9?q=\u00e9%20x", {"n": 1})
    assert url == "https://host/v1/caf%C3%A9?q=%C3%A9%20x&n=1"
    bad: list[Any] = ["/v1/a b", "/v1/\n", "https://elsewhere/v1", "/v1/\ud800", b"/v1", None]
    for path in bad:
        with pytest.raises(ValidationError, match="path"):
            origin.url_of("https://host", path)


def test_files_are_content_or_name_content_and_type_beside_a_form() -> None:
    made, kind = bodies.encode_body({"a": 1}, None, {"f": ("x.txt", b"content", "text/plain")})
    assert isinstance(made, bytes)
    assert b'name="f"; filename="x.txt"\r\nContent-Type: text/plain' in made
    assert str(kind).startswith("multipart/form-data")
    wrong: list[Any] = [{"f": ("x.txt",)}, {"f": None}, {"f": "\ud800"}, {"\ud800": b"x"}, [b"x"]]
    for data, files in ((b"raw", {"f": b"x"}), *(({}, files) for files in wrong)):
        with pytest.raises(ValidationError):
            bodies.encode_body(data, None, files)


def test_a_place_is_a_path_a_url_or_a_store() -> None:
    wrong: list[Any] = [None, b"v.json", 7, 3.5, ["v.json"], object(), "", "a\0b"]
    for place in wrong:
        with pytest.raises(ValidationError, match="session_file"):
            session_manager._checked_place(Hidden(place))


def test_an_id_is_found_under_the_known_names_and_nowhere_else() -> None:
    assert protocol.user_id_of({"user": {"id": 17}}) == "17"
    assert protocol.user_id_of({"data": {"name": "17"}, "id": True, "user_id": ""}) is None
    assert protocol.user_id_of({"id": "9" * 201, "uid": "1\n2", "user_id": "\ud800"}) is None


def test_a_password_in_the_json_of_an_error_is_not_shown() -> None:
    password = 'p\u00e4"ss\\w\u00f6rd'
    said = json.dumps({"error": {"you sent": [password]}}).encode()
    text = protocol.error_text(Response(400, (), said), protocol.Secrets([password]))
    assert text == '{"you sent": ["<secret>"]}'


def test_cookies_that_cannot_be_sent_are_left_out_of_a_header() -> None:
    found = protocol.cookie_in(f"Cookie: lang=a\x01b; {SESSION_COOKIE}=abc; csrf=x; a b=c")
    assert found == ("abc", {"csrf": "x"})
    assert protocol.cookie_in("lang=en") is None


def test_a_date_without_a_zone_is_utc() -> None:
    reply = Response(429, (("retry-after", "Sun, 22 Nov 2026 07:41:00 -0000"),), b"")
    assert protocol.retry_after(reply, NOW) == 60


@pytest.mark.parametrize("claims", [b'{"exp": true}', b'{"exp": "soon"}', b"{}", b"[1]", b"\xff"])
def test_a_token_whose_end_cannot_be_read_has_none(claims: bytes) -> None:
    assert protocol.token_expiry(f"e30.{b64encode(claims)}.c2ln") is None


def test_a_time_out_of_the_connection_is_told_from_one_of_the_answer() -> None:
    import requests

    late = requests.exceptions.ConnectTimeout()
    assert _requests._reason(late, 5, None) == "no connection within 5 seconds"
    slow = requests.exceptions.ReadTimeout()
    assert _requests._reason(slow, 5, None) == "no answer within 5 seconds"


def test_a_proxy_that_does_not_answer_is_named(
    driver: Driver, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(NetworkError, match=r"proxy|no connection"):
        driver.open(**place.settings(base_url="https://interpals.invalid", persist_session=False))


def test_a_server_on_loopback_is_asked_directly_and_the_environment_left_alone(
    driver: Driver, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = place.log_in()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    seen: list[bool] = []

    def answer(connection: socket.socket) -> None:
        assert request_head(connection)
        seen.append("no_proxy" in os.environ)
        connection.sendall(http("200 OK", b'{"id": "17", "username": "maple_ink"}'))

    with listening(answer) as base_url:
        place.save(session, user_id="17", origin=base_url)
        driver.open(**place.settings(base_url=base_url))
    assert seen == [False]


def test_a_proxy_of_another_kind_is_named_and_not_passed_by(
    driver: Driver, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "socks5://127.0.0.1:9")
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(NetworkError, match="of a kind that is not supported"):
        driver.open(**place.settings(base_url="https://interpals.invalid", persist_session=False))


def test_a_plain_login_waits_for_another_process(place: Place) -> None:
    place.save()
    manager = place.manager()
    manager.ensure_vault()
    lock = manager.login_lock("maple_ink")
    assert lock.try_acquire()
    release = threading.Timer(0.3, lock.release)
    release.start()
    async_client = AsyncInterpalClient(**place.settings())
    assert async_client.login(force=True).bot_id
    release.join()
    assert "login_waited" in place.told


def test_the_shapes_of_replies_can_be_named_in_a_program() -> None:
    members = {"id": "1700000004006388386", "username": "maple_ink", "languages": ["en"]}
    profile: replies.Profile = replies.Profile(members)
    assert profile.username == profile["username"] == "maple_ink"


def test_anything_can_be_deleted_by_its_path(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings(max_retries=0))
    with pytest.raises(APIError, match=r"DELETE .*/v1/thing: the server answered 404"):
        driver.run(client, "delete", "/v1/thing", params={"id": 1})


def test_a_profile_that_is_none_is_told(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings())
    place.site.fault(SELF, status=200, body=[1])
    with pytest.raises(APIError, match="not a JSON object"):
        driver.run(client, "get_self")

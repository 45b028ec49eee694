"""Sessions at the caller's own word: login, import, export, validate, logout, clear, close."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from interpal._clock import utc_now
from interpal.exceptions import (
    APIError,
    AuthenticationError,
    ClientClosedError,
    InterpalException,
    KeySourceError,
    LockTimeoutError,
    NetworkError,
    SessionExpiredError,
    ValidationError,
)
from tests.helpers import SELF, TOKEN, export_of

if TYPE_CHECKING:
    from tests.helpers import Driver, Place


def test_login_resumes_where_there_is_something_to_resume(driver: Driver, place: Place) -> None:
    saved = place.save()
    client = driver.open(**place.settings(auto_login=False))
    session = driver.run(client, "login")
    assert session.same_credentials(saved)
    assert place.logins == 1
    forced = driver.run(client, "login", force=True)
    assert not forced.same_credentials(saved)
    assert client.session.same_credentials(forced)
    assert place.logins == 2


def test_login_takes_credentials(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings(None, auto_login=False))
    assert driver.run(client, "login", "maple_ink", "secret").username == "maple_ink"
    assert place.names() == ["maple_ink"]
    assert driver.run(client, "get_session_info")["username"] == "maple_ink"
    place.site.invalidate()
    driver.run(client, "get_self")
    assert place.logins == 2


def test_login_without_a_vault(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings(persist_session=False, auto_login=False))
    with pytest.raises(AuthenticationError, match="login"):
        driver.run(client, "get_self")
    driver.run(client, "login")
    assert not client.persisted
    assert driver.run(client, "get_session_info") is None
    driver.run(client, "clear_saved_session")
    assert driver.run(client, "get_self")
    assert list(place.folder.iterdir()) == []


def test_what_is_exported_can_be_imported(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings())
    exported = client.export_session()
    assert list(exported) == [
        "session_cookie",
        "auth_token",
        "username",
        "user_id",
        "bot_id",
        "created_at",
        "expires_at",
    ]
    other = driver.open(
        **place.settings(None, auto_login=False, session_file=place.folder / "w.json")
    )
    driver.run(other, "import_session", exported)
    assert other.export_session() == exported
    assert other.persisted
    assert driver.run(other, "get_session_info")["username"] == "maple_ink"
    assert driver.run(other, "get_self")["username"] == "maple_ink"
    assert place.logins == 1


@pytest.mark.parametrize("cookie", ['"a b"', "a=b", "YWJj==", "a,b"])
def test_an_export_is_imported_whatever_the_server_has_set(driver: Driver, cookie: str) -> None:
    client = driver.open(base_url="http://127.0.0.1:1")
    export = {"session_cookie": cookie, "username": "maple_ink"}
    driver.run(client, "import_session", export)
    assert client.export_session()["session_cookie"] == cookie


def test_a_bare_cookie_and_a_header_can_be_imported(driver: Driver, place: Place) -> None:
    session = place.log_in()
    client = driver.open(**place.settings(auto_login=False))
    driver.run(client, "import_session", session.session_cookie, session.auth_token, "17")
    assert client.auth.session_cookie == session.session_cookie
    assert client.auth.auth_token == session.auth_token
    assert client.auth.bot_id == "17"
    header = f"Cookie: lang=en; interpals_sessid={session.session_cookie}"
    driver.run(client, "import_session", header)
    assert dict(client.session.cookies) == {"lang": "en"}
    assert client.session.auth_token is None
    assert place.names() == ["maple_ink"]  # Under the client's username.
    assert driver.run(client, "get_self")["username"] == "maple_ink"


@pytest.mark.parametrize(
    "given",
    ["", "a b", "lang=en", {}, {"session_cookie": None}, {"auth_token": "x"}, None, 17, b"abc"],
)
def test_what_is_no_session_is_not_imported(driver: Driver, place: Place, given: Any) -> None:
    client = driver.open(**place.settings(auto_login=False))
    with pytest.raises(ValidationError, match="session_cookie"):
        driver.run(client, "import_session", given)
    with pytest.raises(ValidationError, match="auth_token"):
        driver.run(client, "import_session", "abc", "two\r\nlines")
    assert not client.is_authenticated
    assert list(place.folder.iterdir()) == []


def test_an_import_has_an_end(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings(auto_login=False, session_expiration_hours=2))
    driver.run(client, "import_session", place.log_in().session_cookie)
    assert timedelta(hours=1.9) < client.session.expires_at - utc_now() <= timedelta(hours=2)
    old = export_of(place.log_in().replace(expires_at=utc_now() - timedelta(hours=1)))
    driver.run(client, "import_session", old)
    with pytest.raises(SessionExpiredError):
        driver.run(client, "get_self")


def test_an_explicit_cookie_has_no_end_of_ours(driver: Driver, place: Place) -> None:
    session = place.log_in()
    client = driver.open(session_cookie=session.session_cookie, base_url=place.site.base_url)
    assert client.session.expires_at is None
    assert client.export_session()["expires_at"] is None
    assert driver.run(client, "get_self")["username"] == "maple_ink"
    place.site.invalidate()
    with pytest.raises(SessionExpiredError, match="ended by the server"):
        driver.run(client, "get_self")


def test_a_token_alone_is_no_session(driver: Driver, place: Place) -> None:
    with pytest.raises(ValidationError, match="auth_token"):
        driver.client_class(auth_token="x", base_url=place.site.base_url)


def test_validate_says_what_the_server_says(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings())
    assert driver.run(client, "validate_session") is True
    place.site.fault(SELF, status=503)
    with pytest.raises(APIError):
        driver.run(client, "validate_session")
    place.site.fault(SELF, status=200, body="<html>")
    with pytest.raises(APIError):
        driver.run(client, "validate_session")
    place.site.fault(SELF, drop=True)
    with pytest.raises(NetworkError):
        driver.run(client, "validate_session")
    place.site.invalidate()
    assert driver.run(client, "validate_session") is False
    assert place.names() == ["maple_ink"]
    assert place.logins == 1


def test_a_validation_that_brings_no_profile_says_nothing_of_the_session(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings())
    place.site.fault(SELF, status=200, body=[])
    with pytest.raises(APIError, match="200 without a profile"):
        driver.run(client, "validate_session")
    assert driver.run(client, "validate_session")


def test_a_vault_that_another_holds_all_the_time_is_told_by_its_lock(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings(lock_timeout=0.3))
    with place.vault() as vault, vault.transaction() as records:
        with pytest.raises(LockTimeoutError):
            driver.run(client, "clear_saved_session")
        assert "maple_ink" in records
    assert place.names() == ["maple_ink"]


def test_logout_forgets_here_and_in_the_vault(driver: Driver, place: Place) -> None:
    place.save(place.log_in("pedro_k"))
    client = driver.open(**place.settings())
    driver.run(client, "logout")
    assert not client.is_authenticated
    assert client.auth.session_cookie is None
    assert place.names() == ["pedro_k"]
    for _ in range(2):
        with pytest.raises(AuthenticationError, match="no session"):
            driver.run(client, "get_self")
    with pytest.raises(AuthenticationError):
        client.export_session()
    assert place.logins == 2
    driver.run(client, "login")
    assert driver.run(client, "get_self")
    assert place.logins == 3


def test_a_logout_elsewhere_is_not_undone(driver: Driver, place: Place) -> None:
    one = driver.open(**place.settings())
    other = driver.open(**place.settings())
    driver.run(other, "logout")
    assert not place.path.exists()
    driver.run(one, "get_self")
    assert driver.run(one, "validate_session")
    place.site.rotate(token=True)
    driver.run(one, "get_self")
    assert not place.path.exists()
    assert not one.persisted
    # Only a login makes a record again.
    place.site.invalidate()
    driver.run(one, "get_self")
    assert place.names() == ["maple_ink"]
    assert one.persisted


def test_clear_removes_the_record_and_keeps_the_session_in_use(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings())
    driver.run(client, "clear_saved_session")
    assert not place.path.exists()
    assert client.is_authenticated
    assert not client.persisted
    assert driver.run(client, "get_self")
    assert not place.path.exists()
    driver.run(client, "clear_saved_session")


def test_close_keeps_the_session(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings())
    before = place.bytes
    driver.close(client)
    driver.close(client)
    assert place.bytes == before
    assert place.logins == 1


def test_a_closed_client_says_so_and_has_forgotten_what_opens_anything(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings())
    driver.run(client, "get_self")
    driver.close(client)
    for name, arguments in (
        ("get_self", ()),
        ("validate_session", ()),
        ("login", ("maple_ink", "secret")),
        ("import_session", ("a-cookie",)),
        ("export_session", ()),
        ("get_session_info", ()),
        ("clear_saved_session", ()),
        ("logout", ()),
    ):
        with pytest.raises(ClientClosedError, match="this client was closed"):
            driver.run(client, name, *arguments)
    assert not client.is_authenticated
    state, manager = client._context.state, client._context.manager
    assert (state.session, state.password) == (None, None)
    with pytest.raises(KeySourceError, match="forgotten"):
        manager._source.read()
    assert place.logins == 1


def test_each_error_of_a_call_is_one_of_ours(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings())
    for arguments in (
        {"method": "GE T", "path": "/v1/x"},
        {"method": 5, "path": "/v1/x"},
        {"method": "GET", "path": "https://elsewhere.example/v1/x"},
        {"method": "GET", "path": "/v1/a b"},
        {"method": "GET", "path": "/v1/x", "headers": {"X-A": "b\r\nC: d"}},
        {"method": "GET", "path": "/v1/x", "headers": {"X A": "b"}},
        {"method": "POST", "path": "/v1/x", "json": {1, 2}},
        {"method": "POST", "path": "/v1/x", "json": 1, "data": {}},
        {"method": "POST", "path": "/v1/x", "data": 5},
        {"method": "POST", "path": "/v1/x", "data": "\ud800"},
        {"method": "POST", "path": "/v1/x", "data": {"a": "\ud800"}},
    ):
        with pytest.raises(ValidationError):
            driver.run(client, "request", **arguments)
    assert place.requests("/v1/x") == 0
    with pytest.raises(InterpalException, match="404"):
        driver.run(client, "get", "/v1/nothing")


def test_bodies_arrive_in_each_form(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings())
    thread = driver.run(client, "get_threads")[0]["id"]
    fields = {"thread_id": thread, "message": "h\u00e9llo & bye"}
    json_header = {"Content-Type": "application/json"}
    import json

    encoded = json.dumps(fields).encode()
    driver.run(client, "post", "/v1/message", data=fields)
    driver.run(client, "post", "/v1/message", json=fields)
    driver.run(client, "post", "/v1/message", data=encoded, headers=json_header)
    driver.run(client, "post", "/v1/message", data=encoded.decode(), headers=json_header)
    driver.run(client, "post", "/v1/message", data=[encoded[:9], encoded[9:]], headers=json_header)
    pieces = (encoded[i : i + 5] for i in range(0, len(encoded), 5))
    driver.run(client, "post", "/v1/message", data=pieces, headers=json_header)
    driver.run(client, "post", "/v1/message", data=fields, files={"file": b"x"})
    sent = [message["message"] for message in place.site.messages(thread)]
    assert sent == ["h\u00e9llo & bye"] * 7
    assert driver.run(client, "get", "/v1/thread/" + thread, params={"limit": 2, "x": None})
    assert driver.run(client, "put", f"/v1/thread/{thread}/viewed") is None
    assert place.requests(TOKEN) == 1


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("username", 5),
        ("username", "\ud800"),
        ("password", ""),
        ("password", 5),
        ("password", "\udfff"),
        ("base_url", "http://api.interpals.net"),
        ("base_url", "ftp://127.0.0.1"),
        ("base_url", "127.0.0.1"),
        ("base_url", "https://user:pass@host"),
        ("timeout", 0),
        ("timeout", "5"),
        ("timeout", float("nan")),
        ("max_retries", -1),
        ("max_retries", 1.5),
        ("lock_timeout", -1),
        ("min_interval", None),
        ("revalidate_after", -1),
        ("revalidate_after", float("inf")),
        ("user_agent", "two\r\nlines"),
        ("session_cookie", ""),
        ("session_cookie", "a b"),
        ("username", "a\0b"),
        ("base_url", "https://host\n"),
        ("timeout", 1e300),
        ("timeout", 10**400),
        ("revalidate_after", 1e300),
        ("on_event", "print"),
        ("session_file", 3.5),
    ],
)
def test_a_bad_argument_is_named(driver: Driver, place: Place, name: str, bad: Any) -> None:
    settings = {**place.settings(), name: bad}
    with pytest.raises(ValidationError, match=name):
        driver.client_class(**settings)
    assert list(place.folder.iterdir()) == []


def nested() -> Any:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("params", "a=b"),
        ("params", [("a", "b")]),
        ("params", {"a": "\ud800"}),
        ("headers", [("a", "b")]),
        ("headers", {5: "b"}),
        ("headers", {"Content-Length": "5"}),
        ("headers", {"HOST": "elsewhere"}),
        ("files", [b"x"]),
        ("files", {"f": 5}),
        ("data", 5),
        ("json", {"a": object()}),
        ("json", nested()),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_bad_part_of_a_request_is_named(
    driver: Driver, place: Place, name: str, bad: Any
) -> None:
    client = driver.open(**place.settings())
    with pytest.raises(ValidationError, match=name):
        driver.run(client, "request", "POST", SELF, **{name: bad})
    assert place.requests() == 0


def test_a_login_by_name_never_keeps_somebody_elses_session(driver: Driver, place: Place) -> None:
    saved = place.save()
    found = driver.open(**place.settings(None, auto_login=False))
    handed = driver.open(session_cookie=place.log_in().session_cookie, base_url=place.site.base_url)
    for client in (found, handed):
        assert client.is_authenticated
        assert driver.run(client, "login", "pedro_k", "radio").username == "pedro_k"
        assert driver.run(client, "get_self")["username"] == "pedro_k"
    assert place.names() == ["maple_ink", "pedro_k"]
    again = driver.open(**place.settings(username="maple_ink", auto_login=False))
    assert driver.run(again, "login", "Maple_Ink").same_credentials(saved)


def test_a_session_that_is_too_large_to_be_kept_is_used(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings(auto_login=False))
    driver.run(client, "import_session", place.log_in().session_cookie, "t" * 70_000)
    assert client.is_authenticated
    assert not client.persisted
    assert place.told == ["save_failed"]


def test_a_name_alone_resumes_and_a_password_alone_completes_the_credentials(
    driver: Driver, place: Place
) -> None:
    place.save()
    client = driver.open(**place.settings(username=None, password=None, auto_login=False))
    assert driver.run(client, "login", "maple_ink").username == "maple_ink"
    place.site.invalidate()
    with pytest.raises(SessionExpiredError):
        driver.run(client, "get_self")
    assert driver.run(client, "login", password="secret").username == "maple_ink"
    assert place.logins == 2


def test_an_import_without_a_vault_is_used_and_no_other_session_looked_for(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings(persist_session=False, auto_login=False))
    driver.run(client, "import_session", export_of(place.log_in()))
    assert driver.run(client, "get_self")["username"] == "maple_ink"
    assert not client.persisted
    assert driver.run(client, "get_session_info") is None


def test_an_explicit_cookie_that_ends_where_no_vault_is_yet_makes_none(
    driver: Driver, place: Place
) -> None:
    session = place.log_in()
    client = driver.open(
        **place.settings(
            password=None,
            auto_login=False,
            session_cookie=session.session_cookie,
            auth_token=session.auth_token,
        )
    )
    place.site.invalidate()
    with pytest.raises(SessionExpiredError):
        driver.run(client, "get_self")
    assert not place.path.exists()

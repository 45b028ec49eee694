"""Canaries: distinctive secrets that no log, repr, traceback, pickle or warning may show."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import interpal
from interpal import SessionManager
from interpal._clock import utc_now
from interpal.exceptions import InterpalException
from interpal.session import Session
from interpal.sessions.cookies import Received, StoredCookie
from interpal.transport.messages import Request, Response
from interpal.transport.protocol import Login
from tests.helpers import SELF, TOKEN, Place, export_of, listening, replying, unused_port
from tests.helpers import http as reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.helpers import Driver

PASSWORD = "canary-password-7f31"
PASSPHRASE = "canary-passphrase-9b22"
COOKIE = "canarycookie5d0e"
TOKEN_TEXT = "canarytoken8c44"
OTHER_COOKIE = "canaryother1a7f"
KEY = b"canary-key-" + b"k" * 21
CANARIES = [PASSWORD, PASSPHRASE, COOKIE, TOKEN_TEXT, OTHER_COOKIE, KEY.decode(), KEY.hex()]
PACKAGE = str(Path(interpal.__file__).parent)

PROFILE = json.dumps({"id": "17", "username": "maple_ink"}).encode()
LOGIN = reply(
    "201 Created",
    json.dumps({"auth_token": TOKEN_TEXT, "uid": "17"}).encode(),
    f"Set-Cookie: interpals_sessid={COOKIE}; Path=/; HttpOnly",
    f"Set-Cookie: other={OTHER_COOKIE}",
)


def check(text: str, where: str) -> None:
    for canary in CANARIES:
        assert canary not in text, f"{where} shows {canary}:\n{text[:3000]}"


def check_error(error: BaseException) -> None:
    """Message, causes, and the variables of every frame of the package's own files."""
    check(f"{error} {error!r} {error.__dict__}", "the message")
    seen: set[int] = set()
    queue: list[BaseException | None] = [error]
    while queue:
        current = queue.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        if not current.__suppress_context__:
            queue.append(current.__context__)
        queue.append(current.__cause__)
        check(f"{current} {current!r}", f"the cause {type(current).__name__}")
        captured = traceback.TracebackException(
            type(current), current, current.__traceback__, capture_locals=True
        )
        for frame in captured.stack:
            if frame.filename.startswith(PACKAGE):
                check(str(frame.locals), f"{frame.filename}:{frame.lineno} in {frame.name}")


@pytest.fixture(autouse=True)
def _nothing_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG, logger="interpal")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    ours = [record for record in caplog.records if record.name.startswith("interpal")]
    check("\n".join(record.getMessage() for record in ours), "the log")
    check("\n".join(str(warning.message) for warning in caught), "a warning")


def settings(place: Place, base_url: str, **changes: Any) -> dict[str, Any]:
    chosen = place.settings(
        password=PASSWORD, vault_key=KEY, base_url=base_url, timeout=1, **changes
    )
    return {name: value for name, value in chosen.items() if value is not None}


def saved(place: Place, base_url: str, **changes: Any) -> Session:
    place.key = KEY
    now = utc_now()
    session = Session(
        session_cookie=COOKIE,
        auth_token=TOKEN_TEXT,
        cookies={"other": OTHER_COOKIE},
        username="maple_ink",
        user_id="17",
        origin=base_url,
        created_at=now,
        expires_at=now.replace(year=now.year + 1),
    )
    return place.save(session.replace(**changes))


def echo(status: str) -> bytes:
    """A server that repeats what it was told."""
    text = f"{PASSWORD} {COOKIE} {TOKEN_TEXT} {OTHER_COOKIE}"
    return reply(status, json.dumps({"error": text}).encode(), f"Content-Type: {COOKIE}")


CUT = b"HTTP/1.1 201 Created\r\nContent-Length: 9999\r\n" + LOGIN.partition(b"\r\n")[2]

STARTS = {
    "refused": [echo("401 Unauthorized")],
    "limited": [echo("429 Too Many Requests")],
    "broken": [echo("500 Oh")],
    "forbidden": [echo("403 Forbidden")],
    "no-cookie": [
        reply(
            "201 Created",
            json.dumps({"auth_token": TOKEN_TEXT}).encode(),
            f"Set-Cookie: other={OTHER_COOKIE}",
        )
    ],
    "cut": [CUT],
    "no-http": [b"\xff\xfe " + COOKIE.encode() + b"\r\n\r\n"],
    "chunks": [b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz" + COOKIE.encode()],
}


@pytest.mark.parametrize("case", STARTS)
def test_no_error_of_a_login_shows_a_secret(driver: Driver, place: Place, case: str) -> None:
    handler, _ = replying(*STARTS[case])
    with listening(handler) as base_url:
        with pytest.raises(InterpalException) as caught:
            driver.open(**settings(place, base_url))
        check_error(caught.value)
        client = driver.open(**settings(place, base_url, username=None, auto_login=False))
        with pytest.raises(InterpalException) as caught:
            driver.run(client, "login", "pedro_k", PASSWORD)
        check_error(caught.value)


CALLS = {
    "refused": [echo("401 Unauthorized")],
    "limited": [echo("429 Too Many Requests")],
    "broken": [echo("500 Oh")],
    "no-json": [reply("200 OK", COOKIE.encode(), f"Content-Type: {COOKIE}")],
    "another": [reply("200 OK", b'{"id": "18", "username": "pedro_k"}')],
    "echoed-name": [reply("200 OK", json.dumps({"id": "18", "username": COOKIE}).encode())],
    "cut": [b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + COOKIE.encode()],
    "long": [reply("200 OK", COOKIE.encode() * 1_200_000)],
}


@pytest.mark.parametrize("case", CALLS)
def test_no_error_of_a_call_shows_a_secret(driver: Driver, place: Place, case: str) -> None:
    handler, _ = replying(reply("200 OK", PROFILE), *CALLS[case])
    with listening(handler) as base_url:
        saved(place, base_url)
        client = driver.open(**settings(place, base_url, max_retries=0))
        with pytest.raises(InterpalException) as caught:
            driver.run(client, "get_self")
        check_error(caught.value)
        with pytest.raises(InterpalException) as caught:
            driver.run(client, "validate_session")
            driver.run(client, "get", "/v1/other")
        check_error(caught.value)


def vault_faults() -> dict[str, Callable[[Place], dict[str, Any]]]:
    def wrong_key(_: Place) -> dict[str, Any]:
        return {"vault_key": b"w" * 32}

    def wrong_passphrase(_: Place) -> dict[str, Any]:
        return {"vault_key": None, "vault_passphrase": PASSPHRASE}

    def both(_: Place) -> dict[str, Any]:
        return {"vault_passphrase": PASSPHRASE}

    def bad_key(_: Place) -> dict[str, Any]:
        return {"vault_key": PASSPHRASE}

    def corrupt(place: Place) -> dict[str, Any]:
        parsed = json.loads(place.bytes)
        parsed["tag"] = "A" * 22
        place.path.write_text(json.dumps(parsed))
        return {"password": None}

    def foreign(place: Place) -> dict[str, Any]:
        place.path.write_text(json.dumps({"name": "bot", "version": "1"}))
        return {}

    def bad_plain(place: Place) -> dict[str, Any]:
        form = {"session_cookie": COOKIE, "auth_token": TOKEN_TEXT, "x": ["y"] * 70_000}
        place.path.write_text(json.dumps(form))
        return {}

    def two_places(_: Place) -> dict[str, Any]:
        return {"store": "elsewhere.json"}

    def expired(place: Place) -> dict[str, Any]:
        with place.vault() as vault, vault.transaction() as records:
            records["maple_ink"]["expires_at"] = "2020-01-01T00:00:00Z"
        return {"password": None}

    def bad_hours(_: Place) -> dict[str, Any]:
        return {"session_expiration_hours": 0, "session_cookie": COOKIE, "auth_token": TOKEN_TEXT}

    def bad_cookie(_: Place) -> dict[str, Any]:
        return {"session_cookie": COOKIE + " x", "auth_token": TOKEN_TEXT}

    def bad_token(_: Place) -> dict[str, Any]:
        return {"session_cookie": COOKIE, "auth_token": TOKEN_TEXT + "\n"}

    def token_alone(_: Place) -> dict[str, Any]:
        return {"auth_token": TOKEN_TEXT}

    def bad_password(_: Place) -> dict[str, Any]:
        return {"password": PASSWORD + "\ud800"}

    def folder(place: Place) -> dict[str, Any]:
        place.path.unlink()
        place.path.mkdir()
        return {}

    faults = (
        wrong_key,
        wrong_passphrase,
        both,
        bad_key,
        corrupt,
        foreign,
        bad_plain,
        two_places,
        expired,
        bad_hours,
        bad_cookie,
        bad_token,
        token_alone,
        bad_password,
        folder,
    )
    return {fault.__name__: fault for fault in faults}


@pytest.mark.parametrize("case", vault_faults())
def test_no_error_of_a_constructor_shows_a_secret(driver: Driver, place: Place, case: str) -> None:
    base_url = place.site.base_url
    saved(place, base_url)
    changes = vault_faults()[case](place)
    arguments = {**settings(place, base_url), **changes}
    with pytest.raises(InterpalException) as caught:
        driver.open(**{name: value for name, value in arguments.items() if value is not None})
    check_error(caught.value)


def test_no_error_of_a_store_shows_its_password(driver: Driver, place: Place) -> None:
    url = f"redis://:{PASSWORD}@127.0.0.1:{unused_port()}/0"
    given = settings(place, place.site.base_url, session_file=None, store=url)
    for wrong in ({}, {"timeout": -1}, {"session_file": place.path}, {"vault_key": "short"}):
        with pytest.raises(InterpalException) as caught:
            driver.open(**{**given, **wrong})
        check_error(caught.value)


def test_no_error_of_a_passphrase_shows_it(driver: Driver, place: Place) -> None:
    def ask() -> str:
        return PASSPHRASE + "\ud800"

    for passphrase in (ask, PASSPHRASE + "\ud800", PASSPHRASE.encode()):
        given = settings(place, place.site.base_url, vault_passphrase=passphrase)
        del given["vault_key"]
        with pytest.raises(InterpalException) as caught:
            driver.open(**given)
        check_error(caught.value)


def test_no_error_of_an_import_shows_a_secret(driver: Driver, place: Place) -> None:
    client = driver.open(**settings(place, place.site.base_url, auto_login=False))
    session = saved(place, place.site.base_url)
    for given in (
        COOKIE + " x",
        {"session_cookie": COOKIE, "auth_token": TOKEN_TEXT + "\n"},
        {**export_of(session), "username": "pedro_k"},
        {"auth_token": TOKEN_TEXT},
        {"session_cookie": [COOKIE]},
    ):
        with pytest.raises(InterpalException) as caught:
            driver.run(client, "import_session", given)
        check_error(caught.value)


def test_no_error_of_the_session_manager_shows_a_secret(place: Place) -> None:
    manager = SessionManager(place.path, key=KEY)
    for cookie, token in ((COOKIE + " x", TOKEN_TEXT), (COOKIE, TOKEN_TEXT + "\n")):
        with pytest.raises(InterpalException) as caught:
            manager.save_session(cookie, token)
        check_error(caught.value)


def pickled(thing: object, protocol: int) -> str:
    try:
        return pickle.dumps(thing, protocol).decode("latin-1")
    except (TypeError, pickle.PicklingError, AttributeError) as error:
        return str(error)


def test_nothing_public_shows_or_hands_over_a_secret(driver: Driver, place: Place) -> None:
    handler, _ = replying(LOGIN, reply("200 OK", PROFILE))
    with listening(handler) as base_url:
        client = driver.open(**settings(place, base_url))
    assert client.session.session_cookie == COOKIE
    context = client._context
    things = [
        client,
        client.session,
        client.auth,
        driver.run(client, "get_session_info"),
        context,
        context.state,
        context.manager,
        context.refusals("maple_ink"),
        context.secrets(client.session),
        context.settings,
        context.authenticated(client.session, context.self_request()),
        Login(TOKEN_TEXT, "17"),
        Received(COOKIE, {"other": OTHER_COOKIE}, (), None, None),
        StoredCookie("other", OTHER_COOKIE, "/"),
        Request("POST", f"{base_url}{TOKEN}?x={COOKIE}", {"Cookie": COOKIE}, PASSWORD.encode()),
        Response(200, (("set-cookie", COOKIE),), TOKEN_TEXT.encode()),
        *place.events,
    ]
    for thing in things:
        check(f"{thing!r} {thing!s} {[thing]} %s" % (thing,), type(thing).__name__)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            check(pickled(thing, protocol), f"a pickled {type(thing).__name__}")
    for thing in (client, client.session, client.auth, context.state):
        with pytest.raises(TypeError):
            copy.copy(thing)


def test_a_rotation_and_a_renewal_log_no_secret(driver: Driver, place: Place) -> None:
    handler, _ = replying(
        LOGIN,
        reply("200 OK", PROFILE, f"Set-Cookie: other={OTHER_COOKIE}2"),
        reply("401 No"),
        LOGIN,
        reply("200 OK", PROFILE),
    )
    with listening(handler) as base_url:
        client = driver.open(**settings(place, base_url))
        driver.run(client, "get_self")
        driver.run(client, "get_self")
        assert client.persisted
    content = place.path.read_text()
    check(content, "the vault")
    assert SELF

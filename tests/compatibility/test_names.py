"""Names and manners of interpal 1.x, on both clients."""

from __future__ import annotations

import asyncio
import queue
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from interpal import (
    APIError,
    AsyncInterpalClient,
    AuthenticationError,
    InterpalClient,
    InvalidCredentialsError,
    NetworkError,
    NotFoundError,
    RateLimitError,
    SessionManager,
    ValidationError,
    exceptions,
    utils,
)
from interpal.auth import AuthManager
from interpal.http import AsyncHTTPClient, HTTPClient
from interpal.sandbox import Sandbox
from interpal.state import InterpalState

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(accounts={"maple_ink": "secret"}) as sandbox:
        monkeypatch.setenv("INTERPALS_BASE_URL", sandbox.base_url)
        yield sandbox


@pytest.mark.parametrize("kind", [InterpalClient, AsyncInterpalClient])
def test_auth_is_live(sandbox: Sandbox, kind: Any) -> None:
    client = kind("maple_ink", "secret", user_agent="my-bot/1.0")
    auth = client.auth
    assert (auth.session_cookie, auth.auth_token, auth.bot_id) == (None, None, None)
    assert not auth.is_authenticated
    assert auth.get_headers()["User-Agent"] == auth.user_agent == "my-bot/1.0"
    client.login()
    assert auth.is_authenticated
    assert auth.session_cookie == client.session.session_cookie
    assert auth.bot_id == client.bot_id == client.session.user_id
    headers = auth.get_headers()
    assert auth.session_cookie in headers["Cookie"]
    assert headers["X-Auth-Token"] == auth.auth_token
    assert auth.validate_session() is True
    assert auth.export_session() == {
        "session_cookie": auth.session_cookie,
        "auth_token": auth.auth_token,
        "bot_id": auth.bot_id,
    }
    assert auth.session_cookie not in repr(auth)
    sandbox.invalidate()
    assert auth.validate_session() is False
    auth.clear_session()
    assert auth.session_cookie is client.bot_id is None


def test_an_auth_manager_stands_alone(sandbox: Sandbox) -> None:
    auth = AuthManager(user_agent="my-bot/1.0")
    given = auth.login("maple_ink", "secret")
    assert given["session_cookie"] == auth.session_cookie
    other = AuthManager()
    other.import_session(f"interpals_sessid={auth.session_cookie}", auth.auth_token)
    assert other.validate_session()
    assert HTTPClient(other, max_retries=5).get("/v1/account/self")["username"] == "maple_ink"


def test_http_has_the_settings_and_the_requests(sandbox: Sandbox) -> None:
    client = InterpalClient("maple_ink", "secret", auto_login=True)
    client.http._min_request_interval = 0.25
    client.http.max_retries = 5
    assert (client.http._min_request_interval, client.http.max_retries) == (0.25, 5)
    thread = client.http.get("/v1/user/self/threads", params={"limit": 1})[0]
    sent = client.http.post("/v1/message", data={"thread_id": thread["id"], "message": "Hei"})
    assert client.http.delete(f"/v1/message/{sent['id']}") is None
    assert client.http.put("/v1/account/self", data={"city": "Oslo"})["city"] == "Oslo"
    assert client.http.request("GET", "/v1/account/self")["city"] == "Oslo"
    with pytest.raises(ValidationError, match="max_retries"):
        client.http.max_retries = -1
    client.http.close()

    async def work() -> Any:
        async with AsyncInterpalClient("maple_ink", "secret", auto_login=True) as other:
            return await AsyncHTTPClient(other.auth).get("/v1/account/self")

    assert asyncio.run(work())["username"] == "maple_ink"


def test_a_session_is_imported_by_its_old_name_and_exported_with_the_old_member(
    sandbox: Sandbox,
) -> None:
    opened = sandbox.open_session("maple_ink", cookie="abc123")
    client = InterpalClient(username="")
    client.import_session(cookie_string="interpals_sessid=abc123")
    assert client.get_self().username == "maple_ink"
    assert client.bot_id == client.get_self().id
    assert opened["session_cookie"] == "abc123"
    assert client.export_session()["bot_id"] == client.bot_id
    twin = InterpalClient()
    twin.import_session(client.export_session())
    assert twin.validate_session()
    with pytest.raises(ValidationError):
        twin.import_session()


def test_a_saved_session_has_its_file(tmp_path: Path) -> None:
    manager = SessionManager(tmp_path / "a.json")
    assert manager.session_file == tmp_path / "a.json"
    assert isinstance(manager.session_file, Path)
    assert SessionManager(store=f"sqlite:{tmp_path}/a.db").session_file is None


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 401}, InvalidCredentialsError),
        ({"status": 429}, RateLimitError),
        ({"status": 503}, APIError),
        ({"drop": True}, NetworkError),
    ],
)
def test_trouble_at_a_login_is_an_authentication_error_too(
    sandbox: Sandbox, fault: dict[str, Any], kind: type[Exception]
) -> None:
    sandbox.fault("/v1/token", **fault)
    with pytest.raises(AuthenticationError) as caught:
        InterpalClient("maple_ink", "secret").login()
    assert isinstance(caught.value, kind)
    assert caught.value.status_code == fault.get("status")


def test_what_is_told_again_is_an_authentication_error_too(sandbox: Sandbox) -> None:
    sandbox.fault("/v1/token", status=429, headers={})
    client = InterpalClient("maple_ink", "secret")
    for _ in range(2):
        with pytest.raises(AuthenticationError) as caught:
            client.login()
        assert isinstance(caught.value, RateLimitError)
        assert 58 < caught.value.retry_after <= 61


def test_an_error_of_a_call_has_the_reply_without_its_secrets(sandbox: Sandbox) -> None:
    client = InterpalClient("maple_ink", "secret", auto_login=True, max_retries=0)
    session = client.session
    assert session is not None
    body = {"error": f"no {session.session_cookie}", "auth_token": "new.token", "code": 7}
    headers = {"Set-Cookie": "interpals_sessid=newcookie", "X-Auth-Token": "other", "X-Odd": "1"}
    for status, kind in ((403, exceptions.PermissionError), (404, NotFoundError), (500, APIError)):
        sandbox.fault("/v1/feed", status=status, body=body, headers=headers)
        with pytest.raises(kind) as caught:
            client.get_feed()
        reply = caught.value.response
        assert reply is not None
        assert reply.status_code == caught.value.status_code == status
        assert reply.json()["code"] == 7
        assert reply.headers["x-odd"] == "1"
        shown = f"{reply.headers} {reply.text} {reply.content!r} {reply!r} {caught.value}"
        for secret in (session.session_cookie, "new.token", "newcookie", "other"):
            assert secret not in shown
    sandbox.fault("/v1/feed", status=429, headers={})
    with pytest.raises(RateLimitError) as limited:
        client.get_feed()
    assert limited.value.retry_after == 60


def test_errors_are_made_as_in_1_x() -> None:
    assert exceptions.APIError("a", 500, None).status_code == 500
    assert exceptions.AuthenticationError().status_code is None
    assert exceptions.AuthenticationError("a", 401).status_code == 401
    assert exceptions.RateLimitError(retry_after=5).retry_after == 5
    assert (NotFoundError().status_code, exceptions.PermissionError().status_code) == (404, 403)


def test_the_helpers() -> None:
    assert utils.parse_user_id(17) == utils.parse_user_id("17") == "17"
    for wrong in ("", "abc", None, "1 7", "\u0661"):
        with pytest.raises(ValidationError):
            utils.parse_user_id(wrong)
    at = datetime(2026, 11, 22, 7, tzinfo=timezone.utc)
    for text in ("2026-11-22T07:00:00Z", "2026-11-22 07:00:00", at, at.timestamp()):
        assert utils.parse_timestamp(text) == at
    assert utils.parse_timestamp("soon") is utils.parse_timestamp(None) is None
    assert utils.validate_email("runa@example.org")
    for wrong in ("runa", "@example.org", "a b@example.org", "runa@example", "runa@.org", "r@a.1"):
        assert not utils.validate_email(wrong)
    assert utils.build_query_params({"a": 1, "b": None}) == {"a": "1"}
    assert utils.extract_cookie("a=1; b = 2", "b") == "2"
    assert utils.extract_cookie("a=1", "c") is utils.extract_cookie(None, "c") is None
    assert utils.format_user_agent("9") == "interpal/9"
    assert utils.safe_get({"a": {"b": 1}}, "a", "b") == 1
    assert utils.safe_get({"a": 1}, "a", "b", default="x") == "x"


def test_the_state_is_the_cache(sandbox: Sandbox) -> None:
    assert isinstance(InterpalClient().state, InterpalState)


def test_the_managers_have_their_names_in_interpal_api(sandbox: Sandbox) -> None:
    from interpal import api

    client = InterpalClient("maple_ink", "secret", auto_login=True)
    assert len(api.__all__) == 8
    for name in api.__all__:
        kind = getattr(api, name)
        manager = getattr(client, name.removesuffix("API").lower())
        assert type(manager) is kind
        # `UserAPI(http_client, state)`.
        assert type(kind(client.http, client.state)) is kind
    assert api.UserAPI(client.http).get_self().username == "maple_ink"
    with pytest.raises(AttributeError, match="NoAPI"):
        api.NoAPI  # noqa: B018


def test_names_are_where_scripts_import_them_from() -> None:
    from interpal import client, ext
    from interpal.ext import commands

    assert client.AsyncInterpalClient is AsyncInterpalClient  # type: ignore[attr-defined]
    for name in ext.__all__:
        assert getattr(ext, name) is getattr(commands, name)
    for module in (client, ext):
        with pytest.raises(AttributeError, match="Nothing"):
            module.Nothing  # noqa: B018


def test_the_live_events_of_a_session(sandbox: Sandbox) -> None:
    from interpal import websocket

    client = InterpalClient("maple_ink", "secret", auto_login=True)
    socket = websocket.SyncWebSocketClient(client.auth)
    assert socket is client.live
    assert socket.state is websocket.ConnectionState.DISCONNECTED
    socket.settings = websocket.WebSocketConfig(reconnect_base_delay=0.1)
    heard: queue.Queue[str] = queue.Queue()
    socket.on("on_message")(lambda event: heard.put(event.message))
    socket.connect()
    sandbox.say("pedro_k", "one", "maple_ink")
    assert heard.get(timeout=20) == "one"
    socket.disconnect()

    async def main(auth: AuthManager) -> str:
        awaited = websocket.WebSocketClient(auth)
        said: asyncio.Queue[str] = asyncio.Queue()

        @awaited.on("on_message")
        async def on_message(event: Any) -> None:
            await said.put(event.message)

        await awaited.connect()
        sandbox.say("pedro_k", "two", "maple_ink")
        text = await asyncio.wait_for(said.get(), 20)
        await awaited.disconnect()
        return text

    # Of a client of the other kind, whose session it uses, and of one of its own kind.
    assert asyncio.run(main(client.auth)) == "two"
    assert asyncio.run(main(AsyncInterpalClient("maple_ink", "secret", auto_login=True).auth)) == (
        "two"
    )
    other = AsyncInterpalClient()
    other.import_session(client.export_session())
    in_a_thread = websocket.SyncWebSocketClient(other.auth)
    in_a_thread.on("on_message")(lambda event: heard.put(event.message))
    in_a_thread.connect()
    sandbox.say("pedro_k", "three", "maple_ink")
    assert heard.get(timeout=20) == "three"
    in_a_thread.disconnect()
    assert websocket.__all__ == sorted(websocket.__all__)
    assert all(hasattr(websocket, name) for name in websocket.__all__)


def test_a_call_without_a_reply_is_an_api_error_too(sandbox: Sandbox) -> None:
    client = InterpalClient("maple_ink", "secret", auto_login=True, max_retries=0)
    sandbox.fault("/v1/feed", drop=True)
    with pytest.raises(APIError) as caught:
        client.get_feed()
    assert isinstance(caught.value, NetworkError)
    assert (caught.value.status_code, caught.value.response) == (None, None)

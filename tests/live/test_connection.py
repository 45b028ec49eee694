"""The connection: what is heard, over drops and ended sessions, and what ends it for good."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import WSMsgType, web

from interpal import AsyncInterpalClient
from interpal._clock import utc_now
from interpal.exceptions import (
    AuthenticationError,
    InvalidCredentialsError,
    NetworkError,
    RateLimitError,
    SessionExpiredError,
    WebSocketAuthenticationError,
    WebSocketConnectionError,
    WebSocketRateLimitError,
    WebSocketTimeoutError,
)
from interpal.session import Session
from tests.helpers import http, listening, replying
from tests.live.listeners import LISTENERS, AsyncListener, SyncListener
from tests.sandbox.web import User, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from interpal.sandbox import Sandbox
    from tests.helpers import Place
    from tests.live.listeners import Listener

Kind = type["Listener"]


@pytest.fixture(params=LISTENERS, ids=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


def account(site: Sandbox, **changes: Any) -> dict[str, Any]:
    return {
        "username": "maple_ink",
        "password": "secret",
        "auto_login": True,
        "base_url": site.base_url,
        "timeout": 30,
        **changes,
    }


def test_a_message_is_heard_with_who_wrote_it(kind: Kind, site: Sandbox) -> None:
    with kind(**account(site)) as listener:
        assert listener.client.is_websocket_connected()
        said = site.say("pedro_k", "hello", "maple_ink")
        event = listener.next_of("on_message")
        assert (event.message, event.message_id) == ("hello", said["id"])
        assert event.sender.name == "Pedro"
        assert event.counters.unread_threads == 1
    assert not listener.client.is_websocket_connected()
    assert eventually(lambda: site.sockets() == {})
    assert site.stats()["logins"] == {"maple_ink": 1}


def test_events_of_every_kind_are_heard(kind: Kind, site: Sandbox) -> None:
    pedro = User(site, "pedro_k", "radio")
    names = ("on_ready", "on_typing", "on_viewed", "on_profile_view", "on_status_change")
    with kind(*names, "on_something_new", "on_disconnect", **account(site)) as listener:
        assert listener.next() == ("on_ready", None)
        own = listener.client.session.user_id
        tid = pedro.get(f"/v1/user-thread/{own}")["id"]
        pedro.call("PUT", f"/v1/thread/{tid}/typing", data={"delay": "3000"})
        assert listener.next_of("on_typing").user.username == "pedro_k"
        pedro.call("PUT", f"/v1/thread/{tid}/viewed")
        assert listener.next_of("on_viewed").thread_id == tid
        pedro.get(f"/v1/profile/{own}")
        assert listener.next_of("on_profile_view").counters.new_views == 1
        site.push({"type": "status", "user": {"id": "1"}})
        assert listener.next_of("on_status_change").user == {"id": "1"}
        site.push({"type": "SOMETHING_NEW", "what": 7})
        assert listener.next_of("on_something_new").what == 7
    assert listener.next_of("on_disconnect").type == "disconnect"


def test_what_one_writes_oneself_is_not_heard_as_a_message(kind: Kind, site: Sandbox) -> None:
    with kind("on_message", "on_sync_message", **account(site)) as listener:
        # The last message of all is told when the socket opens.
        assert listener.next()[0] == "on_sync_message"
        own = listener.client.session.user_id
        tid = site.say("pedro_k", "hello", "maple_ink")["thread_id"]
        assert listener.next()[1].message == "hello"
        User(site).call("POST", "/v1/message", data={"thread_id": tid, "message": "from afar"})
        name, event = listener.next()
        assert (name, event.message, event.contact.username) == (
            "on_sync_message",
            "from afar",
            "pedro_k",
        )
        # In a frame of the older kind, too.
        older = {"id": "1999999999999999999", "thread_id": tid, "sender_id": own, "message": "mine"}
        site.push({"type": "THREAD_NEW_MESSAGE", "data": older}, "maple_ink")
        assert listener.next() == ("on_sync_message", {"type": "THREAD_NEW_MESSAGE", "data": older})


def test_a_message_that_is_told_twice_is_handed_out_once(kind: Kind, site: Sandbox) -> None:
    with kind(**account(site)) as listener:
        said = site.say("pedro_k", "one", "maple_ink")
        frame = {"type": "THREAD_NEW_MESSAGE", "data": said, "sender": {"id": said["sender_id"]}}
        site.push(frame, "maple_ink")
        site.say("pedro_k", "two", "maple_ink")
        assert listener.messages(2) == ["one", "two"]
        assert listener.client.live.get_statistics()["duplicates"] == 1


def test_what_is_no_frame_is_passed_over(kind: Kind, site: Sandbox) -> None:
    with kind(**account(site)) as listener:
        site.push({"no": "type"}, "maple_ink")
        site.push({"type": "THREAD_NEW_MESSAGE", "data": None}, "maple_ink")
        site.push({"type": "THREAD_NEW_MESSAGE", "data": {"id": 7}}, "maple_ink")
        site.say("pedro_k", "hello", "maple_ink")
        assert listener.messages(3)[-1] == "hello"
        assert listener.client.live.get_statistics()["unreadable"] == 1


def drop_and_wait(site: Sandbox, listener: Listener, meanwhile: Callable[[], None]) -> None:
    """Cut the socket, do something while there is none, and let it come back."""
    before = listener.client.live.statistics.connections
    site.fault("/v1/ws", status=503, times=None)
    site.drop_sockets()
    assert eventually(lambda: site.sockets() == {})
    assert eventually(lambda: not listener.client.is_websocket_connected())
    meanwhile()
    with site._lock:
        site._site.faults.clear()
    assert eventually(lambda: listener.client.live.statistics.connections > before)


def test_messages_that_came_while_the_socket_was_down_are_handed_out_once(
    kind: Kind, site: Sandbox
) -> None:
    with kind(**account(site)) as listener:
        site.say("pedro_k", "0", "maple_ink")
        assert listener.messages(1) == ["0"]

        def meanwhile() -> None:
            # More than a page in one conversation, some in others, one never seen before.
            for number in range(1, 121):
                who = ("lin.m", "amara_w")[number % 2] if number % 20 == 0 else "pedro_k"
                site.say(who, str(number), "maple_ink")

        drop_and_wait(site, listener, meanwhile)
        site.say("jonas.b", "121", "maple_ink")
        heard = [listener.next_of("on_message") for _ in range(121)]
        assert sorted(int(event.message) for event in heard) == list(range(1, 122))
        recovered = [event for event in heard if event.get("recovered")]
        assert [int(event.message) for event in recovered] == list(range(1, 121))
        assert recovered[0].sender.username == "pedro_k"
        assert recovered[0].counters.new_messages == 0
        # Nothing more comes, also not at the next connection.
        drop_and_wait(site, listener, lambda: None)
        site.say("pedro_k", "last", "maple_ink")
        assert listener.messages(1) == ["last"]
        assert listener.client.live.get_statistics()["recovered"] == 120


def test_own_messages_of_the_time_without_a_socket_are_not_handed_out(
    kind: Kind, site: Sandbox
) -> None:
    with kind(**account(site)) as listener:
        tid = site.say("pedro_k", "before", "maple_ink")["thread_id"]
        assert listener.messages(1) == ["before"]

        def meanwhile() -> None:
            site.say("pedro_k", "question", "maple_ink")
            User(site).call("POST", "/v1/message", data={"thread_id": tid, "message": "answer"})

        drop_and_wait(site, listener, meanwhile)
        assert listener.messages(1) == ["question"]
        site.say("pedro_k", "after", "maple_ink")
        assert listener.messages(1) == ["after"]


def test_where_the_api_is_out_of_order_messages_are_looked_for_later(
    kind: Kind, site: Sandbox
) -> None:
    with kind("on_message", "on_error", **account(site, max_retries=0)) as listener:

        def meanwhile() -> None:
            site.say("pedro_k", "missed", "maple_ink")
            site.fault("/v1/user/self/threads", status=500, times=2)

        # The fault of the socket itself goes with the others: set this one afterwards.
        site.fault("/v1/ws", status=503, times=1)
        site.drop_sockets()
        assert eventually(lambda: site.sockets() == {})
        meanwhile()
        site.say("lin.m", "also missed", "maple_ink")
        assert eventually(lambda: site.sockets() == {"maple_ink": 1})
        site.say("lin.m", "live", "maple_ink")
        assert sorted(listener.messages(3)) == ["also missed", "live", "missed"]


def test_an_ended_session_is_renewed_once_and_nothing_is_lost(
    kind: Kind, site: Sandbox, place: Place
) -> None:
    """Two clients share a vault: one login for both, as at any call's 401."""
    settings = place.settings()
    with kind(**settings) as one, kind(**settings) as other:
        assert place.logins == 1
        site.invalidate("maple_ink")
        site.say("pedro_k", "meanwhile", "maple_ink")
        assert one.messages(1) == other.messages(1) == ["meanwhile"]
        assert eventually(lambda: site.sockets() == {"maple_ink": 2})
        assert place.logins == 2
        assert place.record()["auth_token"] == one.client.session.auth_token


def test_a_session_that_a_call_has_renewed_is_taken_by_the_socket(
    kind: Kind, site: Sandbox
) -> None:
    live = {"ping_interval": 0.05}
    with kind(**account(site), live=live) as listener:
        before = listener.client.session.auth_token
        site.rotate("maple_ink", token=True)
        call(listener, "get_self")
        assert listener.client.session.auth_token != before
        assert eventually(lambda: listener.client.live.statistics.connections == 2)
        site.say("pedro_k", "hello", "maple_ink")
        assert listener.messages(1) == ["hello"]


def call(listener: Listener, name: str, *arguments: Any) -> Any:
    method = getattr(listener.client, name)
    if isinstance(listener, AsyncListener):
        return listener.run(method, *arguments)
    return method(*arguments)


def test_over_to_another_account_the_socket_goes_too(kind: Kind, site: Sandbox) -> None:
    with kind(**account(site), live={"ping_interval": 0.05}) as listener:
        login = "alogin" if isinstance(listener, AsyncListener) else "login"
        call(listener, login, "pedro_k", "radio")
        assert eventually(lambda: site.sockets() == {"pedro_k": 1})
        site.say("maple_ink", "hello Pedro", "pedro_k")
        site.say("pedro_k", "hello Runa", "maple_ink")
        site.say("lin.m", "hello again", "pedro_k")
        assert listener.messages(2) == ["hello Pedro", "hello again"]


@pytest.mark.parametrize("refusal", [401, 403])
def test_a_socket_that_is_refused_to_a_living_session_is_tried_again(
    kind: Kind, site: Sandbox, refusal: int
) -> None:
    site.fault("/v1/ws", status=refusal, times=2)
    with kind("on_message", "on_error", **account(site)) as listener:
        for _ in range(2):
            error = listener.next_of("on_error")
            assert isinstance(error, WebSocketAuthenticationError)
            assert error.status_code == refusal
        site.say("pedro_k", "hello", "maple_ink")
        assert listener.messages(1) == ["hello"]
    assert site.stats()["logins"] == {"maple_ink": 1}


def test_tries_may_be_limited(kind: Kind, site: Sandbox) -> None:
    site.fault("/v1/ws", status=503, times=None)
    listener = kind("on_error", **account(site), live={"max_reconnect_attempts": 2})
    with pytest.raises(WebSocketConnectionError, match="answered 503"), listener:
        pass
    assert site.stats()["requests"]["/v1/ws"] == 3
    assert isinstance(listener.next_of("on_error"), NetworkError)


def test_a_rate_limit_of_the_socket_is_kept_to(kind: Kind, site: Sandbox) -> None:
    site.fault("/v1/ws", status=429, headers={"Retry-After": "1"})
    with kind("on_error", **account(site)) as listener:
        error = listener.next_of("on_error")
        assert isinstance(error, WebSocketRateLimitError)
        assert isinstance(error, RateLimitError)
        assert error.retry_after == 1
    assert site.stats()["requests"]["/v1/ws"] == 2


def test_what_no_other_try_can_mend_is_raised(kind: Kind, site: Sandbox) -> None:
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"password": "wrong"}, InvalidCredentialsError, "refused"),
        (
            {"username": None, "password": None, "auto_login": False},
            AuthenticationError,
            "there is no session",
        ),
        (
            {
                "username": None,
                "password": None,
                "auto_login": False,
                "session_cookie": User(site).cookie,
            },
            AuthenticationError,
            "no token",
        ),
    ]
    for changes, wanted, text in cases:
        with pytest.raises(wanted, match=text), kind(**account(site, **changes)):
            pass
    assert site.sockets() == {}


def test_a_session_without_a_token_is_replaced_where_there_are_credentials(
    kind: Kind, site: Sandbox
) -> None:
    with kind(**account(site, session_cookie=User(site).cookie)) as listener:
        assert listener.client.session.auth_token is not None
        site.say("pedro_k", "hello", "maple_ink")
        assert listener.messages(1) == ["hello"]


def test_an_ended_session_that_cannot_be_renewed_ends_it(kind: Kind, site: Sandbox) -> None:
    user = User(site)
    handed: dict[str, Any] = {"session_cookie": user.cookie, "auth_token": user.token}
    listener = kind("on_error", "on_disconnect", base_url=site.base_url, **handed)
    with listener:
        site.invalidate()
        assert isinstance(listener.next_of("on_error"), SessionExpiredError)
        assert eventually(lambda: listener.client.live.state.name == "CLOSED")


@pytest.mark.parametrize(
    ("status", "said"),
    [(407, "wants a username and password"), (None, "no connection to the proxy")],
)
def test_what_a_proxy_does_to_the_socket_is_told_as_the_proxys(
    kind: Kind, status: int | None, said: str
) -> None:
    answer, _ = replying(http(f"{status} No"))
    with listening(answer) as proxy:
        address = proxy if status else "http://127.0.0.1:9"
        live = {"max_reconnect_attempts": 0, "catch_up": False}
        listener = kind("on_error", base_url="https://site.invalid", proxy=address, live=live)
        # A session that was validated, so that the socket is the first to be opened.
        now = utc_now()
        session = Session(
            session_cookie="abc",
            auth_token="t0ken",
            user_id="17",
            origin="https://site.invalid",
            created_at=now,
            expires_at=now + timedelta(hours=1),
            last_validated_at=now,
        )
        listener.client._context.change(lambda it: it.resume(session, saved=False, verified=True))
        with pytest.raises(WebSocketConnectionError, match=said) as caught, listener:
            pass
    assert address.partition("://")[2] in str(caught.value)
    assert "t0ken" not in str(caught.value)


def test_start_runs_until_it_is_stopped(site: Sandbox) -> None:
    async def main() -> list[str]:
        heard: list[str] = []
        async with AsyncInterpalClient(**account(site)) as client:

            @client.event
            async def on_ready() -> None:
                site.say("pedro_k", "one", "maple_ink")
                site.say("pedro_k", "two", "maple_ink")

            @client.event
            async def on_message(event: Any) -> None:
                heard.append(event.message)
                if len(heard) == 2:
                    await client.stop_websocket()

            await client.start()
            assert not client.is_websocket_connected()
        return heard

    assert asyncio.run(main()) == ["one", "two"]


def test_a_blocking_start_runs_until_it_is_stopped(site: Sandbox) -> None:
    listener = SyncListener(**account(site))
    heard: list[str] = []

    @listener.client.event  # type: ignore[untyped-decorator]
    def on_message(event: Any) -> None:
        heard.append(event.message)
        listener.client.stop_websocket()

    @listener.client.event  # type: ignore[untyped-decorator]
    def on_ready() -> None:
        site.say("pedro_k", "one", "maple_ink")

    listener.client.start()
    assert heard == ["one"]
    listener.client.close()


def test_it_can_be_started_again_and_what_came_between_is_old(kind: Kind, site: Sandbox) -> None:
    with kind(**account(site)) as listener:
        call(listener, "stop_websocket")
        site.say("pedro_k", "nobody listens", "maple_ink")
        call(listener, "start_websocket")
        call(listener, "start_websocket")
        site.say("pedro_k", "hello", "maple_ink")
        assert listener.messages(1) == ["hello"]
        assert site.sockets() == {"maple_ink": 1}


def test_handlers_finish_what_was_handed_out(kind: Kind, site: Sandbox) -> None:
    done: list[str] = []
    begun, gate = threading.Event(), threading.Event()
    with kind("on_typing", **account(site)) as listener:

        def handle(event: Any) -> None:
            begun.set()
            gate.wait(60)
            done.append(event.message)

        listener.listen_in_a_thread("on_message", handle)

        for text in ("one", "two", "three"):
            site.say("pedro_k", text, "maple_ink")
        assert begun.wait(60)
        assert eventually(lambda: listener.client.live.statistics.messages == 3)
        threading.Timer(0.2, gate.set).start()
        call(listener, "stop_websocket")
        assert done == ["one", "two", "three"]


def test_the_async_client_starts_once(site: Sandbox) -> None:
    with AsyncListener(**account(site)) as listener, pytest.raises(RuntimeError, match="already"):
        listener.run(listener.client.start)


class Peer:
    """A site of our own that does with sockets what it is told to; its API is empty."""

    def __init__(self, serve: Callable[[web.WebSocketResponse, web.Request], Any]) -> None:
        self._serve = serve
        self.connections = 0
        self.base_url = ""
        self._loop = asyncio.new_event_loop()
        app = web.Application()
        app.router.add_get("/v1/ws", self._socket)
        app.router.add_get("/v1/account/self", _profile)
        app.router.add_get("/v1/user/self/threads", _threads)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        self.connections += 1
        channel = web.WebSocketResponse(autoping=False)
        await channel.prepare(request)
        with contextlib.suppress(ConnectionError):
            await self._serve(channel, request)
        return channel

    def __enter__(self) -> Peer:
        async def start() -> None:
            await self._runner.setup()
            await web.TCPSite(self._runner, "127.0.0.1", 0).start()
            self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

        self._loop.run_until_complete(start())
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _profile(_: web.Request) -> web.Response:
    return web.json_response({"id": "17", "username": "maple_ink"})


async def _threads(_: web.Request) -> web.Response:
    return web.json_response([])


@pytest.fixture
def stranger() -> dict[str, Any]:
    return {"session_cookie": "c" * 26, "auth_token": "a.b.c"}


def test_a_ping_that_is_not_answered_ends_the_connection(
    kind: Kind, stranger: dict[str, Any]
) -> None:
    async def deaf(channel: web.WebSocketResponse, request: web.Request) -> None:
        async for frame in channel:
            if peer.connections > 1 and frame.type is WSMsgType.PING:
                await channel.pong(frame.data)
                await channel.send_str(json.dumps({"type": "THREAD_NEW_MESSAGE", "data": {}}))

    live = {"ping_interval": 0.1, "ping_timeout": 0.3}
    with Peer(deaf) as peer, kind("on_message", "on_error", base_url=peer.base_url, live=live,
                                  **stranger) as listener:  # fmt: skip
        assert isinstance(listener.next_of("on_error"), WebSocketTimeoutError)
        listener.next_of("on_message")
        assert peer.connections >= 2


def test_pings_of_the_server_are_answered(kind: Kind, stranger: dict[str, Any]) -> None:
    async def asking(channel: web.WebSocketResponse, request: web.Request) -> None:
        await channel.ping(b"are you there")
        async for frame in channel:
            if frame.type is WSMsgType.PONG and frame.data == b"are you there":
                await channel.send_bytes(b"passed over")
                await channel.send_str(json.dumps({"type": "THREAD_NEW_MESSAGE", "data": {}}))

    with Peer(asking) as peer, kind(base_url=peer.base_url, **stranger) as listener:
        listener.next_of("on_message")


def test_a_handler_that_is_far_behind_costs_no_connection(
    kind: Kind, stranger: dict[str, Any]
) -> None:
    """Frames wait in the network then, and pongs behind them; none is lost."""
    gate = threading.Event()
    heard: list[int] = []
    count = 6_000

    async def flooding(channel: web.WebSocketResponse, request: web.Request) -> None:
        for number in range(count):
            data = {"id": str(10**6 + number), "thread_id": "8", "sender_id": "2", "n": number}
            await channel.send_str(json.dumps({"type": "THREAD_NEW_MESSAGE", "data": data}))
        async for frame in channel:
            if frame.type is WSMsgType.PING:
                await channel.pong(frame.data)

    live = {"ping_interval": 0.05, "ping_timeout": 1.0}

    def handle(event: Any) -> None:
        gate.wait(60)
        heard.append(event["data"]["n"])

    with Peer(flooding) as peer:
        listener = kind("on_error", base_url=peer.base_url, live=live, **stranger)
        listener.listen_in_a_thread("on_message", handle)
        with listener:
            frames = listener.client.live.statistics
            assert eventually(lambda: frames.frames >= 900)
            # When pings have not been answered in time there is still the one connection.
            threading.Event().wait(2.2)
            assert frames.frames < count
            gate.set()
            while (so_far := len(heard)) < count:
                assert eventually(lambda so_far=so_far: len(heard) > so_far)  # type: ignore[misc]
            assert peer.connections == 1
    assert heard == list(range(count))
    assert listener.heard.empty()


def test_a_stop_at_the_moment_of_the_handshake_or_of_a_pong_is_not_lost(site: Sandbox) -> None:
    async def main(moment: str) -> None:
        client = AsyncInterpalClient(**account(site))
        live = client.live
        live.settings = live.settings._replace(ping_interval=0.05)
        background = asyncio.create_task(client.start())
        await asyncio.sleep(0)
        connection = live._connection
        assert connection is not None
        shake_hands = connection._shake_hands

        async def shaken(*arguments: Any) -> Any:
            socket = await shake_hands(*arguments)
            live.stop()
            return socket

        class Pong(asyncio.Event):
            async def wait(self) -> Any:
                await super().wait()
                live.stop()
                await asyncio.sleep(0)

        if moment == "handshake":
            vars(connection)["_shake_hands"] = shaken
        else:
            connection._pong = Pong()
        await asyncio.wait({background}, timeout=15)
        assert background.done()
        assert live.state.name == "CLOSED"
        await client.close()

    for moment in ("handshake", "pong"):
        asyncio.run(main(moment))

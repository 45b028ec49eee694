"""Counting, invalidation, rotation, faults and WebSockets."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.sandbox.web import COOKIE, User, WebSocket, eventually, log_in

if TYPE_CHECKING:
    from interpal.sandbox import Sandbox


def control(site: Sandbox, name: str, **body: Any) -> requests.Response:
    url = f"{site.base_url}/_sandbox/{name}"
    return requests.post(url, json=body or None, headers=token_of(site), timeout=10)


def ask(site: Sandbox, name: str) -> requests.Response:
    return requests.get(f"{site.base_url}/_sandbox/{name}", headers=token_of(site), timeout=10)


def token_of(site: Sandbox) -> dict[str, str]:
    return {"Authorization": f"Bearer {site.control_token}"}


def test_requests_and_logins_are_counted_and_controls_are_not(site: Sandbox) -> None:
    user = User(site)
    log_in(site, "maple_ink", "wrong")
    log_in(site, "nobody", "wrong")
    for _ in range(3):
        user.get("/v1/account/self?extra=1")
    user.call("GET", "/v1/nothing")

    assert site.stats() == {
        "logins": {"maple_ink": 1},
        "login_attempts": {"maple_ink": 2, "nobody": 1},
        "requests": {"/v1/token": 3, "/v1/account/self": 3, "/v1/nothing": 1},
    }
    assert ask(site, "stats").json() == site.stats()


def test_invalidation_ends_one_account_or_all(site: Sandbox) -> None:
    user, pedro = User(site), User(site, "pedro_k", "radio")
    site.invalidate("MAPLE_INK")
    assert user.call("GET", "/v1/account/self").status_code == 401
    assert pedro.call("GET", "/v1/account/self").status_code == 200
    assert control(site, "invalidate").status_code == 200
    assert pedro.call("GET", "/v1/account/self").status_code == 401

    again = User(site)
    assert control(site, "invalidate", username="maple_ink").status_code == 200
    assert again.call("GET", "/v1/account/self").status_code == 401
    assert control(site, "invalidate", username="nobody").status_code == 404
    assert control(site, "invalidate", user="maple_ink").status_code == 400
    with pytest.raises(KeyError):
        site.invalidate("nobody")


def test_cookie_and_token_stay_as_they_are_without_rotation(site: Sandbox) -> None:
    user = User(site)
    for path in ("/v1/account/self", "/v1/thread"):
        assert "Set-Cookie" not in user.call("GET", path).headers


def test_a_rotation_changes_the_cookie_once_with_the_next_reply(site: Sandbox) -> None:
    user, other = User(site), User(site, "pedro_k", "radio")
    site.rotate("maple_ink")
    assert "Set-Cookie" not in other.call("GET", "/v1/account/self").headers

    reply = user.call("GET", "/v1/thread")
    new = reply.cookies[COOKIE]
    assert new != user.cookie
    assert user.call("GET", "/v1/thread").status_code == 401
    user.cookie = new
    reply = user.call("GET", "/v1/account/self")
    assert reply.status_code == 200
    assert "Set-Cookie" not in reply.headers
    assert "auth_token" not in reply.json()


def test_a_rotation_of_the_token_comes_with_the_own_profile(site: Sandbox) -> None:
    user = User(site)
    assert control(site, "rotate", token=True).status_code == 200
    reply = user.call("GET", "/v1/thread")
    user.cookie = reply.cookies[COOKIE]
    token = user.get("/v1/account/self")["auth_token"]
    assert token != user.token
    assert user.call("GET", "/v1/thread").status_code == 401
    user.token = token
    assert "auth_token" not in user.get("/v1/account/self")


def test_an_invalidated_session_is_not_revived_by_a_rotation(site: Sandbox) -> None:
    user = User(site)
    site.rotate()
    site.invalidate()
    reply = user.call("GET", "/v1/account/self")
    assert reply.status_code == 401
    assert "Set-Cookie" not in reply.headers


def test_a_status_fault_is_used_up_after_its_times(site: Sandbox) -> None:
    user = User(site)
    site.fault("/v1/account/self", status=503, times=2)
    statuses = [user.call("GET", "/v1/account/self").status_code for _ in range(3)]
    assert statuses == [503, 503, 200]
    assert site.stats()["requests"]["/v1/account/self"] == 3


def test_a_status_fault_carries_its_headers_and_body(site: Sandbox) -> None:
    user = User(site)
    path = "/v1/account/self"
    site.fault(path, status=200, body="<html>", headers={"Content-Type": "text/html", "X-Y": "z"})
    site.fault(path, status=418, body={"message": "tea"})
    site.fault(path, status=500)
    site.fault(path, status=204)
    site.fault(path, status=302, headers={"Location": "/v1/thread"})

    html = user.call("GET", path)
    assert (html.status_code, html.text, html.headers["X-Y"]) == (200, "<html>", "z")
    assert html.headers["Content-Type"] == "text/html"
    tea = user.call("GET", path)
    assert (tea.status_code, tea.json()) == (418, {"message": "tea"})
    assert set(user.call("GET", path).json()) == {"error"}
    assert user.call("GET", path).content == b""
    assert user.call("GET", path).headers["Location"] == "/v1/thread"


def test_a_429_says_when_to_come_back_unless_told_what_to_say(site: Sandbox) -> None:
    site.fault("/v1/token", status=429)
    site.fault("/v1/token", status=429, headers={})
    site.fault("/v1/token", status=429, headers={"Retry-After": "0.5"})
    said = [log_in(site, "maple_ink", "secret").headers.get("Retry-After") for _ in range(3)]
    assert said == ["60", None, "0.5"]
    assert site.stats()["login_attempts"] == {}


def test_a_star_is_every_path_under_v1_and_older_faults_come_first(site: Sandbox) -> None:
    user = User(site)
    site.fault("*", status=503, times=None)
    site.fault("/v1/thread", status=500)
    assert user.call("GET", "/v1/thread").status_code == 503
    assert user.call("GET", "/v1/nothing").status_code == 503
    assert log_in(site, "maple_ink", "secret").status_code == 503
    assert user.call("GET", "/elsewhere").status_code == 404
    assert ask(site, "stats").status_code == 200


def test_a_hanging_request_is_answered_late(site: Sandbox) -> None:
    user = User(site)
    site.fault("/v1/account/self", hang=0.4)
    start = time.monotonic()
    assert user.get("/v1/account/self")["id"] == user.id
    assert time.monotonic() - start >= 0.4


def test_a_hanging_request_keeps_nobody_else_waiting(site: Sandbox) -> None:
    user = User(site)
    site.fault("/v1/account/self", hang=600)
    waiting = socket.create_connection(("127.0.0.1", urlsplit(site.base_url).port or 0))
    head = "".join(f"{name}: {value}\r\n" for name, value in user.headers().items())
    waiting.sendall(f"GET /v1/account/self HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n".encode())
    assert eventually(lambda: "/v1/account/self" in site.stats()["requests"])
    user.get("/v1/thread")
    waiting.close()


def test_a_drop_resets_the_connection(site: Sandbox) -> None:
    user = User(site)
    site.fault("/v1/account/self", drop=True)
    with pytest.raises(requests.ConnectionError) as caught:
        user.call("GET", "/v1/account/self")
    assert "ConnectionResetError" in repr(caught.value)
    assert user.call("GET", "/v1/account/self").status_code == 200


@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 502}])
def test_an_answer_can_be_lost_after_the_request_was_carried_out(
    site: Sandbox, fault: dict[str, Any]
) -> None:
    user = User(site)
    body = {"thread_id": user.get("/v1/thread")[0]["id"], "message": "Once"}
    site.fault("/v1/message", after=True, **fault)
    try:
        assert user.call("POST", "/v1/message", data=body).status_code == 502
    except requests.ConnectionError:
        assert "drop" in fault
    assert [message["message"] for message in site.messages()] == ["Once"]


def test_faults_come_over_http_too(site: Sandbox) -> None:
    user = User(site)
    path = "/v1/account/self"
    assert control(site, "fault", path=path, status=503, times=2, headers={"A": "b"}, body="x").ok
    assert control(site, "fault", path=path, hang=0.2).ok
    assert control(site, "fault", path=path, drop=True).ok
    assert control(site, "fault", path=path, status=500, times=-1).ok
    replies = [user.call("GET", path) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [503, 503, 200]
    assert (replies[0].text, replies[0].headers["A"]) == ("x", "b")
    assert replies[2].elapsed.total_seconds() >= 0.2
    with pytest.raises(requests.ConnectionError):
        user.call("GET", path)
    assert [user.call("GET", path).status_code for _ in range(5)] == [500] * 5


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"status": 500, "drop": True},
        {"hang": 1, "status": 500},
        {"hang": 1, "body": "x"},
        {"drop": True, "headers": {}},
        {"status": 500, "times": 0},
        {"status": 99},
        {"hang": -1},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(site: Sandbox, fault: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        site.fault("/v1/thread", **fault)
    reply = control(site, "fault", path="/v1/thread", **fault)
    assert reply.status_code == 400
    assert set(reply.json()) == {"error"}


def test_controls_refuse_what_is_no_argument(site: Sandbox) -> None:
    assert control(site, "fault", status=500).status_code == 400
    assert control(site, "fault", path="/v1/thread", hang="long").status_code == 400
    assert control(site, "reset", colour="red").status_code == 400
    assert ask(site, "reset").status_code == 405
    assert ask(site, "nothing").status_code == 404


@pytest.mark.parametrize("over_http", [False, True])
def test_a_reset_starts_afresh(site: Sandbox, over_http: bool) -> None:
    user = User(site)
    tid = user.get("/v1/thread")[0]["id"]
    total = len(user.get(f"/v1/thread/{tid}"))
    user.call("POST", "/v1/message", data={"thread_id": tid, "message": "Hello"})
    site.fault("*", status=500, times=None)
    if over_http:
        assert control(site, "reset").status_code == 200
    else:
        site.reset()

    assert site.stats() == {"logins": {}, "login_attempts": {}, "requests": {}}
    assert site.messages() == []
    assert user.call("GET", "/v1/account/self").status_code == 401
    assert len(User(site).get(f"/v1/thread/{tid}")) == total


# WebSockets: rules 21 and 22


def test_a_web_socket_answers_pings_and_ignores_unknown_query_keys(site: Sandbox) -> None:
    user = User(site)
    with WebSocket(site.base_url, f"?token={user.token}&intents=513", user.headers()) as channel:
        assert channel.status == 101
        channel.send(0x1, b"whatever")
        channel.send(0x9, b"are you there")
        assert channel.until(0xA) == b"are you there"


def test_only_the_token_opens_a_web_socket(site: Sandbox) -> None:
    user, other = User(site), User(site, "pedro_k", "radio")
    for query, headers in (
        ("", {}),
        ("", user.headers()),
        (f"?token={user.cookie}", user.headers()),
        ("?token=rubbish", user.headers()),
        (f"?token={user.token}", other.headers()),
        (f"?token={user.token}", user.headers(token="rubbish")),
    ):
        with WebSocket(site.base_url, query, headers) as channel:
            assert channel.status == 401
    with WebSocket(site.base_url, f"?token={user.token}") as channel:
        assert channel.status == 101
    site.invalidate()
    with WebSocket(site.base_url, f"?token={user.token}", user.headers()) as channel:
        assert channel.status == 401


def test_a_socket_begins_with_the_last_message_of_all(site: Sandbox) -> None:
    user = User(site)
    last = user.get("/v1/thread")[0]
    with WebSocket(site.base_url, f"?token={user.token}") as channel:
        frame = channel.event("THREAD_SYNC_MESSAGE")
    assert frame["data"]["id"] == last["last_msg_id"]
    assert frame["contact"]["id"] == last["target_id"]


def test_a_message_is_news_for_one_side_and_told_in_step_to_the_other(site: Sandbox) -> None:
    user, pedro = User(site), User(site, "pedro_k", "radio")
    tid = user.get(f"/v1/user-thread/{pedro.id}")["id"]
    with (
        WebSocket(site.base_url, f"?token={user.token}") as mine,
        WebSocket(site.base_url, f"?token={pedro.token}") as his,
    ):
        for channel in (mine, his):
            channel.event("THREAD_SYNC_MESSAGE")
        user.call("POST", "/v1/message", data={"thread_id": tid, "message": "Live"})
        told, news = mine.event("THREAD_SYNC_MESSAGE"), his.event("THREAD_NEW_MESSAGE")
        assert told["data"] == news["data"]
        assert told["contact"]["id"] == pedro.id
        assert news["data"]["message"] == "Live"
        assert news["sender"]["id"] == news["data"]["sender_id"] == user.id
        assert news["counters"]["new_messages"] > 0

        pedro.call("PUT", f"/v1/thread/{tid}/typing", data={"delay": "3000"})
        typing = mine.event("THREAD_TYPING")
        assert (typing["sender"]["id"], typing["data"]) == (pedro.id, {"thread_id": tid})
        pedro.call("PUT", f"/v1/thread/{tid}/viewed")
        assert mine.event("THREAD_VIEWED")["sender"]["id"] == pedro.id
        assert his.event("COUNTER_UPDATE")["entity"]["id"] == "new_messages"
        pedro.get(f"/v1/profile/{user.id}")
        view = mine.event("PROFILE_VIEW")
        assert (view["sender"]["id"], view["counters"]["new_views"]) == (pedro.id, 1)


@pytest.mark.parametrize("over_http", [False, True])
def test_somebody_can_be_made_to_write(site: Sandbox, over_http: bool) -> None:
    user = User(site)
    said = {"username": "lin.m", "text": "A card for you", "to": "maple_ink"}
    with WebSocket(site.base_url, f"?token={user.token}") as channel:
        message = control(site, "say", **said).json() if over_http else site.say(**said)
        frame = channel.event("THREAD_NEW_MESSAGE")
        site.push({"type": "status", "mood": "curious"})
        assert channel.event("status") == {"type": "status", "mood": "curious"}
    assert frame["data"]["id"] == message["id"]
    assert frame["sender"]["username"] == "lin.m"
    assert user.get("/v1/thread")[0]["last_msg_id"] == message["id"]
    assert site.messages() == []
    for wrong in ({"username": "nobody"}, {"username": "maple_ink"}, {"to": "nobody"}):
        with pytest.raises(KeyError):
            site.say(**{**said, **wrong})
        assert control(site, "say", **{**said, **wrong}).status_code == 404
    with pytest.raises(ValueError, match="text"):
        site.say("lin.m", "")


def test_sockets_are_counted_cut_and_closed_with_their_session(site: Sandbox) -> None:
    user, pedro = User(site), User(site, "pedro_k", "radio")
    with (
        WebSocket(site.base_url, f"?token={user.token}") as mine,
        WebSocket(site.base_url, f"?token={pedro.token}") as his,
    ):
        for channel in (mine, his):
            channel.event("THREAD_SYNC_MESSAGE")
        assert site.sockets() == {"maple_ink": 1, "pedro_k": 1}
        site.drop_sockets("pedro_k")
        assert eventually(lambda: site.sockets() == {"maple_ink": 1})
        with pytest.raises((ConnectionError, ValueError)):
            his.until(0x8)
        site.invalidate("maple_ink")
        assert mine.until(0x8)[:2] == b"\x03\xf0"  # 1008, policy violation
        assert eventually(lambda: site.sockets() == {})


@pytest.mark.parametrize("sent", [None, "Bearer wrong", "Bearer ", "Basic eDp5", "Bearer \u00fc"])
def test_the_controls_want_the_token(site: Sandbox, sent: str | None) -> None:
    user = User(site)
    headers = {} if sent is None else {"Authorization": sent.encode()}
    for method, name in (("GET", "messages"), ("GET", "stats"), ("POST", "invalidate")):
        reply = requests.request(
            method, f"{site.base_url}/_sandbox/{name}", headers=headers, timeout=10
        )
        assert reply.status_code == 401
    # The query is no place for it: it gets into logs.
    url = f"{site.base_url}/_sandbox/stats?control_token={site.control_token}"
    assert requests.get(url, timeout=10).status_code == 401
    assert user.call("GET", "/v1/account/self").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "attacker.example"},
        {"Host": "attacker.example:80"},
        {"Host": "127.0.0.1.attacker.example"},
        {"Origin": "http://attacker.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
def test_pages_of_other_sites_reach_nothing(site: Sandbox, headers: dict[str, str]) -> None:
    user = User(site)
    reply = user.call("GET", "/v1/account/self", headers={**user.headers(), **headers})
    assert reply.status_code == 403
    url = f"{site.base_url}/_sandbox/invalidate"
    reply = requests.post(url, headers={**token_of(site), **headers}, timeout=10)
    assert reply.status_code == 403
    # A page of its own, and other names of this machine, do.
    own = {"Origin": site.base_url}
    assert user.call("GET", "/v1/account/self", headers={**user.headers(), **own}).ok
    port = site.base_url.rpartition(":")[2]
    own = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}
    assert user.call("GET", "/v1/account/self", headers={**user.headers(), **own}).ok

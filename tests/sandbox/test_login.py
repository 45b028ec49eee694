"""Logging in, and what authenticates: docs/sandbox.md, rules 1-6, 21, 23."""

from __future__ import annotations

import base64
import json
import re
import time
from typing import Any

import pytest
import requests

from interpal.sandbox import Sandbox
from tests.sandbox.web import COOKIE, User, log_in


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def test_a_right_password_is_answered_with_201_a_host_only_cookie_a_token_and_an_id(
    site: Sandbox,
) -> None:
    reply = log_in(site, "maple_ink", "secret")

    assert reply.status_code == 201
    assert set(reply.json()) == {"auth_token", "uid"}
    assert re.fullmatch(r"\d{19}", reply.json()["uid"])
    parts = [part.strip() for part in reply.headers["Set-Cookie"].split(";")]
    assert re.fullmatch(rf"{COOKIE}=[a-z0-9]{{26}}", parts[0])
    assert set(parts[1:]) == {"HttpOnly", "Path=/"}


def test_a_login_may_be_json(site: Sandbox) -> None:
    body = {"username": "maple_ink", "password": "secret"}
    assert requests.post(f"{site.base_url}/v1/token", json=body, timeout=10).status_code == 201


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("maple_ink", "wrong"),
        ("nobody", "secret"),
        ("maple_ink", ""),
        ("", ""),
        ("maple_ink", "sécret"),
    ],
)
def test_a_wrong_password_is_answered_with_401(site: Sandbox, username: str, password: str) -> None:
    reply = log_in(site, username, password)

    assert reply.status_code == 401
    assert set(reply.json()) == {"error"}
    assert "Set-Cookie" not in reply.headers


@pytest.mark.parametrize("body", ["{", "[]", '"text"', "\x00"])
def test_a_login_of_broken_json_is_answered_with_400(site: Sandbox, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    reply = requests.post(f"{site.base_url}/v1/token", data=body, headers=headers, timeout=10)
    assert reply.status_code == 400
    assert set(reply.json()) == {"error"}


def test_an_email_address_logs_in_and_its_profile_has_the_part_before_the_at(
    site: Sandbox,
) -> None:
    by_address = User(site, "name@example.org", "mail")
    by_username = User(site, "NAME", "mail")

    assert by_address.get("/v1/account/self")["username"] == "name"
    assert by_username.id == by_address.id
    assert site.stats()["logins"] == {"name@example.org": 2}


def test_accounts_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="Name"):
        Sandbox({"name@example.org": "a", "Name": "b"})


def test_the_token_is_a_jwt_of_ninety_days(site: Sandbox) -> None:
    user = User(site)

    header = json.loads(base64.urlsafe_b64decode(user.token.split(".")[0] + "=="))
    found = claims(user.token)
    assert user.token.count(".") == 2
    assert header == {"typ": "JWT", "alg": "HS256"}
    assert set(found) == {"iss", "aud", "iat", "nbf", "exp", "uid", "jti"}
    assert found["exp"] - found["iat"] == 7_776_000
    assert found["nbf"] == found["iat"] == pytest.approx(time.time(), abs=5)
    assert found["uid"] == user.id
    assert found["iss"] == found["aud"] == site.base_url
    assert re.fullmatch(r"\d{19}", found["jti"])


def test_a_session_ends_with_its_token() -> None:
    with Sandbox({"maple_ink": "secret"}, token_lifetime=1) as sandbox:
        user = User(sandbox)
        assert claims(user.token)["exp"] - claims(user.token)["iat"] == 1
        time.sleep(1.1)
        assert user.call("GET", "/v1/account/self").status_code == 401


def test_cookie_and_token_or_the_cookie_alone_authenticate(site: Sandbox) -> None:
    user = User(site)
    for headers in (user.headers(), user.headers(token=None)):
        assert user.call("GET", "/v1/account/self", headers=headers).status_code == 200


def test_a_foreign_token_an_unknown_cookie_or_a_token_alone_is_401(site: Sandbox) -> None:
    user, other = User(site), User(site, "pedro_k", "radio")
    for headers in (
        user.headers(token=other.token),
        user.headers(token="rubbish"),
        {"Cookie": f"{COOKIE}={'a' * 26}"},
        {"Cookie": f"{COOKIE}="},
        {"X-Auth-Token": user.token},
        {},
    ):
        reply = user.call("GET", "/v1/account/self", headers=headers)
        assert reply.status_code == 401
        assert set(reply.json()) == {"error"}


def test_other_cookies_and_any_user_agent_do_not_disturb(site: Sandbox) -> None:
    user = User(site)
    headers = {"Cookie": f"__ubic1=abc; {COOKIE}={user.cookie}; x=1", "User-Agent": ""}
    assert user.call("GET", "/v1/account/self", headers=headers).status_code == 200


def test_two_logins_are_two_sessions(site: Sandbox) -> None:
    first, second = User(site), User(site)
    assert first.cookie != second.cookie
    assert first.token != second.token
    assert first.get("/v1/account/self") == second.get("/v1/account/self")


def test_with_one_session_a_new_login_ends_the_older_one_of_that_account() -> None:
    accounts = {"maple_ink": "secret", "pedro_k": "radio"}
    with Sandbox(accounts, one_session=True) as sandbox:
        first, other = User(sandbox), User(sandbox, "pedro_k", "radio")
        assert log_in(sandbox, "maple_ink", "wrong").status_code == 401
        assert first.call("GET", "/v1/account/self").status_code == 200
        second = User(sandbox)
        statuses = [
            user.call("GET", "/v1/account/self").status_code for user in (first, second, other)
        ]
        assert statuses == [401, 200, 200]


def test_a_login_takes_its_delay() -> None:
    with Sandbox({"maple_ink": "secret"}, login_delay=0.3) as sandbox:
        start = time.monotonic()
        User(sandbox)
        assert time.monotonic() - start >= 0.3


def test_nothing_under_v1_redirects_and_unknown_routes_are_404_json(site: Sandbox) -> None:
    user = User(site)
    for path in ("/v1/", "/v1/account/self/", "/v1/token/", "/v1/nothing", "/elsewhere"):
        reply = user.call("GET", path)
        assert reply.status_code == 404
        assert set(reply.json()) == {"error"}
    assert user.call("GET", "/v1/token").status_code == 405


def test_a_dead_session_gets_401_everywhere(site: Sandbox) -> None:
    user = User(site)
    site.invalidate("maple_ink")
    for method, path in (
        ("GET", "/v1/account/self"),
        ("GET", "/v1/thread"),
        ("POST", "/v1/message"),
        ("GET", "/v1/nothing"),
    ):
        assert user.call(method, path).status_code == 401

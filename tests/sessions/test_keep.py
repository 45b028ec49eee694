"""The session of any site, kept by `keep`, with each library in the same way."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import aiohttp
import httpx
import pytest
import requests
from requests.adapters import HTTPAdapter

from interpal.exceptions import (
    AuthenticationError,
    InvalidCredentialsError,
    LoginRateLimitError,
    SessionExpiredError,
    ValidationError,
)
from interpal.session import from_text
from interpal.sessions import keep, renew
from interpal.sessions.jars import JarCookie
from interpal.vault import Vault
from tests.sessions.clients import KEY, LIBRARIES, PASSWORD, Library

if TYPE_CHECKING:
    from pathlib import Path

    from interpal.sessions.events import Event
    from tests.sessions.forum import Forum


def members(vault: Vault, name: str = "forum") -> dict[str, dict[str, Any]]:
    return {one["name"]: dict(one) for one in vault[name]["jar"]}


# Cookies and headers.


def test_a_cookie_comes_back_with_all_that_was_said_of_it(
    library: Library, forum: Forum, vault: Vault
) -> None:
    client = library.keep("forum", vault)
    assert library.get(client, f"{forum.url}/theme?name=dark&value=yes") == (200, "")
    cookie = members(vault)["dark"]
    end = from_text(cookie.pop("expires"))
    assert end is not None
    assert vault["forum"]["expires_at"] == members(vault)["dark"]["expires"]
    assert cookie == {
        "name": "dark",
        "value": "yes",
        "domain": "localhost",
        "path": "/",
        "host_only": True,
        "http_only": True,
        "same_site": "Lax",
    }
    for other in LIBRARIES.values():
        driver = other()
        reader = driver.keep("forum", vault)
        driver.get(reader, f"{forum.url}/me")
        assert forum.seen[-1]["dark"] == "yes"
        driver.get(reader, f"{forum.url}/theme?name=last&value=by")
        assert members(vault)["dark"] == {**cookie, "expires": members(vault)["dark"]["expires"]}
        assert from_text(members(vault)["dark"]["expires"]) == end
        driver.end()


def test_a_cookie_goes_to_a_member_of_a_record_and_back() -> None:
    cookie = JarCookie("a", "b", "example.org", "/x", others=(("Priority", "High"),), secure=True)
    assert JarCookie.from_member(cookie.to_member()) == cookie
    assert JarCookie.from_member({"name": "a", "value": 1}) is None
    assert "b'" not in repr(cookie)
    with pytest.raises(TypeError):
        pickle.dumps(cookie)


@pytest.mark.parametrize(
    ("name", "value", "attributes"),
    [
        ("a[1]", "1", "; Path=/"),
        ("a", '"in quotes"', "; Path=/"),
        ("a", '"a;b"', "; Path=/"),
        ("a", "b=c", "; Path=/"),
        ("a", "", "; Path=/"),
        ("a", "1", "; Path=/page/; Partitioned"),
        ("a", "1", "; Path=/; Max-Age=99999999999999999999"),
        ("a", "1", "; Path=/; Expires=nonsense"),
    ],
)
def test_a_cookie_is_sent_by_the_next_program_as_it_would_be_by_this_one(
    library: Library, forum: Forum, vault: Vault, name: str, value: str, attributes: str
) -> None:
    forum.attributes = attributes
    url = f"{forum.url}/theme?{urlencode({'name': name, 'value': value})}"
    one, first = library.client(), library.keep("forum", vault)
    for client in (one, first):
        library.get(client, url)
    library.get(one, f"{forum.url}/page/1")
    library.close(one)
    wanted = forum.given[-1]
    for _ in range(2):
        library.get(library.keep("forum", vault), f"{forum.url}/page/1")
        assert forum.given[-1] == wanted
    # Of an attribute that it does not know, an older aiohttp makes a cookie.
    assert set(members(vault)) - {"Priority"} == {name}
    assert len(members(vault)) == len(vault["forum"]["jar"])


def test_a_cookie_that_a_library_does_not_take_stays_for_the_others(
    library: Library, forum: Forum, vault: Vault
) -> None:
    with keep(requests.Session(), "forum", vault) as other:
        for name in ("a space", "bell\a"):
            other.cookies.set(name, "1", domain="localhost")
        other.cookies.set("of_an_address", "1", domain="127.0.0.1")
    client = library.keep("forum", vault)
    library.get(client, f"{forum.url}/theme?name=a&value=1")
    with keep(requests.Session(), "forum", vault) as other:
        other.cookies.set("of_an_address", "2", domain="127.0.0.1")
    library.get(client, f"{forum.url}/theme?name=b&value=1")
    library.close(client)
    assert set(members(vault)) == {"of_an_address", "a space", "bell\a", "a", "b"}
    assert members(vault)["of_an_address"]["value"] == "2"
    with keep(requests.Session(), "forum", vault) as other:
        del other.cookies["of_an_address"]
    assert set(members(vault)) == {"a space", "bell\a", "a", "b"}


def test_one_session_cookie_leaves_the_session_without_a_known_end(
    library: Library, forum: Forum, vault: Vault
) -> None:
    client = library.keep("forum", vault)
    library.get(client, f"{forum.url}/theme?name=a&value=1")
    assert vault["forum"]["expires_at"] is not None
    forum.attributes = "; Path=/"
    library.get(client, f"{forum.url}/theme?name=b&value=2")
    assert vault["forum"]["expires_at"] is None
    assert "expires" not in members(vault)["b"]


def test_what_a_server_deletes_is_deleted_in_the_vault(
    library: Library, forum: Forum, vault: Vault
) -> None:
    client = library.keep("forum", vault)
    for name in ("a", "b"):
        library.get(client, f"{forum.url}/theme?name={name}&value=1")
    library.get(client, f"{forum.url}/forget?name=a")
    assert set(members(vault)) == {"b"}


def test_nothing_is_saved_where_nothing_changed(
    library: Library, forum: Forum, vault: Vault
) -> None:
    client = library.keep("forum", vault)
    library.get(client, f"{forum.url}/theme?name=a&value=1")
    before = vault.generation
    for _ in range(3):
        library.get(client, f"{forum.url}/me")
    library.close(client)
    assert vault.generation == before


def test_chosen_headers_are_kept(library: Library, forum: Forum, vault: Vault) -> None:
    client = library.keep("forum", vault, headers=["Authorization"])
    client.headers["Authorization"] = "Bearer 5d41"
    client.headers["X-Other"] = "not kept"
    library.get(client, f"{forum.url}/me")
    assert vault["forum"]["headers"] == {"authorization": "Bearer 5d41"}
    other = library.keep("forum", vault, headers=["Authorization"])
    library.get(other, f"{forum.url}/me")
    assert other.headers["Authorization"] == "Bearer 5d41"
    assert "X-Other" not in other.headers


def test_a_header_in_bytes_is_kept_and_sent_again(forum: Forum, vault: Vault) -> None:
    driver = LIBRARIES["requests"]()
    tokens = iter((b"first", b"second"))

    def login(client: requests.Session) -> None:
        client.post(f"{forum.url}/login", data={"password": PASSWORD}).raise_for_status()
        client.headers["X-Token"] = next(tokens)

    client = driver.keep("forum", vault, login=login, headers=["X-Token"])
    client.get(f"{forum.url}/page")
    forum.end_all()
    assert client.get(f"{forum.url}/page").request.headers["X-Token"] == b"second"
    assert vault["forum"]["headers"] == {"x-token": "second"}
    driver.end()


def test_what_the_program_puts_into_the_jar_is_saved_at_the_end(vault: Vault) -> None:
    for client in (requests.Session(), httpx.Client()):
        with keep(client, "forum", vault) as kept:
            kept.cookies.set("by_hand", type(client).__module__, domain="example.org")
        assert members(vault)["by_hand"]["value"] == type(client).__module__


def test_members_of_the_record_that_are_not_ours_stay(
    library: Library, forum: Forum, vault: Vault
) -> None:
    vault["forum"] = {"note": "renew in May"}
    client = library.keep("forum", vault)
    library.get(client, f"{forum.url}/theme?name=a&value=1")
    assert vault["forum"]["note"] == "renew in May"


def test_what_two_clients_set_is_merged(library: Library, forum: Forum, vault: Vault) -> None:
    one, other = library.keep("forum", vault), library.keep("forum", vault)
    for client in (one, other):
        library.get(client, f"{forum.url}/me")
    library.get(one, f"{forum.url}/theme?name=a&value=1")
    library.get(other, f"{forum.url}/theme?name=b&value=2")
    assert set(members(vault)) == {"a", "b"}
    library.get(other, f"{forum.url}/me")
    assert forum.seen[-1] == {"a": "1", "b": "2"}
    library.get(one, f"{forum.url}/forget?name=a")
    assert set(members(vault)) == {"b"}


# One login.


def test_the_first_request_logs_in_and_the_next_program_does_not(
    library: Library, forum: Forum, vault: Vault
) -> None:
    for _ in range(2):
        client = library.keep("forum", vault, login=library.login(forum))
        assert library.get(client, f"{forum.url}/page") == (200, '["sid"]')
    assert forum.stats["/login"] == 1


def test_an_ended_session_is_renewed_once_and_the_request_is_sent_again(
    library: Library, forum: Forum, vault: Vault
) -> None:
    events: list[Event] = []
    client = library.keep("forum", vault, login=library.login(forum), on_event=events.append)
    library.get(client, f"{forum.url}/page")
    forum.end_all()
    assert library.send(client, "POST", f"{forum.url}/echo", data=b"once") == (200, "once")
    assert forum.stats["/login"] == 2
    assert forum.stats["/echo"] == 2
    told = [event.name for event in events]
    assert told.count("logged_in") == 2
    assert told.count("invalidated") == 1
    assert {event.username for event in events} == {"forum"}


def test_a_client_takes_the_session_that_another_has_renewed(
    library: Library, forum: Forum, vault: Vault
) -> None:
    clients = [library.keep("forum", vault, login=library.login(forum)) for _ in range(3)]
    for client in clients:
        assert library.get(client, f"{forum.url}/page")[0] == 200
    forum.end_all()
    for client in clients:
        assert library.get(client, f"{forum.url}/page")[0] == 200
    assert forum.stats["/login"] == 2


def test_a_client_takes_the_new_name_that_the_session_was_given(
    library: Library, forum: Forum, vault: Vault
) -> None:
    one, other = (library.keep("forum", vault, login=library.login(forum)) for _ in range(2))
    for client in (one, other):
        library.get(client, f"{forum.url}/page")
    assert library.get(one, f"{forum.url}/rotate") == (200, "rotated")
    assert library.get(other, f"{forum.url}/page")[0] == 200
    assert forum.stats["/login"] == 1


def test_a_page_that_is_refused_though_the_session_lives_costs_no_login(
    library: Library, forum: Forum, vault: Vault
) -> None:
    client = library.keep(
        "forum", vault, login=library.login(forum), is_valid=library.is_valid(forum)
    )
    assert library.get(client, f"{forum.url}/page")[0] == 200
    assert library.get(client, f"{forum.url}/forbidden")[0] == 401
    assert forum.stats["/login"] == 1


def test_a_page_that_is_always_refused_costs_one_login(
    library: Library, forum: Forum, vault: Vault
) -> None:
    client = library.keep("forum", vault, login=library.login(forum))
    for _ in range(3):
        assert library.get(client, f"{forum.url}/forbidden")[0] == 401
    assert forum.stats["/login"] == 2


def test_a_saved_session_is_asked_about_once_in_a_while(
    library: Library, forum: Forum, vault: Vault
) -> None:
    settings: dict[str, Any] = {
        "login": library.login(forum),
        "is_valid": library.is_valid(forum),
    }
    library.get(library.keep("forum", vault, **settings), f"{forum.url}/page")
    assert forum.stats["/me"] == 1
    library.get(library.keep("forum", vault, **settings), f"{forum.url}/page")
    assert forum.stats["/me"] == 1
    forum.end_all()
    late = library.keep("forum", vault, revalidate_after=0, **settings)
    assert library.get(late, f"{forum.url}/page")[0] == 200
    assert forum.stats["/login"] == 2
    assert forum.stats["/page"] == 3


def test_what_is_still_done_with_an_ended_session_changes_nothing_of_the_next(
    library: Library, forum: Forum, vault: Vault
) -> None:
    one, other = (library.keep("forum", vault, login=library.login(forum)) for _ in range(2))
    for client in (one, other):
        library.get(client, f"{forum.url}/page")
    forum.end_all()
    library.get(one, f"{forum.url}/page")
    # The other has not heard of it: what a page that asks for no session sets is of the old one.
    library.get(other, f"{forum.url}/theme?name=old&value=1")
    assert set(members(vault)) == {"sid"}
    assert library.get(other, f"{forum.url}/page")[0] == 200
    assert forum.stats["/login"] == 2


def test_a_session_that_somebody_has_taken_away_stays_away(
    library: Library, forum: Forum, vault: Vault
) -> None:
    client = library.keep("forum", vault, login=library.login(forum))
    library.get(client, f"{forum.url}/page")
    del vault["forum"]
    library.get(client, f"{forum.url}/theme?name=a&value=1")
    library.close(client)
    assert "forum" not in vault


def test_a_body_that_can_be_read_once_is_not_sent_twice(forum: Forum, vault: Vault) -> None:
    driver = LIBRARIES["requests"]()
    client = driver.keep("forum", vault, login=driver.login(forum))
    driver.get(client, f"{forum.url}/page")
    forum.end_all()
    headers = {"Content-Length": "3"}
    body = iter([b"one"])
    assert client.post(f"{forum.url}/echo", data=body, headers=headers).status_code == 401
    assert driver.get(client, f"{forum.url}/page")[0] == 200
    assert forum.stats["/login"] == 2
    driver.end()


def test_cookies_of_one_request_are_sent_again_with_it(forum: Forum, vault: Vault) -> None:
    driver = LIBRARIES["requests"]()
    client = driver.keep("forum", vault, login=driver.login(forum))
    driver.get(client, f"{forum.url}/page")
    forum.end_all()
    assert client.get(f"{forum.url}/page", cookies={"once": "1"}).text == '["once", "sid"]'
    assert "once" not in members(vault)
    driver.end()


@pytest.mark.parametrize("kind", ["requests", "httpx"])
def test_what_a_program_changes_of_a_request_before_it_is_sent_is_its_own(
    forum: Forum, vault: Vault, kind: str
) -> None:
    driver = LIBRARIES[kind]()
    client = driver.keep("forum", vault, login=driver.login(forum), headers=["X-Token"])
    driver.get(client, f"{forum.url}/page")
    client.headers["X-Token"] = "session's"
    for _ in range(2):
        url = f"{forum.url}/page"
        request: Any = (
            client.prepare_request(requests.Request("GET", url))
            if isinstance(client, requests.Session)
            else client.build_request("GET", url)
        )
        request.headers["Cookie"] = "own=1"
        request.headers["X-Token"] = "own"
        reply = client.send(request)
        assert (reply.status_code, forum.given[-1]) == (401, "own=1")
        assert reply.request.headers["X-Token"] == "own"
    driver.end()


def test_threads_of_one_session_log_in_once(forum: Forum, vault: Vault) -> None:
    driver = LIBRARIES["requests"]()
    client = driver.keep("forum", vault, login=driver.login(forum))
    for logins in (1, 2):
        start = threading.Barrier(8)

        def page(_: int, start: threading.Barrier = start) -> int:
            start.wait()
            return driver.get(client, f"{forum.url}/page")[0]

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(page, range(8))) == {200}
        assert forum.stats["/login"] == logins
        forum.end_all()
    driver.end()


@pytest.mark.parametrize("when", ["prepared", "on its way"])
def test_what_an_ended_session_sent_while_another_thread_logged_in_is_sent_again(
    forum: Forum, vault: Vault, when: str
) -> None:
    driver = LIBRARIES["requests"]()
    client = driver.keep("forum", vault, login=driver.login(forum))
    assert client.get(f"{forum.url}/page").status_code == 200

    def another_thread() -> None:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(client.get, f"{forum.url}/page").result().status_code == 200

    class Slow(HTTPAdapter):
        def send(self, *args: Any, **kwargs: Any) -> requests.Response:
            client.mount("http://", HTTPAdapter())
            another_thread()
            return super().send(*args, **kwargs)

    request = client.prepare_request(requests.Request("GET", f"{forum.url}/page"))
    forum.end_all()
    if when == "prepared":
        another_thread()
    else:
        client.mount("http://", Slow())
    assert client.send(request).status_code == 200
    assert forum.stats["/login"] == 2
    driver.end()


# Refusals.


def test_a_refused_login_is_not_tried_again_by_anybody(
    library: Library, forum: Forum, vault: Vault
) -> None:
    wrong = library.login(forum, "wrong")
    with pytest.raises(Exception, match="401") as caught:
        library.get(
            library.keep("forum", vault, login=wrong, credentials="wrong"), f"{forum.url}/page"
        )
    assert not isinstance(caught.value, AuthenticationError)
    for _ in range(2):
        again = library.keep("forum", vault, login=wrong, credentials="wrong")
        with pytest.raises(InvalidCredentialsError, match="renew"):
            library.get(again, f"{forum.url}/page")
    assert forum.stats["/login"] == 1
    right = library.keep("forum", vault, login=library.login(forum), credentials="right")
    assert library.get(right, f"{forum.url}/page")[0] == 200
    assert b"right" not in str(vault["forum"]).encode()


def test_renew_asks_in_any_case(library: Library, forum: Forum, vault: Vault) -> None:
    client = library.keep("forum", vault, login=library.login(forum))
    forum.refuse = 403
    with pytest.raises(Exception, match="403"):
        library.get(client, f"{forum.url}/page")
    forum.refuse = None
    with pytest.raises(AuthenticationError):
        library.get(client, f"{forum.url}/page")
    library.renew(client, force=True)
    assert library.get(client, f"{forum.url}/page")[0] == 200
    assert forum.stats["/login"] == 2


def test_a_rate_limit_holds_everybody_back(library: Library, forum: Forum, vault: Vault) -> None:
    forum.refuse = 429
    client = library.keep("forum", vault, login=library.login(forum), credentials="a")
    with pytest.raises(Exception, match="429"):
        library.get(client, f"{forum.url}/page")
    other = library.keep("forum", vault, login=library.login(forum), credentials="b")
    with pytest.raises(LoginRateLimitError) as caught:
        library.get(other, f"{forum.url}/page")
    assert 100 < caught.value.retry_after <= 121
    assert forum.stats["/login"] == 1


def test_who_keeps_ending_a_session_is_told_what_to_do_about_it(
    library: Library, forum: Forum, vault: Vault
) -> None:
    client = library.keep("forum", vault, login=library.login(forum))
    remedy = r"give both programs the same vault.*renew\(client, force=True\)"
    with pytest.raises(SessionExpiredError, match=remedy):
        for _ in range(10):
            library.get(client, f"{forum.url}/page")
            forum.end_all()


def test_a_server_in_trouble_is_asked_again(library: Library, forum: Forum, vault: Vault) -> None:
    forum.refuse = 503
    client = library.keep("forum", vault, login=library.login(forum))
    for _ in range(2):
        with pytest.raises(Exception, match="503"):
            library.get(client, f"{forum.url}/page")
    forum.refuse = None
    assert library.get(client, f"{forum.url}/page")[0] == 200


def test_a_login_that_gives_no_session_is_told(
    library: Library, forum: Forum, vault: Vault
) -> None:
    forum.refuse = 200
    settings: dict[str, Any] = {"login": library.login(forum), "credentials": "a"}
    with pytest.raises(AuthenticationError, match="neither a cookie nor"):
        library.get(library.keep("forum", vault, **settings), f"{forum.url}/page")
    client = library.keep("page", vault, is_valid=library.is_valid(forum), **settings)
    library.get(library.keep("page", vault), f"{forum.url}/theme?name=a&value=1")
    with pytest.raises(AuthenticationError, match="says that there is no session"):
        library.get(client, f"{forum.url}/page")
    assert forum.stats["/login"] == 2
    with pytest.raises(AuthenticationError, match="not tried again"):
        library.get(client, f"{forum.url}/page")
    assert forum.stats["/login"] == 2


def test_a_vault_that_cannot_be_written_costs_the_save_alone(
    library: Library, forum: Forum, vault: Vault, place: Path
) -> None:
    events: list[Event] = []
    client = library.keep("forum", vault, lock_timeout=0.05, on_event=events.append)
    library.get(client, f"{forum.url}/me")
    with Vault.open(place, key=KEY) as other, other.transaction() as records:
        assert library.get(client, f"{forum.url}/theme?name=a&value=1")[0] == 200
        records["busy"] = {}
    assert [event.name for event in events] == ["save_failed"]
    library.get(client, f"{forum.url}/me")
    assert set(members(vault)) == {"a"}


# Processes.


@pytest.mark.parametrize("kinds", [(one, one) for one in LIBRARIES] + [("requests", "aiohttp")])
def test_two_processes_log_in_once(
    kinds: tuple[str, str], forum: Forum, vault: Vault, place: Path
) -> None:
    outputs = run_together(kinds, forum, place, "page", "page")
    assert outputs == ['200 ["sid"]\n'] * 2
    assert forum.stats["/login"] == 1


@pytest.mark.parametrize("kinds", [("requests", "requests"), ("httpx", "aiohttp")])
def test_two_processes_lose_no_cookie(
    kinds: tuple[str, str], forum: Forum, vault: Vault, place: Path
) -> None:
    run_together(kinds, forum, place, "a:40", "b:40")
    wanted = {f"{name}{number}": f"v{number}" for name in "ab" for number in range(40)}
    found = {name: one["value"] for name, one in members(vault).items()}
    assert {name: found.get(name) for name in wanted} == wanted
    assert forum.stats["/login"] == 1


def run_together(kinds: tuple[str, str], forum: Forum, place: Path, *what: str) -> list[str]:
    command = [sys.executable, "-m", "tests.sessions.program"]
    processes = [
        subprocess.Popen(
            [*command, kind, forum.url, str(place), KEY.hex(), one],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )
        for kind, one in zip(kinds, what, strict=True)
    ]
    outputs = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        output, _ = process.communicate(timeout=100)
        assert process.returncode == 0
        outputs.append(output)
    return outputs


# What is refused, and what is opened.


def test_a_path_is_opened_with_the_key_of_the_environment_and_closed_with_the_client(
    library: Library, forum: Forum, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERPALS_VAULT_KEY", KEY.hex())
    client = library.keep("forum", place, login=library.login(forum))
    assert library.get(client, f"{forum.url}/page")[0] == 200
    library.close(client)
    with Vault.open(place, key=KEY) as vault:
        assert set(members(vault)) == {"sid"}


def test_what_is_no_client_or_is_kept_already_is_refused(library: Library, vault: Vault) -> None:
    client = library.keep("forum", vault)
    with pytest.raises(ValidationError, match="already"):
        keep(client, "forum", vault)
    with pytest.raises(TypeError):
        pickle.dumps(client)
    with pytest.raises(ValidationError, match="not kept"):
        renew(requests.Session())
    with pytest.raises(ValidationError, match=r"requests\.Session"):
        keep(object(), "forum", vault)
    with pytest.raises(ValidationError, match="login"):
        keep(requests.Session(), "forum", vault, login="me")  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="headers"):
        keep(requests.Session(), "forum", vault, headers="Authorization")
    for seconds in (float("nan"), float("inf"), -1, "60", None):
        with pytest.raises(ValidationError, match="revalidate_after: expected a number of seconds"):
            keep(requests.Session(), "forum", vault, revalidate_after=seconds)  # type: ignore[arg-type]
        with pytest.raises(ValidationError, match="lock_timeout: expected a number of seconds"):
            keep(requests.Session(), "forum", vault, lock_timeout=seconds)  # type: ignore[arg-type]


def test_a_jar_that_keeps_nothing_is_refused(vault: Vault) -> None:
    async def ask() -> None:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
            with pytest.raises(ValidationError, match="not DummyCookieJar"):
                keep(client, "forum", vault)

    asyncio.run(ask())


def test_renew_needs_a_login(library: Library, vault: Vault) -> None:
    with pytest.raises(ValidationError, match="without login="):
        library.renew(library.keep("forum", vault))


def test_it_stays_what_it_was(library: Library, vault: Vault) -> None:
    client = library.keep("forum", vault)
    assert type(client).__name__ in ("Session", "Client", "AsyncClient", "ClientSession")
    assert isinstance(client, type(client).__mro__[2])

"""Whose session it is: no request ever goes out with another account's."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from interpal import InterpalClient
from interpal._clock import utc_now
from interpal.exceptions import AccountMismatchError, AuthenticationError, NetworkError
from interpal.vault.files.locks import FileLock
from tests.helpers import SELF, TOKEN, Place, export_of
from tests.sandbox.web import eventually, held_back

if TYPE_CHECKING:
    from interpal.session import Session
    from tests.helpers import Driver

GONE = "was logged out, or switched to another account"
THREADS = "/v1/user/self/threads"


def put_plain_file(place: Place, session: Session, **members: Any) -> None:
    """A plain file of interpal 1.x: these members, beside the session."""
    form: dict[str, Any] = {
        "session_cookie": session.session_cookie,
        "created_at": utc_now().isoformat(),
        "expires_at": (utc_now() + timedelta(hours=24)).isoformat(),
        **members,
    }
    place.path.write_text(json.dumps(form))
    place.path.chmod(0o600)


@pytest.mark.usefixtures("real_site")
def test_a_plain_file_without_a_name_is_nobodys_until_the_server_has_said_whose(
    driver: Driver, place: Place
) -> None:
    put_plain_file(place, place.log_in("pedro_k"))
    for _ in range(2):
        with pytest.raises(AccountMismatchError) as caught:
            driver.open(**place.settings())
        assert (caught.value.expected, caught.value.found) == ("maple_ink", "pedro_k")
    assert place.site.stats()["requests"] == {TOKEN: 1, SELF: 2}
    put_plain_file(place, place.log_in())
    assert driver.run(driver.open(**place.settings()), "get_self")["username"] == "maple_ink"
    assert place.logins == 2


@pytest.mark.usefixtures("real_site")
@pytest.mark.parametrize("members", [{}, {"username": "maple_ink"}], ids=["no name", "a name"])
@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 503}, {"status": 429}])
def test_what_was_never_validated_waits_for_the_server(
    driver: Driver, place: Place, members: dict[str, Any], fault: dict[str, Any]
) -> None:
    put_plain_file(place, place.log_in(), **members)
    place.site.fault(SELF, **fault)
    with pytest.raises(NetworkError, match=r"never validated.* kept and not used"):
        driver.open(**place.settings())
    assert place.requests(THREADS) == 0
    assert place.names() == ["maple_ink"]
    client = driver.open(**place.settings())
    assert driver.run(client, "get_threads")
    assert place.logins == 1


@pytest.mark.usefixtures("real_site")
def test_a_file_under_an_email_address_proves_nothing(driver: Driver, place: Place) -> None:
    put_plain_file(place, place.log_in("pedro_k"), username="name@example.org", bot_id="18")
    before = place.log_in("name@example.org")
    with pytest.raises(AccountMismatchError, match="e-mail address does not tell whose"):
        driver.open(**place.settings("name@example.org", password=None))
    assert place.requests(SELF) == 0
    client = driver.open(**place.settings("name@example.org"))
    assert driver.run(client, "get_self")["username"] == "name"
    assert client.session.user_id == before.user_id
    # From then on it is bound by the id of the login.
    pedro = place.log_in("pedro_k")
    place.change("name@example.org", session_cookie=pedro.session_cookie, auth_token=None)
    with pytest.raises(AccountMismatchError):
        driver.open(**place.settings("name@example.org"))


@pytest.mark.usefixtures("real_site")
def test_a_file_that_turns_up_in_mid_run_is_asked_about_before_it_is_used(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings())
    thread = driver.run(client, "get_threads")[0]["id"]
    place.path.unlink()
    put_plain_file(place, place.log_in("pedro_k"), username="maple_ink")
    place.site.invalidate("maple_ink")
    for _ in range(2):
        with pytest.raises(AccountMismatchError):
            driver.run(client, "send_message", thread, "private words")
    assert place.site.messages(thread) == []
    assert not client.is_authenticated
    assert place.logins == 2


def test_a_record_that_names_another_than_it_is_kept_under_is_asked_about_first(
    driver: Driver, place: Place
) -> None:
    place.save(place.log_in("pedro_k"))
    with place.vault() as vault:
        vault["maple_ink"] = dict(vault["pedro_k"])
        del vault["pedro_k"]
    with pytest.raises(AccountMismatchError):
        driver.open(**place.settings(revalidate_after=3600))
    assert place.requests(THREADS) == 0


def test_an_import_is_asked_about_once_before_its_first_other_use(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings(auto_login=False))
    driver.run(client, "import_session", place.log_in("pedro_k").session_cookie)
    with pytest.raises(AccountMismatchError):
        driver.run(client, "get_threads")
    assert place.requests(THREADS) == 0
    driver.run(client, "import_session", place.log_in().session_cookie)
    results = driver.together(client, [("get_threads",)] * 4)
    assert all(isinstance(result, list) for result in results)
    assert place.requests(SELF) == 2
    assert place.record()["last_validated_at"] is not None


def test_an_import_that_cannot_be_asked_about_is_not_used(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings(auto_login=False))
    driver.run(client, "import_session", export_of(place.log_in()))
    place.site.fault(SELF, drop=True)
    with pytest.raises(NetworkError, match="never validated"):
        driver.run(client, "get_threads")
    assert place.requests(THREADS) == 0
    assert driver.run(client, "get_threads")


def test_a_session_of_another_is_not_used_after_the_error(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings())
    pedro = place.log_in("pedro_k")
    driver.run(client, "import_session", pedro.session_cookie)
    for name in ("get_self", "get_threads"):
        with pytest.raises(AccountMismatchError):
            driver.run(client, name)
    assert place.requests(THREADS) == 0
    assert driver.run(client, "login", force=True).username == "maple_ink"
    assert driver.run(client, "get_threads")


def test_a_plain_file_belongs_to_the_real_site_and_not_to_the_sandbox(
    driver: Driver, place: Place
) -> None:
    session = place.log_in()
    put_plain_file(place, session, username="maple_ink")
    client = driver.open(**place.settings(password=None, auto_login=False))
    assert not client.is_authenticated
    with pytest.raises(AuthenticationError):
        driver.run(client, "get_threads")
    assert place.requests(SELF) == 0
    record = place.record()
    assert record["session_cookie"] == session.session_cookie
    assert record["origin"] == "https://api.interpals.net"


@pytest.mark.usefixtures("real_site")
def test_a_record_that_says_nothing_of_its_origin_is_the_real_sites(
    driver: Driver, place: Place
) -> None:
    place.save(origin=None)
    assert driver.open(**place.settings(password=None)).is_authenticated


def test_a_login_of_another_account_is_whole_for_every_thread(place: Place) -> None:
    place.save()
    place.save(place.log_in("pedro_k"))
    with InterpalClient(**place.settings(revalidate_after=3600)) as client:
        stop = threading.Event()
        wrong: list[object] = []

        def ask() -> None:
            while not stop.is_set():
                state = client._context.state
                if state.live is not None and state.live.username != state.name:
                    wrong.append(state)
                try:
                    client.get_threads()
                except AuthenticationError as error:
                    if "switched to" not in str(error):
                        wrong.append(error)

        with ThreadPoolExecutor(4) as pool:
            for _ in range(4):
                pool.submit(ask)
            for name, password in [("pedro_k", "radio"), ("maple_ink", "secret")] * 8:
                assert client.login(name, password).username == name
            stop.set()
    assert not wrong


@pytest.mark.parametrize("how", ["retry", "min_interval"])
def test_nothing_is_sent_after_a_logout(place: Place, how: str) -> None:
    settings: dict[str, Any] = {"min_interval": 1.5} if how == "min_interval" else {}
    feed = "/v1/feed"
    with InterpalClient(**place.settings(**settings)) as client, ThreadPoolExecutor(1) as pool:
        if how == "retry":
            place.site.fault(feed, status=503, headers={"Retry-After": "1.5"})
        else:
            client.get_threads()
        sent = place.site.stats()["requests"].get(feed, 0)
        call = pool.submit(client.get, feed)
        if how == "retry":
            assert eventually(lambda: place.requests(feed) == sent + 1)
            sent += 1
        else:
            assert eventually(lambda: client._context._next_slot > 0)
        client.logout()
        with pytest.raises(AuthenticationError, match=GONE):
            call.result()
        assert place.requests(feed) == sent


def test_a_login_that_waits_to_be_saved_is_not_saved_after_a_logout(place: Place) -> None:
    place.save(place.log_in("pedro_k"))
    logged_in = threading.Event()

    def hook(event: Any) -> None:
        if event.name == "logged_in":
            logged_in.set()

    other = FileLock(str(place.path), "write.lock")
    settings = place.settings(auto_login=False, on_event=hook)
    with (
        InterpalClient(**settings) as client,
        ThreadPoolExecutor(2) as pool,
        held_back(place.site, TOKEN, after=True) as released,
    ):
        login = pool.submit(client.login)
        assert eventually(lambda: place.requests(TOKEN) == 1)
        other.acquire(60)  # Another process is saving.
        released.set()
        assert logged_in.wait(60)
        logout = pool.submit(client.logout)
        assert eventually(lambda: not client.is_authenticated)
        other.release()
        logout.result()
        with pytest.raises(AuthenticationError, match=GONE):
            login.result()
    assert place.names() == ["pedro_k"]


@pytest.mark.parametrize("call", ["logout", "clear_saved_session"])
@pytest.mark.parametrize("name", ["pedro_k", "maple_ink"])
def test_what_is_removed_is_what_was_there_when_it_was_asked_for(
    place: Place, call: str, name: str
) -> None:
    place.save(place.log_in("pedro_k"))
    old = place.save()
    other = FileLock(str(place.path), "write.lock")
    settings = place.settings(revalidate_after=3600)
    with InterpalClient(**settings) as client, ThreadPoolExecutor(2) as pool:
        other.acquire(60)  # Another process is saving.
        removal = pool.submit(getattr(client, call))
        assert eventually(lambda: not client.persisted)
        again = pool.submit(client.login, name, "radio" if name == "pedro_k" else "secret")
        other.release()
        removal.result()
        session = again.result()
    assert session.username == name
    assert "pedro_k" in place.names()
    if name == "maple_ink" and call == "logout":
        # A new login: the one that was logged out is not resumed, and the new one is saved.
        assert not session.same_credentials(old)
        assert place.record()["session_cookie"] == session.session_cookie
    else:
        assert "maple_ink" not in place.names()

"""A client that goes over to another account, or logs out, while calls are under way."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from interpal import InterpalClient
from interpal.exceptions import AuthenticationError, InvalidCredentialsError
from interpal.sandbox import Sandbox
from interpal.sessions.wait import pause
from tests.files import is_inside
from tests.helpers import ACCOUNTS, SELF, TOKEN, Place, export_of
from tests.sandbox.web import eventually, held_back

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

GONE = "was logged out, or switched to another account"


@contextmanager
def under_way(
    place: Place, path: str, call: Callable[[], Any]
) -> Generator[Future[Any], None, None]:
    """A call in another thread; in the body its request to *path* is held back by the server."""
    before = place.requests(path)
    with beside() as pool, held_back(place.site, path, times=1):
        future = pool.submit(call)
        assert eventually(lambda: place.requests(path) > before)
        yield future


def beside() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1)


def waits(pool: ThreadPoolExecutor) -> bool:
    """Whether a call in a thread of *pool* waits for another one."""
    return any(is_inside(thread, pause) for thread in pool._threads)


def alone(place: Place, username: str | None = "maple_ink", **changes: Any) -> dict[str, Any]:
    """The settings of a client that saves nothing."""
    nothing = {"persist_session": False, "session_file": None, "vault_key": None}
    return place.settings(username, **nothing, **changes)


@pytest.fixture
def client(place: Place) -> Generator[InterpalClient, None, None]:
    with InterpalClient(**place.settings(auto_login=False)) as made:
        yield made


def test_neither_the_call_that_logs_in_nor_one_that_waits_for_it_is_sent_as_another(
    place: Place,
) -> None:
    with InterpalClient(**alone(place)) as client, beside() as pool, beside() as another:
        place.site.invalidate()
        with under_way(place, TOKEN, client.get_self) as first:
            second = pool.submit(client.get_self)
            assert eventually(lambda: waits(pool))
            login = another.submit(client.login, "pedro_k", "radio")
            assert eventually(lambda: waits(another))
        assert login.result().username == "pedro_k"
        for call in (first, second):
            with pytest.raises(AuthenticationError, match=GONE):
                call.result()
        assert client.get_self()["username"] == "pedro_k"


def test_a_session_that_has_ended_is_not_valid_because_anothers_lives(
    place: Place, client: InterpalClient
) -> None:
    client.login()
    with under_way(place, SELF, client.validate_session) as answer:
        place.site.invalidate("maple_ink")
        client.login("pedro_k", "radio")
    assert answer.result() is False
    assert client.validate_session()


def test_the_refusal_of_one_account_is_no_word_of_another(place: Place) -> None:
    settings = place.settings("ghost", password="secret", auto_login=False)
    with InterpalClient(**settings) as client, beside() as pool:
        with under_way(place, TOKEN, client.login) as refused:
            login = pool.submit(client.login, "maple_ink", "secret")
            assert eventually(lambda: waits(pool))
        login.result()
        with pytest.raises(InvalidCredentialsError):
            refused.result()
        assert client.login(force=True).username == "maple_ink"
        place.site.invalidate()
        assert client.get_self()["username"] == "maple_ink"


def test_a_session_of_another_that_is_handed_over_repeats_nothing(place: Place) -> None:
    with InterpalClient(**alone(place, None, auto_login=False)) as client:
        client.import_session(export_of(place.log_in()))
        with under_way(place, SELF, client.get_self) as refused:
            place.site.invalidate("maple_ink")
            client.import_session(export_of(place.log_in("pedro_k")))
        with pytest.raises(AuthenticationError, match=GONE):
            refused.result()
        assert client.get_self()["username"] == "pedro_k"


def test_a_newer_session_of_the_same_account_that_is_handed_over_is_taken(place: Place) -> None:
    with InterpalClient(**alone(place, None, auto_login=False)) as client:
        client.import_session(export_of(place.log_in()))
        with under_way(place, SELF, client.get_self) as refused:
            place.site.invalidate("maple_ink")
            client.import_session(export_of(place.log_in()))
        assert refused.result()["username"] == "maple_ink"


def test_a_cookie_of_nobody_knows_whom_repeats_nothing(place: Place) -> None:
    with InterpalClient(**alone(place, None, auto_login=False)) as client:
        client.import_session(place.log_in().session_cookie)
        with under_way(place, SELF, client.get_self) as refused:
            place.site.invalidate("maple_ink")
            client.import_session(place.log_in().session_cookie)
        with pytest.raises(AuthenticationError, match=GONE):
            refused.result()


def test_a_login_under_way_does_not_undo_a_logout(place: Place, client: InterpalClient) -> None:
    client.login()
    place.site.invalidate("maple_ink")
    with under_way(place, TOKEN, client.get_self) as refused:
        client.logout()
    with pytest.raises(AuthenticationError, match=GONE):
        refused.result()
    assert not client.is_authenticated
    assert not client.persisted
    assert place.names() == []


def test_a_cookie_in_the_answer_to_whether_it_is_the_session_or_the_call_is_taken_on(
    place: Place,
) -> None:
    with Sandbox(ACCOUNTS) as site:
        here = Place(place.folder / "other", site)
        with InterpalClient(**here.settings()) as client:
            site.fault("/v1/threads", status=401, times=None)
            assert client.session is not None
            body = {"id": client.session.user_id}
            site.fault(SELF, status=200, body=body, headers={"Set-Cookie": rotated()})
            with pytest.raises(AuthenticationError):
                client.get("/v1/threads")
            assert client.session.session_cookie == "rotated"
            assert here.record()["session_cookie"] == "rotated"


def rotated() -> str:
    return "interpals_sessid=rotated; Path=/"

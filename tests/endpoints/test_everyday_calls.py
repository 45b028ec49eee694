"""The everyday calls, on both clients, against a real server; and their table in the docs."""

from __future__ import annotations

import asyncio
import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from docs.generate import endpoints_page
from interpal import APIError, AsyncInterpalClient, InterpalClient, ValidationError
from interpal.api import calls
from interpal.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(accounts={"maple_ink": "secret"}) as sandbox:
        yield sandbox


Do = "Callable[..., Any]"


@pytest.fixture(params=["sync", "async"])
def do(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[Callable[..., Any]]:
    """Calls a method of a client that has logged in, by name."""
    arguments: dict[str, Any] = {
        "username": "maple_ink",
        "password": "secret",
        "auto_login": True,
        "base_url": sandbox.base_url,
        "timeout": 30,
    }
    if request.param == "sync":
        with InterpalClient(**arguments) as client:
            yield lambda name, *args, **kwargs: getattr(client, name)(*args, **kwargs)
        return

    async def call(name: str, *args: Any, **kwargs: Any) -> Any:
        async with AsyncInterpalClient(**arguments) as client:
            return await getattr(client, name)(*args, **kwargs)

    yield lambda name, *args, **kwargs: asyncio.run(call(name, *args, **kwargs))


def test_a_conversation_from_search_to_answer(do: Callable[..., Any], sandbox: Sandbox) -> None:
    me = do("get_self")
    assert me["username"] == "maple_ink"
    found = do("search_users", username="pedro_k")
    assert [user["username"] for user in found] == ["pedro_k"]
    assert do("get_user", found[0]["id"])["username"] == "pedro_k"
    thread = next(t for t in do("get_threads") if t["user"]["username"] == "pedro_k")
    sent = do("send_message", thread["id"], "Olá & olé = 100 %", tmp_id="q7zd")
    assert sent["message"] == "Olá & olé = 100 %"
    assert sent["tmp_id"] == "q7zd"
    messages = do("get_thread_messages", thread["id"], limit=1)
    assert [m["id"] for m in messages] == [sent["id"]]
    assert do("set_typing", thread["id"]) is None
    assert do("mark_thread_viewed", thread["id"], sent["id"]) is None
    assert do("mark_thread_viewed", thread["id"]) is None
    assert sandbox.stats()["logins"]["maple_ink"] >= 1


def test_feed_and_notifications_are_lists(do: Callable[..., Any]) -> None:
    assert do("get_feed", limit=1)[0]["message"]
    assert do("get_notifications")[0]["type"]


@pytest.mark.parametrize("name", ["threads", "data"])
def test_a_list_is_found_bare_or_under_a_known_name(sandbox: Sandbox, name: str) -> None:
    with InterpalClient(
        "maple_ink", "secret", auto_login=True, base_url=sandbox.base_url
    ) as client:
        sandbox.fault("/v1/user/self/threads", status=200, body={name: [{"id": "1", "odd": 7}]})
        if name == "threads":
            assert client.get_threads() == [{"id": "1", "odd": 7}]
        else:
            with pytest.raises(APIError, match="no list"):
                client.get_threads()


def test_an_id_cannot_reach_another_path(sandbox: Sandbox) -> None:
    with InterpalClient(
        "maple_ink", "secret", auto_login=True, base_url=sandbox.base_url
    ) as client:
        with pytest.raises(APIError):
            client.get_user("../account/self?x=")
        assert "/v1/account/self" not in sandbox.stats()["requests"]
        for wrong in ("", ".", "..", "\ud800"):
            with pytest.raises(ValidationError, match="user_id"):
                client.get_user(wrong)


@pytest.mark.parametrize("client", [InterpalClient, AsyncInterpalClient])
def test_an_editor_sees_names_types_and_docstrings(client: Any) -> None:
    for name in " ".join(calls.TOPICS.values()).split():
        method = getattr(client(), name)
        assert inspect.getdoc(method), name
        assert "self" not in inspect.signature(method).parameters
        assert method.__name__ == name
    assert list(inspect.signature(client().send_message).parameters) == [
        "thread_id",
        "content",
        "tmp_id",
        "fields",
    ]


def test_the_page_of_the_calls_is_made_from_the_code() -> None:
    page = (DOCS / "endpoints.md").read_text(encoding="utf-8")
    assert endpoints_page() == page, (
        f"run `make docs` to renew {os.path.relpath(DOCS)}/endpoints.md"
    )

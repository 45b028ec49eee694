"""The two clients offer the same; only what has to differ does."""

from __future__ import annotations

import inspect
from typing import Any

from interpal import AsyncInterpalClient, InterpalClient
from interpal.api.base import Operations

PLAIN = {
    "login",
    "import_session",
    "export_session",
    "get_session_info",
    "clear_saved_session",
}
TWINS = {"alogin", "aget_session_info", "aclear_saved_session"}
ONE_POINT_TWO = [
    "username",
    "password",
    "session_cookie",
    "auth_token",
    "auto_login",
    "user_agent",
    "persist_session",
    "session_file",
    "session_expiration_hours",
    "max_messages",
    "cache_users",
    "cache_threads",
    "weak_references",
]


def public(cls: type[Any]) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def test_both_have_the_same_names() -> None:
    assert public(AsyncInterpalClient) - public(InterpalClient) == TWINS
    assert public(InterpalClient) <= public(AsyncInterpalClient)


def test_both_have_the_same_signatures_and_docstrings() -> None:
    one = InterpalClient(base_url="http://127.0.0.1:1")
    other = AsyncInterpalClient(base_url="http://127.0.0.1:1")
    for name in sorted(public(InterpalClient)):
        mine, theirs = getattr(one, name), getattr(other, name)
        if callable(mine):
            assert inspect.signature(mine) == inspect.signature(theirs), name
            assert (mine.__doc__ or "").strip(), name
            assert mine.__doc__ == theirs.__doc__, name
            assert mine.__name__ == name
    for name in TWINS:
        plain = getattr(other, name.removeprefix("a"))
        assert inspect.signature(getattr(other, name)) == inspect.signature(plain)
    one.close()


def test_the_constructors_are_one() -> None:
    assert InterpalClient.__init__ is Operations.__init__
    assert AsyncInterpalClient.__init__ is Operations.__init__
    parameters = inspect.signature(InterpalClient).parameters
    positional = [
        name
        for name, parameter in parameters.items()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    assert positional == ONE_POINT_TWO
    defaults = {name: parameters[name].default for name in ONE_POINT_TWO}
    assert defaults["session_expiration_hours"] == 24
    assert defaults["auto_login"] is False
    assert defaults["persist_session"] is None, "off, as `False`, which may be said too"


def test_every_public_method_of_the_async_client_is_awaited_but_the_plain_ones() -> None:
    client = AsyncInterpalClient("maple_ink", "x", base_url="http://127.0.0.1:1")
    for name in ("get_self", "logout", "validate_session", "alogin", "aget_session_info"):
        coroutine = getattr(client, name)()
        assert inspect.iscoroutine(coroutine), name
        coroutine.close()
    assert client.get_session_info() is None


def test_a_method_may_be_called_by_its_class() -> None:
    assert callable(InterpalClient.get_self)
    client = AsyncInterpalClient("maple_ink", "x", base_url="http://127.0.0.1:1")
    unbound: Any = AsyncInterpalClient.get_session_info
    assert unbound(client) is None

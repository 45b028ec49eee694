"""The guide that users of interpal 1.x know: each of its code blocks, unchanged, runs."""

from __future__ import annotations

import ast
import asyncio
import gc
import inspect
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from interpal.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNTS = {
    "your_username": "your_password",
    "account1@example.com": "password1",
    "account2@example.com": "password2",
    "user": "pass",
}

BASIC = """
from interpal import InterpalClient

# Enable persistent sessions
client = InterpalClient(
    username="your_username",
    password="your_password",
    auto_login=True,
    persist_session=True  # This is the magic! ✨
)

# First run: Logs in and saves session to .interpals_session.json
# Next runs: Automatically loads and uses saved session
# After 24 hours: Automatically re-logins and saves new session
"""

CUSTOM_FILE = """
client = InterpalClient(
    username="your_username",
    password="your_password",
    auto_login=True,
    persist_session=True,
    session_file="my_custom_session.json"  # Custom file path
)
"""

CUSTOM_EXPIRATION = """
client = InterpalClient(
    username="your_username",
    password="your_password",
    auto_login=True,
    persist_session=True,
    session_expiration_hours=48  # Expire after 48 hours instead of 24
)
"""

ACCOUNTS_OF_THEIR_OWN = """
# Account 1
client1 = InterpalClient(
    username="account1@example.com",
    password="password1",
    auto_login=True,
    persist_session=True,
    session_file="account1_session.json"
)

# Account 2
client2 = InterpalClient(
    username="account2@example.com",
    password="password2",
    auto_login=True,
    persist_session=True,
    session_file="account2_session.json"
)
"""

INFO = """
session_info = client.get_session_info()

if session_info:
    print(f"Username: {session_info['username']}")
    print(f"Created at: {session_info['created_at']}")
    print(f"Expires at: {session_info['expires_at']}")
    print(f"Time remaining: {session_info['time_remaining']}")
    print(f"Is expired: {session_info['is_expired']}")
"""

CLEAR = """
# Manually clear the saved session file
client.clear_saved_session()
"""

ASYNC = """
from interpal import AsyncInterpalClient

client = AsyncInterpalClient(
    username="your_username",
    password="your_password",
    persist_session=True
)

client.login()  # Saves session automatically

# Use async client as normal
profile = await client.get_self()
"""

WITHOUT = """
# Every time you run your script:
client = InterpalClient(username="user", password="pass")
client.login()  # ⏰ Logs in every time (slow!)
# ... do work ...
"""

WITH = """
# First run:
client = InterpalClient(
    username="user",
    password="pass",
    auto_login=True,
    persist_session=True
)
# ✅ Logs in and saves session

# Next 100 runs (within 24 hours):
client = InterpalClient(
    username="user",
    password="pass",
    auto_login=True,
    persist_session=True
)
# ⚡ Instantly uses saved session (fast!)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


@pytest.fixture
def guide_site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(ACCOUNTS) as site:
        monkeypatch.setenv("INTERPALS_BASE_URL", site.base_url)
        yield site


def run(block: str) -> dict[str, Any]:
    """The names that a block leaves; a program of its own, as far as that goes."""
    from interpal import InterpalClient

    names: dict[str, Any] = {"InterpalClient": InterpalClient}
    code = compile(block, "guide", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, names)
    if inspect.iscoroutine(result):

        async def main() -> None:
            await result

        asyncio.run(main())
    return names


def test_quick_start(folder: Path, guide_site: Sandbox) -> None:
    for _ in range(3):
        assert run(BASIC)["client"].is_authenticated
    assert guide_site.stats()["logins"] == {"your_username": 1}
    file = folder / ".interpals_session.json"
    assert file.stat().st_mode & 0o777 == 0o600
    cookie = run(BASIC)["client"].session.session_cookie
    assert cookie.encode() not in file.read_bytes()
    # What git would see of it is covered by the patterns of the guide and the default name.
    beside = {path.name for path in folder.iterdir()} - {"config"}
    assert all(name.startswith(".interpals_session.json") for name in beside)


def test_after_24_hours_it_logs_in_again(
    folder: Path, guide_site: Sandbox, interpal_clock: Any
) -> None:
    run(BASIC)
    interpal_clock.move(timedelta(hours=24))
    run(BASIC)
    assert guide_site.stats()["logins"] == {"your_username": 2}


def test_custom_session_file(folder: Path, guide_site: Sandbox) -> None:
    run(CUSTOM_FILE)
    run(CUSTOM_FILE)
    assert (folder / "my_custom_session.json").exists()
    assert not (folder / ".interpals_session.json").exists()
    assert guide_site.stats()["logins"] == {"your_username": 1}


def test_custom_expiration_time(folder: Path, guide_site: Sandbox, interpal_clock: Any) -> None:
    info = run(CUSTOM_EXPIRATION)["client"].get_session_info()
    assert info["expires_at"] - info["created_at"] == timedelta(hours=48)
    interpal_clock.move(timedelta(hours=47))
    run(CUSTOM_EXPIRATION)
    assert guide_site.stats()["logins"] == {"your_username": 1}


def test_multiple_accounts(folder: Path, guide_site: Sandbox) -> None:
    for _ in range(2):
        names = run(ACCOUNTS_OF_THEIR_OWN)
        assert names["client1"].get_self()["username"] == "account1"
        assert names["client2"].get_self()["username"] == "account2"
    assert guide_site.stats()["logins"] == {"account1@example.com": 1, "account2@example.com": 1}


def test_check_session_info(
    folder: Path, guide_site: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    run(BASIC + INFO)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Username: your_username"
    assert lines[3].startswith("Time remaining: 23:59:")
    assert lines[4] == "Is expired: False"


def test_clear_saved_session(folder: Path, guide_site: Sandbox) -> None:
    client = run(BASIC + CLEAR)["client"]
    assert not (folder / ".interpals_session.json").exists()
    assert client.get_session_info() is None
    run(INFO_AFTER_CLEARING)
    assert client.get_self()["username"] == "your_username"


INFO_AFTER_CLEARING = (
    """
client = InterpalClient(persist_session=True)
"""
    + INFO
)


def test_async_client(folder: Path, guide_site: Sandbox) -> None:
    for _ in range(2):
        names = run(ASYNC)
        assert names["profile"]["username"] == "your_username"
        assert names["client"].persisted
        # Nothing is closed in the guide, and nothing complains of it (warnings are errors here).
        del names
        gc.collect()
    assert guide_site.stats()["logins"] == {"your_username": 1}


def test_without_persistent_sessions(folder: Path, guide_site: Sandbox) -> None:
    for _ in range(2):
        run(WITHOUT)
    assert guide_site.stats()["logins"] == {"user": 2}
    assert list(folder.iterdir()) == []


def test_with_persistent_sessions(folder: Path, guide_site: Sandbox) -> None:
    run(WITH)
    assert guide_site.stats()["logins"] == {"user": 1}
    gc.collect()


def test_troubleshooting_a_session_that_was_ended_at_the_site(
    folder: Path, guide_site: Sandbox
) -> None:
    run(BASIC)
    guide_site.invalidate()
    assert run(BASIC)["client"].get_self()["username"] == "your_username"
    assert guide_site.stats()["logins"] == {"your_username": 2}


def test_troubleshooting_a_session_file_that_was_corrupted(
    folder: Path, guide_site: Sandbox
) -> None:
    run(BASIC)
    file = folder / ".interpals_session.json"
    file.write_bytes(file.read_bytes()[:100])
    assert run(BASIC)["client"].is_authenticated
    assert guide_site.stats()["logins"] == {"your_username": 2}

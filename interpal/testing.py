"""A pytest plugin for tests of your own bot: a sandbox, a temporary vault, a frozen clock.

It is found by pytest once `interpal-vault` is installed; ask for a fixture by its name:

    def test_my_bot(interpal_sandbox, interpal_vault):
        client = InterpalClient("maple_ink", "correct horse", auto_login=True, persist_session=True)
        assert my_bot.greet(client) == "hello"
        assert interpal_sandbox.stats()["logins"] == {"maple_ink": 1}

A test that asks for both can reach neither the real site nor the vault and key of whoever runs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta
    from pathlib import Path

    from interpal.sandbox import Sandbox

USERNAME = "maple_ink"
PASSWORD = "correct horse"  # noqa: S105  (of the sandbox's invented account)
PASSPHRASE = "a passphrase for tests"  # noqa: S105


class TemporaryVault(NamedTuple):
    """Where the fixture has put the vault, and the passphrase that opens it."""

    path: Path
    passphrase: str


class FrozenClock:
    """The clock of sessions, stopped. `move` turns it; a negative duration turns it back."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The time it shows."""
        return self.now

    def move(self, by: timedelta) -> datetime:
        """Turn the clock; the new time."""
        self.now += by
        return self.now


@pytest.fixture
def interpal_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A running `interpal.sandbox.Sandbox` with the accounts of the documentation.

    They are `maple_ink`, password `correct horse`, and `pedro_k`, password `battery staple`.
    `INTERPALS_BASE_URL` points at it, so clients made in the test need no `base_url=`.
    """
    from interpal.sandbox import Sandbox

    with Sandbox() as sandbox:
        monkeypatch.setenv("INTERPALS_BASE_URL", sandbox.base_url)
        yield sandbox


@pytest.fixture
def interpal_vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TemporaryVault:
    """An empty working directory for the default vault, its passphrase in the environment.

    The user's own variables that open a vault, and the key file, are out of reach.
    """
    import os

    folder = tmp_path / "interpal"
    folder.mkdir(mode=0o700)
    for name in os.environ:
        if (
            name.startswith(("INTERPALS_VAULT_", "SESSION_VAULT_"))
            or name == "CREDENTIALS_DIRECTORY"
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("INTERPALS_VAULT_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    monkeypatch.chdir(folder)
    return TemporaryVault(folder / ".interpals_session.json", PASSPHRASE)


@pytest.fixture
def interpal_clock(monkeypatch: pytest.MonkeyPatch) -> FrozenClock:
    """The clock of sessions, frozen at the present moment."""
    from interpal import _clock

    clock = FrozenClock(_clock.utc_now())
    monkeypatch.setattr(_clock, "utc_clock", clock)
    return clock

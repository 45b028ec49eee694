"""The pytest plugin: what a test of somebody's bot finds, and what is out of its reach."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from interpal import InterpalClient
from interpal._clock import utc_now
from interpal.testing import PASSWORD, USERNAME
from interpal.vault import Vault

if TYPE_CHECKING:
    from interpal.sandbox import Sandbox
    from interpal.testing import FrozenClock, TemporaryVault


@pytest.fixture
def of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user who runs the tests may have set."""
    monkeypatch.setenv("INTERPALS_VAULT_KEY", "the user's own")


def test_a_bot_logs_in_at_the_sandbox_and_saves_in_the_temporary_vault(
    of_the_user: None, interpal_sandbox: Sandbox, interpal_vault: TemporaryVault
) -> None:
    assert "INTERPALS_VAULT_KEY" not in os.environ
    for _ in range(2):
        with InterpalClient(USERNAME, PASSWORD, auto_login=True, persist_session=True) as client:
            assert client.get_self()["username"] == USERNAME
    assert interpal_sandbox.stats()["logins"] == {USERNAME: 1}
    with Vault.open(interpal_vault.path, passphrase=interpal_vault.passphrase) as vault:
        assert list(vault) == [USERNAME]


def test_the_clock_moves_when_it_is_told_to(interpal_clock: FrozenClock) -> None:
    now = utc_now()
    assert interpal_clock() == now
    assert interpal_clock.move(timedelta(hours=1)) - now == timedelta(hours=1)
    assert utc_now() - now == timedelta(hours=1)

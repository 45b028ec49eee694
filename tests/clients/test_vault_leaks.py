"""Errors of the vault below the clients show no secret in the variables of their frames."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from interpal import SessionManager
from interpal.exceptions import InterpalException
from interpal.vault import Vault
from tests.clients.test_leaks import COOKIE, KEY, OTHER_COOKIE, TOKEN_TEXT, check_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from interpal.session import Session
    from tests.helpers import Place


@pytest.fixture
def manager(place: Place) -> SessionManager:
    manager = SessionManager(place.path, key=KEY)
    manager.save_session(COOKIE, TOKEN_TEXT, "maple_ink")
    return manager


def seen(manager: SessionManager) -> Session:
    session = manager.load_session()
    assert session is not None
    return session


ACTS: dict[str, Callable[[SessionManager], Any]] = {
    "save": lambda manager: manager.save_session(COOKIE, TOKEN_TEXT, "maple_ink"),
    "update": lambda manager: manager.update(
        seen(manager), seen(manager).replace(cookies={"other": OTHER_COOKIE})
    ),
    "discard": lambda manager: manager.discard(seen(manager)),
    "clear": lambda manager: manager.clear_session(),
}


@pytest.mark.parametrize("act", ACTS)
def test_no_error_of_a_full_disk_shows_a_secret(
    manager: SessionManager, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InterpalException) as caught:
        ACTS[act](manager)
    check_error(caught.value)


@pytest.mark.parametrize("act", ACTS)
def test_no_error_of_a_lock_shows_a_secret(manager: SessionManager, place: Place, act: str) -> None:
    lock = place.folder / "v.json.locks" / "write.lock"
    lock.unlink()
    lock.mkdir()
    with pytest.raises(InterpalException) as caught:
        ACTS[act](manager)
    check_error(caught.value)


def test_no_error_of_a_record_that_is_too_large_shows_a_secret(manager: SessionManager) -> None:
    with pytest.raises(InterpalException) as caught:
        manager.save_session(COOKIE + "x" * 70_000, TOKEN_TEXT, "maple_ink")
    check_error(caught.value)


def test_a_plain_session_file_that_is_no_vault_is_not_shown(place: Place) -> None:
    place.path.write_text(json.dumps({"session_cookie": COOKIE, "auth_token": TOKEN_TEXT}))
    place.path.chmod(0o600)
    with pytest.raises(InterpalException) as caught:
        Vault.open(place.path, key=KEY)
    check_error(caught.value)

"""Every event of a session's life is told, and a hook that raises harms nothing."""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from interpal._clock import utc_now
from interpal.exceptions import InterpalException, ValidationError
from interpal.sandbox import Sandbox
from interpal.sessions.events import EVENTS, Event
from interpal.vault import Vault
from tests.helpers import ACCOUNTS, SELF, TOKEN, Place, export_of, waiting_calls
from tests.sandbox.web import held_back

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers import Driver


def test_every_event_is_told_where_it_belongs(
    driver: Driver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Sandbox(ACCOUNTS) as site:
        place = Place(tmp_path / "p", site)
        client = driver.open(**place.settings())
        assert place.told == ["login_started", "logged_in", "saved"]
        driver.open(**place.settings())
        assert place.told[3:] == ["session_loaded", "validated"]
        site.fault(SELF, status=503)
        driver.open(**place.settings())
        assert place.told[5:] == ["session_loaded", "unverified"]
        assert "503" in place.events[-1].facts["reason"]
        site.invalidate()
        with waiting_calls() as calls, held_back(site, TOKEN, until=lambda: len(calls) == 2):
            driver.together(client, [("get_threads",)] * 3)
        assert place.told[7:].count("invalidated") == 1
        assert place.told[7:].count("login_waited") == 2
        place.path.write_bytes(b"")
        driver.open(**place.settings("pedro_k", auto_login=False))
        assert place.told[-1] == "quarantined"
        assert ".corrupt-" in place.events[-1].facts["moved_to"]
        import json

        form = {**export_of(place.log_in()), "origin": site.base_url}
        place.path.write_text(json.dumps(form))
        driver.open(**place.settings())
        assert place.told[-3:] == ["migrated", "session_loaded", "validated"]
        session = client.session
        locks = place.folder / "v.json.locks"
        (locks / "write.lock").unlink()
        (locks / "write.lock").mkdir()
        site.rotate()
        driver.run(client, "import_session", export_of(session))
        assert place.told[-1] == "save_failed"
        assert not client.persisted
    assert set(place.told) == set(EVENTS)
    now = utc_now()
    for event in place.events:
        assert isinstance(event, Event)
        assert event.path == str(place.path)
        assert event.username in ("maple_ink", "pedro_k")
        assert event.at.tzinfo is not None
        assert timedelta(0) <= now - event.at < timedelta(minutes=5)
    levels = {}
    for record in caplog.records:
        if record.name == "interpal.events":
            levels[record.getMessage().partition(":")[0]] = record.levelname.lower()
    assert levels == dict(EVENTS)


def test_a_hook_that_raises_harms_nothing(
    driver: Driver, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    def hook(event: Event) -> None:
        raise ValueError(f"a secret of the hook at {event.name}")

    client = driver.open(**place.settings(on_event=hook))
    place.site.invalidate()
    assert driver.run(client, "get_self")["username"] == "maple_ink"
    assert client.persisted
    assert place.logins == 2
    assert "on_event raised ValueError at logged_in" in caplog.text
    assert "a secret of the hook" not in caplog.text


def test_a_hook_may_use_the_client(driver: Driver, place: Place) -> None:
    seen: list[tuple[str, bool, str]] = []

    def hook(event: Event) -> None:
        if clients:
            seen.append((event.name, clients[0].is_authenticated, repr(clients[0].session)))

    clients: list[Any] = []
    clients.append(driver.open(**place.settings(on_event=hook)))
    driver.run(clients[0], "get_self")
    assert seen[0][:2] == ("validated", True)


def test_there_is_no_environment_of_the_users_own_here() -> None:
    assert not any(name.startswith("INTERPALS_VAULT_") for name in os.environ)


def test_no_name_makes_a_line_of_its_own_in_the_log_or_a_message(
    driver: Driver, place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Line separators, which `str.splitlines` goes by, and marks that turn the direction."""
    caplog.set_level(logging.DEBUG)
    name = "x\u2028INFO logged_in\u2029\u202egnp\u2066\x85"
    with pytest.raises(InterpalException) as caught:
        driver.open(**place.settings(name.replace("\x85", "")))
    folder = tmp_path / f"folder\u2028{'y' * 3}\n"
    with pytest.raises(InterpalException) as missing:
        Vault.open(folder / "vault.json", key=bytes(32))
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("interpal")]
    assert any("login_started: account x\\u2028INFO" in line for line in ours)
    for text in (*ours, str(caught.value), str(missing.value), str(ValidationError(f"{name}: no"))):
        assert text.isprintable(), ascii(text)

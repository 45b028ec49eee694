"""`SessionManager`, by the names and signatures of PyPI `interpal` 1.2.0."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from interpal import SessionManager
from interpal._clock import utc_now
from interpal.exceptions import AmbiguousKeyError, ValidationError
from interpal.session import Session
from interpal.vault import KdfParameters, Vault

if TYPE_CHECKING:
    from pathlib import Path

    from interpal.testing import FrozenClock


@pytest.fixture
def manager(tmp_path: Path) -> SessionManager:
    return SessionManager(tmp_path / "s" / "v.json", key=bytes(32))


def everything(folder: Path) -> dict[str, tuple[bytes | None, int, int]]:
    return {
        str(path): (
            path.read_bytes() if path.is_file() else None,
            path.stat().st_mtime_ns,
            path.stat().st_mode,
        )
        for path in [folder, *sorted(folder.rglob("*"))]
    }


def test_the_signatures_of_1_2_0_still_serve() -> None:
    def parameters(function: Any) -> list[str]:
        return [
            name
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ]

    assert parameters(SessionManager) == ["session_file", "expiration_hours"]
    assert parameters(SessionManager.save_session) == [
        "self",
        "session_cookie",
        "auth_token",
        "username",
        "bot_id",
    ]
    assert parameters(SessionManager.is_session_expired) == ["self", "session_data"]
    for name in ("load_session", "clear_session", "get_session_info"):
        assert parameters(getattr(SessionManager, name)) == ["self"]
    assert SessionManager.DEFAULT_SESSION_FILE == ".interpals_session.json"
    assert SessionManager.DEFAULT_EXPIRATION_HOURS == 24


def test_what_was_saved_is_loaded_as_a_dict_would_be(manager: SessionManager) -> None:
    manager.save_session("abc123", "xyz789", "maple_ink", "1700000000000000001")
    session = manager.load_session()
    assert session is not None
    assert session["session_cookie"] == "abc123"
    assert session["auth_token"] == "xyz789"
    assert session["username"] == "maple_ink"
    assert session["bot_id"] == "1700000000000000001"
    assert session.get("nothing") is None
    assert dict(session)["session_cookie"] == "abc123"
    assert not manager.is_session_expired(session)
    assert not manager.is_session_expired(dict(session))


def test_only_the_cookie_is_needed(manager: SessionManager) -> None:
    manager.save_session("abc123")
    session = manager.load_session()
    assert session is not None
    assert (session.auth_token, session.username, session.user_id) == (None, None, None)


@pytest.mark.parametrize("cookie", ["", None, "a b", "x;y", "lang=en; other=1", 17, "caf\u00e9"])
def test_a_cookie_that_cannot_be_sent_is_not_saved(manager: SessionManager, cookie: Any) -> None:
    with pytest.raises(ValidationError, match="session_cookie"):
        manager.save_session(cookie)
    with pytest.raises(ValidationError, match="auth_token"):
        manager.save_session("abc", "two\r\nlines")
    assert not os.path.exists(manager.path)


def test_nothing_saved_is_none(manager: SessionManager, tmp_path: Path) -> None:
    assert manager.load_session() is None
    assert manager.get_session_info() is None
    manager.clear_session()
    assert not list(tmp_path.rglob("*.json"))


def test_an_expired_session_is_not_loaded_and_not_lost(
    manager: SessionManager, interpal_clock: FrozenClock
) -> None:
    manager.save_session("abc123", username="maple_ink")
    interpal_clock.move(timedelta(hours=24))
    assert manager.load_session() is None
    info = manager.get_session_info()
    assert info is not None
    assert info["is_expired"]
    assert info["time_remaining"] == timedelta(0)
    interpal_clock.move(timedelta(seconds=-1))
    assert manager.load_session() is not None


@pytest.mark.parametrize("days", [0, 2])
def test_reading_changes_deletes_and_creates_nothing(
    manager: SessionManager, tmp_path: Path, interpal_clock: FrozenClock, days: int
) -> None:
    manager.save_session("abc123", username="maple_ink")
    interpal_clock.move(timedelta(days=days))
    fresh = SessionManager(manager.path, key=bytes(32))
    before = everything(tmp_path)
    for reader in (manager, fresh):
        for _ in range(2):
            reader.get_session_info()
            reader.load_session()
            reader.peek()
            repr(reader)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("scheme", ["file", "sqlite"])
def test_reading_leaves_mode_bits_that_are_too_loose_to_others(tmp_path: Path, scheme: str) -> None:
    path = tmp_path / "v.db"
    settings: dict[str, Any] = {"store": f"{scheme}:{path}", "key": bytes(32)}
    manager = SessionManager(**settings)
    manager.save_session("abc123", username="maple_ink")
    manager.close()
    path.chmod(0o644)
    reader = SessionManager(**settings)
    assert reader.get_session_info() is not None
    assert reader.load_session() is not None
    assert path.stat().st_mode & 0o777 == 0o644
    assert reader.find() is not None
    assert path.stat().st_mode & 0o777 == 0o600
    reader.close()


def test_reading_where_nothing_is_creates_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    manager = SessionManager()
    before = everything(tmp_path)
    assert manager.path == str(tmp_path / ".interpals_session.json")
    assert manager.get_session_info() is None
    assert manager.load_session() is None
    assert everything(tmp_path) == before


def test_the_info_has_the_keys_of_1_2_0_and_more(manager: SessionManager) -> None:
    manager.save_session("abc123", "xyz", "maple_ink", "17")
    info = manager.get_session_info()
    assert info is not None
    assert (info["username"], info["bot_id"], info["user_id"]) == ("maple_ink", "17", "17")
    assert info["created_at"].tzinfo is not None
    assert info["expires_at"] - info["created_at"] == timedelta(hours=24)
    assert timedelta(hours=23, minutes=59) < info["time_remaining"] < timedelta(hours=24)
    assert info["time_remaining"].microseconds == 0
    assert str(info["time_remaining"]).startswith("23:59:")
    assert info["is_expired"] is False
    assert info["last_validated_at"] is None
    assert info["path"] == manager.path
    assert info["key_source"] == "argument"
    assert info.username == info["username"]
    assert "abc123" not in repr(info)
    assert set(info) == {
        "username",
        "user_id",
        "created_at",
        "expires_at",
        "time_remaining",
        "is_expired",
        "last_validated_at",
        "path",
        "key_source",
    }


def test_dicts_of_1_x_are_judged_as_1_x_did(manager: SessionManager) -> None:
    now = datetime.now()  # noqa: DTZ005
    assert not manager.is_session_expired({"expires_at": (now + timedelta(hours=1)).isoformat()})
    assert manager.is_session_expired({"expires_at": (now - timedelta(hours=1)).isoformat()})
    aware = utc_now() + timedelta(hours=1)
    assert not manager.is_session_expired({"expires_at": aware.isoformat()})
    assert not manager.is_session_expired({"expires_at": aware})
    assert not manager.is_session_expired({"expires_at": "2999-01-01T00:00:00Z"})
    for bad in ("", None, 5, "soon", "2026-13-01"):
        assert manager.is_session_expired({"expires_at": bad})
    assert manager.is_session_expired({})


def test_clearing_removes_the_record_and_then_the_file(manager: SessionManager) -> None:
    manager.save_session("one", username="maple_ink")
    manager.save_session("two", username="pedro_k")
    manager.use_account("maple_ink")
    manager.clear_session()
    assert manager.load_session() is None
    assert os.path.exists(manager.path)
    manager.use_account("pedro_k")
    manager.clear_session()
    assert not os.path.exists(manager.path)
    manager.clear_session()


@pytest.mark.parametrize("username", ["maple_ink", None])
def test_clearing_removes_a_session_that_no_request_could_carry(
    tmp_path: Path, username: str | None
) -> None:
    key, path = os.urandom(32), tmp_path / "v.json"
    vault = Vault.open(path, key=key, create=True)
    vault["maple_ink"] = {"username": "maple_ink", "session_cookie": "abc; x=1"}
    vault.close()
    manager = SessionManager(path, username=username, key=key)
    assert manager.load_session() is None
    manager.clear_session()
    assert not path.exists()


def test_a_file_with_a_second_slot_is_not_taken_away(tmp_path: Path) -> None:
    from interpal.vault import Vault

    manager = SessionManager(tmp_path / "v.json", key=bytes(32))
    manager.save_session("one", username="maple_ink")
    with Vault.open(tmp_path / "v.json", key=bytes(32)) as vault:
        vault.add_slot(key=bytes([1]) * 32)
    manager.clear_session()
    assert (tmp_path / "v.json").exists()
    with Vault.open(tmp_path / "v.json", key=bytes([1]) * 32) as vault:
        assert len(vault) == 0


def test_a_manager_serves_again_after_close(manager: SessionManager) -> None:
    manager.save_session("one", username="maple_ink")
    manager.close()
    assert manager.load_session() is not None
    manager.close()
    manager.close()


def test_two_secrets_or_two_places_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(AmbiguousKeyError):
        SessionManager(tmp_path / "v.json", passphrase="x", key=bytes(32))
    with pytest.raises(ValidationError, match="store, session_file"):
        SessionManager(tmp_path / "v.json", store=str(tmp_path / "w.json"), key=bytes(32))


def test_cookies_that_two_programs_got_at_once_are_all_kept(
    manager: SessionManager, tmp_path: Path
) -> None:
    manager.save_session("abc123", "xyz789", "maple_ink")
    seen = manager.load_session()
    assert seen is not None
    seen = seen.replace(cookies={"old": "1", "gone": "1"})
    assert manager.update(seen.replace(cookies={}), seen)
    here = {"name": "here", "path": "/", "secure": True}
    mine = seen.replace(cookies={"old": "2", "here": "1"}, cookie_attributes=[here])
    theirs = seen.replace(cookies={"old": "1", "gone": "1", "there": "1"})
    assert SessionManager(tmp_path / "s" / "v.json", key=bytes(32)).update(seen, theirs)
    assert manager.update(seen, mine)
    found = manager.load_session()
    assert found is not None
    assert found.cookies == {"old": "2", "there": "1", "here": "1"}
    assert [dict(one) for one in found.cookie_attributes] == [here]


def test_an_update_writes_only_what_changed(manager: SessionManager) -> None:
    manager.save_session("one", username="maple_ink")
    seen = manager.load_session()
    assert seen is not None
    assert manager.update(seen, seen.replace(cookies={"lang": "en"}))
    assert manager.update(seen, seen.replace(user_id="17"))
    found = manager.load_session()
    assert found is not None
    assert (dict(found.cookies), found.user_id) == ({"lang": "en"}, "17")
    manager.save_session("two", username="maple_ink")
    assert not manager.update(seen, seen.replace(user_id="18"))
    assert not manager.discard(seen)
    assert manager.load_session() is not None


def test_a_session_is_frozen(manager: SessionManager) -> None:
    manager.save_session("one", username="maple_ink")
    session: Any = manager.load_session()
    with pytest.raises(AttributeError):
        session.username = "x"
    with pytest.raises(AttributeError):
        del session.username
    with pytest.raises(TypeError):
        session.cookies["a"] = "b"
    assert session == session.replace()
    assert session != session.replace(username="x")
    assert hash(session) == hash(session.replace())
    assert "one" not in f"{session!r} {session!s} {session}"


def test_the_info_of_a_session_can_be_copied_and_sent_elsewhere(manager: SessionManager) -> None:
    manager.save_session("one", username="maple_ink")
    info = manager.get_session_info()
    assert copy.deepcopy(info) == pickle.loads(pickle.dumps(info)) == info


def test_a_record_that_no_request_could_carry_is_no_session(
    manager: SessionManager, tmp_path: Path
) -> None:
    manager.save_session("one", "token", username="maple_ink")
    for member, text in (("session_cookie", "one\r\nX: y"), ("auth_token", "t\u00f6ken")):
        with Vault.open(tmp_path / "s" / "v.json", key=bytes(32)) as vault:
            vault["maple_ink"] = {**vault["maple_ink"], member: text}
        assert manager.load_session() is None


def test_a_record_whose_times_cannot_be_read_counts_as_expired() -> None:
    session = Session.from_record({"session_cookie": "c", "expires_at": "soon", "created_at": 5})
    assert session is not None
    assert session.has_expired(utc_now())
    assert Session.from_record({"expires_at": "2999-01-01T00:00:00Z"}) is None
    assert Session.from_record({"session_cookie": 5}) is None


def test_clearing_takes_no_refused_login_and_no_chosen_cost_along(tmp_path: Path) -> None:
    path, now = tmp_path / "v.json", int(time.time())
    manager = SessionManager(path, key=bytes(32), username="maple_ink")
    manager.save_session("one", username="maple_ink")
    with Vault.open(path, key=bytes(32)) as vault, vault.transaction() as records:
        records.attempts["pedro_k"] = {"until": now + 3600}
    manager.clear_session()
    with Vault.open(path, key=bytes(32)) as vault:
        assert dict(vault) == {}
        assert set(vault.attempts) == {"pedro_k"}
    strong = tmp_path / "s.json"
    chosen = KdfParameters(32 * 1024, 3, 1)
    Vault.open(strong, passphrase="a passphrase", create=True, kdf=chosen).close()
    manager = SessionManager(strong, passphrase="a passphrase", username="maple_ink")
    manager.save_session("one", username="maple_ink")
    manager.clear_session()
    with Vault.open(strong, passphrase="a passphrase") as vault:
        assert vault.slots[0].kdf == chosen

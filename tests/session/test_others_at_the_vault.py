"""A session manager beside others at the same vault: what they may do between two of its steps."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from interpal import SessionManager
from interpal._clock import utc_now
from interpal.exceptions import (
    LockTimeoutError,
    VaultFormatError,
    VaultNotFoundError,
    VaultVersionError,
)
from interpal.session import Session
from interpal.sessions.damaged_files import Recovery
from interpal.vault import Vault
from interpal.vault.format.jwe import b64encode
from interpal.vault.keys.sources import find_source
from interpal.vault.stores.file import FileStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from interpal.vault.stores.base import Stored

KEY = bytes(32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "v.json"


@pytest.fixture
def manager(path: Path) -> SessionManager:
    return SessionManager(path, key=KEY, username="maple_ink")


def session_of(cookie: str, username: str | None = "maple_ink") -> Session:
    now = utc_now()
    return Session(
        session_cookie=cookie,
        username=username,
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )


def test_a_record_that_is_removed_at_the_last_moment_stays_removed(
    manager: SessionManager, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = session_of("abc")
    manager.put(seen)
    name_of = manager._matching.name_of

    def remove_then_name(vault: Vault, username: str | None, session: Session) -> str | None:
        name = name_of(vault, username, session)
        SessionManager(path, key=KEY, username="maple_ink").clear_session()
        manager.ensure_vault()
        return name

    monkeypatch.setattr(manager._matching, "name_of", remove_then_name)
    assert manager.update(seen, seen.replace(user_id="7")) is False
    assert manager.find() is None


def test_a_vault_that_is_taken_away_again_and_again_is_an_error_not_a_hang(
    manager: SessionManager, path: Path
) -> None:
    made = []

    def read_too_late(vault: Vault) -> bytes:
        made.append(vault.id)
        path.unlink()
        return vault.id

    with pytest.raises(LockTimeoutError, match="keep replacing the vault"):
        manager._with_vault(read_too_late, create=True)
    assert len(set(made)) == 8


def test_the_lock_of_a_login_needs_a_vault_that_was_read(manager: SessionManager) -> None:
    with pytest.raises(VaultNotFoundError, match="no vault found"):
        manager.login_lock("maple_ink")


def test_a_vault_that_goes_while_its_info_is_read_is_no_session(
    manager: SessionManager, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.put(session_of("abc"))
    find = manager._matching.find

    def go(vault: Vault, username: str | None) -> Session | None:
        path.unlink()
        return find(vault, username)

    monkeypatch.setattr(manager._matching, "find", go)
    assert manager.get_session_info() is None


def test_clearing_where_nobody_has_a_session_keeps_the_others(path: Path) -> None:
    foreign = {"session_cookie": "abc", "origin": "https://elsewhere.example"}
    with Vault.open(path, key=KEY, create=True) as vault:
        vault["maple_ink"] = foreign
    SessionManager(path, key=KEY, origin="https://api.interpals.net").clear_session()
    with Vault.open(path, key=KEY) as vault:
        assert dict(vault["maple_ink"]) == foreign


def test_reading_a_vault_of_a_newer_format_says_so_and_leaves_it(
    manager: SessionManager, path: Path
) -> None:
    protected = b64encode(b'{"typ":"interpal-vault","vault":{"version":2}}')
    path.write_text(f'{{"protected": "{protected}"}}')
    path.chmod(0o600)
    before = path.read_bytes()
    with pytest.raises(VaultVersionError, match="version 2"):
        manager.get_session_info()
    assert path.read_bytes() == before
    manager.close()
    SessionManager(path, key=KEY).close()  # one that was never used


class LateStore(FileStore):
    """Reads what lay there before somebody else put the file in order."""

    __slots__ = ("before",)

    before: Stored | None

    def load(self, *, foreign: bool = False) -> Stored | None:
        return self.before


def recovery(store: FileStore) -> Recovery:
    told: list[Mapping[str, object]] = []
    return Recovery(
        store,
        username="maple_ink",
        origin="https://api.interpals.net",
        lifetime=timedelta(hours=24),
        patience=1,
        notify=lambda _, facts: told.append(facts),
    )


def test_a_cut_off_file_that_was_mended_meanwhile_is_left_alone(path: Path) -> None:
    path.write_bytes(b'{"protected": "abc')
    path.chmod(0o600)
    store = LateStore(path)
    store.before = FileStore(path).load()
    path.write_bytes(b'{"protected": "abcdef"}')
    fresh = Vault(store, find_source(key=KEY))
    error = VaultFormatError("cut off")
    assert recovery(store).take_in(fresh, error, utc_now()) is None
    assert os.listdir(path.parent) == ["v.json", "v.json.locks"]
    assert path.read_bytes() == b'{"protected": "abcdef"}'


def test_a_bad_file_that_has_gone_meanwhile_is_nobodys_trouble(path: Path) -> None:
    store = FileStore(path)
    fresh = Vault(store, find_source(key=KEY))
    assert recovery(store).take_in(fresh, VaultFormatError("empty"), utc_now()) is None
    assert os.listdir(path.parent) == []

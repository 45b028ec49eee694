"""A vault that is pinned by its id: no other that the same key opens takes its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interpal import InterpalClient, SessionManager
from interpal.exceptions import ValidationError, VaultMismatchError
from interpal.vault import Vault

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes(range(32))


@pytest.fixture(params=["file", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"{request.param}:{tmp_path}/v.db"


def test_a_vault_in_the_place_of_another_is_refused(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine.json", tmp_path / "other.json"
    for path, name in ((mine, "maple_ink"), (other, "pedro_k")):
        SessionManager(path, key=KEY).save_session("cookie", username=name)
    with Vault.open(mine, key=KEY) as vault:
        pinned = vault.id
    mine.unlink()
    other.rename(mine)
    before = mine.read_bytes()
    for form in (pinned, pinned.hex()):
        with pytest.raises(VaultMismatchError) as caught:
            Vault.open(mine, key=KEY, expected_vault_id=form)
        assert caught.value.expected == pinned.hex()
        with pytest.raises(VaultMismatchError):
            SessionManager(mine, key=KEY, expected_vault_id=form).load_session()
        with pytest.raises(VaultMismatchError):
            InterpalClient(
                persist_session=True, session_file=mine, vault_key=KEY, expected_vault_id=form
            )
    assert mine.read_bytes() == before
    # Without it, and without a username, it is the other account.
    found = SessionManager(mine, key=KEY).load_session()
    assert found is not None
    assert found.username == "pedro_k"


def test_a_pinned_vault_that_has_gone_is_not_made_anew(place: str) -> None:
    with pytest.raises(VaultMismatchError) as caught:
        Vault.open(place, key=KEY, create=True, expected_vault_id=bytes(16))
    assert caught.value.found is None


def test_the_rotation_of_the_pinned_object_itself_is_followed(place: str) -> None:
    with Vault.open(place, key=KEY, create=True) as vault:
        pinned = vault.id
    with Vault.open(place, key=KEY, expected_vault_id=pinned) as vault:
        vault["maple_ink"] = {"a": 1}
        vault.rotate()
        assert vault["maple_ink"] == {"a": 1}
    with pytest.raises(VaultMismatchError):
        Vault.open(place, key=KEY, expected_vault_id=pinned)


@pytest.mark.parametrize("bad", ["", "zz" * 16, "00" * 15, bytes(15), 5])
def test_what_is_no_id_is_named(tmp_path: Path, bad: object) -> None:
    with pytest.raises(ValidationError, match="expected_vault_id"):
        SessionManager(tmp_path / "v.json", key=KEY, expected_vault_id=bad)  # type: ignore[arg-type]

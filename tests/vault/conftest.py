"""No test here sees the key, the variables or the configuration of the user who runs it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from interpal.vault import opener, slots
from tests.vault import Counted

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def nobody(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("INTERPALS_") or name == "CREDENTIALS_DIRECTORY":
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the vault of a test is."""
    return tmp_path / "vault.json"


@pytest.fixture
def derivations(monkeypatch: pytest.MonkeyPatch) -> Counted:
    counted = Counted(slots.derive_key)
    monkeypatch.setattr(opener, "derive_key", counted)
    return counted

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli import Program, make_vault

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> Program:
    """The program in an empty folder, with an empty home."""
    return Program(tmp_path)


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    """A vault at the default path, for KEY, with two accounts."""
    path = tmp_path / ".interpals_session.json"
    make_vault(path, "maple_ink", "pedro_k")
    return path

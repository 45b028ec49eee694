"""The second user and the mounts need root; `test_environment.py` says so where it is missing."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interpal.vault.files import permissions

if TYPE_CHECKING:
    from collections.abc import Iterator

collect_ignore = (
    [] if os.geteuid() == 0 else ["test_strangers.py", "test_mounts.py", "test_odd_file_systems.py"]
)


@pytest.fixture(autouse=True)
def forgotten_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings are given once a process; each test is to see its own."""
    monkeypatch.setattr(permissions, "_warned", set())


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder of ours that every user can reach (pytest's own is ours alone)."""
    path = tempfile.mkdtemp(prefix="interpal-files-", dir="/tmp")
    os.chmod(path, 0o755)
    yield Path(path)
    shutil.rmtree(path)

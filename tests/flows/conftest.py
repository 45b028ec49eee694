from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from interpal.sandbox import Sandbox
from tests.helpers import ACCOUNTS, AsyncDriver, Driver, Place, SyncDriver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def may_mount() -> bool:
    return (
        os.geteuid() == 0
        and not subprocess.run(
            ["unshare", "-m", "true"], check=False, capture_output=True
        ).returncode
    )


collect_ignore = [] if may_mount() else ["test_disk.py"]


@pytest.fixture
def site() -> Iterator[Sandbox]:
    """A running sandbox with two named accounts and one e-mail address."""
    with Sandbox(ACCOUNTS) as sandbox:
        yield sandbox


@pytest.fixture
def place(tmp_path: Path, site: Sandbox) -> Place:
    return Place(tmp_path / "place", site)


@pytest.fixture(params=[SyncDriver, AsyncDriver], ids=["sync", "async"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """Both clients, one after the other."""
    driver: Driver = request.param()
    yield driver
    driver.end()

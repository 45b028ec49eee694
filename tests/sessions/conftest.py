from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interpal.vault import Vault
from tests.files import may_mount
from tests.fixtures import redis_server
from tests.sessions.clients import KEY, LIBRARIES, Library
from tests.sessions.forum import Forum

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = ["redis_server"]

collect_ignore = [] if may_mount() else ["test_set_up.py"]


@pytest.fixture
def forum() -> Generator[Forum, None, None]:
    with Forum() as site:
        yield site


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Generator[Library, None, None]:
    driver = LIBRARIES[request.param]()
    yield driver
    driver.end()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path / "sessions.json"


@pytest.fixture
def vault(place: Path) -> Generator[Vault, None, None]:
    with Vault.open(place, key=KEY, create=True) as opened:
        yield opened

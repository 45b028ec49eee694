from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli import Program, make_vault
from tests.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Generator
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


@pytest.fixture
def redis(tmp_path: Path) -> Generator[str, None, None]:
    """What `-f` takes for a Redis that runs: the file with its URL."""
    with RedisServer(tmp_path / "redis") as server:
        path = tmp_path / "store.url"
        path.write_text(server.url() + "\n")
        path.chmod(0o600)
        yield f"@{path}"

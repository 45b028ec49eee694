from __future__ import annotations

from tests.fixtures import derivations, nobody, redis_server, site
from tests.vault.conftest import path, place

__all__ = ["derivations", "nobody", "path", "place", "redis_server", "site"]

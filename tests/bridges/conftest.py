from __future__ import annotations

from tests.fixtures import redis_server

__all__ = ["redis_server"]

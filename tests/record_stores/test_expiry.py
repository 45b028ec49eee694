"""Redis drops a session at its own expiry."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.vault.places import RedisPlace


def in_seconds(seconds: float) -> str:
    time = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    return time.isoformat().replace("+00:00", "Z")


def test_redis_drops_a_session_at_its_own_expiry(redis_server: Any) -> None:
    place = RedisPlace(redis_server)
    vault = place.new({"stays": {"n": 1}, "named": {"expires_at": "next week"}})
    vault["ends"] = {"expires_at": in_seconds(0.5)}
    vault["longer"] = {"expires_at": in_seconds(0.5)}
    vault["longer"] = {"expires_at": in_seconds(900)}
    vault["for good"] = {"expires_at": in_seconds(0.5)}
    vault["for good"] = {"n": 1}
    assert len(vault) == 5
    time.sleep(0.7)
    assert sorted(vault) == ["for good", "longer", "named", "stays"]
    assert "ends" not in vault
    with pytest.raises(KeyError):
        del vault["ends"]
    vault["ends"] = {"expires_at": in_seconds(900)}
    assert len(place.open()) == 5


def test_an_expiry_is_kept_by_a_rotation(redis_server: Any) -> None:
    place = RedisPlace(redis_server)
    vault = place.new({"a": {"expires_at": in_seconds(1.5)}, "b": {"n": 1}})
    vault.rotate()
    assert len(vault) == 2
    time.sleep(1.6)
    assert list(vault) == ["b"]

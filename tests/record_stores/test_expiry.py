"""A record stays until it is replaced or pruned, whatever the times inside it say."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import ValidationError
from tests.vault.places import RedisPlace

if TYPE_CHECKING:
    from tests.vault.places import Place

NOW = datetime.now(timezone.utc)
LONG_AGO = (NOW - timedelta(days=400)).isoformat()


def test_a_time_inside_a_record_drops_nothing(place: Place) -> None:
    """It may be that of an access token, beside a refresh token that still serves."""
    vault = place.new({"a": {"expires_at": LONG_AGO, "refresh_token": "r"}})
    for number in range(10):
        vault["b"] = {"n": number}
    vault.rotate()
    assert dict(place.open()["a"]) == {"expires_at": LONG_AGO, "refresh_token": "r"}


def test_a_record_put_with_an_expiry_is_there_after_it(place: Place) -> None:
    vault = place.new({})
    vault.put("a", {"n": 1}, expires=NOW - timedelta(days=30))
    assert dict(place.open()["a"]) == {"n": 1}
    vault.put("a", {"n": 2})
    assert dict(place.open()["a"]) == {"n": 2}


def test_an_expiry_without_an_offset_is_refused(place: Place) -> None:
    vault = place.new({})
    with pytest.raises(ValidationError, match="offset"):
        vault.put("a", {"n": 1}, expires=datetime(2030, 1, 1))  # noqa: DTZ001
    assert "a" not in vault


def test_redis_is_told_the_expiry_that_was_given(redis_server: Any) -> None:
    place = RedisPlace(redis_server)
    vault = place.new({"never": {"expires_at": LONG_AGO}})
    vault.put("ends", {"n": 1}, expires=NOW + timedelta(days=3))
    with redis_server.admin() as admin:
        lives = [admin.pttl(key) / 86_400_000 for key in admin.scan_iter("*:r:*")]
    assert sum(9 < life <= 10 for life in lives) >= 1

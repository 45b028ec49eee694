"""What a store of separate records sees, drops and refuses: names, expiry, login locks."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import StaleWriteError
from interpal.vault import versions
from tests.record_stores import KEY, RedisPlace

if TYPE_CHECKING:
    from tests.record_stores import Place


def in_seconds(seconds: float) -> str:
    time = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    return time.isoformat().replace("+00:00", "Z")


def test_no_name_and_no_content_can_be_seen_in_the_store(place: Place) -> None:
    vault = place.new({"maple_ink": {"session_cookie": "c4n4ry", "expires_at": in_seconds(900)}})
    lock = vault.login_lock("maple_ink")
    assert lock.try_acquire()
    with vault.transaction(lock=lock) as records:
        records["maple_ink"]["auth_token"] = "t0k3n"
        records.attempts["maple_ink"] = {"until": versions.epoch_now() + 60}
    vault.rotate()
    seen = place.everything()
    lock.release()
    for secret in (b"maple", b"c4n4ry", b"t0k3n", KEY, b"maple_ink".hex().encode()):
        assert secret not in seen
    assert vault["maple_ink"]["auth_token"] == "t0k3n"


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


# Login locks and their fence.


def test_a_login_lock_is_one_for_all_handles(place: Place) -> None:
    vault, other = place.new(), place.open()
    lock, same, elsewhere = (v.login_lock("a") for v in (vault, vault, other))
    assert lock.try_acquire()
    assert lock.try_acquire()
    assert not same.try_acquire()
    assert not elsewhere.try_acquire()
    assert elsewhere.holder()
    with vault.transaction(lock=lock) as records:
        records["a"] = {"n": 1}
    lock.release()
    assert elsewhere.try_acquire()
    elsewhere.release()
    assert vault["a"] == {"n": 1}


def test_a_writer_whose_login_lock_has_a_later_holder_saves_nothing(redis_server: Any) -> None:
    place = RedisPlace(redis_server)
    vault, other = place.new({"a": {"n": 1}}), place.open()
    mine, theirs = vault.login_lock("a"), other.login_lock("a")
    assert mine.try_acquire()
    with redis_server.admin() as admin:
        (key,) = admin.scan_iter(f"{{{place.prefix}}}:login:*")
        admin.delete(key)  # as its life had ended
    assert theirs.try_acquire()
    with other.transaction(lock=theirs) as records:
        records["a"]["n"] = 2
    with pytest.raises(StaleWriteError, match="login lock"), vault.transaction(lock=mine) as late:
        late["a"]["n"] = 666
        late.attempts["a"] = {"until": versions.epoch_now() + 60}
    assert dict(vault) == {"a": {"n": 2}}
    assert vault.attempts == {}
    mine.release()
    theirs.release()

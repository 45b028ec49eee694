"""Copies between stores: whole, continued where they were cut off, and read back at the end."""

from __future__ import annotations

import os
import signal
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import (
    StaleWriteError,
    ValidationError,
    VaultCorruptError,
    VaultIOError,
)
from interpal.vault import Vault, copying
from interpal.vault.core.transaction import Transaction
from interpal.vault.stores.opening import open_store
from tests.children import Children
from tests.record_stores import flipped
from tests.vault import KEY, OTHER_KEY
from tests.vault.places import RedisPlace, SqlitePlace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from interpal.vault.copying import Copied
    from tests.redis_server import RedisServer
    from tests.vault.places import Place

NOW = datetime.now(timezone.utc)


def session(number: int, hours: float = 24, **members: Any) -> dict[str, Any]:
    return {
        "session_cookie": f"c4n4ry-{number}",
        "created_at": text_of(NOW),
        "expires_at": text_of(NOW + timedelta(hours=hours)),
        "kept": {"number": number, "text": "ü\u2028"},
        **members,
    }


def text_of(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """That there are several is what is tried."""
    monkeypatch.setattr(copying, "BATCH", 40)


RECORDS = {f"account-{number}": session(number) for number in range(90)}


def copied(source: str, target: str, **options: Any) -> Copied:
    store = open_store(target)
    with Vault.open(source, key=KEY) as one, Vault.open(store, key=OTHER_KEY, create=True) as two:
        return copying.copy(one, two, store, **options)


def content(url: str, key: bytes = OTHER_KEY) -> dict[str, Any]:
    with Vault.open(url, key=key) as vault:
        return {name: dict(record) for name, record in vault.items()}


def test_every_store_can_be_copied_into_every_other(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    urls = [f"file:{tmp_path / 'a.json'}", SqlitePlace(tmp_path).url, RedisPlace(redis_server).url]
    with Vault.open(urls[0], key=KEY, create=True) as vault:
        vault.update(RECORDS)
        ids = {vault.id}
    key = KEY
    steps: list[int] = []
    for source, target in ((0, 1), (1, 2), (2, 0)):
        if target == 0:
            (tmp_path / "a.json").unlink()
        store = open_store(urls[target])
        with (
            Vault.open(urls[source], key=key) as one,
            Vault.open(store, key=OTHER_KEY, create=True) as two,
        ):
            steps.clear()
            done = copying.copy(one, two, store, step=lambda: steps.append(1))
            ids.add(two.id)
        key = OTHER_KEY
        assert done == copying.Copied(90, 90, 0, (), 90)
        assert len(steps) == 180
        assert content(urls[target]) == RECORDS
    assert len(ids) == 4, "each copy has an id of its own"


def test_a_second_copy_skips_what_is_the_same(place: Place, tmp_path: Path) -> None:
    source = f"file:{tmp_path / 'a.json'}"
    with Vault.open(source, key=KEY, create=True) as vault:
        vault.update(RECORDS)
        assert copied(source, place.url).copied == 90
        before = place.records()
        assert copied(source, place.url) == copying.Copied(90, 0, 90, (), 90)
        assert place.records() == before
        vault["account-1"] = session(1, last_validated_at=text_of(NOW + timedelta(minutes=1)))
        vault["new"] = session(91)
        assert copied(source, place.url) == copying.Copied(91, 2, 89, (), 91)
        assert content(place.url) == {name: dict(record) for name, record in vault.items()}


def test_a_copy_that_is_killed_is_continued(place: Place, tmp_path: Path) -> None:
    source = f"file:{tmp_path / 'a.json'}"
    with Vault.open(source, key=KEY, create=True) as vault:
        vault.update(RECORDS)
    Vault.open(place.url, key=OTHER_KEY, create=True).close()

    def work(index: int) -> None:
        saved = 0

        def step() -> None:
            nonlocal saved
            saved += 1
            if saved == copying.BATCH:
                os.kill(os.getpid(), signal.SIGKILL)

        copied(source, place.url, step=step)

    assert Children(1, work).codes() == [-signal.SIGKILL]
    with Vault.open(place.url, key=OTHER_KEY) as half:
        assert len(half) == copying.BATCH
        assert all(dict(half[name]) == RECORDS[name] for name in half)
    assert copied(source, place.url) == copying.Copied(90, 50, 40, (), 90)
    assert content(place.url) == RECORDS


def test_what_is_newer_in_the_target_is_kept_unless_told(place: Place, tmp_path: Path) -> None:
    source = f"file:{tmp_path / 'a.json'}"
    later, earlier = NOW + timedelta(hours=1), NOW - timedelta(hours=1)
    with Vault.open(source, key=KEY, create=True) as vault:
        vault.update({name: session(1) for name in ("older", "newer", "used", "unused")})
        vault["no time"] = {"n": 1}
    there = {
        "older": session(2, created_at=text_of(earlier)),
        "newer": session(2, created_at=text_of(later)),
        "used": session(1, last_validated_at=text_of(later)),
        "unused": session(1, kept=None),
        "no time": {"n": 2},
        "another": session(3),
    }
    with Vault.open(place.url, key=OTHER_KEY, create=True) as vault:
        vault.update(there)
    done = copied(source, place.url)
    assert sorted(done.kept) == ["newer", "no time", "used"]
    assert (done.total, done.copied, done.same, done.verified) == (5, 2, 0, 2)
    after = content(place.url)
    assert {name: after[name] for name in ("newer", "used", "no time", "another")} == {
        name: there[name] for name in ("newer", "used", "no time", "another")
    }
    assert after["older"] == after["unused"] == session(1)
    assert copied(source, place.url, replace=True).kept == ()
    assert content(place.url) == {**content(source, KEY), "another": there["another"]}


def test_what_has_expired_is_copied_like_the_rest(tmp_path: Path, place: Place) -> None:
    source = f"file:{tmp_path / 'a.json'}"
    with Vault.open(source, key=KEY, create=True) as vault:
        vault.update({"over": session(1, hours=-1), "living": session(2)})
    done = copied(source, place.url)
    assert (done.total, done.verified) == (2, 2)
    assert set(content(place.url)) == {"living", "over"}


def test_a_vault_is_not_copied_into_itself(place: Place) -> None:
    place.new({"a": {"n": 1}})
    store = open_store(place.url)
    with (
        place.open() as one,
        Vault.open(store, key=KEY) as two,
        pytest.raises(ValidationError, match="are the same vault"),
    ):
        copying.copy(one, two, store)


def damaged(place: Place, vault: Vault) -> None:
    place.damage(vault, "account-7", flipped)


def lost(place: Place, vault: Vault) -> None:
    del vault["account-7"]


def another(place: Place, vault: Vault) -> None:
    vault["account-7"] = session(666)


@pytest.mark.parametrize(
    ("fault", "error"),
    [(damaged, VaultCorruptError), (lost, VaultIOError), (another, VaultIOError)],
)
def test_a_copy_that_is_not_what_was_copied_is_told(
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[Place, Vault], None],
    error: type[Exception],
) -> None:
    source = f"file:{tmp_path / 'a.json'}"
    with Vault.open(source, key=KEY, create=True) as vault:
        vault.update({name: RECORDS[name] for name in list(RECORDS)[:10]})
    verify = copying._Copying.verify

    def late(self: Any) -> Any:
        with Vault.open(place.url, key=OTHER_KEY) as vault:
            fault(place, vault)
        return verify(self)

    monkeypatch.setattr(copying._Copying, "verify", late)
    with pytest.raises(error) as caught:
        copied(source, place.url)
    assert "c4n4ry" not in str(caught.value)


def test_a_source_that_is_rotated_meanwhile_is_told(place: Place, tmp_path: Path) -> None:
    with place.new(RECORDS) as vault:
        target = f"file:{tmp_path / 'a.json'}"
        rotated: list[bool] = []
        walk = Vault.walk

        def late(self: Vault) -> Any:
            for one in walk(self):
                yield one
                if not rotated and self.path == vault.path:
                    rotated.append(True)
                    vault.rotate()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Vault, "walk", late)
            with pytest.raises(StaleWriteError, match="start again"):
                copied(place.url, target)
        assert copied(place.url, target).verified == 90


def test_a_source_that_is_used_meanwhile_is_copied(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = f"file:{tmp_path / 'a.json'}"
    with Vault.open(source, key=KEY, create=True) as vault:
        vault.update(RECORDS)
        end = Transaction.end

        def busy(self: Transaction) -> None:
            end(self)
            monkeypatch.setattr(Transaction, "end", end)
            vault["account-1"] = session(1, created_at=text_of(NOW + timedelta(seconds=5)))

        monkeypatch.setattr(Transaction, "end", busy)
        assert copied(source, place.url).verified == 90
        assert copied(source, place.url).copied == 1
        assert content(place.url)["account-1"] == vault["account-1"]


def test_a_copy_shows_no_secret(place: Place, tmp_path: Path) -> None:
    from tests.vault import told

    source = f"file:{tmp_path / 'a.json'}"
    with Vault.open(source, key=KEY, create=True) as vault:
        vault.update({"a": session(1), "b": session(2)})

    def step() -> None:
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError) as caught:
        copied(source, place.url, step=step)
    assert "c4n4ry" not in told(caught.value)

"""A vault is at most 64 MiB, unless the caller asks for more; what is larger is left as it is."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import ValidationError, VaultLimitError
from interpal.vault import Vault, open_store
from interpal.vault.format.header import MAX_FILE_BYTES
from interpal.vault.stores import values
from interpal.vault.stores.file import FileStore
from interpal.vault.stores.memory import Memory
from interpal.vault.stores.redis.store import RedisStore
from interpal.vault.stores.simple import SimpleStore
from interpal.vault.stores.sqlite.store import SqliteStore
from interpal.vault.stores.values import keeps_records
from tests.vault import KEY, OTHER_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.vault.places import Place

MIB = 2**20


class Shelf:
    """A place of two methods."""

    data: bytes | None = None

    def load(self) -> bytes | None:
        return self.data

    def save(self, data: bytes, *, if_unchanged: bytes | None) -> bool:
        if self.data != if_unchanged:
            return False
        self.data = data
        return True


def test_every_store_takes_64_mib_unless_told_otherwise(tmp_path: Path) -> None:
    made: list[Any] = [
        FileStore(tmp_path / "v"),
        SqliteStore(tmp_path / "v"),
        RedisStore("redis://localhost"),
        SimpleStore(Shelf(), "shelf"),
        Memory("memory"),
        open_store(tmp_path / "v"),
    ]
    assert {store.max_size for store in made} == {64 * MIB}
    made = [
        FileStore(tmp_path / "v", max_size=MIB),
        SqliteStore(tmp_path / "v", max_size=MIB),
        RedisStore("redis://localhost", max_size=MIB),
        SimpleStore(Shelf(), "shelf", max_size=MIB),
        Memory("memory", max_size=MIB),
        *(open_store(place, max_size=MIB) for place in ("v", "sqlite:v", "redis://localhost")),
    ]
    assert {values.max_size_of(store) for store in made} == {MIB}


@pytest.mark.parametrize("size", [0, -1, MAX_FILE_BYTES + 1, True, 1.5, "64M", float("inf")])
def test_what_is_no_size_is_refused_with_the_largest_there_is(size: Any, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"max_size: .* 268,435,456 \(256 MiB\)"):
        Vault.open(tmp_path / "v", key=KEY, create=True, max_size=size)
    assert not os.listdir(tmp_path)


def test_a_store_has_its_own_size(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="max_size: give it to the store"):
        Vault.open(FileStore(tmp_path / "v"), key=KEY, create=True, max_size=MIB)


def test_a_file_that_is_too_large_is_not_read_and_stays_as_it_is(path: Path) -> None:
    path.touch(mode=0o600)
    os.truncate(path, 64 * MIB + 1)
    expected = (
        r"vault.json: this has 67,108,865 bytes, and at most 67,108,864 \(64 MiB\) are read\. .*"
        r"open_store\(…, max_size=…\) in Python, as the store of a client, .*--max-size"
    )
    with pytest.raises(VaultLimitError, match=expected) as caught:
        Vault.open(path, key=KEY, create=True)
    assert caught.value.path == str(path)
    assert os.listdir(path.parent) == [path.name]
    assert path.stat().st_size == 64 * MIB + 1


def test_beyond_the_bound_of_the_format_no_size_is_offered(path: Path) -> None:
    path.touch(mode=0o600)
    os.truncate(path, MAX_FILE_BYTES + 1)
    with pytest.raises(VaultLimitError, match=r"\(256 MiB\) are read\. Check the path"):
        Vault.open(path, key=KEY, max_size=MAX_FILE_BYTES)


def test_who_asks_for_more_reads_what_others_refuse(path: Path) -> None:
    with Vault.open(path, key=KEY, create=True) as vault:
        vault["a"] = {"n": 1}
    size = path.stat().st_size
    with pytest.raises(VaultLimitError, match=f"this has {size:,} bytes"):
        Vault.open(path, key=KEY, max_size=size - 1)
    with Vault.open(path, key=KEY, max_size=size) as vault:
        assert vault["a"] == {"n": 1}


@pytest.mark.parametrize("kind", ["file", "sqlite", "simple", "own"])
def test_a_save_that_would_be_too_large_is_refused_and_changes_nothing(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf()
    most = 4000

    def opened(max_size: int | None) -> Vault:
        store: Any = SimpleStore(shelf, "shelf", max_size=max_size)
        if kind in ("file", "sqlite"):
            store = open_store(f"{kind}:{tmp_path / 'v'}", max_size=max_size)
        if kind == "own":
            del store.max_size
            monkeypatch.setattr(values, "DEFAULT_MAX_SIZE", max_size or 64 * MIB)
        return Vault.open(store, key=KEY, create=True)

    def fill(vault: Vault, number: int) -> None:
        # What a record store keeps in one piece are the refused logins.
        with vault.transaction() as records:
            for one in range(number):
                records.attempts[f"a{one}"] = {"until": 4_000_000_000}

    with opened(None) as vault:
        fill(vault, 1)
    with opened(most) as vault:
        before = vault.generation
        for change in (
            lambda: fill(vault, 1000),
            lambda: [vault.add_slot(kid=f"more-{n}", key=os.urandom(32)) for n in range(7)],
        ):
            with pytest.raises(VaultLimitError, match=r"would have .* at most 4,000 are") as caught:
                change()
            assert "Nothing was changed" in str(caught.value)
            assert str(caught.value).count(str(caught.value.path)) == 1
        assert dict(vault.attempts) == {"a0": {"until": 4_000_000_000}}
        assert vault.generation > before
        # What fits goes on.
        fill(vault, 2)
    with opened(None) as vault:
        fill(vault, 1000)
        assert len(vault.attempts) == 1000
        # Its owner makes it smaller again, and then it fits.
        with vault.transaction() as records:
            for name in list(records.attempts):
                records.attempts.pop(name, None)
    with opened(most) as vault:
        assert not vault.attempts


def test_a_vault_that_is_too_large_is_refused_at_every_place(place: Place) -> None:
    with place.new({"a": {"n": 1}}) as vault, vault.transaction() as records:
        for number in range(100):
            records.attempts[f"a{number}"] = {"until": 4_000_000_000}
    before = place.saved()
    with pytest.raises(VaultLimitError, match=r"at most 2,000 are read.*--max-size"):
        place.open(create=True, max_size=2000)
    with place.open(max_size=20_000) as vault:
        with (
            pytest.raises(VaultLimitError, match="Nothing was changed"),
            vault.transaction() as records,
        ):
            for number in range(1000):
                records.attempts[f"b{number}"] = {"until": 4_000_000_000}
            records["b"] = {"n": 2}
        assert set(vault) == {"a"}
    assert place.saved() == before


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [("file", "Keep fewer records in it"), ("sqlite", r"Remove key slots \(.*slot remove")],
)
def test_the_remedy_is_for_what_the_store_keeps_in_one_piece(
    kind: str, remedy: str, tmp_path: Path
) -> None:
    with (
        Vault.open(f"{kind}:{tmp_path / 'v'}", key=KEY, create=True, max_size=2000) as vault,
        pytest.raises(
            VaultLimitError, match=f"{remedy}.*, or allow more, up to 256 MiB: open_store"
        ),
        vault.transaction() as records,
    ):
        for number in range(100):
            records.attempts[f"a{number}"] = {"until": 4_000_000_000}


def test_room_for_a_login_is_that_for_a_session_or_for_a_refusal(place: Place) -> None:
    session, refusal = {"text": "x" * 1000}, {"kind": "password", "until": 4_000_000_000}
    place.new({"a": session}).close()
    before = place.saved()
    with place.open() as vault:
        stored = vault._store.load()
        assert stored is not None
        size = len(stored.reveal())
        apart = keeps_records(vault._store)
    with place.open(max_size=size + 1000) as vault:
        vault.check_room("a", session, refusal)
        if apart:
            vault.check_room("b", session, refusal)
        else:
            with pytest.raises(VaultLimitError, match="Nothing was changed"):
                vault.check_room("b", session, refusal)
    with place.open(max_size=size + 10) as vault:
        if not apart:
            vault.check_room("a", session, refusal)
        else:
            with pytest.raises(VaultLimitError, match="Remove key slots"):
                vault.check_room("a", session, refusal)
    assert place.saved() == before


def test_a_rotation_that_would_be_too_large_leaves_the_old_key_in_place(path: Path) -> None:
    with Vault.open(path, key=KEY, create=True) as vault:
        vault["a"] = {"text": "x" * 2000}
    before = path.read_bytes()
    with Vault.open(path, key=KEY, max_size=len(before)) as vault:
        with pytest.raises(VaultLimitError, match="Nothing was changed"):
            vault.add_slot(kid="second", key=OTHER_KEY)
        vault.rotate()
    with Vault.open(path, key=KEY) as vault:
        assert [slot.kid for slot in vault.slots] == ["slot-1"]
        assert vault["a"] == {"text": "x" * 2000}


@pytest.mark.parametrize("data", [b"x" * 5000, "x" * 5000, "\N{FISH}" * 2000])
def test_a_root_in_a_database_that_is_too_large_is_not_read(tmp_path: Path, data: Any) -> None:
    place = f"sqlite:{tmp_path / 'v'}"
    Vault.open(place, key=KEY, create=True).close()
    with closing(sqlite3.connect(tmp_path / "v")) as connection, connection:
        connection.execute("UPDATE root SET data = ?", (data,))
    size = len(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(VaultLimitError, match=f"this has {size:,} bytes"):
        Vault.open(place, key=KEY, max_size=4000)
    with pytest.raises(VaultLimitError), open_store(place, max_size=4000).write_lock(1) as writer:
        writer.load()


def test_a_store_that_has_no_bound_of_its_own_has_the_one_of_the_format() -> None:
    class Larger(SimpleStore):
        pass

    store = Larger(Shelf(), "shelf")
    store.max_size = 10**12
    assert values.max_size_of(store) == MAX_FILE_BYTES
    with pytest.raises(VaultLimitError) as caught:
        values.check_size(store, MAX_FILE_BYTES + 1, written=True)
    error = str(caught.value)
    assert re.search(r"268,435,457 bytes, .*\(256 MiB\) are written.* SQLite", error)

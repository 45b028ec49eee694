"""A store by its path or URL."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING

import pytest

from interpal.exceptions import LockTimeoutError, ValidationError
from interpal.vault.stores.file import FileStore
from interpal.vault.stores.opening import open_store
from interpal.vault.stores.redis.address import Address
from interpal.vault.stores.redis.store import RedisStore
from interpal.vault.stores.sqlite.store import SqliteStore
from tests.files import in_child

if TYPE_CHECKING:
    from pathlib import Path


def test_a_store_is_handed_through(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "vault.json")
    assert open_store(store) is store


def test_a_path_is_a_file(tmp_path: Path) -> None:
    for path in (tmp_path / "vault.json", str(tmp_path / "vault.json")):
        store = open_store(path)
        assert isinstance(store, FileStore)
        assert store.path == str(tmp_path / "vault.json")


@pytest.mark.parametrize(("scheme", "kind"), [("file", FileStore), ("sqlite", SqliteStore)])
def test_a_scheme_before_a_path_says_which_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, kind: type
) -> None:
    monkeypatch.chdir(tmp_path)
    for text in (
        f"{scheme}:{tmp_path}/v%20 x",
        f"{scheme}://{tmp_path}/v%20 x",
        f"{scheme}:v%20 x",
    ):
        store = open_store(text)
        assert isinstance(store, kind)
        assert store.location == str(tmp_path / "v%20 x")
    with pytest.raises(ValidationError, match="not by a host"):
        open_store(f"{scheme}://host/path")
    with pytest.raises(ValidationError):
        open_store(f"{scheme}:")


def test_a_path_with_a_colon_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("redis:x", "http://x/v", "a:b", ":x"):
        assert isinstance(open_store(name), FileStore)


def test_a_database_is_recognised_by_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "accounts"
    store = open_store(f"sqlite:{path}")
    with store.write_lock(1) as writer:
        assert writer.load() is None
    store.close()
    assert isinstance(open_store(path), SqliteStore)
    (tmp_path / "short").write_bytes(b"SQLite")
    (tmp_path / "link").symlink_to(path)
    for other in ("short", "link", "absent", "absent/too", "."):
        assert isinstance(open_store(str(tmp_path / "x" / ".." / other / "v")), FileStore)
    assert isinstance(open_store(tmp_path / "short"), FileStore)
    assert isinstance(open_store(tmp_path / "link"), FileStore), "and refused by it"


def test_recognising_a_database_does_not_free_its_locks(tmp_path: Path) -> None:
    """Closing any descriptor of a file frees the POSIX locks that the process has on it."""
    path = tmp_path / "vault.db"
    store = SqliteStore(path)
    with store.write_lock(1) as writer:
        assert writer.load() is None
    assert isinstance(open_store(path), SqliteStore)
    command = [sys.executable, "-c", TRY, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "held"
    store.close()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "free"


# SQLite's shared lock on a database (https://www.sqlite.org/lockingv3.html, SHARED_FIRST).
TRY = """
import fcntl, sys
with open(sys.argv[1], "r+b") as database:
    try:
        fcntl.lockf(database, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
        print("free")
    except OSError:
        print("held")
"""


def test_opening_loads_no_library_that_is_not_used(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "x.db").close()
    code = """
import sys
from interpal.vault.stores.opening import open_store
open_store(sys.argv[1] + "/vault.json")
assert not {"sqlite3", "redis", "urllib.parse", "hashlib"} & set(sys.modules)
open_store("redis://user:password@host")
assert "redis" not in sys.modules
"""
    # What measures coverage would load some of them itself.
    plain = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=plain)


# The URL of Redis.


def test_a_redis_url_in_full() -> None:
    url = "rediss://bot:p%40ss@redis.example:7000/3?prefix=team-a&ca=/etc/ca.pem&cert=c&key=k"
    address = Address.parse(url)
    assert address.password is not None
    assert address.password.reveal().decode() == "p@ss"
    assert address._replace(password=None) == Address(
        host="redis.example",
        port=7000,
        database=3,
        username="bot",
        password=None,
        tls=True,
        ca="/etc/ca.pem",
        cert="c",
        key="k",
        prefix="team-a",
    )
    assert address.location == "rediss://bot@redis.example:7000/3?prefix=team-a"
    assert "p@ss" not in repr(address)
    assert "p%40ss" not in repr(address)


def test_a_redis_url_in_short() -> None:
    address = Address.parse("redis://localhost")
    assert (address.port, address.database, address.prefix) == (6379, 0, "interpal")
    assert address.location == "redis://localhost:6379/0"
    assert Address.parse("redis://[::1]:7000").location == "redis://[::1]:7000/0"
    assert Address.parse("redis://:pw@host").username is None
    store = open_store("redis://:canary@host")
    assert isinstance(store, RedisStore)
    assert "canary" not in repr(store)


@pytest.mark.parametrize(
    "rest",
    [
        "",
        ":canary@",
        "host:port",
        "host:99999",
        "host/x",
        "host/0/1",
        "host/-1",
        "host?database=canary",
        "host?prefix=",
        "host?prefix={x}",
        "host?prefix=a&prefix=b",
        "host?prefix",
        "host?ca=/ca.pem",
        "host#canary",
        "canary@host",
        "bot:canary@host:x",
        "[::1",
        "a..canary",
        "canary" * 11,
        ":canary\udcff@host",
        "canary\udcff:pw@host",
    ],
    ids=ascii,
)
def test_a_redis_url_with_a_fault_is_refused_and_not_shown(rest: str) -> None:
    with pytest.raises(ValidationError, match="store") as caught:
        open_store(f"redis://{rest}")
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "canary" not in "".join(traceback.format_exception_only(caught.value))


def test_a_child_opens_the_same_database_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "vault.db"
    store = SqliteStore(path)
    with store.write_lock(1) as writer:
        writer.save(b"root", vault_id=bytes(16))
    assert in_child(lambda: type(open_store(path)).__name__) == "SqliteStore"
    store.close()
    with pytest.raises(LockTimeoutError), store.write_lock(1), open_store(path).write_lock(0):
        pass
    store.close()

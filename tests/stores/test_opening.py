"""A store by its path or URL."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import interpal
from interpal import InterpalClient, SessionManager
from interpal.exceptions import LockTimeoutError, StoreUnavailableError, ValidationError
from interpal.vault.stores.file import FileStore
from interpal.vault.stores.opening import open_store
from interpal.vault.stores.redis.address import Address
from interpal.vault.stores.redis.store import RedisStore
from interpal.vault.stores.sqlite.store import SqliteStore
from interpal.vault.vault import Vault
from tests.files import in_child
from tests.vault import KEY

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = str(Path(interpal.__file__).parent)


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
    for name in ("a:b", ":x", "me@home", "./redis:x", "../a://b", f"{tmp_path}/u:p@host", "a b:1 "):
        assert isinstance(open_store(name), FileStore)
    assert isinstance(open_store("sqlite:./u:p@host"), SqliteStore)
    assert isinstance(open_store(tmp_path / "redis:x"), FileStore)


@pytest.mark.parametrize("scheme", ["file", "File", "SQLITE"])
def test_a_scheme_may_be_in_capitals(tmp_path: Path, scheme: str) -> None:
    assert open_store(f"{scheme}:{tmp_path}/v").location == f"{tmp_path}/v"
    assert open_store("Redis://:pw@host").location == "redis://host:6379/0"
    assert open_store("REDISS://:pw@host").location == "rediss://host:6379/0"


@pytest.mark.parametrize(
    "text",
    [
        "postgres://bot:canary@db/sessions",
        "postgresql+asyncpg://bot:canary@db/sessions",
        "redis+other://:canary@host/0",
        "valkey://:canary@host",
        "unix:///run/redis.sock?password=canary",
        "redis:6379",
        "redis:bot:canary@host",
        "redis:/bot:canary@host",
        "postgres:/bot:canary@host",
        "mysql:bot:canary@host",
        "bot:canary@host:6379/0",
        ":canary@host",
        "//bot:canary@host",
        "localhost:6379/0",
        "REDIS_URL=redis://:canary@host",
        "file:redis://:canary@host",
        "sqlite:bot:canary@host",
        "sqlite+pysqlite:///canary",
        '"redis://:canary@host/0"',
        "'redis://:canary@host/0'",
        "\u201credis://:canary@host/0\u201d",
        "<redis://:canary@host/0>",
        "\ufeffredis://:canary@host/0",
        " redis://:canary@host/0",
        "redis://:canary@host/0\n",
        "'sqlite:canary.db'",
        Path("redis://:canary@host"),
    ],
    ids=ascii,
)
def test_what_looks_like_another_url_is_refused_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for given in (lambda: open_store(text), lambda: SessionManager(session_file=text)):
        with pytest.raises(ValidationError, match="store") as caught:
            given()
        assert "canary" not in str(caught.value)
        assert_not_shown(caught.value)
    assert not list(tmp_path.iterdir())


def assert_not_shown(error: BaseException) -> None:
    """No variable of a frame of the package has the secret."""
    whole = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert whole.__context__ is None
    ours = [frame for frame in whole.stack if frame.filename.startswith(PACKAGE)]
    assert ours
    for frame in ours:
        assert "canary" not in str(frame.locals), f"{frame.filename}:{frame.lineno}"


@pytest.mark.parametrize("port_or_fault", ["1/0", "1/zero", "x"])
def test_the_url_of_redis_is_in_no_variable(port_or_fault: str) -> None:
    url = f"redis://bot:canary@127.0.0.1:{port_or_fault}"

    def client() -> object:
        return InterpalClient("maple_ink", "pw", persist_session=True, store=url, vault_key=KEY)

    def by_its_old_name() -> object:
        return SessionManager(url, key=KEY).find("maple_ink")

    for action in (
        client,
        by_its_old_name,
        lambda: Vault.open(url, key=KEY),
        lambda: RedisStore(url).load(),
    ):
        with pytest.raises((ValidationError, StoreUnavailableError)) as caught:
            action()
        assert_not_shown(caught.value)


def test_a_path_of_a_client_is_resolved_when_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot, elsewhere = tmp_path / "bot", tmp_path / "elsewhere"
    for folder in (bot, elsewhere):
        folder.mkdir(mode=0o700)
    makers: list[Callable[[], SessionManager]] = [
        lambda: SessionManager("a.json", key=KEY),
        lambda: SessionManager(store="file:a.json", key=KEY),
        lambda: SessionManager(store="sqlite:a.json", key=KEY),
    ]
    for make in makers:
        monkeypatch.chdir(bot)
        manager = make()
        monkeypatch.chdir(elsewhere)
        assert manager.path == str(bot / "a.json")


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
from cryptography.hazmat.primitives import keywrap  # older versions load `hashlib` with it
before = set(sys.modules)
from interpal.vault.stores.opening import open_store
open_store(sys.argv[1] + "/vault.json")
assert not {"sqlite3", "redis", "urllib.parse", "hashlib"} & (set(sys.modules) - before)
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

"""A mistake in how the vault is set up is told before `login=` is called, at each start."""

from __future__ import annotations

import os
from base64 import b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import VaultError, VaultIOError, VaultLimitError, VaultPermissionError
from interpal.vault import Vault, open_store
from tests.files import STRANGER, in_child, mounted, public_folder
from tests.redis_server import COMMANDS, USER
from tests.sessions.clients import KEY, Requests

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from interpal.vault.stores.base import Store
    from tests.redis_server import RedisServer
    from tests.sessions.clients import Library
    from tests.sessions.forum import Forum


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESSION_VAULT_KEY", b64encode(KEY).decode())


@pytest.fixture(params=["file", "sqlite"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def start(library: Library, forum: Forum, place: str | Store, **settings: Any) -> int:
    """The status of the first request of a new client."""
    chosen = {
        "login": library.login(forum),
        "is_valid": library.is_valid(forum),
        "revalidate_after": 0,
        **settings,
    }
    client = library.keep("forum", place, **chosen)
    try:
        return library.get(client, f"{forum.url}/page")[0]
    finally:
        library.close(client)


@contextmanager
def set_up_wrong(wrong: str, path: Path) -> Generator[str, None, None]:
    """A place with one mistake; the remedy."""
    locks = path.with_name(f"{path.name}.locks")
    if wrong == "read-only":
        with mounted("--bind", "-o", "ro", str(path.parent), str(path.parent)):
            yield "read-only: mount it writable"
    elif wrong == "mounted file":
        with mounted("--bind", str(path), str(path)):
            yield "mount the folder that it is in"
    else:
        os.chown(locks, STRANGER, STRANGER)
        yield f"chown 0 {locks}"
        os.chown(locks, 0, 0)


WRONG = ("read-only", "mounted file", "lock folder")


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("trusted", [0, 3600], ids=["asked about", "trusted"])
def test_a_place_that_is_set_up_wrong_is_told_before_a_login(
    library: Library, forum: Forum, place: Path, kind: str, wrong: str, trusted: int
) -> None:
    url = f"{kind}:{place}"
    assert start(library, forum, url) == 200
    forum.end_all()
    with set_up_wrong(wrong, place) as remedy:
        for _ in range(2):
            with pytest.raises(VaultError, match=remedy):
                start(library, forum, url, revalidate_after=trusted)
    assert forum.stats["/login"] == 1
    assert start(library, forum, url) == 200


@pytest.mark.parametrize("asks", [True, False])
def test_a_living_session_is_used_where_it_can_only_be_read(
    library: Library, forum: Forum, place: Path, kind: str, asks: bool
) -> None:
    url = f"{kind}:{place}"
    assert start(library, forum, url) == 200
    with set_up_wrong("read-only", place):
        assert start(library, forum, url, revalidate_after=0 if asks else 3600) == 200
    assert forum.stats["/login"] == 1


def test_what_comes_over_a_place_that_was_right_costs_the_save_only(
    library: Library, forum: Forum, place: Path
) -> None:
    told: list[str] = []
    assert start(library, forum, str(place)) == 200
    login = library.login(forum)
    client = library.keep("forum", str(place), login=login, on_event=lambda e: told.append(e.name))
    assert library.get(client, f"{forum.url}/page")[0] == 200
    forum.end_all()
    with set_up_wrong("lock folder", place):
        assert library.get(client, f"{forum.url}/page")[0] == 200
    assert "save_failed" in told
    assert forum.stats["/login"] == 2


def test_a_database_that_may_only_be_read_is_told_before_a_login(forum: Forum) -> None:
    library = Requests()

    def started() -> int:
        return start(library, forum, f"sqlite:{path}")

    with public_folder() as above:
        folder = above / "place"
        folder.mkdir(mode=0o700)
        os.chown(folder, STRANGER, STRANGER)
        path = folder / "v.db"
        # Also to load what the other user may not read.
        start(library, forum, f"sqlite:{above / 'other.db'}")
        assert in_child(started, uid=STRANGER) == "200"
        path.chmod(0o400)
        forum.end_all()
        before = forum.stats.copy()
        for _ in range(3):
            said = in_child(started, uid=STRANGER)
            assert said.startswith("VaultPermissionError")
            assert f"chmod u+rw {path}" in said
        assert forum.stats == before
    library.end()


@pytest.mark.parametrize("made", [False, True], ids=["no session", "of another"])
def test_a_vault_without_room_is_told_before_a_login(
    library: Library, forum: Forum, place: Path, made: bool
) -> None:
    with Vault.open(place, create=True) as vault:
        if made:
            vault["other"] = {"note": "x" * 1000}
    full = place.read_bytes()
    for _ in range(2):
        with pytest.raises(VaultLimitError, match=r"open_store\(…, max_size=…\).*keep\(\)"):
            start(library, forum, open_store(place, max_size=len(full) + 200))
    assert forum.stats["/login"] == 0
    assert place.read_bytes() == full
    assert start(library, forum, open_store(place, max_size=len(full) + 2000)) == 200


def test_a_full_vault_takes_the_next_session_of_the_same_account(
    library: Library, forum: Forum, place: Path
) -> None:
    assert start(library, forum, str(place)) == 200
    forum.end_all()
    # Less than another session takes.
    most = place.stat().st_size + 200
    assert start(library, forum, open_store(place, max_size=most)) == 200
    assert forum.stats["/login"] == 2
    assert start(library, forum, str(place)) == 200
    assert forum.stats["/login"] == 2


def lose_rights(server: RedisServer) -> None:
    with server.admin() as admin:
        admin.execute_command("ACL", "SETUSER", USER, "-sadd")


def become_replica(server: RedisServer) -> None:
    with server.admin() as admin:
        admin.execute_command("REPLICAOF", "127.0.0.1", "1")


@pytest.mark.parametrize(
    ("mistake", "kind", "remedy"),
    [
        (lose_rights, VaultPermissionError, "the commands that docs/scaling.md lists"),
        (become_replica, VaultIOError, "the address of the primary"),
    ],
)
@pytest.mark.parametrize("made", [False, True], ids=["new", "session ended"])
def test_a_server_that_takes_no_changes_is_told_before_a_login(
    forum: Forum, redis_server: RedisServer, mistake: Any, kind: Any, remedy: str, made: bool
) -> None:
    library = Requests()
    url = redis_server.url(prefix=f"keep-{os.urandom(4).hex()}")
    if made:
        assert start(library, forum, url) == 200
        forum.end_all()
    before = forum.stats["/login"]
    mistake(redis_server)
    try:
        for _ in range(2):
            with pytest.raises(kind, match=remedy):
                start(library, forum, url)
    finally:
        with redis_server.admin() as admin:
            admin.execute_command("REPLICAOF", "NO", "ONE")
            admin.execute_command("ACL", "SETUSER", USER, *COMMANDS.split())
    assert forum.stats["/login"] == before
    assert start(library, forum, url) == 200
    library.end()

"""A mistake in how the vault's place is set up is told before it costs a login, at each start."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import signal
from base64 import b64encode
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from interpal import InterpalClient
from interpal.exceptions import VaultError, VaultIOError, VaultPermissionError
from interpal.vault import Vault
from interpal.vault.stores.sqlite import store as sqlite_store
from tests.files import STRANGER, background, in_child, mounted, public_folder
from tests.helpers import Place, export_of
from tests.sandbox.web import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from interpal.sandbox import Sandbox
    from tests.helpers import Driver


@pytest.fixture(params=["file", "sqlite"])
def store(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def settings_of(place: Place, store: str, **changes: Any) -> dict[str, Any]:
    return place.settings(session_file=None, store=f"{store}:{place.path}", **changes)


@pytest.mark.parametrize("made", [False, True], ids=["empty file", "vault"])
def test_a_vault_that_is_a_mounted_file_is_refused_with_the_folder_as_remedy(
    driver: Driver, place: Place, tmp_path: Path, store: str, made: bool
) -> None:
    outside = tmp_path / "outside"
    outside.touch(mode=0o600)
    if made:
        client = driver.open(**settings_of(place, store))
        driver.close(client)
        os.replace(place.path, outside)
        place.site.invalidate()
    place.path.touch(mode=0o600)
    before = place.requests()
    with mounted("--bind", str(outside), str(place.path)):
        content = outside.read_bytes()
        for _ in range(2):
            with pytest.raises(VaultIOError, match="mount the folder that it is in") as caught:
                driver.open(**settings_of(place, store, revalidate_after=0))
            assert str(place.path) in str(caught.value)
        assert outside.read_bytes() == content
    assert place.requests() == before


def test_a_read_only_file_system_is_told_before_a_login(
    driver: Driver, place: Place, store: str
) -> None:
    client = driver.open(**settings_of(place, store))
    driver.close(client)
    place.site.invalidate()
    with (
        mounted("--bind", "-o", "ro", str(place.folder), str(place.folder)),
        pytest.raises(VaultIOError, match="read-only: mount it writable"),
    ):
        driver.open(**settings_of(place, store))
    assert place.attempts == 1
    assert driver.open(**settings_of(place, store)).persisted


def test_a_living_session_on_a_read_only_file_system_is_used(
    driver: Driver, place: Place, store: str
) -> None:
    client = driver.open(**settings_of(place, store))
    driver.close(client)
    with mounted("--bind", "-o", "ro", str(place.folder), str(place.folder)):
        client = driver.open(**settings_of(place, store))
        assert driver.run(client, "get_self")["username"] == "maple_ink"
        driver.close(client)
    assert place.attempts == 1


def test_a_session_that_must_be_asked_about_is_used_on_a_read_only_file_system(
    driver: Driver, place: Place, store: str
) -> None:
    client = driver.open(**settings_of(place, store))
    driver.close(client)
    with mounted("--bind", "-o", "ro", str(place.folder), str(place.folder)):
        client = driver.open(**settings_of(place, store, revalidate_after=0))
        assert driver.run(client, "get_self")["username"] == "maple_ink"
        driver.close(client)
    assert place.attempts == 1


def start_as_stranger(place: Place, store: str, **changes: Any) -> str:
    """What a start as another user ends in, and the first call."""

    def start() -> str:
        try:
            settings = settings_of(
                place, store, on_event=None, **{"revalidate_after": 0, **changes}
            )
            with InterpalClient(**settings) as client:
                client.get_self()
                return f"persisted: {client.persisted}"
        except VaultError as error:
            return f"{type(error).__name__}: {error}"

    return in_child(start, uid=STRANGER)


@pytest.fixture
def public(site: Sandbox) -> Iterator[Place]:
    with public_folder() as folder:
        yield Place(folder / "place", site)


@pytest.mark.parametrize("saved", [False, True], ids=["nothing saved", "session ended"])
def test_a_folder_that_this_user_cannot_write_is_named(
    public: Place, store: str, saved: bool
) -> None:
    assert sqlite_store.__name__, "loaded: the other user cannot read the modules"
    place, folder = public, public.folder
    if saved:
        os.chown(folder, STRANGER, STRANGER)
        assert start_as_stranger(place, store) == "persisted: True"
        place.site.invalidate()
    os.chown(folder, 0, 0)
    folder.chmod(0o755)
    before = place.requests()
    said = start_as_stranger(place, store)
    assert said.startswith("VaultPermissionError"), said
    assert f"cannot make files in the folder {folder} (owner 0, mode 0755)" in said
    assert f"chown {STRANGER} {folder}" in said
    assert place.requests() == before


TRUSTED = pytest.mark.parametrize("trusted", [0, 3600], ids=["asked about", "trusted"])


@TRUSTED
@pytest.mark.parametrize("mode", [0o400, 0o444])
def test_a_database_that_may_only_be_read_is_told_before_a_login(
    public: Place, mode: int, trusted: int
) -> None:
    place = public
    os.chown(place.folder, STRANGER, STRANGER)
    assert start_as_stranger(place, "sqlite") == "persisted: True"
    place.path.chmod(mode)
    # What it says can still be used.
    assert start_as_stranger(place, "sqlite", password=None) == "persisted: True"
    assert start_as_stranger(place, "sqlite", revalidate_after=3600) == "persisted: True"
    place.site.invalidate()
    before, said = place.requests(), ""
    for _ in range(3):
        said = start_as_stranger(place, "sqlite", revalidate_after=trusted)
        assert said.startswith("VaultPermissionError"), said
        assert f"{place.path}: cannot open it for writing" in said
        assert f"Its mode is 0400. Fix it: chmod u+rw {place.path}" in said
    assert place.attempts == 1
    if not trusted:
        assert place.requests() == before
    # What SQLite has put beside it while it could only be read is of the same mode.
    files = shlex.split(said.partition("chmod u+rw ")[2])
    assert files == [str(place.path), *(f"{place.path}{suffix}" for suffix in ("-wal", "-shm"))]
    place.path.chmod(0o600)
    said = start_as_stranger(place, "sqlite", revalidate_after=trusted)
    assert f"chmod u+rw {place.path}-shm" in said
    assert place.attempts == 1
    for path in files:
        Path(path).chmod(0o600)
    assert start_as_stranger(place, "sqlite") == "persisted: True"


def test_a_log_that_may_only_be_read_is_told_before_a_login(public: Place) -> None:
    place = public
    os.chown(place.folder, STRANGER, STRANGER)
    assert start_as_stranger(place, "sqlite") == "persisted: True"

    def use() -> None:
        vault = Vault.open(f"sqlite:{place.path}", key=place.key)
        vault["other"] = {"n": 1}
        signal.pause()

    log = Path(f"{place.path}-wal")
    with background(use, uid=STRANGER):
        eventually(lambda: log.exists() and log.stat().st_size > 0)
        log.chmod(0o400)
        place.site.invalidate()
        for _ in range(2):
            assert f"chmod u+rw {log}" in start_as_stranger(place, "sqlite")
    assert place.attempts == 1


def test_a_session_is_not_imported_into_a_database_that_may_only_be_read(public: Place) -> None:
    place = public
    os.chown(place.folder, STRANGER, STRANGER)
    assert start_as_stranger(place, "sqlite") == "persisted: True"
    place.path.chmod(0o400)
    session = export_of(place.log_in())

    def load() -> object:
        settings = settings_of(place, "sqlite", on_event=None, password=None, auto_login=False)
        with InterpalClient(**settings) as client:
            client.import_session(session)
            return client.persisted

    said = in_child(load, uid=STRANGER)
    assert said.startswith("VaultPermissionError")
    assert f"chmod u+rw {place.path}" in said


def lock_is_a_file(locks: Path) -> str:
    shutil.rmtree(locks)
    locks.touch(mode=0o600)
    os.chown(locks, STRANGER, STRANGER)
    return f"{locks} is a file, not a folder"


def lock_folder_is_closed(locks: Path) -> str:
    locks.chmod(0)
    return f"chmod u+rwx {locks}"


def lock_folder_is_full(locks: Path) -> str:
    (locks / "login.lock").unlink()
    locks.chmod(0o500)
    return f"chmod u+rwx {locks}"


def lock_is_read_only(locks: Path) -> str:
    (locks / "login.lock").chmod(0o400)
    return f"chmod u+rw {locks}/login.lock"


def lock_is_a_folder(locks: Path) -> str:
    (locks / "login.lock").unlink()
    (locks / "login.lock").mkdir()
    return f"{locks}/login.lock is a folder, not a regular file"


def lock_is_foreign(locks: Path) -> str:
    os.chown(locks / "login.lock", 0, 0)
    return f"chown {STRANGER} {locks}/login.lock"


LOCKS = (
    lock_is_a_file,
    lock_folder_is_closed,
    lock_folder_is_full,
    lock_is_read_only,
    lock_is_a_folder,
    lock_is_foreign,
)


@TRUSTED
@pytest.mark.parametrize("mistake", LOCKS)
def test_locks_that_cannot_be_taken_are_told_before_a_login(
    public: Place, store: str, mistake: Callable[[Path], str], trusted: int
) -> None:
    assert sqlite_store.__name__, "loaded: the other user cannot read the modules"
    place = public
    os.chown(place.folder, STRANGER, STRANGER)
    assert start_as_stranger(place, store) == "persisted: True"
    remedy = mistake(Path(f"{place.path}.locks"))
    place.site.invalidate()
    before = place.requests()
    for _ in range(2):
        said = start_as_stranger(place, store, revalidate_after=trusted)
        assert said.startswith("VaultPermissionError"), said
        assert remedy in said
    assert place.attempts == 1
    if not trusted:
        assert place.requests() == before


def test_a_path_below_a_file_is_told_before_a_login(
    driver: Driver, place: Place, store: str
) -> None:
    (place.folder / "afile").touch()
    place.path = place.folder / "afile" / "x.json"
    given = place.log_in().session_cookie
    place.site.invalidate()
    for _ in range(2):
        client = driver.open(**settings_of(place, store, session_cookie=given))
        with pytest.raises(VaultIOError, match="a file where a folder is needed") as caught:
            driver.run(client, "get_self")
        assert caught.value.errno == errno.ENOTDIR
    assert place.attempts == 1


def test_a_file_system_that_makes_nothing_is_told_before_a_login(
    driver: Driver, place: Place, store: str
) -> None:
    for folder in ("/proc", "/proc/interpal"):
        place.path = Path(folder) / "x.json"
        for _ in range(2):
            with pytest.raises(VaultIOError, match="This file system cannot do it"):
                driver.open(**settings_of(place, store))
    assert place.attempts == 0


def test_a_lock_folder_of_another_user_is_told_before_a_login(
    driver: Driver, place: Place, store: str
) -> None:
    client = driver.open(**settings_of(place, store))
    driver.close(client)
    place.site.invalidate()
    os.chown(f"{place.path}.locks", STRANGER, STRANGER)
    before = place.requests()
    with pytest.raises(VaultPermissionError, match=rf"chown 0 {place.path}\.locks"):
        driver.open(**settings_of(place, store, revalidate_after=0))
    assert place.requests() == before


def test_what_comes_over_a_set_up_that_was_right_costs_the_save_only(
    driver: Driver, place: Place, store: str
) -> None:
    client = driver.open(**settings_of(place, store))
    os.chown(f"{place.path}.locks", STRANGER, STRANGER)
    place.site.invalidate()
    assert driver.run(client, "get_self")["username"] == "maple_ink"
    # A database has a lock of its own for saving.
    assert client.persisted is (store == "sqlite")
    assert place.logins == 2


def test_a_start_from_a_folder_that_was_removed_says_so(tmp_path: Path, place: Place) -> None:
    gone = tmp_path / "gone"

    def start() -> str:
        gone.mkdir()
        os.chdir(gone)
        gone.rmdir()
        try:
            InterpalClient(**place.settings(session_file="v.json")).close()
        except VaultIOError as error:
            return str(error)
        return "nothing was said"

    said = in_child(start)
    assert "the working directory was removed" in said
    assert "absolute path" in said
    assert place.attempts == 0


def test_a_key_that_others_can_read_is_told_before_a_login(
    driver: Driver, place: Place, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = place.folder / "team.key"
    key.write_text(b64encode(place.key).decode())
    key.chmod(0o666)
    monkeypatch.setenv("INTERPALS_VAULT_KEY_FILE", str(key))
    for _ in range(2):
        with pytest.raises(VaultPermissionError, match=f"chmod 600 {key}"):
            driver.open(**settings_of(place, store, vault_key=None))
    assert place.attempts == 0
    key.chmod(0o600)
    client = driver.open(**settings_of(place, store, vault_key=None))
    driver.close(client)
    key.chmod(0o666)
    place.site.invalidate()
    before = place.requests()
    with pytest.raises(VaultPermissionError, match=f"chmod 600 {key}"):
        driver.open(**settings_of(place, store, vault_key=None, revalidate_after=0))
    assert place.requests() == before


@pytest.mark.parametrize("name", ["login.lock", "write.lock"])
def test_a_lock_file_of_another_user_is_told_before_a_login(
    driver: Driver, place: Place, name: str
) -> None:
    client = driver.open(**place.settings())
    driver.close(client)
    place.site.invalidate()
    os.chown(f"{place.path}.locks/{name}", STRANGER, STRANGER)
    before = place.requests()
    with pytest.raises(VaultPermissionError, match=f"chown 0 .*{name}"):
        driver.open(**place.settings(revalidate_after=0))
    assert place.requests() == before


WRONG = {
    "read-only": "read-only: mount it writable",
    "mounted file": "mount the folder that it is in",
    "lock folder": r"chown 0 .*\.locks",
    "open folder": "chmod o-w",
}


@contextmanager
def set_up_wrong(place: Place, wrong: str, outside: Path) -> Generator[None, None, None]:
    """A place with one mistake."""
    locks = Path(f"{place.path}.locks")
    if wrong == "lock folder":
        locks.mkdir(mode=0o700, exist_ok=True)
        os.chown(locks, STRANGER, STRANGER)
        yield
    elif wrong == "open folder":
        place.folder.chmod(0o777)
        yield
    elif wrong == "read-only":
        with mounted("--bind", "-o", "ro", str(place.folder), str(place.folder)):
            yield
    else:
        outside.touch(mode=0o600)
        if place.path.exists():
            shutil.copyfile(place.path, outside)
        place.path.touch(mode=0o600)
        with mounted("--bind", str(outside), str(place.path)):
            yield


# A vault that is open has seen a folder that was right.
IMPORTED = [*((wrong, False) for wrong in WRONG), *((wrong, True) for wrong in list(WRONG)[:-1])]


@pytest.mark.parametrize(("wrong", "made"), IMPORTED)
def test_a_session_is_not_imported_into_a_place_that_is_set_up_wrong(
    driver: Driver, place: Place, store: str, wrong: str, made: bool, tmp_path: Path
) -> None:
    if made:
        driver.close(driver.open(**settings_of(place, store)))
    client = driver.open(**settings_of(place, store, password=None, auto_login=False))
    session = export_of(place.log_in())
    with set_up_wrong(place, wrong, tmp_path / "outside"):
        with pytest.raises(VaultError, match=WRONG[wrong]) as caught:
            driver.run(client, "import_session", session)
        assert str(place.folder) in str(caught.value)
    assert client.persisted is made
    assert client.session is None or client.session.session_cookie != session["session_cookie"]
    assert "save_failed" not in place.told


def test_a_full_disk_costs_an_import_its_save_only(
    driver: Driver, place: Place, store: str
) -> None:
    with mounted("-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(place.folder)):
        client = driver.open(**settings_of(place, store, password=None, auto_login=False))
        session = export_of(place.log_in())
        with suppress(OSError), open(place.folder / "filler", "wb", buffering=0) as filler:
            while True:
                filler.write(b"x" * 512)
        driver.run(client, "import_session", session)
        assert driver.run(client, "get_self")["username"] == "maple_ink"
        assert not client.persisted
        assert "save_failed" in place.told
        driver.close(client)

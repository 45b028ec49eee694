from __future__ import annotations

import logging
import os
import signal
import stat
import sys
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from interpal.exceptions import (
    LockTimeoutError,
    NotDurableError,
    ValidationError,
    VaultIOError,
    VaultPermissionError,
)
from interpal.vault.files import mounts
from interpal.vault.stores.base import Store, Stored
from interpal.vault.stores.file import FileStore
from tests.files import descriptors, in_child, mode_of

COUNT = """
import sys
from interpal.vault.stores.file import FileStore
store = FileStore(sys.argv[1])
for _ in range(25):
    with store.write_lock(30) as writer:
        stored = writer.load()
        writer.save(b"%d" % (int(stored.reveal()) + 1 if stored else 1))
"""

DIE = """
import os, signal, sys
from interpal.vault.stores.file import FileStore
with FileStore(sys.argv[1]).write_lock(5) as writer:
    writer.save(b"new", verify=lambda data: os.kill(os.getpid(), signal.SIGKILL))
"""


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "vault")


def save(store: FileStore, data: bytes) -> Stored:
    with store.write_lock(1) as writer:
        return writer.save(data)


def test_it_is_a_store(store: FileStore) -> None:
    as_store: Store = store
    assert as_store.location == store.path


def test_what_is_saved_is_loaded_by_everyone(store: FileStore, tmp_path: Path) -> None:
    assert store.load() is None
    with store.write_lock(1) as writer:
        assert writer.load() is None
        saved = writer.save(b"one")
        assert writer.load() == saved
    assert store.load() == FileStore(tmp_path / "vault").load() == saved
    assert mode_of(tmp_path / "vault") == 0o600
    assert sorted(os.listdir(tmp_path)) == ["vault", "vault.locks"]


def test_everything_beside_a_vault_starts_with_its_name(store: FileStore, tmp_path: Path) -> None:
    seen: set[str] = set()
    with store.write_lock(1) as writer:
        saved = writer.save(b"one", verify=lambda data: seen.update(os.listdir(tmp_path)))
        aside = writer.set_aside(saved)
    assert store.login_lock(bytes(32)).try_acquire()
    seen.update(os.listdir(tmp_path))
    assert aside is not None
    assert aside.startswith(f"{tmp_path}/vault.corrupt-")
    assert mode_of(aside) == 0o600
    assert len(seen) == 3
    assert all(name.startswith("vault.") for name in seen)
    assert store.leftovers() == [aside]
    assert store.load() is None


def test_loading_makes_nothing(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "absent" / "vault")
    assert store.load() is None
    assert store.load(foreign=True) is None
    assert store.details() is None
    assert store.leftovers() == []
    assert store.login_lock(bytes(32)).holder() is None
    assert os.listdir(tmp_path) == []


def test_missing_folders_are_made_when_something_is_written(tmp_path: Path) -> None:
    save(FileStore(tmp_path / "a" / "b" / "vault"), b"one")
    assert mode_of(tmp_path / "a") == mode_of(tmp_path / "a/b") == 0o700


def test_the_path_is_fixed_when_the_store_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = FileStore("vault")
    monkeypatch.chdir("/")
    save(store, b"one")
    assert (tmp_path / "vault").read_bytes() == b"one"


@pytest.mark.parametrize("path", ["", "a\0b", b"bytes", None, 7, "/", "\ud800"])
def test_what_is_no_path_is_a_validation_error(path: object) -> None:
    with pytest.raises(ValidationError, match=r"^path: "):
        FileStore(path)  # type: ignore[arg-type]


def test_a_name_that_is_not_text_is_kept_and_shown_printable(tmp_path: Path) -> None:
    store = FileStore(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    save(store, b"one")
    assert store.location == f"{tmp_path}/caf\\xe9"
    assert os.listdir(os.fsencode(tmp_path)) != []
    assert Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")).read_bytes() == b"one"


def test_a_store_survives_its_folder_being_replaced(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "here" / "vault")
    save(store, b"one")
    (tmp_path / "here").rename(tmp_path / "gone")
    assert store.load() is None
    save(store, b"two")
    loaded = store.load()
    assert loaded is not None
    assert loaded.reveal() == b"two"
    assert (tmp_path / "gone/vault").read_bytes() == b"one"


def test_the_details_are_those_of_what_stands_there(store: FileStore, tmp_path: Path) -> None:
    assert store.details() is None
    save(store, b"one")
    details = store.details()
    assert details is not None
    assert stat.S_ISREG(details.mode)
    assert (stat.S_IMODE(details.mode), details.uid, details.size, details.nlink) == (
        0o600,
        os.geteuid(),
        3,
        1,
    )
    (tmp_path / "vault").unlink()
    (tmp_path / "vault").symlink_to("x")
    details = store.details()
    assert details is not None
    assert stat.S_ISLNK(details.mode)


def test_removing_keeps_the_folder_of_the_locks(store: FileStore, tmp_path: Path) -> None:
    save(store, b"one")
    with store.write_lock(1) as writer:
        writer.remove()
        writer.remove()
    assert os.listdir(tmp_path) == ["vault.locks"]
    assert os.listdir(tmp_path / "vault.locks") == ["write.lock"]


def test_only_what_was_seen_is_set_aside(store: FileStore, tmp_path: Path) -> None:
    old = save(store, b"same")
    (tmp_path / "keep").hardlink_to(tmp_path / "vault")  # or its inode would be used again
    (tmp_path / "vault").unlink()
    new = save(store, b"same")
    with store.write_lock(1) as writer:
        assert writer.set_aside(old) is None
        assert writer.set_aside(Stored(b"other", new.identity)) is None
        assert store.load() == new
        assert writer.set_aside(new) is not None
        assert writer.set_aside(new) is None


def test_the_write_lock_is_exclusive_and_free_after_an_error(store: FileStore) -> None:
    before = descriptors()
    with pytest.raises(RuntimeError, match="mine"), store.write_lock(0):
        with pytest.raises(LockTimeoutError) as caught, store.write_lock(0):
            raise AssertionError
        assert caught.value.holder == str(os.getpid())
        raise RuntimeError("mine")
    with store.write_lock(0):
        pass
    assert descriptors() == before


def test_a_writer_is_of_no_use_after_its_lock(store: FileStore) -> None:
    with store.write_lock(0) as writer:
        writer.save(b"one")
    for use in (writer.load, writer.remove, lambda: writer.save(b"two")):
        with pytest.raises(VaultIOError, match="does not hold the write lock"):
            use()
    loaded = store.load()
    assert loaded is not None
    assert loaded.reveal() == b"one"


def test_the_child_of_a_writer_cannot_write(store: FileStore) -> None:
    with store.write_lock(0) as writer:
        writer.save(b"one")
        assert in_child(lambda: writer.save(b"two")).startswith("VaultIOError: ")
        loaded = writer.load()
    assert loaded is not None
    assert loaded.reveal() == b"one"


def test_two_hundred_increments_by_eight_processes_lose_nothing(store: FileStore) -> None:
    counters = [Popen([sys.executable, "-c", COUNT, store.path]) for _ in range(8)]
    last = 0
    while any(counter.poll() is None for counter in counters):
        loaded = store.load()
        now = int(loaded.reveal()) if loaded else 0
        assert now >= last  # no failed and no backward read meanwhile
        last = now
    assert [counter.wait() for counter in counters] == [0] * 8
    loaded = store.load()
    assert loaded is not None
    assert loaded.reveal() == b"200"


def test_what_a_killed_writer_left_is_swept_by_the_next(store: FileStore, tmp_path: Path) -> None:
    save(store, b"old")
    dead = Popen([sys.executable, "-c", DIE, store.path])
    assert dead.wait() == -signal.SIGKILL
    left = store.leftovers()
    assert len(left) == 1
    loaded = store.load()
    assert loaded is not None
    assert loaded.reveal() == b"old"
    with store.write_lock(0):
        assert store.leftovers() == []
    assert sorted(os.listdir(tmp_path)) == ["vault", "vault.locks"]


def test_a_reader_sweeps_nothing(store: FileStore, tmp_path: Path) -> None:
    (tmp_path / "vault.0123456789abcdef.tmp").touch()
    store.load()
    assert len(store.leftovers()) == 1


def test_each_account_has_a_login_lock_of_its_own_in_one_file(
    store: FileStore, tmp_path: Path
) -> None:
    for first in range(256):
        tag = bytes([first]) + bytes(31)
        held = store.login_lock(tag)
        assert held.try_acquire()
        assert not store.login_lock(tag).try_acquire()
        held.release()
    assert os.listdir(tmp_path / "vault.locks") == ["login.lock"]
    with store.write_lock(0):
        pass  # the two kinds do not stand in each other's way


def test_a_login_lock_opens_nothing_until_it_is_tried(tmp_path: Path) -> None:
    before = descriptors()
    FileStore(tmp_path / "absent" / "vault").login_lock(bytes(32))
    assert os.listdir(tmp_path) == []
    assert descriptors() == before


def test_a_network_file_system_is_warned_of_once_and_on_writing_only(
    store: FileStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mounts, "network_filesystem", lambda path: "nfs4")
    store.load()
    assert not caplog.records
    for _ in range(3):
        save(store, b"one")
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert "nfs4" in caplog.text
    assert "Redis store" in caplog.text


def test_a_save_that_could_not_be_made_durable_is_told_and_kept(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(store, b"old")
    real_fsync = os.fsync

    def failing_fsync(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(5, "injected")
        real_fsync(fd)

    monkeypatch.setattr(os, "fsync", failing_fsync)
    with pytest.raises(NotDurableError):
        save(store, b"new")
    loaded = store.load()
    assert loaded is not None
    assert loaded.reveal() == b"new"


def test_a_vault_that_was_plain_to_see_is_not_shown_by_its_repr(
    store: FileStore, tmp_path: Path
) -> None:
    (tmp_path / "vault").write_text('{"session_cookie": "canary"}')
    (tmp_path / "vault").chmod(0o600)
    loaded = store.load()
    assert loaded is not None
    assert "canary" not in repr(loaded) + str(loaded) + f"{loaded:>9}"


def test_an_unsafe_folder_is_refused_but_for_one_who_only_looks(
    store: FileStore, tmp_path: Path
) -> None:
    save(store, b"one")
    tmp_path.chmod(0o777)
    with pytest.raises(VaultPermissionError, match="chmod o-w"):
        store.load()
    with pytest.raises(VaultPermissionError, match="chmod o-w"), store.write_lock(0):
        raise AssertionError
    looked = store.load(foreign=True)
    assert looked is not None
    assert looked.reveal() == b"one"


def test_the_module_brings_nothing_heavy_along() -> None:
    script = (
        "import sys; import interpal.vault.stores.file; "
        "print(*sorted({'logging', 'pathlib', 'tempfile', 'dataclasses', 'inspect', 'shlex', "
        "'hashlib', 'secrets', 'random', 'asyncio'} & set(sys.modules)))"
    )
    with Popen(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(Path.cwd())!r}); {script}",
        ],
        stdout=PIPE,
        text=True,
    ) as process:
        assert process.communicate()[0].strip() == ""

"""A second, real user: as owner, as neighbour and as the holder of a lock. Needs root."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from interpal.exceptions import LockTimeoutError, VaultIOError, VaultPermissionError
from interpal.vault.files.private_files import Folder, read_secret_file
from interpal.vault.stores.file import FileStore
from tests.files import STRANGER, background, descriptors, in_child, mode_of

if TYPE_CHECKING:
    from pathlib import Path


def user_folder(public: Path, mode: int = 0o755) -> Path:
    """A folder of the second user, with a vault of his in it."""
    folder = public / "theirs"
    folder.mkdir()
    os.chown(folder, STRANGER, STRANGER)
    said = in_child(lambda: save(FileStore(folder / "vault"), b"theirs"), uid=STRANGER)
    assert said.startswith("<Stored")
    folder.chmod(mode)
    return folder


def save(store: FileStore, data: bytes) -> object:
    with store.write_lock(1) as writer:
        return writer.save(data)


def facts(path: Path) -> dict[str, tuple[object, ...]]:
    """What must not change: kind and mode, inode, owner, size and change time of everything."""
    found: dict[str, tuple[object, ...]] = {}
    for where, folders, names in os.walk(path):
        for name in [".", *folders, *names]:
            s = os.lstat(os.path.join(where, name))
            found[os.path.join(where, name)] = (
                s.st_mode,
                s.st_ino,
                s.st_uid,
                s.st_size,
                s.st_ctime_ns,
            )
    return found


def test_root_neither_reads_nor_rewrites_a_users_vault(public: Path) -> None:
    folder = user_folder(public)
    before, open_before = facts(folder), descriptors()
    store = FileStore(folder / "vault")
    message = f"belongs to user {STRANGER} and this process runs as user 0"
    with pytest.raises(VaultPermissionError, match=message):
        store.load()
    with pytest.raises(VaultPermissionError, match=message):
        save(store, b"root's")
    with pytest.raises(VaultPermissionError, match=message):
        store.login_lock(bytes(32)).try_acquire()
    assert facts(folder) == before
    assert descriptors() == open_before


def test_root_may_look_at_a_users_vault_and_changes_nothing(public: Path) -> None:
    folder = user_folder(public)
    (folder / "vault").chmod(0o644)
    before = facts(folder)
    store = FileStore(folder / "vault")
    looked, details = store.load(foreign=True), store.details()
    assert looked is not None
    assert details is not None
    assert (looked.reveal(), details.uid) == (b"theirs", STRANGER)
    assert facts(folder) == before


def test_a_vault_of_another_user_in_ones_own_folder_is_refused(public: Path) -> None:
    (public / "vault").write_bytes(b"planted")
    os.chown(public / "vault", STRANGER, STRANGER)
    store = FileStore(public / "vault")
    with pytest.raises(VaultPermissionError, match=f"chown 0 {public}/vault"):
        store.load()
    with pytest.raises(VaultPermissionError, match="left unchanged"):
        save(store, b"mine")
    with store.write_lock(1) as writer, pytest.raises(VaultPermissionError):
        writer.remove()
    assert (public / "vault").read_bytes() == b"planted"
    assert store.leftovers() == []


def test_a_user_in_a_folder_of_roots_gets_a_clear_error(public: Path) -> None:
    said = in_child(lambda: save(FileStore(public / "vault"), b"mine"), uid=STRANGER)
    assert said.startswith(f"VaultPermissionError: {public}/vault.locks: cannot make the folder: ")
    assert f"cannot make files in the folder {public} (owner 0, mode 0755)" in said
    assert f"chown {STRANGER} {public}" in said
    assert os.listdir(public) == []


def test_a_vault_that_may_not_be_read_is_a_permission_error(public: Path) -> None:
    folder = user_folder(public)
    (folder / "vault").chmod(0)
    said = in_child(FileStore(folder / "vault").load, uid=STRANGER)
    assert said.startswith(f"VaultPermissionError: {folder}/vault: cannot read: Permission denied")


def test_a_neighbour_can_never_read_what_is_saved(public: Path) -> None:
    """The second user tries every name in the folder, all the while."""

    def spy() -> tuple[int, int]:
        tried = read = 0
        seen: set[str] = set()
        # Until many a save has come and gone, each of which has files of other names.
        while tried < 1000 or len(seen) < 20:
            for name in os.listdir(public):
                seen.add(name)
                with suppress(OSError):
                    tried += 1
                    os.close(os.open(public / name, os.O_RDONLY | os.O_NONBLOCK))
                    read += 1
        return tried, read

    def write() -> None:
        store = FileStore(public / "vault")
        while True:
            save(store, b"x" * 100_000)

    old = os.umask(0)
    try:
        with background(write):
            tried, read = eval(in_child(spy, uid=STRANGER))
    finally:
        os.umask(old)
    print(f"{tried} tries of a neighbour, {read} opened")
    assert read == 0


def test_a_lock_held_by_a_stranger_is_a_timeout_and_no_hang(public: Path) -> None:
    store = FileStore(public / "vault")
    save(store, b"mine")
    path = public / "vault.locks/write.lock"
    (public / "vault.locks").chmod(0o755)
    path.chmod(0o666)  # as a careless administrator would
    reader, writer = os.pipe()

    def hold() -> None:
        fd = os.open(path, os.O_RDWR)
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.pwrite(fd, b"\x1b[2J; rm -rf /\n", 0)
        os.write(writer, b"x")
        time.sleep(60)

    with background(hold, uid=STRANGER):
        assert os.read(reader, 1) == b"x"
        with pytest.raises(LockTimeoutError, match="another process holds") as caught:
            save(store, b"new")
        assert caught.value.holder is None
    os.close(reader)
    os.close(writer)
    save(store, b"new")
    assert mode_of(path) == 0o600


@pytest.mark.parametrize("what", ["folder", "file"])
def test_locks_that_a_stranger_made_first_are_refused(public: Path, what: str) -> None:
    public.chmod(0o1777)  # as /tmp is
    locks = public / "vault.locks"
    if what == "folder":
        in_child(locks.mkdir, uid=STRANGER)
    else:
        locks.mkdir(mode=0o700)
        (locks / "write.lock").touch()
        os.chown(locks / "write.lock", STRANGER, STRANGER)
    with pytest.raises(VaultPermissionError, match=f"belongs to user {STRANGER}"):
        save(FileStore(public / "vault"), b"mine")


@pytest.mark.timeout(10)
@pytest.mark.parametrize("what", ["symlink", "fifo", "socket", "folder", "file"])
def test_what_a_stranger_plants_in_a_sticky_folder_is_refused(public: Path, what: str) -> None:
    public.chmod(0o1777)
    precious = public / "precious"
    precious.write_bytes(b"root's")

    def plant() -> None:
        os.chdir(public)
        if what == "symlink":
            os.symlink(precious, "vault")
        elif what == "fifo":
            os.mkfifo("vault")
        elif what == "socket":
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind("vault")
        elif what == "folder":
            os.mkdir("vault")
        else:
            with open("vault", "wb") as file:
                file.write(b"planted")

    assert in_child(plant, uid=STRANGER) == "None"
    store = FileStore(public / "vault")
    before = descriptors()
    with pytest.raises(VaultPermissionError, match="left unchanged"):
        store.load()
    with pytest.raises(VaultPermissionError, match="left unchanged"):
        save(store, b"mine")
    assert precious.read_bytes() == b"root's"
    assert descriptors() == before


def test_a_symlink_that_comes_and_goes_never_leads_anywhere(public: Path) -> None:
    """A second user swaps the vault's name for a link to a file of ours, as fast as he can."""
    folder = public / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    precious = public / "precious"
    precious.write_bytes(b"canary")
    precious.chmod(0o644)

    def swap() -> None:
        os.chdir(folder)
        while True:
            with suppress(OSError):
                os.symlink(precious, "link")
                os.rename("link", "vault")
                os.close(os.open("file", os.O_CREAT | os.O_WRONLY))
                os.rename("file", "vault")

    refused = 0

    def look(opened: Folder) -> int:
        try:
            found = opened.read("vault", limit=100, foreign=True)
        except VaultPermissionError:
            return 1
        except VaultIOError as error:  # the link came after the look
            return int(error.errno == errno.ELOOP)
        assert found is None or found.data.reveal() == b""
        return 0

    with background(swap, uid=STRANGER), Folder.open(str(folder), strict=False) as opened:
        looks = 0
        while looks < 2000 or refused <= 10:
            looks += 1
            refused += look(opened)
    print(f"{refused} links refused")
    assert precious.read_bytes() == b"canary"
    assert mode_of(precious) == 0o644


def test_a_hard_link_that_a_stranger_made_of_our_file_is_noticed(public: Path) -> None:
    save(FileStore(public / "vault"), b"mine")
    trap = public / "trap"
    trap.mkdir()
    os.link(public / "vault", trap / "vault")
    with pytest.raises(VaultPermissionError, match=f"find / -xdev -samefile {trap}/vault"):
        FileStore(trap / "vault").load()


@pytest.mark.parametrize(
    ("uid", "mode", "accepted"),
    [
        (0, 0o444, True),
        (0, 0o440, False),  # accepted by the rule, but the kernel does not let him read
        (0, 0o464, False),
        (0, 0o446, False),
        (STRANGER, 0o600, True),
        (STRANGER, 0o400, True),
        (STRANGER, 0o640, False),
        (STRANGER, 0o604, False),
        (1002, 0o644, False),
    ],
)
def test_whose_key_files_are_trusted(public: Path, uid: int, mode: int, accepted: bool) -> None:
    (public / "data").mkdir(mode=0o755)
    key = public / "data" / "key"
    key.write_bytes(b"s3cret")
    os.chown(key, uid, uid)
    key.chmod(mode)
    (public / "key").symlink_to("data/key")  # as container secrets are
    said = in_child(
        lambda: read_secret_file(str(public / "key"), 100).reveal() == b"s3cret", uid=STRANGER
    )
    if accepted:
        assert said == "True"
    else:
        assert said.startswith("VaultPermissionError: ")
        assert "s3cret" not in said


def test_root_does_not_take_a_key_from_a_users_file(public: Path) -> None:
    key = public / "key"
    key.write_bytes(b"s3cret")
    os.chown(key, STRANGER, STRANGER)
    key.chmod(0o600)
    with pytest.raises(VaultPermissionError, match=f"belongs to user {STRANGER}"):
        read_secret_file(str(key), 100)


def test_every_mode_of_a_folder_is_judged_by_who_may_write_it(public: Path) -> None:
    folder = public / "folder"
    folder.mkdir()
    refused = 0
    for mode in range(0o10000):
        folder.chmod(mode)
        try:
            Folder.open(str(folder)).close()
            insecure = False
        except VaultPermissionError:
            insecure = True
        assert insecure is (mode & 0o1002 == 0o0002), oct(mode)
        refused += insecure
    print(f"4096 modes of a folder, {refused} refused")


def test_every_mode_of_a_file_ends_at_0600_or_tighter(public: Path) -> None:
    path = public / "vault"
    path.touch()
    with Folder.open(str(public)) as folder:
        for mode in range(0o10000):
            path.chmod(mode)
            assert folder.read("vault", limit=1) is not None
            assert mode_of(path) == mode & 0o600, oct(mode)


def test_who_is_outside_of_a_user_namespace_is_nobody_to_warn_of(public: Path) -> None:
    """In a container without rights, each folder above its own belongs to such a one."""
    above = public / "above"
    (above / "own").mkdir(parents=True)
    os.chown(above, STRANGER, STRANGER)
    code = """
import logging, os, sys
logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
from interpal.vault.files.folders import OpenFolder
OpenFolder.open(sys.argv[1]).close()
print("opened by", os.geteuid())
"""
    command = [sys.executable, "-c", code, str(above / "own")]
    outside = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"{above} (owner {STRANGER}, mode 0755): another user may replace" in outside
    inside = subprocess.run(
        ["unshare", "-U", "--map-user=5000", *command], capture_output=True, text=True, check=True
    ).stdout
    assert inside == "opened by 5000\n"

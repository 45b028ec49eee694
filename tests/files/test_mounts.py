"""Disks that are really full or really read-only, in mount namespaces. Needs root."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal.vault.stores.file import FileStore
from tests.files import in_mount

if TYPE_CHECKING:
    from pathlib import Path

FULL = """
import os, sys
from interpal.exceptions import VaultIOError
from interpal.vault.stores.file import FileStore
store = FileStore(sys.argv[1] + "/vault")
with store.write_lock(1) as writer:
    old = writer.save(b"o" * 20000)
    fds = len(os.listdir("/proc/self/fd"))
    saved = refused = 0
    for size in range(0, 80000, 512):
        try:
            old = writer.save(b"n" * size)
            saved += 1
        except VaultIOError as error:
            assert error.errno == 28 and "Free some space" in str(error), error
            refused += 1
        assert store.load() == old
        assert sorted(os.listdir(sys.argv[1])) == ["vault", "vault.locks"]
    assert len(os.listdir("/proc/self/fd")) == fds
print(saved, refused)
"""

FULL_FOR_LOCKS = """
import os, sys
from interpal.vault.stores.file import FileStore
store = FileStore(sys.argv[1] + "/vault")
with store.write_lock(1) as writer:
    writer.save(b"old")
with open(sys.argv[1] + "/filler", "wb", buffering=0) as filler:
    try:
        while True:
            filler.write(b"x" * 4096)
    except OSError:
        pass
with store.write_lock(1) as writer:
    assert writer.load().reveal() == b"old"
lock = store.login_lock(bytes(32))
print(lock.try_acquire())
"""

READ_ONLY = """
import sys
from interpal.exceptions import VaultIOError
from interpal.vault.stores.file import FileStore
store = FileStore(sys.argv[1] + "/vault")
print(store.load().reveal().decode(), store.load(foreign=True).reveal().decode())
for use in (lambda: store.write_lock(1).__enter__(), store.login_lock(bytes(32)).try_acquire):
    try:
        use()
    except VaultIOError as error:
        print(error.errno, "read-only: mount it writable" in str(error))
"""


def test_a_full_disk_keeps_the_old_content_at_every_size(tmp_path: Path) -> None:
    said = in_mount(f"mount -t tmpfs -o size=64k none {tmp_path}", FULL, str(tmp_path))
    saved, refused = map(int, said.split())
    print(f"{saved} saves, {refused} refused")
    assert saved > 50
    assert refused > 50


def test_a_lock_can_be_taken_on_a_full_disk(tmp_path: Path) -> None:
    said = in_mount(f"mount -t tmpfs -o size=64k none {tmp_path}", FULL_FOR_LOCKS, str(tmp_path))
    assert said == "True\n"


def test_a_vault_on_a_read_only_file_system_can_be_read_and_not_written(tmp_path: Path) -> None:
    with FileStore(tmp_path / "vault").write_lock(1) as writer:
        writer.save(b"old")
    (tmp_path / "vault").chmod(0o644)  # what cannot be tightened there is only warned of
    mount = f"mount --bind {tmp_path} {tmp_path} && mount -o remount,ro,bind {tmp_path}"
    said = in_mount(mount, READ_ONLY, str(tmp_path))
    assert said == "old old\n30 True\n30 True\n"

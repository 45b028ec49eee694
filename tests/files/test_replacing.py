from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import struct
import time
from typing import TYPE_CHECKING, Any

import pytest

from interpal._hidden import Hidden
from interpal.exceptions import (
    NotDurableError,
    VaultError,
    VaultIOError,
    VaultPermissionError,
)
from interpal.vault.files.private_files import Folder
from tests.files import descriptors, fork, in_child, mode_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from typing_extensions import Buffer

CALLS = ["open", "fchmod", "write", "fsync", "fstat", "close", "replace"]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    (tmp_path / "vault").write_bytes(b"old")
    (tmp_path / "vault").chmod(0o600)
    with Folder.open(str(tmp_path)) as opened:
        yield opened


def default_acl(path: Path) -> None:
    """As `setfacl -d -m u:1001:rw,g::rwx,m::rwx,o::rwx` (acl(5), linux/posix_acl_xattr.h)."""
    nobody = 0xFFFFFFFF
    entries = [(1, 7, nobody), (2, 6, 1001), (4, 7, nobody), (16, 7, nobody), (32, 7, nobody)]
    value = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(path, "system.posix_acl_default", value)


def test_the_new_content_is_there_whole_and_nothing_else(folder: Folder, tmp_path: Path) -> None:
    identity = folder.replace("vault", b"n" * 3_000_000)
    found = os.stat(tmp_path / "vault")
    assert (tmp_path / "vault").read_bytes() == b"n" * 3_000_000
    assert identity == (found.st_dev, found.st_ino)
    assert os.listdir(tmp_path) == ["vault"]


@pytest.mark.parametrize("umask", [0, 0o777, 0o277])
def test_files_are_born_0600_under_any_umask(tmp_path: Path, umask: int) -> None:
    modes: list[int] = []
    real_write = os.write

    def watching_write(fd: int, data: Buffer) -> int:
        modes.append(stat.S_IMODE(os.fstat(fd).st_mode))
        return real_write(fd, data)

    old = os.umask(umask)
    os.write = watching_write
    try:
        with Folder.open(str(tmp_path)) as folder:
            folder.replace("vault", b"new")
            folder.create("key", Hidden(b"key"))
    finally:
        os.write = real_write
        assert os.umask(old) == umask
    assert modes == [0o600, 0o600]
    assert mode_of(tmp_path / "vault") == mode_of(tmp_path / "key") == 0o600


def test_a_default_acl_of_the_folder_does_not_let_a_stranger_in(tmp_path: Path) -> None:
    default_acl(tmp_path)
    (tmp_path / "plain").touch()
    assert mode_of(tmp_path / "plain") == 0o666  # the list is in force
    born: list[int] = []
    real_fchmod = os.fchmod

    def watching_fchmod(fd: int, mode: int) -> None:
        born.append(stat.S_IMODE(os.fstat(fd).st_mode))
        real_fchmod(fd, mode)

    os.fchmod = watching_fchmod
    try:
        with Folder.open(str(tmp_path)) as folder:
            folder.replace("vault", b"new")
    finally:
        os.fchmod = real_fchmod
    assert born == [0o600]
    assert mode_of(tmp_path / "vault") == 0o600
    acl = os.getxattr(tmp_path / "vault", "system.posix_acl_access")
    mask = [perm for tag, perm, _ in struct.iter_unpack("<HHI", acl[4:]) if tag == 16]
    assert mask == [0]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "number", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.EINTR]
)
def test_any_failing_step_leaves_the_old_content_and_nothing_beside_it(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    real = getattr(os, call)
    calls: list[object] = []

    def failing(*arguments: Any, **others: Any) -> object:
        calls.append(arguments)
        if call == "close":
            real(*arguments, **others)
        raise OSError(number, os.strerror(number))

    before = descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing)
        with pytest.raises(VaultIOError, match=os.strerror(number)) as caught:
            folder.replace("vault", b"new")
    assert caught.value.errno == number
    assert not isinstance(caught.value, NotDurableError)
    assert str(tmp_path / "vault") in str(caught.value)
    assert len(calls) == 1  # a failed fsync above all is not tried again
    assert (tmp_path / "vault").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["vault"]
    assert descriptors() == before


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, MemoryError])
def test_an_interrupt_at_any_step_leaves_no_temporary(
    folder: Folder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    kind: type[BaseException],
) -> None:
    real = getattr(os, call)

    def interrupted(*arguments: Any, **others: Any) -> object:
        if call in ("close", "fsync", "write", "fchmod"):
            real(*arguments, **others)
        raise kind

    before = descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(os, call, interrupted)
        with pytest.raises(kind):
            folder.replace("vault", b"new")
    assert (tmp_path / "vault").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["vault"]
    assert descriptors() == before


def test_a_folder_that_cannot_be_synced_is_a_distinct_error_after_the_save(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_fsync = os.fsync

    def failing_fsync(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EIO, "injected")
        real_fsync(fd)

    monkeypatch.setattr(os, "fsync", failing_fsync)
    with pytest.raises(NotDurableError, match="saved, but perhaps not durable"):
        folder.replace("vault", b"new")
    assert (tmp_path / "vault").read_bytes() == b"new"
    with pytest.raises(NotDurableError, match="made, but"):
        folder.create("key", Hidden(b"key"))
    with pytest.raises(NotDurableError, match="removed, but"):
        folder.remove("vault")
    assert os.listdir(tmp_path) == ["key"]


def test_the_steps_come_in_the_order_that_survives_a_power_cut(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def noting(call: str, real: Any) -> Any:
        def wrapper(*arguments: Any, **others: Any) -> Any:
            kind = ""
            if call == "fsync":
                kind = " folder" if stat.S_ISDIR(os.fstat(arguments[0]).st_mode) else " file"
            order.append(call + kind)
            return real(*arguments, **others)

        return wrapper

    for call in ("fchmod", "write", "fsync", "close", "replace"):
        monkeypatch.setattr(os, call, noting(call, getattr(os, call)))
    folder.replace("vault", b"new")
    assert order == ["fchmod", "write", "fsync file", "close", "replace", "fsync folder"]


def test_short_writes_are_continued(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real_write(fd, bytes(data[:7])))
    folder.replace("vault", b"0123456789" * 10)
    assert (tmp_path / "vault").read_bytes() == b"0123456789" * 10


def test_a_write_that_lies_does_not_replace_the_old_content(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "write", lambda fd, data: len(data))
    with pytest.raises(VaultIOError, match="a different size"):
        folder.replace("vault", b"new")
    assert (tmp_path / "vault").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["vault"]


def test_what_was_written_is_read_back_before_it_replaces_the_old(
    folder: Folder, tmp_path: Path
) -> None:
    seen: list[bytes] = []

    def verify(data: bytes) -> None:
        seen.append(data)
        assert (tmp_path / "vault").read_bytes() == b"old"

    folder.replace("vault", b"new", verify=verify)
    assert seen == [b"new"]

    def refuse(data: bytes) -> None:
        raise ValueError("not what it should be")

    with pytest.raises(ValueError, match="not what it should be"):
        folder.replace("vault", b"newer", verify=refuse)
    assert (tmp_path / "vault").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["vault"]


def test_a_limit_on_file_sizes_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "vault").write_bytes(b"old")

    def work() -> object:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        with Folder.open(str(tmp_path)) as folder:
            folder.replace("vault", b"x" * 1000)
            return folder.replace("vault", b"x" * 1001)

    said = in_child(work)
    assert said.startswith("VaultIOError: ")
    assert "ulimit -f" in said
    assert (tmp_path / "vault").read_bytes() == b"x" * 1000
    assert os.listdir(tmp_path) == ["vault"]


def test_too_many_open_files_is_a_typed_error_and_one_free_is_enough(tmp_path: Path) -> None:
    (tmp_path / "vault").write_bytes(b"old")

    def work() -> object:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        with Folder.open(str(tmp_path)) as opened:
            uses: list[Callable[[], object]] = [
                lambda: opened.replace("vault", b"new"),
                lambda: opened.read("vault", limit=10),
                lambda: Folder.open(str(tmp_path)),
            ]
            taken: list[int] = []
            with pytest.raises(OSError, match="Too many"):
                while True:
                    taken.append(os.open("/", os.O_RDONLY))
            said = set()
            for use in uses:
                with pytest.raises(VaultIOError, match="ulimit -n") as caught:
                    use()
                said.add(caught.value.errno)
            os.close(taken.pop())
            opened.replace("vault", b"new")
        return said

    assert in_child(work) == str({errno.EMFILE})
    assert (tmp_path / "vault").read_bytes() == b"new"


def test_a_writer_killed_at_its_slowest_point_leaves_the_old_content(tmp_path: Path) -> None:
    (tmp_path / "vault").write_bytes(b"old")
    reader, writer = os.pipe()

    def tell_and_sleep(data: bytes) -> None:
        os.write(writer, b"x")
        time.sleep(60)

    pid = fork()
    if pid == 0:
        with Folder.open(str(tmp_path)) as folder:
            folder.replace("vault", b"new", verify=tell_and_sleep)
        os._exit(1)
    assert os.read(reader, 1) == b"x"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(reader)
    os.close(writer)
    assert (tmp_path / "vault").read_bytes() == b"old"
    left = [name for name in os.listdir(tmp_path) if name != "vault"]
    assert len(left) == 1
    assert mode_of(tmp_path / left[0]) == 0o600
    with Folder.open(str(tmp_path)) as folder:
        assert folder.leftovers("vault") == left
        folder.sweep("vault")
    assert os.listdir(tmp_path) == ["vault"]


@pytest.mark.parametrize(
    ("number", "kind", "remedy"),
    [
        (errno.EACCES, VaultPermissionError, "ls -ld"),
        (errno.EPERM, VaultPermissionError, "ls -ld"),
        (errno.ENOSPC, VaultIOError, "Free some space"),
        (errno.EROFS, VaultIOError, "read-only"),
        (errno.ESTALE, VaultIOError, "network file system"),
        (errno.ENAMETOOLONG, VaultIOError, "shorter path"),
        (errno.ENOLCK, VaultIOError, "Redis store"),
        (errno.EXDEV, VaultIOError, "mount the folder"),
        (errno.EBUSY, VaultIOError, "mount the folder"),
        (errno.EPIPE, VaultIOError, "old content is intact"),
    ],
)
def test_an_error_says_what_happened_where_and_what_to_do(
    folder: Folder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[VaultError],
    remedy: str,
) -> None:
    def failing(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(kind, match=remedy) as caught:
        folder.replace("vault", b"new")
    assert str(caught.value).startswith(f"{tmp_path}/vault: cannot save: {os.strerror(number)}. ")
    assert caught.value.path == f"{tmp_path}/vault"
    assert isinstance(caught.value.__cause__, OSError)


def test_a_name_that_is_too_long_is_a_typed_error(folder: Folder) -> None:
    with pytest.raises(VaultIOError, match="shorter path"):
        folder.replace("v" * 250, b"new")

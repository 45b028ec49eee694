from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from interpal._hidden import Hidden
from interpal.exceptions import (
    KeySourceError,
    VaultIOError,
    VaultLimitError,
    VaultPermissionError,
)
from interpal.vault.files.private_files import Folder, Opened, read_secret_file
from tests.files import descriptors, mode_of

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 1 << 20


def read(path: Path, *, limit: int = LIMIT, foreign: bool = False) -> Opened | None:
    with Folder.open(str(path.parent)) as folder:
        return folder.read(path.name, limit=limit, foreign=foreign)


def put(path: Path, what: str) -> None:
    if what == "symbolic link":
        path.symlink_to("/etc/hostname")
    elif what == "dangling":
        path.symlink_to("nowhere")
    elif what == "folder":
        path.mkdir()
    elif what == "FIFO":
        os.mkfifo(path)
    elif what == "socket":
        here = os.getcwd()
        os.chdir(path.parent)  # a socket's path may have 108 bytes only
        try:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(path.name)
        finally:
            os.chdir(here)
    elif what == "device":
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))


KINDS = ["symbolic link", "dangling", "folder", "FIFO", "socket"]
if os.geteuid() == 0:
    KINDS.append("device")


def test_a_file_is_read_with_its_facts(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    path.write_bytes(b"x" * 300_000)
    path.chmod(0o600)
    opened = read(path)
    found = path.stat()
    assert opened is not None
    assert opened[:6] == (
        Hidden(b"x" * 300_000),
        (found.st_dev, found.st_ino),
        0o600,
        os.geteuid(),
        300_000,
        found.st_mtime,
    )
    assert "xxx" not in repr(opened)


def test_an_absent_file_is_none(tmp_path: Path) -> None:
    assert read(tmp_path / "vault") is None


@pytest.mark.timeout(10)
@pytest.mark.parametrize("what", KINDS)
def test_what_is_no_file_is_named_and_left_alone(tmp_path: Path, what: str) -> None:
    path = tmp_path / "vault"
    put(path, what)
    found = os.lstat(path)
    said = "symbolic link" if what == "dangling" else what
    before = descriptors()
    with pytest.raises(VaultPermissionError, match=f"is a {said}, not a regular file; it was left"):
        read(path)
    with pytest.raises(VaultPermissionError, match=f"is a {said}"):
        read(path, foreign=True)
    with Folder.open(str(tmp_path)) as folder:
        with pytest.raises(VaultPermissionError, match=f"is a {said}"):
            folder.replace("vault", b"new")
        with pytest.raises(VaultPermissionError, match=f"is a {said}"):
            folder.remove("vault")
    assert os.lstat(path)[:7] == found[:7]
    assert os.listdir(tmp_path) == ["vault"]
    assert descriptors() == before


@pytest.mark.timeout(10)
@pytest.mark.parametrize("what", ["symbolic link", "FIFO", "folder"])
def test_what_takes_the_place_of_a_file_after_it_was_looked_at_is_refused(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vault"
    path.write_bytes(b"mine")
    real_open = os.open

    def swapping_open(name: str, *arguments: int, **others: int) -> int:
        if name == "vault":
            path.unlink()
            put(path, what)
        return real_open(name, *arguments, **others)

    monkeypatch.setattr(os, "open", swapping_open)
    before = descriptors()
    with pytest.raises((VaultPermissionError, VaultIOError), match=r"[Ss]ymbolic link|FIFO|folder"):
        read(path)
    assert descriptors() == before


def test_a_hard_linked_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    path.write_bytes(b"mine")
    os.link(path, tmp_path / "other")
    with pytest.raises(VaultPermissionError, match=r"vault has 2 hard links"):
        read(path)
    with Folder.open(str(tmp_path)) as folder, pytest.raises(VaultPermissionError):
        folder.replace("vault", b"new")
    assert (tmp_path / "other").read_bytes() == b"mine"


def test_a_file_replaced_while_it_is_being_opened_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vault"
    path.write_bytes(b"old")
    path.chmod(0o600)
    real_fstat = os.fstat

    def late_fstat(fd: int) -> os.stat_result:
        if path.exists() and os.path.samestat(real_fstat(fd), path.stat()):
            (tmp_path / "next").write_bytes(b"new")
            os.replace(tmp_path / "next", path)
            assert real_fstat(fd).st_nlink == 0
        return real_fstat(fd)

    monkeypatch.setattr(os, "fstat", late_fstat)
    opened = read(path)
    assert opened is not None
    assert opened.data.reveal() == b"old"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o666, 0o604, 0o700, 0o777, 0o4600])
def test_loose_mode_bits_are_tightened_with_a_warning(
    tmp_path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "vault"
    path.write_bytes(b"mine")
    path.chmod(mode)
    assert read(path, foreign=True) is not None
    assert mode_of(path) == mode
    assert not caplog.records
    assert read(path) is not None
    assert mode_of(path) == 0o600
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert f"mode {mode:04o} was too open" in caplog.text


def test_a_file_over_the_limit_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vault"
    path.write_bytes(b"x" * 11)
    assert read(path, limit=11) is not None

    def no_read(fd: int, size: int) -> bytes:
        raise AssertionError

    monkeypatch.setattr(os, "read", no_read)
    with pytest.raises(VaultLimitError, match="larger than 10 bytes"):
        read(path, limit=10)


def test_a_file_that_grows_while_it_is_read_does_not_pass_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vault"
    path.write_bytes(b"x" * 10)
    real_read = os.read

    def growing_read(fd: int, size: int) -> bytes:
        with path.open("ab") as more:
            more.write(b"y" * 10)
        return real_read(fd, min(size, 3))

    monkeypatch.setattr(os, "read", growing_read)
    with pytest.raises(VaultLimitError):
        read(path, limit=1000)


def test_a_key_file_of_ours_is_read_and_does_not_show_itself(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"s3cret\n")
    path.chmod(0o600)
    data = read_secret_file(str(path), 100)
    assert data.reveal() == b"s3cret\n"
    assert "s3cret" not in repr(data)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o666])
def test_a_key_file_that_others_may_get_at_is_refused_with_the_remedy(
    tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"s3cret")
    path.chmod(mode)
    if os.geteuid() == 0 and not mode & 0o022:
        assert (
            read_secret_file(str(path), 100).reveal() == b"s3cret"
        )  # root's own, as containers have it
        return
    with pytest.raises(VaultPermissionError, match=f"chmod 600 {path}"):
        read_secret_file(str(path), 100)
    assert mode_of(path) == mode


@pytest.mark.timeout(10)
@pytest.mark.parametrize("what", ["folder", "FIFO", "socket"])
def test_a_key_file_that_is_no_file_gives_no_key(tmp_path: Path, what: str) -> None:
    put(tmp_path / "key", what)
    with pytest.raises(KeySourceError, match=f"is a {what}, not a file with a key"):
        read_secret_file(str(tmp_path / "key"), 100)


def test_an_absent_a_huge_and_an_impossible_key_file_give_no_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(KeySourceError, match="no such file; correct the path"):
        read_secret_file(str(path), 100)
    path.write_bytes(b"s" * 101)
    path.chmod(0o600)
    before = descriptors()
    with pytest.raises(KeySourceError, match=r"larger than .* \(100 bytes\)"):
        read_secret_file(str(path), 100)
    with pytest.raises(KeySourceError, match="not a path"):
        read_secret_file("a\0b", 100)
    assert descriptors() == before

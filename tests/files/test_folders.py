from __future__ import annotations

import errno
import grp
import logging
import os
import pwd
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from interpal.exceptions import VaultIOError, VaultNotFoundError, VaultPermissionError
from interpal.vault.files.private_files import Folder
from tests.files import descriptors, mode_of

if TYPE_CHECKING:
    from pathlib import Path


def test_missing_folders_are_made_for_their_owner_alone_under_any_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        Folder.open(str(tmp_path / "a" / "b" / "c"), create=True).close()
    finally:
        os.umask(old)
    assert {mode_of(tmp_path / part) for part in ("a", "a/b", "a/b/c")} == {0o700}


@pytest.mark.parametrize("umask", [0o077, 0o177])
def test_a_folder_that_is_made_is_usable_and_its_own_folder_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int
) -> None:
    synced: list[tuple[int, int]] = []
    real_fsync = os.fsync

    def noting_fsync(fd: int) -> None:
        synced.append((os.fstat(fd).st_dev, os.fstat(fd).st_ino))
        real_fsync(fd)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    old = os.umask(umask)
    try:
        Folder.open(str(tmp_path / "a" / "b"), create=True).close()
    finally:
        os.umask(old)
    above = [tmp_path.stat(), (tmp_path / "a").stat()]
    assert synced == [(found.st_dev, found.st_ino) for found in above]
    assert mode_of(tmp_path / "a") == mode_of(tmp_path / "a/b") == 0o700


@pytest.mark.parametrize("call", ["mkdir", "fchmod", "fsync"])
def test_a_folder_that_cannot_be_made_is_a_typed_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def failing(*arguments: object, **others: object) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, call, failing)
    before = descriptors()
    with pytest.raises(VaultIOError, match="quota of this user") as caught:
        Folder.open(str(tmp_path / "a"), create=True)
    assert caught.value.errno == errno.EDQUOT
    assert descriptors() == before


def test_an_absent_folder_is_said_to_be_absent_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(VaultNotFoundError, match="no such folder"):
        Folder.open(str(tmp_path / "absent"))
    assert not os.path.lexists(tmp_path / "absent")


def test_a_folder_reached_through_a_symbolic_link_is_resolved_first(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("real")
    with Folder.open(str(tmp_path / "link")) as folder:
        assert folder.path == str(tmp_path / "real")


def test_a_folder_that_the_world_may_write_is_refused_with_the_remedy(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    before = descriptors()
    with pytest.raises(VaultPermissionError, match=f"chmod o-w {tmp_path}"):
        Folder.open(str(tmp_path))
    assert descriptors() == before


def test_a_sticky_folder_that_the_world_may_write_is_accepted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o1777)
    Folder.open(str(tmp_path)).close()
    assert not caplog.records


def test_one_who_only_looks_may_look_at_an_open_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    Folder.open(str(tmp_path), strict=False).close()


def test_the_group_that_a_user_has_alone_is_no_reason_to_warn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = SimpleNamespace(gr_gid=7, gr_name="maple", gr_mem=[])
    user = SimpleNamespace(pw_gid=7, pw_uid=0, pw_name="maple")
    monkeypatch.setattr(grp, "getgrgid", lambda gid: group)
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: user)
    monkeypatch.setattr(pwd, "getpwall", lambda: [user])
    os.chown(tmp_path, 0, 7)
    tmp_path.chmod(0o770)
    Folder.open(str(tmp_path)).close()
    assert not caplog.records


def test_a_folder_that_the_group_may_write_gives_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.chown(tmp_path, -1, 1001)
    tmp_path.chmod(0o770)
    for _ in range(3):
        Folder.open(str(tmp_path)).close()
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert f"chmod g-w {tmp_path}" in caplog.text


def test_a_doubtful_folder_further_up_gives_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "open" / "a" / "b").mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    for name in ("open/a", "open/a/b", "open/a"):
        Folder.open(str(tmp_path / name)).close()
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert f"{tmp_path}/open (owner" in caplog.text


def test_a_file_in_the_place_of_a_folder_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(VaultIOError, match="a file where a folder is needed"):
        Folder.open(str(tmp_path / "file" / "inner"), create=True)


@pytest.mark.parametrize("kind", ["symlink", "file", "fifo"])
def test_a_subfolder_is_never_reached_through_something_else(tmp_path: Path, kind: str) -> None:
    (tmp_path / "target").mkdir()
    if kind == "symlink":
        (tmp_path / "sub").symlink_to("target")
    elif kind == "file":
        (tmp_path / "sub").write_text("mine")
    else:
        os.mkfifo(tmp_path / "sub")
    before = descriptors()
    with (
        Folder.open(str(tmp_path)) as folder,
        pytest.raises(VaultPermissionError, match="not a folder; it was left unchanged"),
    ):
        folder.subfolder("sub", create=True)
    assert descriptors() == before


def test_a_path_is_printable_in_every_message(tmp_path: Path) -> None:
    nasty = os.fsencode(tmp_path) + b"/caf\xe9\x1b[31m\nx"
    with pytest.raises(VaultNotFoundError) as caught:
        Folder.open(os.fsdecode(nasty))
    assert str(caught.value).startswith(f"{tmp_path}/caf\\xe9\\x1b[31m\\nx: ")
    assert str(caught.value).isprintable()

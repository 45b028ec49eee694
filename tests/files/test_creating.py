from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING

import pytest

from interpal._hidden import Hidden
from interpal.exceptions import VaultError, VaultIOError, VaultPermissionError
from interpal.vault.files.private_files import Folder
from tests.files import descriptors, fork, mode_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    (tmp_path / "vault").write_bytes(b"old")
    (tmp_path / "vault").chmod(0o600)
    with Folder.open(str(tmp_path)) as opened:
        yield opened


def test_a_sweep_takes_only_what_is_certainly_ours(folder: Folder, tmp_path: Path) -> None:
    stays = [
        "vault",
        "vault.tmp",
        "vault.0123456789abcde.tmp",
        "vault.0123456789ABCDEF.tmp",
        "vault.0123456789abcdef0.tmp",
        "vault.0123456789abcdef.tmp.x",
        "vault2.0123456789abcdef.tmp",
        "vault.corrupt-20261122T101500Z",
    ]
    for name in [*stays[1:], "vault.0123456789abcdef.tmp"]:
        (tmp_path / name).write_text("x")
    (tmp_path / "vault.1111111111111111.tmp").mkdir()
    (tmp_path / "vault.2222222222222222.tmp").symlink_to("vault")
    os.mkfifo(tmp_path / "vault.3333333333333333.tmp")
    stays += [f"vault.{n * 16}.tmp" for n in "123"]
    folder.sweep("vault")
    assert sorted(os.listdir(tmp_path)) == sorted(stays)


def test_a_file_is_created_once_and_whole(folder: Folder, tmp_path: Path) -> None:
    assert folder.create("key", Hidden(b"first")) is True
    assert folder.create("key", Hidden(b"second")) is False
    assert (tmp_path / "key").read_bytes() == b"first"
    assert os.stat(tmp_path / "key").st_nlink == 1
    (tmp_path / "link").symlink_to("nowhere")
    assert folder.create("link", Hidden(b"x")) is False
    assert sorted(os.listdir(tmp_path)) == ["key", "link", "vault"]


@pytest.mark.parametrize("call", ["open", "fchmod", "write", "fsync", "link", "unlink"])
def test_a_failing_step_of_a_creation_makes_nothing_or_the_whole(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def failing(*arguments: object, **others: object) -> None:
        raise OSError(errno.EIO, "injected")

    before = descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing)
        if call == "unlink":  # the file is in its place, with a name too many
            assert folder.create("key", Hidden(b"key")) is True
        else:
            with pytest.raises(VaultIOError, match="cannot create: injected"):
                folder.create("key", Hidden(b"key"))
            assert os.listdir(tmp_path) == ["vault"]
    assert descriptors() == before
    folder.create("key", Hidden(b"key"))
    opened = folder.read("key", limit=10)
    assert opened is not None
    assert opened.data.reveal() == b"key"
    assert sorted(os.listdir(tmp_path)) == ["key", "vault"]


def test_of_many_that_create_at_once_one_wins_and_all_read_its_content(tmp_path: Path) -> None:
    ready, go = os.pipe()
    pipes = []
    for number in range(8):
        reader, writer = os.pipe()
        pipes.append(reader)
        if fork() == 0:
            os.close(go)
            os.read(ready, 1)
            try:
                with Folder.open(str(tmp_path)) as folder:
                    made = folder.create("key", Hidden(b"%d" % number))
                    opened = folder.read("key", limit=10)
                os.write(writer, b"%d %s" % (made, opened.data.reveal() if opened else b"?"))
            except VaultError as error:
                os.write(writer, str(error).encode())
            finally:
                os._exit(0)  # whatever happened: a child that goes on would run the other tests
        os.close(writer)
    os.close(ready)
    os.close(go)
    said = []
    for reader in pipes:
        said.append(os.read(reader, 1000).decode())
        os.close(reader)
    for _ in pipes:
        os.wait()
    winner = (tmp_path / "key").read_text()
    assert sorted(said) == sorted([f"0 {winner}"] * 7 + [f"1 {winner}"])
    assert os.listdir(tmp_path) == ["key"]


def test_a_key_whose_maker_was_killed_before_it_dropped_its_temporary_is_mended(
    folder: Folder, tmp_path: Path
) -> None:
    folder.create("key", Hidden(b"key"))
    os.link(tmp_path / "key", tmp_path / "key.0123456789abcdef.tmp")
    looked = folder.read("key", limit=10, foreign=True)
    assert looked is not None
    assert os.stat(tmp_path / "key").st_nlink == 2
    opened = folder.read("key", limit=10)
    assert opened is not None
    assert opened.data.reveal() == b"key"
    assert os.stat(tmp_path / "key").st_nlink == 1


def test_removing_what_is_not_there_is_no_error(folder: Folder, tmp_path: Path) -> None:
    assert folder.remove("vault") is True
    assert folder.remove("vault") is False
    assert os.listdir(tmp_path) == []


def test_setting_aside_never_overwrites(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        time, "gmtime", lambda: time.struct_time((2026, 11, 22, 10, 15, 0, 0, 0, 0))
    )
    names = [
        folder.set_aside("vault", data, folder.replace("vault", data))
        for data in (b"one", b"two", b"three")
    ]
    base = "vault.corrupt-20261122T101500Z"
    assert names == [base, f"{base}-2", f"{base}-3"]
    assert [(tmp_path / str(name)).read_bytes() for name in names] == [b"one", b"two", b"three"]
    assert {mode_of(tmp_path / str(name)) for name in names} == {0o600}
    assert folder.leftovers("vault") == sorted(os.listdir(tmp_path)) == sorted(map(str, names))


def test_only_what_was_seen_is_set_aside(folder: Folder, tmp_path: Path) -> None:
    seen = folder.replace("vault", b"seen")
    assert folder.set_aside("vault", b"other", seen) is None
    assert folder.set_aside("vault", b"see", seen) is None
    assert folder.set_aside("vault", b"seen", (0, 0)) is None
    assert os.listdir(tmp_path) == ["vault"]
    folder.remove("vault")
    assert folder.set_aside("vault", b"seen", seen) is None
    assert os.listdir(tmp_path) == []


def test_a_failed_setting_aside_leaves_the_file_where_it_was(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = folder.replace("vault", b"seen")

    def failing(*arguments: object, **others: object) -> None:
        raise PermissionError(errno.EPERM, "injected")

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(VaultPermissionError, match="cannot set aside: injected"):
        folder.set_aside("vault", b"seen", seen)
    assert os.listdir(tmp_path) == ["vault"]

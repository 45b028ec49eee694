"""What the promises need in the small: bounds met exactly, facts that errors carry, lookalikes."""

from __future__ import annotations

import errno
import os
import stat
import time
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import (
    KeySourceError,
    NotDurableError,
    VaultIOError,
    VaultLimitError,
    VaultPermissionError,
)
from interpal.vault.files import private_files
from interpal.vault.files.private_files import Folder, read_secret_file
from tests.files import STRANGER, mode_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEX = "0123456789abcdef"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    with Folder.open(str(tmp_path)) as opened:
        opened.replace("vault", b"old")
        yield opened


def test_a_secret_file_of_just_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"k" * 100)
    path.chmod(0o600)
    assert read_secret_file(str(path), 100).reveal() == b"k" * 100
    with pytest.raises(KeySourceError, match="99 bytes") as caught:
        read_secret_file(str(path), 99)
    assert caught.value.path == str(path)


def test_a_file_of_just_the_limit_is_read(folder: Folder, tmp_path: Path) -> None:
    opened = folder.read("vault", limit=3)
    assert opened is not None
    assert opened.data.reveal() == b"old"
    with pytest.raises(VaultLimitError, match="larger than 2 bytes") as caught:
        folder.read("vault", limit=2)
    assert caught.value.path == str(tmp_path / "vault")


def test_errors_of_key_files_carry_the_path(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(KeySourceError) as absent:
            read_secret_file(str(path), 100)
        assert absent.value.path == str(path)


@pytest.mark.parametrize(
    ("owner", "refused", "taken"),
    [
        (0, (0o620, 0o602), (0o600, 0o644, 0o601, 0o755)),
        (STRANGER, (0o620, 0o602, 0o604, 0o640), (0o600, 0o400, 0o700, 0o610, 0o601)),
    ],
)
def test_a_key_file_is_judged_by_owner_and_mode(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: int,
    refused: tuple[int, ...],
    taken: tuple[int, ...],
) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"k")
    real = os.fstat

    def owned(fd: int) -> os.stat_result:
        found = list(real(fd))
        found[stat.ST_UID] = owner
        return os.stat_result(found)

    monkeypatch.setattr(os, "fstat", owned)
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    for mode in refused:
        key.chmod(mode)
        with pytest.raises(VaultPermissionError, match=f"mode {mode:04o}") as caught:
            read_secret_file(str(key), 100)
        assert caught.value.path == str(key)
    for mode in taken:
        key.chmod(mode)
        assert read_secret_file(str(key), 100).reveal() == b"k"


def test_an_error_of_the_folder_sync_carries_its_facts(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def failing(fd: int) -> None:
        if fd == folder._fd:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        real(fd)

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(NotDurableError) as caught:
        folder.replace("vault", b"new")
    assert caught.value.path == str(tmp_path / "vault")
    assert caught.value.errno == errno.EDQUOT
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize(
    "name",
    [
        f"vault.g{HEX[1:]}.tmp",
        f"vault.{HEX[:-1]}g.tmp",
        f"vault.{HEX.upper()}.tmp",
        f"vault.{'X' * 16}.tmp",
        f"vault.{HEX}0.tmp",
        f"vault.{HEX[:-1]}.tmp",
        f"vault.{HEX}.TMP",
        f"vault-{HEX}.tmp",
        f"fault.{HEX}.tmp",
    ],
)
def test_what_only_looks_like_a_temporary_is_none(
    folder: Folder, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).touch()
    (tmp_path / f"vault.{HEX}.tmp").touch()
    assert folder.leftovers("vault") == [f"vault.{HEX}.tmp"]
    folder.sweep("vault")
    assert sorted(os.listdir(tmp_path)) == sorted(["vault", name])


def test_links_that_a_dying_maker_left_are_told_from_others(folder: Folder, tmp_path: Path) -> None:
    spare = [tmp_path / f"vault.{digit * 16}.tmp" for digit in "ab"]
    for path in spare:
        os.link(tmp_path / "vault", path)
    opened = folder.read("vault", limit=3, foreign=True)
    assert opened is not None
    assert all(path.exists() for path in spare)
    assert folder.read("vault", limit=3) is not None
    assert not any(path.exists() for path in spare)

    os.link(tmp_path / "vault", tmp_path / "other")
    os.link(tmp_path / "vault", spare[0])
    spare[1].write_bytes(b"of another writer")
    for foreign in (True, False):
        with pytest.raises(VaultPermissionError, match="hard links") as caught:
            folder.read("vault", limit=3, foreign=foreign)
        assert caught.value.path == str(tmp_path / "vault")
    assert spare[1].exists()


def test_a_hard_linked_file_that_goes_while_it_is_judged_is_refused(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.link(tmp_path / "vault", tmp_path / "other")
    real = os.listdir

    def late(fd: int) -> list[str]:
        (tmp_path / "vault").unlink()
        return real(fd)

    monkeypatch.setattr(os, "listdir", late)
    with pytest.raises(VaultPermissionError, match="hard links"):
        folder.read("vault", limit=3)


def test_setting_aside_makes_nothing_elsewhere(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    opened = folder.read("vault", limit=3)
    assert opened is not None
    aside = folder.set_aside("vault", b"old", opened.identity)
    assert aside is not None
    assert os.listdir(elsewhere) == []
    assert mode_of(tmp_path / aside) == 0o600


def test_where_every_name_is_taken_nothing_is_set_aside(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "strftime", lambda *_: "20260101T000000Z")
    base = tmp_path / "vault.corrupt-20260101T000000Z"
    base.touch()
    for number in range(2, 1000):
        (tmp_path / f"{base.name}-{number}").touch()
    opened = folder.read("vault", limit=3)
    assert opened is not None
    with pytest.raises(VaultIOError, match=r"every name for it is taken\.") as caught:
        folder.set_aside("vault", b"old", opened.identity)
    assert caught.value.errno == errno.EEXIST
    assert (tmp_path / "vault").read_bytes() == b"old"
    (tmp_path / f"{base.name}-999").unlink()
    assert folder.set_aside("vault", b"old", opened.identity) == f"{base.name}-999"


def test_a_failed_setting_aside_leaves_what_somebody_else_put_there(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = folder.read("vault", limit=3)
    assert opened is not None

    def failing(source: str, target: str, **_: Any) -> None:
        (tmp_path / target).unlink()
        if put_there:
            other.rename(tmp_path / target)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "replace", failing)
    other = tmp_path / "other"
    other.write_bytes(b"another's")
    for put_there in (False, True):
        with pytest.raises(VaultIOError, match="set aside"):
            folder.set_aside("vault", b"old", opened.identity)
        aside = [name for name in os.listdir(tmp_path) if "corrupt" in name]
        assert len(aside) == int(put_there)
        assert (tmp_path / "vault").read_bytes() == b"old"


def test_a_lock_file_is_born_private_and_not_only_made_so(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed: list[int] = []
    monkeypatch.setattr(os, "fchmod", lambda fd, mode: changed.append(mode))
    old = os.umask(0)
    try:
        fd = folder.open_lock("write.lock")
    finally:
        os.umask(old)
    assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o600
    os.close(fd)
    assert changed == []


def test_a_file_of_another_size_than_was_written_is_an_error_of_the_disk(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "write", lambda fd, data: len(data))
    with pytest.raises(
        VaultIOError, match=r"cannot save: the file has a different size than what was written\."
    ) as caught:
        folder.replace("vault", b"new")
    assert caught.value.errno == errno.EIO


def test_no_more_is_read_than_one_byte_over_the_limit(tmp_path: Path) -> None:
    """However much larger the file is than it seemed, in however many pieces it is read."""
    (tmp_path / "file").write_bytes(bytes(1_000_000))
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    assert len(private_files._read_all(fd, 3, 200_000).reveal()) == 200_001
    os.close(fd)


def test_a_file_over_the_limit_is_noticed_however_small_the_pieces_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"1234")
    real = os.read
    monkeypatch.setattr(os, "read", lambda fd, size: real(fd, min(size, 1)))
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    assert private_files._read_all(fd, 3, 3).reveal() == b"1234"
    os.close(fd)

"""File systems by FUSE that lack what others have: modes that can be changed, and hard links."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from interpal._hidden import Hidden
from interpal.exceptions import VaultPermissionError
from interpal.vault import Vault
from interpal.vault.files.mounts import forgets_links
from interpal.vault.files.private_files import Folder, read_secret_file
from tests.debian import need
from tests.files import mode_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

KEY = bytes(32)


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def program(package: str, name: str) -> str:
    return need(package, lambda: shutil.which(name))


@contextmanager
def mounted(point: Path, *command: str) -> Generator[None, None, None]:
    point.mkdir(exist_ok=True)
    run(*command, str(point))
    try:
        yield
    finally:
        run("umount", str(point))


@pytest.fixture
def ignoring(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system that takes each chmod and does nothing."""
    source, point = tmp_path / "source", tmp_path / "mounted"
    (source / "v").mkdir(parents=True, mode=0o700)
    with mounted(point, need("bindfs"), "--chmod-ignore", str(source)):
        yield point / "v"


@pytest.fixture
def exfat(tmp_path: Path) -> Iterator[str]:
    """A device with exFAT on it: no modes but those of the mount, no hard links."""
    image = tmp_path / "image"
    image.touch()
    os.truncate(image, 20 * 2**20)
    run(program("exfatprogs", "mkfs.exfat"), str(image))
    device = run("losetup", "-f", "--show", str(image))
    yield device
    run("losetup", "-d", device)


def mount_of(device: str, options: str) -> tuple[str, ...]:
    return program("exfat-fuse", "mount.exfat-fuse"), "-o", options, device


@pytest.mark.parametrize("store", ["file", "sqlite"])
def test_a_chmod_without_effect_is_said_once_and_not_claimed(
    ignoring: Path, store: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = ignoring / "vault"
    for number in range(3):
        with Vault.open(f"{store}:{path}", key=KEY, create=True) as vault:
            vault["maple"] = {"n": number}
    (ignoring.parents[1] / "source" / "v" / "vault").chmod(0o644)
    for _ in range(3):
        with Vault.open(f"{store}:{path}", key=KEY) as vault:
            assert vault["maple"]["n"] == 2
    assert mode_of(path) == 0o644
    said = [r.getMessage() for r in caplog.records if f"{path}: other users" in r.getMessage()]
    assert len(said) == 1
    assert "(mode 0644), and that cannot be changed: the file system ignores it" in said[0]
    assert "now 0600" not in caplog.text


def test_the_mount_option_is_the_remedy_where_there_are_no_modes(
    exfat: str, tmp_path: Path
) -> None:
    point = tmp_path / "mounted"
    with mounted(point, *mount_of(exfat, "umask=000")):
        (point / "v").mkdir()
        remedy = r"If that changes nothing: mount it \(fuseblk\) with -o uid=0,umask=077"
        with pytest.raises(VaultPermissionError, match=remedy):
            Vault.open(point / "v" / "vault", key=KEY, create=True)
        (point / "key").write_text("a" * 43)
        with pytest.raises(VaultPermissionError, match=remedy):
            read_secret_file(str(point / "key"), 100)


MAKE = """
import os, sys
from interpal._hidden import Hidden
from interpal.vault.files.private_files import Folder
wins = 0
with Folder.open(sys.argv[1]) as folder:
    for number in range(40):
        mine = b"%d" % os.getpid()
        wins += folder.create(f"f{number}", Hidden(mine))
        assert folder.read(f"f{number}", limit=20).data.reveal()
print(wins)
"""


def test_without_hard_links_a_file_is_made_once_and_whole(
    exfat: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    point = tmp_path / "mounted"
    with mounted(point, *mount_of(exfat, "umask=077")):
        folder = point / "v"
        folder.mkdir()
        makers = [
            subprocess.Popen(
                [sys.executable, "-c", MAKE, str(folder)], stdout=subprocess.PIPE, text=True
            )
            for _ in range(3)
        ]
        assert sum(int(maker.communicate(timeout=60)[0]) for maker in makers) == 40
        assert sorted(os.listdir(folder)) == sorted(f"f{number}" for number in range(40))
        for store in ("file", "sqlite"):
            with Vault.open(f"{store}:{folder}/{store}", key=KEY, create=True) as vault:
                vault["maple"] = {"n": 1}
            with Vault.open(f"{store}:{folder}/{store}", key=KEY) as vault:
                assert vault["maple"]["n"] == 1
    assert "other users" not in caplog.text, "mode 0700 is closed to them"


def test_where_links_are_not_there_the_second_way_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **more: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with Folder.open(str(tmp_path)) as folder:
        assert folder.create("key", Hidden(b"one"))
        assert not folder.create("key", Hidden(b"two"))
    assert os.listdir(tmp_path) == ["key"]
    assert (tmp_path / "key").read_bytes() == b"one"


def test_a_file_system_that_remembers_links_for_a_while_gets_none(
    ignoring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert forgets_links(str(ignoring))
    linked: list[object] = []
    monkeypatch.setattr(os, "link", lambda *names, **more: linked.append(names))
    with Folder.open(str(ignoring)) as folder:
        assert folder.create("key", Hidden(b"one"))
        assert not folder.create("key", Hidden(b"two"))
    with Vault.open(f"sqlite:{ignoring}/v.db", key=KEY, create=True) as vault:
        vault["maple"] = {"n": 1}
    with Vault.open(f"sqlite:{ignoring}/v.db", key=KEY) as vault:
        assert vault["maple"]["n"] == 1
    assert not linked

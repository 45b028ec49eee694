"""What is mounted where, by the table of the kernel."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from interpal.vault.files import mounts
from interpal.vault.files.mounts import is_mount_point, network_filesystem, second_view

if TYPE_CHECKING:
    from pathlib import Path

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home rw,relatime shared:5 - nfs4 server:/home rw,vers=4.2
31 30 8:2 / /home/local\\040disk rw - ext4 /dev/sdb1 rw
32 22 0:41 / /mnt/share rw - fuse.sshfs host: rw
33 32 0:42 / /mnt/share rw - tmpfs none rw
34 22 8:1 /v /srv/bot/my\\040vault.json rw - ext4 /dev/sda1 rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/etc", None),
        ("/home", "nfs4"),
        ("/home/maple/x", "nfs4"),
        ("/homes", None),
        ("/home/local disk/x", None),
        ("/mnt/share/x", None),
    ],
)
def test_a_network_file_system_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, kind: str | None
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS)
    monkeypatch.setattr(mounts, "_TABLE", str(table))
    monkeypatch.setattr(os.path, "realpath", lambda path: path)
    assert network_filesystem(path) == kind


def test_without_a_table_of_mounts_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "_TABLE", "/nonexistent")
    assert network_filesystem("/") is None
    assert not is_mount_point("/")


def test_a_file_that_is_mounted_by_itself_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS)
    monkeypatch.setattr(mounts, "_TABLE", str(table))
    assert is_mount_point("/srv/bot/my vault.json")
    assert not is_mount_point("/srv/bot/my vault.json.locks")
    assert not is_mount_point("/home/maple/v.json")


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("/one/x", "/two"),
        ("/two", "/one"),
        ("/ones", None),
        ("/alone/x", None),
        ("/disk", None),
        ("/", None),
    ],
)
def test_a_second_view_of_a_fuse_file_system_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, other: str | None
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda rw\n"
        "2 1 0:1 / /one rw - fuse /srv/vaults rw\n"
        "3 1 0:2 / /two rw - fuse /srv/vaults rw\n"
        "4 1 0:3 / /alone rw - fuse.gocryptfs /srv/vaults rw\n"
        "5 1 8:2 / /disk rw - fuseblk /dev/sdb rw\n"
        "6 1 8:2 / /disk2 rw - fuseblk /dev/sdb rw\n"
    )
    monkeypatch.setattr(mounts, "_TABLE", str(table))
    monkeypatch.setattr(os.path, "realpath", lambda path: path)
    assert second_view(path) == other

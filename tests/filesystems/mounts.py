"""How each file system is mounted, with a second view of the same folder where one can be had."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.debian import need
from tests.reliability.namespaces import run

if TYPE_CHECKING:
    from collections.abc import Callable

_SFTP = "/usr/lib/openssh/sftp-server"


class FileSystem(NamedTuple):
    """What it is called, the Debian package that it needs, and what mounts it at a folder.

    `mount` gets a folder for what is behind it and the folder to mount at. With *views* it may
    be called again with the same folder behind, for a second view.
    """

    name: str
    package: str
    mount: Callable[[Path, Path], None]
    views: bool = False


def _image(behind: Path, megabytes: int) -> Path:
    image = behind / "image"
    with image.open("wb") as file:
        file.truncate(megabytes * 2**20)
    return image


def _loop(make: str, megabytes: int, *options: str) -> Callable[[Path, Path], None]:
    def mount(behind: Path, point: Path) -> None:
        image = _image(behind, megabytes)
        run(make, *options, str(image))
        run("mount", "-o", "loop", str(image), str(point))

    return mount


def _tmpfs(behind: Path, point: Path) -> None:
    run("mount", "-t", "tmpfs", "-o", "size=64m", "none", str(point))


def _layers(behind: Path) -> str:
    for name in ("lower", "upper", "work"):
        (behind / name).mkdir(exist_ok=True)
    return f"lowerdir={behind}/lower,upperdir={behind}/upper,workdir={behind}/work"


def _overlay(behind: Path, point: Path) -> None:
    run("mount", "-t", "overlay", "overlay", "-o", _layers(behind), str(point))


def _gocryptfs(behind: Path, point: Path) -> None:
    secret = behind.with_name(f"{behind.name}.secret")
    if not secret.exists():
        secret.write_text("maple\n")
        run("gocryptfs", "-q", "-init", "-scryptn", "10", "-passfile", str(secret), str(behind))
    run("gocryptfs", "-q", "-sharedstorage", "-passfile", str(secret), str(behind), str(point))


def _fuse_overlayfs(behind: Path, point: Path) -> None:
    run("fuse-overlayfs", "-o", _layers(behind), str(point))


def _bindfs(behind: Path, point: Path) -> None:
    run("bindfs", str(behind), str(point))


def _mergerfs(behind: Path, point: Path) -> None:
    run("mergerfs", "-o", "minfreespace=1M", str(behind), str(point))


def _sshfs(behind: Path, point: Path) -> None:
    # The server of files itself in the place of ssh: there is no other host.
    program = behind.with_name("ssh")
    program.write_text(f"#!/bin/sh\nexec {_SFTP}\n")
    program.chmod(0o755)
    run("sshfs", "-o", f"ssh_command={program}", f"host:{behind}", str(point))


def _ntfs(behind: Path, point: Path) -> None:
    image = _image(behind, 64)
    run("mkfs.ntfs", "-F", "-q", str(image))
    run("ntfs-3g", "-o", "fmask=177,dmask=077", str(image), str(point))


def _exfat(behind: Path, point: Path) -> None:
    image = _image(behind, 64)
    run("mkfs.exfat", str(image))
    found = subprocess.run(
        ["losetup", "-f", "--show", str(image)], capture_output=True, text=True, check=True
    )
    try:
        run("mount.exfat-fuse", "-o", "fmask=177,dmask=077", found.stdout.strip(), str(point))
    finally:
        # Given up as soon as nobody has it open.
        subprocess.run(["losetup", "-d", found.stdout.strip()], check=False, capture_output=True)


def _rclone(behind: Path, point: Path) -> None:
    cache = behind.with_name(f"{point.name}.cache")
    run(
        "rclone", "mount", "--daemon", "--vfs-cache-mode", "full", "--cache-dir", str(cache),
        "--config", os.devnull, str(behind), str(point),
    )  # fmt: skip
    deadline = time.monotonic() + 20
    while not os.path.ismount(point):
        assert time.monotonic() < deadline, "rclone mount: not there in 20 s"
        time.sleep(0.1)


FILE_SYSTEMS = (
    FileSystem("ext4", "e2fsprogs", _loop("mkfs.ext4", 64, "-q")),
    FileSystem("xfs", "xfsprogs", _loop("mkfs.xfs", 320, "-q")),
    FileSystem("btrfs", "btrfs-progs", _loop("mkfs.btrfs", 128, "-q")),
    FileSystem("tmpfs", "mount", _tmpfs),
    FileSystem("overlayfs", "mount", _overlay),
    FileSystem("gocryptfs", "gocryptfs", _gocryptfs, views=True),
    FileSystem("fuse-overlayfs", "fuse-overlayfs", _fuse_overlayfs, views=True),
    FileSystem("bindfs", "bindfs", _bindfs, views=True),
    FileSystem("mergerfs", "mergerfs", _mergerfs, views=True),
    FileSystem("sshfs", "sshfs", _sshfs, views=True),
    FileSystem("ntfs-3g", "ntfs-3g", _ntfs),
    FileSystem("exFAT (exfat-fuse)", "exfat-fuse", _exfat),
    FileSystem("rclone mount", "rclone", _rclone, views=True),
)
_PROGRAMS = {
    "e2fsprogs": "mkfs.ext4",
    "xfsprogs": "mkfs.xfs",
    "btrfs-progs": "mkfs.btrfs",
    "exfat-fuse": "mount.exfat-fuse",
}
_MORE = {"exfat-fuse": ("exfatprogs", "mkfs.exfat"), "sshfs": ("openssh-sftp-server", _SFTP)}


def install(package: str) -> None:
    """Make sure of the programs of a row. RuntimeError where they cannot be had."""
    import shutil

    need(package, lambda: shutil.which(_PROGRAMS.get(package, package)))
    if package in _MORE:
        more, program = _MORE[package]
        need(more, lambda: program if Path(program).exists() else shutil.which(program))

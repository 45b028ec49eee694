"""What is mounted where: proc(5), /proc/self/mountinfo. Where there is no such file, nothing is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_TABLE = "/proc/self/mountinfo"

_NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "lustre", "ncpfs", "nfs",
    "nfs4", "prl_fs", "smb3", "smbfs", "vboxsf", "virtiofs", "fuse.ceph", "fuse.glusterfs",
    "fuse.grpcfuse", "fuse.rclone", "fuse.s3fs", "fuse.sshfs",
}  # fmt: skip


class Mount(NamedTuple):
    """One line of the table: where (without a slash at its end), of what type, and what."""

    point: str
    kind: str
    source: str


def filesystem_of(path: str) -> str | None:
    """The type of the file system that *path* is on, as `ext4`; None where nothing tells."""
    own = _mount_of(path, list(_mounts()))
    return None if own is None else own.kind


def second_view(path: str) -> str | None:
    """Where else the FUSE file system that *path* is on is mounted; None where nowhere.

    FUSE keeps the locks of each mount apart: who comes by the other does not see ours.
    """
    mounts = list(_mounts())
    own = _mount_of(path, mounts)
    if own is None or own.kind.partition(".")[0] != "fuse":  # fuseblk has its device to itself
        return None
    others = (
        mount.point
        for mount in mounts
        if (mount.kind, mount.source) == (own.kind, own.source) and mount.point != own.point
    )
    return next(others, None)


def _mount_of(path: str, mounts: list[Mount]) -> Mount | None:
    real = os.path.realpath(path)
    own = None
    for mount in mounts:
        # The later of two mounts on one point hides the earlier.
        inside = real == mount.point or real.startswith(f"{mount.point}/")
        if inside and (own is None or len(mount.point) >= len(own.point)):
            own = mount
    return own


def network_filesystem(path: str) -> str | None:
    """The type of the network file system that *path* is on; None for a local one."""
    kind = filesystem_of(path)
    return kind if kind in _NETWORK else None


def forgets_links(path: str) -> bool:
    """Whether the file system that *path* is on may tell an old number of hard links for a while.

    Those by FUSE keep what they know of a file for about a second. The network ones among them
    tell no number of links, and a lock of a folder says nothing to another host.
    """
    kind = filesystem_of(path) or ""
    return kind.startswith("fuse") and kind not in _NETWORK


def is_mount_point(path: str) -> bool:
    """Whether something is mounted on just this *path* (resolved), as containers mount one file."""
    return any(mount.point == path for mount in _mounts())


def _mounts() -> Iterator[Mount]:
    try:
        with open(_TABLE, encoding="utf-8", errors="surrogateescape") as table:
            lines = table.readlines()
    except OSError:
        return
    for line in lines:
        mount, _, rest = line.partition(" - ")
        kind, source, *_ = [*rest.split(" "), ""]
        yield Mount(_unescaped(mount.split(" ")[4]).rstrip("/"), kind, source)


def _unescaped(field: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, character)
    return field

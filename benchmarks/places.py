"""Where durable saves are measured: on a disk, which syncs, and in memory, which has no disk."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.children import ROOT

if TYPE_CHECKING:
    from collections.abc import Generator

_MOUNTS = Path("/proc/self/mounts")
_SHARED_MEMORY = Path("/dev/shm")
_PREFIX = "interpal-bench-"


class Place(NamedTuple):
    """A folder to save in; `name` says in a row what it is on, `repeat` calls make one sample."""

    name: str
    folder: Path
    repeat: int


@contextmanager
def on_disk() -> Generator[Path, None, None]:
    """A folder that is on a disk, also where the temporary folder of the system is not."""
    parent = None
    if kind_of(Path(tempfile.gettempdir())) == "tmpfs":
        parent = ROOT / "build"
        parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent) as folder:
        yield Path(folder)


@contextmanager
def durable(folder: Path) -> Generator[list[Place], None, None]:
    """*folder*, which is on a disk, and one on a tmpfs where this system has one."""
    places = [Place("disk", folder, 1)]
    if not (kind_of(_SHARED_MEMORY) == "tmpfs" and os.access(_SHARED_MEMORY, os.W_OK)):
        yield places
        return
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=_SHARED_MEMORY) as memory:
        yield [*places, Place("tmpfs", Path(memory), 5)]


def kind_of(path: Path) -> str:
    """The type of the file system that *path* is on; empty where nothing tells."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    real, longest, kind = path.resolve(), -1, ""
    for line in lines:
        words = line.split(" ")
        mount = Path(words[1])
        if len(words[1]) >= longest and (real == mount or mount in real.parents):
            longest, kind = len(words[1]), words[2]
    return kind

"""How much memory this process may still take: Argon2id is refused before it is killed.

Linux grants memory that it does not have and kills whoever uses it. So the cost of a slot is
held against what the machine and the process's control group have left, before any of it is
taken. Reads /proc/meminfo (proc(5)), and of the control groups memory.max (cgroup v2) or
memory.limit_in_bytes and memory.memsw.limit_in_bytes (v1), with memory.stat; where they are not
there, nothing is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal.exceptions import VaultLimitError

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMINFO = "/proc/meminfo"
OWN_CGROUP = "/proc/self/cgroup"
CGROUPS = "/sys/fs/cgroup"


def check_memory(needed_kib: int) -> None:
    """Refuse what this machine cannot do, *needed_kib* KiB: `VaultLimitError`."""
    left = available_kib()
    if left is not None and needed_kib > left:
        raise VaultLimitError(
            f"this key slot needs {_mebibytes(needed_kib)} MiB of memory for Argon2id and only "
            f"{left // 1024} MiB are free; free some, allow the process more, or create the slot "
            "again with lower settings on a larger machine"
        )


def available_kib() -> int | None:
    """KiB that can still be had without anybody being killed; None where nothing tells."""
    facts = _table(MEMINFO)
    swap = facts.get("SwapFree", 0)
    limits = list(_group_limits(swap))
    if "MemAvailable" in facts:
        limits.append(facts["MemAvailable"] + swap)
    return min(limits, default=None)


def _group_limits(swap: int) -> Iterator[int]:
    """What is left, in KiB, of the limit of every control group around this process.

    *swap* is the KiB of swap that are free. In a container the upper groups may not be there.
    """
    for line in _lines(OWN_CGROUP):
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            for folder in _and_above(CGROUPS, path):
                # The page cache of the group makes way; what processes hold does not.
                held = _table(f"{folder}/memory.stat").get("anon", 0)
                for left in _left(f"{folder}/memory.max", held):
                    yield left + min([swap, *_left(f"{folder}/memory.swap.max", 0)])
        elif "memory" in controllers.split(","):
            for folder in _and_above(f"{CGROUPS}/memory", path):
                stat = _table(f"{folder}/memory.stat")
                held, out = stat.get("total_rss", 0), stat.get("total_swap", 0)
                for left in _left(f"{folder}/memory.limit_in_bytes", held):
                    yield left + swap
                # This one counts memory and swap together.
                yield from _left(f"{folder}/memory.memsw.limit_in_bytes", held + out)


def _left(path: str, held: int) -> list[int]:
    """The KiB that are left of the limit in a file, if there is one; *held* in bytes."""
    limit = "".join(_lines(path))
    return [max(0, int(limit) - held) // 1024] if limit.isdigit() else []


def _and_above(root: str, path: str) -> Iterator[str]:
    path = path.rstrip("/")
    while True:
        yield root + path
        if not path:
            return
        path = path.rpartition("/")[0]


def _table(path: str) -> dict[str, int]:
    """The lines `name: 123 kB` or `name 123` of a file, by name."""
    facts = {}
    for line in _lines(path):
        words = line.replace(":", " ").split()
        if len(words) > 1 and words[1].isdigit():
            facts[words[0]] = int(words[1])
    return facts


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _mebibytes(kib: int) -> int:
    return -(-kib // 1024)

"""How much memory this process may still take: Argon2id is refused before it is killed.

Linux grants memory that it does not have and kills whoever uses it. So the cost of a slot is
held against what the machine and the process's control group have left, before any of it is
taken. Reads /proc/meminfo (proc(5)) and memory.max, memory.stat (cgroup v2); where they are
not there, nothing is refused.
"""

from __future__ import annotations

from interpal.exceptions import VaultLimitError

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
    limits = [group + swap for group in _group_limits()]
    if "MemAvailable" in facts:
        limits.append(facts["MemAvailable"] + swap)
    return min(limits, default=None)


def _group_limits() -> list[int]:
    """What is left, in KiB, of the limit of every control group around this process."""
    paths = [line[3:] for line in _lines(OWN_CGROUP) if line.startswith("0::/")]
    limits = []
    path = paths[0].rstrip("/") if paths else None
    while path is not None:
        folder = CGROUPS + path
        limit = "".join(_lines(f"{folder}/memory.max"))
        if limit.isdigit():
            # The page cache of the group makes way; what processes hold does not.
            held = _table(f"{folder}/memory.stat").get("anon", 0)
            limits.append(max(0, int(limit) - held) // 1024)
        path = path.rpartition("/")[0] if path else None
    return limits


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

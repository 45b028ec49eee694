"""What a case found, as values, and as JSON without anything that names the host."""

from __future__ import annotations

import json
import os
import platform
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from benchmarks.measure import Spread

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["ratio", "difference", "count"]
Unit = Literal["s", "MiB", ""]

_DISTRIBUTIONS = ("interpal-vault", "cryptography", "argon2-cffi", "requests", "redis")


class Row(NamedTuple):
    """One line of the table: *ours* against *floor*.

    `what` was done, `against` says what the floor does. Seconds or MiB. A `ratio` is ours over
    the floor; a `difference` is ours less the floor; a `count` is exact and has no floor.
    `at_most` is the cost to reach, None for a row that only informs.
    """

    what: str
    against: str
    ours: Spread
    floor: Spread
    at_most: float | None = None
    kind: Kind = "ratio"
    unit: Unit = "s"
    note: str = ""

    @property
    def value(self) -> float:
        """What is compared with `at_most`."""
        if self.kind == "ratio":
            return self.ours.median / self.floor.median
        if self.kind == "difference":
            return self.ours.median - self.floor.median
        return self.ours.median

    @property
    def reached(self) -> bool | None:
        """Whether the cost to reach is reached; None where none is set."""
        if self.at_most is None:
            return None
        if self.kind == "count":
            return self.value == self.at_most
        return self.value <= self.at_most


class Result(NamedTuple):
    """All rows of one case. `facts` are counts and versions that belong to it alone."""

    case: str
    rows: list[Row]
    facts: Mapping[str, Any] = {}


def save(result: Result, folder: Path) -> Path:
    """Write a result as JSON. No host name, no path and no user name is in it."""
    path = folder / f"{result.case}.json"
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "case": result.case,
        "machine": machine(),
        "versions": versions(),
        "facts": dict(result.facts),
        "rows": [_as_members(row) for row in result.rows],
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path


def load(folder: Path, case: str) -> Result | None:
    """The result of an earlier run, None where there is none."""
    try:
        content = json.loads((folder / f"{case}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Result(case, [_from_members(row) for row in content["rows"]], content["facts"])


def _as_members(row: Row) -> dict[str, Any]:
    return {
        **row._asdict(),
        "ours": row.ours._asdict(),
        "floor": row.floor._asdict(),
        "value": row.value,
        "reached": row.reached,
    }


def _from_members(members: dict[str, Any]) -> Row:
    fields = {name: members[name] for name in Row._fields}
    fields["ours"] = Spread(**fields["ours"])
    fields["floor"] = Spread(**fields["floor"])
    return Row(**fields)


def machine() -> dict[str, Any]:
    """The kind of machine: processor, cores, memory, system."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
    }


def versions() -> dict[str, str]:
    """Python and the libraries that the figures depend on."""
    found = {"python": sys.version.split()[0]}
    for name in _DISTRIBUTIONS:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

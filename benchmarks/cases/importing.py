"""`import interpal`: what it adds to a bare interpreter, and what it does not load."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.children import Program
from benchmarks.measure import interleave
from benchmarks.result import Result, Row

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.cases import Scale

HEAVY = ("requests", "aiohttp", "cryptography", "argon2", "click", "rich")

_LOADED = f"""
import json, sys
before = set(sys.modules)
import interpal
new = set(sys.modules) - before
print(json.dumps({{"heavy": sorted(new & set({HEAVY!r})), "new": len(new)}}))
"""


def run(scale: Scale, folder: Path) -> Result:
    bare = Program(folder, "pass")
    ours = Program(folder, "import interpal")
    found = interleave({"bare": bare.seconds(), "ours": ours.seconds()}, scale.processes)
    loaded = json.loads(Program(folder, _LOADED).run())
    row = Row(
        what="`import interpal`",
        against="a bare interpreter",
        ours=found["ours"],
        floor=found["bare"],
        at_most=0.005,
        kind="difference",
    )
    facts = {"heavy_modules_looked_for": HEAVY, "heavy_modules_loaded": loaded["heavy"]}
    return Result("import", [row], {**facts, "modules_loaded": loaded["new"]})

"""A file that does not open: what it costs before a key is used, whatever is in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benchmarks.children import Program
from benchmarks.measure import Spread
from benchmarks.records import payload
from benchmarks.result import Result, Row
from benchmarks.shapes import LOOK, SHAPES, shaped

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.cases import Scale

# Before, it looks at a small file: what is loaded then is no cost of the large one.
_READS = f"""
{LOOK}
look(sys.argv[1])
before = most()
print(look(sys.argv[2]), most() - before)
"""

_LOADS = """
import json, sys, time
with open(sys.argv[1], "rb") as file:
    data = file.read()
start = time.process_time()
json.loads(data)
print(time.process_time() - start)
"""


def run(scale: Scale, folder: Path) -> Result:
    size = scale.file_mib * 2**20
    rounds = max(1, scale.processes // 20)
    records = folder / "records.json"
    one = payload(1)
    records.write_bytes(b"[" + b",".join([one] * (size // len(one))) + b"]")
    small = folder / "small.json"
    small.write_bytes(b'{"protected":[]}')
    loads = [float(Program(folder, _LOADS, str(records)).run()) for _ in range(rounds)]
    records.unlink()
    times: dict[str, Spread] = {}
    peaks: dict[str, Spread] = {}
    for name in SHAPES:
        found = [_look(folder, small, shaped(name, size)) for _ in range(rounds)]
        times[name] = Spread.of([seconds for seconds, _ in found])
        peaks[name] = Spread.of([mib for _, mib in found])
    slowest = max(times, key=lambda name: times[name].median)
    widest = max(peaks, key=lambda name: peaks[name].median)
    what = f"a file of {scale.file_mib} MiB that does not open"
    mib = size / 2**20
    rows = [
        Row(
            what=f"{what}: the slowest of {len(SHAPES)} ({slowest})",
            against="json.loads of as many bytes of records",
            ours=times[slowest],
            floor=Spread.of(loads),
            at_most=4,
        ),
        Row(
            what=f"{what}: the most memory ({widest})",
            against="the size of the file",
            ours=peaks[widest],
            floor=Spread(mib, mib, mib, 1),
            at_most=4,
            unit="MiB",
        ),
    ]
    facts = {name: [times[name].median, peaks[name].median] for name in SHAPES}
    return Result("unopened", rows, {"seconds_and_mib": facts})


def _look(folder: Path, small: Path, data: bytes) -> tuple[float, float]:
    """Seconds and MiB of one process. The file is made anew: a client may set it aside."""
    path = folder / "v.json"
    path.touch(mode=0o600)
    path.write_bytes(data)
    words = Program(folder, _READS, str(small), str(path)).run().split()
    for left in folder.glob("v.json*"):
        if left.is_file():
            os.unlink(left)
    return float(words[0]), int(words[1]) / 1024

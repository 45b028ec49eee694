"""Count the blocks of 1.2.0's documentation that run with it, and those of them that run here.

`python -m tests.compatibility [--write] [NAME …]`: downloads the sdist of 1.2.0 with pip and
keeps nothing of it. `--write` notes the names of the blocks that run with 1.2.0, which the test
goes by.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.compatibility.host import OURS, THEIRS, run_all
from tests.compatibility.release import blocks

NAMES = Path(__file__).with_name("blocks_that_run_with_1_2_0.txt")


def main(arguments: list[str]) -> int:
    """Print the count; 1 where fewer than 185 in 193 run."""
    chosen = [block for block in blocks() if not arguments or block.name in arguments]
    if "--write" in arguments:
        chosen = blocks()
    start = time.monotonic()
    theirs = {o.name: o for o in run_all(THEIRS, chosen)}
    running = [block for block in chosen if theirs[block.name].ran]
    if "--write" in arguments:
        NAMES.write_text("".join(f"{block.name}\n" for block in running))
    ours = run_all(OURS, running)
    for outcome in ours:
        if not outcome.ran:
            print(f"{outcome.name}: {outcome.text}")
    if "--theirs" in sys.argv:
        for outcome in theirs.values():
            if not outcome.ran:
                print(f"1.2.0: {outcome.name}: {outcome.text}")
    ran = sum(outcome.ran for outcome in ours)
    print(f"{len(chosen)} blocks, {len(running)} run with {THEIRS}, {ran} of these with {OURS}")
    print(f"{time.monotonic() - start:.0f} seconds")
    return ran * 193 < 185 * len(running)


if __name__ == "__main__":
    sys.exit(main([argument for argument in sys.argv[1:] if argument != "--theirs"]))

"""Whether the tests run every line, and nearly every branch, of what keeps the sessions.

Reads the report of `coverage json`; `make coverage` makes it. Exit code 1 where something is
missing, which is listed.
"""

from __future__ import annotations

import json
import sys
from typing import Any

# What the bounds are for; the more special before the more general.
PARTS = ("interpal/vault/cli/", "interpal/vault/", "interpal/flows/")
ELSEWHERE = "elsewhere, without bounds"
LEAST_BRANCHES = 0.95


def part_of(path: str) -> str:
    """The part that a file belongs to."""
    return next((part for part in PARTS if path.startswith(part)), ELSEWHERE)


def missing(path: str, file: dict[str, Any]) -> str:
    """What the tests do not run in a file, as `path: lines 4, 7; branches 3->5, 9->exit`."""
    lines = ", ".join(str(line) for line in file["missing_lines"])
    # A negative number stands for the end of a function.
    branches = ", ".join(
        f"{begin}->{'exit' if end < 0 else end}" for begin, end in file["missing_branches"]
    )
    told = [f"lines {lines}"] if lines else []
    return f"{path}: " + "; ".join(told + ([f"branches {branches}"] if branches else []))


def judged(files: dict[str, dict[str, Any]]) -> tuple[list[str], bool]:
    """The lines to print, and whether the bounds are kept."""
    told, kept = [], True
    for part in (*PARTS, ELSEWHERE):
        mine = {path: file for path, file in files.items() if part_of(path) == part}
        lines, run_lines, branches, run_branches = (
            sum(file["summary"][name] for file in mine.values())
            for name in ("num_statements", "covered_lines", "num_branches", "covered_branches")
        )
        told.append(
            f"{part}: {run_lines} of {lines} lines, {run_branches} of {branches} branches "
            f"({run_branches / max(branches, 1):.2%})"
        )
        if part == ELSEWHERE:
            continue
        told += [
            f"    {missing(path, file)}"
            for path, file in sorted(mine.items())
            if file["missing_lines"] or file["missing_branches"]
        ]
        # A part without lines is one that was not measured.
        kept = kept and 0 < lines == run_lines and run_branches > LEAST_BRANCHES * branches
    return told, kept


def main(report: str) -> int:
    with open(report, encoding="utf-8") as file:
        told, kept = judged(json.load(file)["files"])
    print("\n".join(told))
    if not kept:
        print(f"Wanted: every line, and more than {LEAST_BRANCHES:.0%} of the branches.")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Faults on purpose: what a save, a lock or a login does when the machine does its worst.

One module for each line of docs/reliability-counts.md. Each has `run(full=...)`, which yields the
rows of that page: what was done, how many times, and what came of it. Anything
but the promise is an AssertionError that names the case. `python -m tests.reliability` runs them
(`--full` with the counts of the table), `test_lines.py` a minute's worth.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One line of the table: its letter there, the fault, how often, the outcome."""

    letter: str
    fault: str
    cases: int
    outcome: str

    def __str__(self) -> str:
        return f"{self.letter}: {self.fault}: {self.cases:,} cases: {self.outcome}"


def spread(count: int, wanted: int | None) -> list[int]:
    """*wanted* of the numbers 0 to *count* - 1, evenly spread; all of them for None."""
    if wanted is None or wanted >= count:
        return list(range(count))
    return sorted({round(i * (count - 1) / max(wanted - 1, 1)) for i in range(wanted)})

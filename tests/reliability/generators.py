"""O: what no one thought of: random use with faults, and coverage-guided fuzzing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.reliability import fuzzing, machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.reliability import Row


def run(*, full: bool) -> Iterator[Row]:
    yield machine.run(full=full)
    yield fuzzing.run(full=full)

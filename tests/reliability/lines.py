"""The lines of docs/reliability-counts.md and what runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tests.reliability import (
    clocks,
    corruption,
    errors,
    failovers,
    full_disk,
    generators,
    in_process,
    kills,
    leaks,
    mutation,
    orders,
    power,
    processes,
    reorder,
    signals,
    strangers,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.reliability import Row


class Line(Protocol):
    """Runs one line, with the counts of the table or a minute's worth; yields its rows."""

    def __call__(self, *, full: bool) -> Iterator[Row]: ...


LINES: dict[str, Line] = {
    "A": kills.run,
    "B": errors.run,
    "C": in_process.run,
    "E": signals.run,
    "F": power.run,
    "G": reorder.run,
    "H": full_disk.run,
    "I": processes.run,
    "J": strangers.run,
    "K": corruption.run,
    "L": leaks.run,
    "M": clocks.run,
    "N": failovers.run,
    "O": generators.run,
    "P": mutation.run,
    "Q": orders.run,
}

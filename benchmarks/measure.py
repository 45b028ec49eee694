"""Measuring by turns: whatever slows the machine for a moment slows every contestant alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

Contestant = Callable[[], float]
"""Does its work once and returns what it cost: seconds, or MiB."""


class Spread(NamedTuple):
    """Samples of one contestant: their median, the middle half, and how many there were."""

    median: float
    low: float
    high: float
    samples: int

    @classmethod
    def of(cls, samples: list[float]) -> Spread:
        """The spread of at least one sample."""
        if len(samples) == 1:
            return cls(samples[0], samples[0], samples[0], 1)
        low, median, high = statistics.quantiles(samples, n=4, method="inclusive")
        return cls(median, low, high, len(samples))


def interleave(contestants: Mapping[str, Contestant], rounds: int) -> dict[str, Spread]:
    """Let the contestants take turns, A B A B, *rounds* times.

    Before them goes one round that is not counted, unless there is but one. Every other round
    goes backwards, so that none always comes after the same one.
    """
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    if rounds > 1:
        for work in contestants.values():
            work()
    for _ in range(rounds):
        for name in order:
            samples[name].append(contestants[name]())
        order.reverse()
    return {name: Spread.of(found) for name, found in samples.items()}


def timed(action: Callable[[], object], repeat: int = 1) -> Contestant:
    """A contestant that calls *action* in this process; seconds for one call.

    Calls of microseconds are *repeat*ed within one sample.
    """

    def once() -> float:
        start = time.perf_counter()
        for _ in range(repeat):
            action()
        return (time.perf_counter() - start) / repeat

    return once

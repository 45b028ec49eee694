"""Tries the orders of a plan: all of them up to two preemptions, and random walks."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from tests.interleavings.schedule import BrokenPromiseError, Schedule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.interleavings.hosts import Hosts
    from tests.interleavings.plans import Plan

PREEMPTIONS = 2


class Choices(Protocol):
    """Chooses, and notes what was chosen."""

    taken: list[int]

    def __call__(self, costs: Sequence[int]) -> int: ...


def run(plan: Plan, choose: Choices, path: str | Hosts | None = None) -> None:
    """Run a schedule. `BrokenPromiseError` tells the plan and the steps, from running it again."""
    try:
        Schedule(plan, choose, path=path).run()
    except BrokenPromiseError as error:
        steps: list[str] = []
        again = Schedule(plan, _Path(choose.taken), path=path, steps=steps)
        with suppress(BrokenPromiseError):
            again.run()
        raise BrokenPromiseError("\n  ".join([str(error), str(plan), *steps])) from error


class _Path:
    """Takes the choices of a prefix, then the usual one; notes what else there was."""

    def __init__(self, prefix: Sequence[int]) -> None:
        self.prefix = prefix
        self.taken: list[int] = []
        self.costs: list[Sequence[int]] = []

    def __call__(self, costs: Sequence[int]) -> int:
        at = len(self.taken)
        choice = self.prefix[at] if at < len(self.prefix) else 0
        self.taken.append(choice)
        self.costs.append(costs)
        return choice


def systematically(plan: Plan, preemptions: int = PREEMPTIONS) -> Iterator[None]:
    """Run a plan in every order with so many preemptions at most; yields after each run."""
    waiting: list[tuple[tuple[int, ...], int]] = [((), 0)]
    while waiting:
        prefix, spent = waiting.pop()
        path = _Path(prefix)
        run(plan, path)
        yield
        for at in range(len(prefix), len(path.taken)):
            for choice in range(1, len(path.costs[at])):
                cost = spent + path.costs[at][choice]
                if cost <= preemptions:
                    waiting.append(((*path.taken[:at], choice), cost))


class _Walk:
    """Goes on as usual more often than not."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.taken: list[int] = []

    def __call__(self, costs: Sequence[int]) -> int:
        usual = self._chance.random() < 0.6
        choice = 0 if usual else self._chance.randrange(len(costs))
        self.taken.append(choice)
        return choice


def walk(plan: Plan, seed: int, path: str | Hosts | None = None) -> None:
    """Run a plan in an order that a seed gives, on a vault in memory or at *path*."""
    run(plan, _Walk(random.Random(seed)), path)

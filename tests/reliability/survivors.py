"""Mutants that no test notices, each explained. Line O fails for one that is not listed here."""

from __future__ import annotations

from typing import NamedTuple


class Survivor(NamedTuple):
    """Where the source was changed, how, and why no test can or need notice."""

    where: str
    change: str
    reason: str


SURVIVORS: tuple[Survivor, ...] = ()

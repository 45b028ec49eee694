"""Mutants that no test notices, by kind, each explained. Line P fails for one of no kind."""

from __future__ import annotations

import re
from typing import NamedTuple


class Survivor(NamedTuple):
    """A kind of mutant: where it may be and how it looks (patterns), and why no test need notice.

    `what` says the same as the patterns, for people.
    """

    what: str
    where: str
    change: str
    reason: str

    def explains(self, where: str, change: str) -> bool:
        """Whether the mutant at *where*, `old => new`, is of this kind."""
        return bool(re.search(self.where, where) and re.search(self.change, change, re.DOTALL))


SURVIVORS: tuple[Survivor, ...] = ()

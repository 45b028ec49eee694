"""Every row of the table of docs/migrating.md, with the real 1.2.0 and with this package."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from docs.differences import DIFFERENCES, Difference, difference_table
from tests.compatibility.host import OURS, THEIRS, run_program
from tests.compatibility.release import Block

PAGE = Path(__file__).parents[2] / "docs" / "migrating.md"


@pytest.mark.parametrize("library", [THEIRS, OURS])
@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.what[:60])
def test_each_row_is_what_happens(difference: Difference, library: str) -> None:
    block = Block(difference.what, textwrap.dedent(difference.program).strip())
    outcome = run_program(library, block, seconds=30)
    assert outcome.ran, outcome
    expected = difference.there if library == THEIRS else difference.here
    assert outcome.output.splitlines()[-1] == expected, outcome.output


def test_the_page_has_the_table() -> None:
    assert all(difference.there != difference.here for difference in DIFFERENCES)
    assert difference_table() in PAGE.read_text(encoding="utf-8"), "run `make docs`"

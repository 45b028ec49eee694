"""A minute's worth of every line; `make reliability` runs the rest."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.reliability import Row, page
from tests.reliability.lines import LINES

if TYPE_CHECKING:
    from pathlib import Path

PROMISES = {
    "A": "a kill at any system call leaves the old or the new",
    "B": "an error at any system call is typed and keeps the old content",
    "C": "two faults in a row lose nothing and leak no descriptor",
    "E": "an interrupt leaves no temporary and no lock",
    "F": "a power cut leaves the old, and the new once a save has returned",
    "G": "no order of writes that a disk may choose loses a vault",
    "H": "a full or read-only disk costs the save and nothing else",
    "I": "many processes lose no change and log in once",
    "J": "a second user cannot read, replace, block or redirect",
    "K": "no turned bit and no truncation is taken for content",
    "L": "no secret turns up anywhere",
    "M": "no jump of a clock loses a session",
    "N": "a failover loses nothing that a replica has confirmed",
    "O": "no random use with faults departs from the model",
    "Q": "no order of steps mixes sessions up or loses one",
}


# Sentinels and a cluster: `make test-all`.
LONG = {"N"}


@pytest.mark.parametrize(
    "letter",
    [
        pytest.param(letter, id=promise, marks=[pytest.mark.long] if letter in LONG else [])
        for letter, promise in PROMISES.items()
    ],
)
def test_under_faults(letter: str) -> None:
    rows = list(LINES[letter](full=False))
    for row in rows:
        print(row)
    assert rows
    if os.geteuid() == 0:
        assert all(row.cases for row in rows), "a part could not be run here"


def test_rows_that_were_not_run_again_keep_their_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    page.write(
        [Row("A", "kills | more", 1234, "old"), Row("C", "pairs", 1, "fine")], {"A"}, "2026-01-01"
    )
    page.write([Row("B", "errors", 5, "typed")], {"B", "C"}, "2026-02-02")
    rows = page.parse((tmp_path / "page.md").read_text())
    assert [(dated.row.letter, dated.row.cases, dated.day) for dated in rows] == [
        ("A", 1234, "2026-01-01"),
        ("B", 5, "2026-02-02"),
    ]


def test_the_page_tells_what_every_line_is() -> None:
    assert LINES.keys() - PROMISES.keys() == {"P"}  # which has no short form
    for letter in LINES:
        assert f"\n**{letter}, " in page.PROSE

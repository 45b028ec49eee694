"""The Python blocks of 1.2.0's documentation that run with it, and run here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compatibility.host import OURS, run_all
from tests.compatibility.release import blocks

NAMES = Path(__file__).with_name("blocks_that_run_with_1_2_0.txt")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_nearly_all_blocks_that_run_with_1_2_0_run_here() -> None:
    names = NAMES.read_text(encoding="utf-8").split()
    chosen = [block for block in blocks() if block.name in names]
    assert len(chosen) == len(names) >= 185
    failed = [outcome[:2] for outcome in run_all(OURS, chosen) if not outcome.ran]
    # `python -m tests.compatibility` counts anew.
    assert (len(names) - len(failed)) * 193 >= 185 * len(names), failed

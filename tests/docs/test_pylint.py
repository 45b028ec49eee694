"""An editor that runs pylint has nothing to say of the programs that the pages show."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.docs.markdown import PAGES, ROOT, blocks

if TYPE_CHECKING:
    from pathlib import Path

# What the blocks of a page share, and the `await` of a page on asyncio, is not in one block alone.
# The libraries that a page may name need not be installed.
BETWEEN_BLOCKS = "undefined-variable,used-before-assignment,await-outside-async,import-error"


@pytest.mark.long
def test_pylint_finds_no_error_in_the_programs_of_the_pages(tmp_path: Path) -> None:
    for page in PAGES:
        programs = [b for b in blocks(page.read_text(encoding="utf-8")) if b.language == "python"]
        for block in programs:
            program = tmp_path / f"{page.stem.replace('-', '_')}_line_{block.line}.py"
            program.write_text(block.text, encoding="utf-8")
    shown = sorted(tmp_path.iterdir())
    assert len(shown) > 40
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pylint", "--errors-only", f"--disable={BETWEEN_BLOCKS}"),
            *map(str, [*shown, *sorted((ROOT / "examples").glob("*.py"))]),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

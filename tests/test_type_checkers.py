"""What type checkers make of a name that is spelled wrong, and of one that is right."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

WRONG = {
    "from interpal import InterpolClient": "InterpolClient",
    "from interpal.vault import Vualt": "Vualt",
    "import interpal; interpal.InterpolClient": "InterpolClient",
}
RIGHT = """
from interpal import AsyncInterpalClient, InterpalClient, Session, __version__
from interpal.vault import KdfParameters, Vault, open_store

client: InterpalClient = InterpalClient("maple_ink", persist_session=True)
number: int = len(__version__)
"""
CHECKERS = {
    "mypy": ("mypy", "--no-incremental", "--follow-imports=silent"),
    "pyright": ("pyright",),
}


def checked(checker: str, code: str, folder: Path) -> tuple[int, str]:
    (folder / "program.py").write_text(code, encoding="utf-8")
    (folder / "pyrightconfig.json").write_text(f'{{"extraPaths": ["{ROOT}"]}}', encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", *CHECKERS[checker], "program.py"],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(ROOT), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_misspelled_name_is_an_error(checker: str, tmp_path: Path) -> None:
    status, output = checked(checker, "\n".join(WRONG), tmp_path)
    assert status == 1, output
    for line, name in enumerate(WRONG.values(), 1):
        said = [text for text in output.splitlines() if f"program.py:{line}" in text]
        assert any("error" in text and name in text for text in said), output


@pytest.mark.parametrize("checker", CHECKERS)
def test_every_name_that_is_right_passes(checker: str, tmp_path: Path) -> None:
    status, output = checked(checker, RIGHT, tmp_path)
    assert status == 0, output

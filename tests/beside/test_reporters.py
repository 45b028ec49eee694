"""What reporters of errors send of a program that uses this package: none of its secrets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.beside import run_beside

if TYPE_CHECKING:
    from typing import Any

# Of reporters.py.
TOOLS = (
    "sentry",
    "elastic",
    "rollbar",
    "stackprinter",
    "traceback_with_variables",
    "rich",
    "cgitb",
)
PROGRAM = Path(__file__).with_name("reporters.py").read_text("utf-8")


@pytest.mark.parametrize("tool", TOOLS)
def test_no_reporter_of_errors_sends_a_secret(tool: str, tmp_path: Path) -> None:
    if tool == "cgitb" and sys.version_info >= (3, 13):
        pytest.skip("cgitb has left the standard library")
    tmp_path.chmod(0o700)
    said: Any = run_beside(PROGRAM, tool, folder=tmp_path, seconds=200)
    assert said["leaks"] == []
    assert said["no error"] == []
    assert said["reports"] == said["faults"]

"""A resume loads a small core, which docs/architecture.md lists; it compiles and starts nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cases.resuming import IMPORTS, OURS
from benchmarks.records import vault_file
from docs import core

PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"

# A resume costs what it imports, and whoever audits how a session is read reads these lines.
# Make it less where you can; to make it more, have a reason.
MOST_MODULES = 47
MOST_LINES = 10_050

# What a resume uses of it, with whatever a version loads for that.
PRIMITIVES = "from cryptography.hazmat.primitives import hashes, hmac, keywrap"
# Beside these, and what the floor has: `json` and AESGCM.
OTHERS = {"_contextvars", "_datetime", "binascii", "contextvars", "errno"}


@pytest.fixture(scope="module")
def folders() -> dict[str, tuple[list[str], int]]:
    return {folder: (names, lines) for folder, names, lines in core.by_folder()}


def test_a_resume_loads_no_more_than_the_core(folders: dict[str, tuple[list[str], int]]) -> None:
    assert sum(len(names) for names, _ in folders.values()) <= MOST_MODULES
    assert sum(lines for _, lines in folders.values()) <= MOST_LINES


def test_the_page_lists_the_core(folders: dict[str, tuple[list[str], int]]) -> None:
    section = PAGE.read_text(encoding="utf-8").partition(core.BEGIN)[2].partition(core.END)[0]
    rows = re.findall(r"^\| `(interpal\S*)/` \| (.+) \| ([\d,]+) \|$", section, re.MULTILINE)
    shown = {folder: re.findall(r"`([^`]+)`", names) for folder, names, _ in rows}
    assert shown == {folder: names for folder, (names, _) in folders.items()}, "run `make docs`"
    for folder, _, lines in rows:
        # Near enough: a comment more is no reason to write the page anew.
        count = int(lines.replace(",", ""))
        assert abs(count - folders[folder][1]) <= 50 + count // 10, f"{folder}: run `make docs`"


def test_a_resume_loads_of_other_packages_only_what_it_uses() -> None:
    floor = subprocess.run(
        [sys.executable, "-c", f"{IMPORTS}\n{PRIMITIVES}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    more = core.loaded() - set(floor.stdout.split())
    assert {name for name in more if name.partition(".")[0] != "interpal"} <= OTHERS


def test_a_resume_compiles_nothing(tmp_path: Path) -> None:
    # The first `compile` of a process makes every class of `ast`: a tenth of what a resume takes.
    # `typing` calls it for an annotation in quotes, wherever it is no annotation but a value.
    watched = f"""
import builtins, sys
sys.path.insert(0, {str(core.ROOT)!r})
compiled = []
def compile(source, *rest, _original=compile, **named):
    compiled.append(source)
    return _original(source, *rest, **named)
builtins.compile = compile
{OURS}
assert not compiled, compiled
"""
    done = subprocess.run(
        [sys.executable, "-c", watched, str(vault_file(tmp_path, 1))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

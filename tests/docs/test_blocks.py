"""What the documentation shows is what happens: every Python and shell block of it is run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.bridges.test_libraries import LIBRARIES, block_of
from tests.debian import need
from tests.docs.markdown import PAGES, ROOT, blocks, without_fences
from tests.docs.run_page import matches
from tests.interop.libraries import READERS, shown

if TYPE_CHECKING:
    from pathlib import Path

LANGUAGES = {
    *("python", "console", "text", "json", "gitignore", "ini", "toml", "yaml", "conf"),
    *("diff", "dockerfile", "mermaid", "sql", "javascript"),
}
# The others at the root are for contributors, whose commands are those of the Makefile.
SHOWN = [page for page in PAGES if page.name == "README.md" or ROOT / "docs" in page.parents]
WITH_CODE = [
    page
    for page in SHOWN
    if any(block.language in ("python", "console") for block in blocks(page.read_text()))
]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_every_block_of_the_page_runs(page: Path, tmp_path: Path) -> None:
    if "$ jose " in page.read_text():
        need("jose")
    home = tmp_path / "home"
    work = tmp_path / "work"
    home.mkdir()
    work.mkdir()
    clean = {key: value for key, value in os.environ.items() if not key.startswith("INTERPALS_")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.docs.run_page", str(page)],
        env={
            **clean,
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "80",
        },
        cwd=work,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)


def test_the_pages_are_there() -> None:
    names = {page.name.removesuffix(".md") for page in WITH_CODE}
    assert {
        *("README", "index", "session-persistence", "client", "async", "accounts", "events"),
        *("keys", "operating", "command-line", "shared-server", "services", "cron", "fleets"),
        *("testing", "migrating", "format", "endpoints", "architecture"),
    } <= names


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_a_page_that_logs_in_says_where_the_account_is_from(page: Path) -> None:
    text = page.read_text()
    code = "".join(block.text for block in blocks(text) if block.language in ("python", "console"))
    if re.search(r"Client\(|--user|Bot\(", code) and "maple_ink" in code:
        own = "interpal.sandbox" in code or "interpal_sandbox" in code
        assert own or "[the sandbox](index.md#quick-start)" in text


@pytest.mark.parametrize("page", SHOWN, ids=name_of)
def test_every_block_says_what_it_is(page: Path) -> None:
    unknown = {block.language for block in blocks(page.read_text())} - LANGUAGES
    assert not unknown, "shell is `console` with `$ `, so that it is run; the rest is named"


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_a_reader_is_told_under_which_name_a_block_is_saved(page: Path) -> None:
    text = page.read_text()
    names = {block.directives.get("file", "").strip() for block in blocks(text)} - {""}
    prose = without_fences(text)
    assert not [name for name in names if f"`{name}`" not in prose]


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    run_elsewhere = {
        part.strip() for path in READERS.glob("with_*.py") for part in shown(path.read_text())
    }
    # tests/bridges/test_libraries.py runs them, beside the libraries.
    run_elsewhere |= {block_of(library).strip() for library in LIBRARIES}
    not_run = [
        (block.directives["not run"].strip(), block.text)
        for page in SHOWN
        for block in blocks(page.read_text())
        if "not run" in block.directives and block.text.strip() not in run_elsewhere
    ]
    assert all(len(reason) > 15 for reason, _ in not_run), not_run
    # What installs is tried by tests/packaging, in environments of its own.
    reasons = [reason for reason, text in not_run if not _only_installs(text)]
    assert len(reasons) <= 12, reasons


def _only_installs(text: str) -> bool:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return all(
        line.lstrip("$ ").startswith(("pip install", "python -m pip install", "python3 -m venv"))
        for line in lines
    )


def test_an_ellipsis_stands_for_anything_a_date_for_a_date_and_the_rest_for_itself() -> None:
    assert matches("a … c\n", "a b\nb c")
    assert not matches("a.c", "abc")
    assert not matches("a …", "b a c")
    assert matches("at 2026-11-22 10:54:51.719527 …", "at 2027-01-02 00:00:01 x")
    assert not matches("1 login on 2026-11-22", "2 login on 2026-11-22")

"""A person sees that something goes on, wherever it takes more than a second."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from interpal.vault.vault import Vault
from tests.cli import (
    COOKIE,
    KEY,
    WITH_KEY,
    Program,
    TerminalRun,
    environment,
    read_vault,
    record,
)

if TYPE_CHECKING:
    from pathlib import Path

THOUSANDS = 3000

# A machine on which sealing a record takes a little longer, so that a store of thousands is
# slow on a fast one too.
SLOWER = """
import time
from interpal.vault.format import {module}
fast = {module}.{name}
def slow(*arguments, **more):
    time.sleep({seconds})
    return fast(*arguments, **more)
{module}.{name} = slow
"""
SLOW = SLOWER.format(module="record_envelope", name="seal_record", seconds=0.0005)
SLOW_TO_OPEN = SLOWER.format(module="record_envelope", name="open_record", seconds=0.0007)
SLOW_FILE = SLOWER.format(module="envelope", name="seal", seconds=1.5)


def slowed(folder: Path, lines: str) -> dict[str, str]:
    (folder / "patch").mkdir()
    (folder / "patch" / "sitecustomize.py").write_text(lines)
    return {**WITH_KEY, "PYTHONPATH": "patch"}


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A database with thousands of accounts."""
    url = f"sqlite:{tmp_path}/team.db"
    with Vault.open(url, create=True, key=KEY) as vault, vault.transaction() as records:
        for number in range(THOUSANDS):
            records[f"user{number}"] = record(f"user{number}")
    return url


def test_rotate_of_a_store_of_thousands_shows_a_bar_with_the_time_left(
    run: Program, tmp_path: Path, store: str
) -> None:
    env = slowed(tmp_path, SLOW)
    with run.terminal("rotate", "-f", store, env=env) as terminal:
        assert terminal.end() == 0
        counts = {int(done) for done in re.findall(rf"(\d+)/{THOUSANDS}", terminal.screen)}
        assert "Encrypting" in terminal.screen
        assert re.search(r"0:00:\d\d", terminal.screen)
        assert len(counts) > 2
        assert "a new vault key" in terminal.screen.splitlines()[-1]
    with Vault.open(store, key=KEY) as vault:
        assert len(vault) == THOUSANDS
        assert vault.damaged() == 0
        assert vault["user7"]["session_cookie"] == COOKIE


def test_rotate_in_a_pipe_shows_no_bar(run: Program, tmp_path: Path, store: str) -> None:
    done = run("rotate", "-f", store, env=slowed(tmp_path, SLOW))
    assert done.code == 0
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert "a new vault key" in done.err


def test_a_rotation_tells_of_every_record(store: str) -> None:
    heard: list[int] = []
    with Vault.open(store, key=KEY) as vault:
        vault.rotate(progress=heard.append)
    assert heard == list(range(1, THOUSANDS + 1))


def test_the_one_save_of_a_file_shows_what_goes_on(
    run: Program, tmp_path: Path, vault: Path
) -> None:
    (tmp_path / "ana.json").write_text(json.dumps({"session_cookie": COOKIE, "username": "ana"}))
    env = slowed(tmp_path, SLOW_FILE)
    for arguments, shown in (
        (["import", "ana.json"], "Saving 1 session"),
        (["import", "ana.json", "-f", "new.json"], "Saving 1 session"),
        (["rotate"], "Encrypting 3 sessions"),
    ):
        with run.terminal(*arguments, env=env) as terminal:
            assert terminal.end() == 0
            assert shown in terminal.screen
            assert "\x1b[?25h" in terminal.screen  # the cursor is there again
    assert set(read_vault(vault)) == {"ana", "maple_ink", "pedro_k"}
    assert set(read_vault(tmp_path / "new.json")) == {"ana"}


def assert_bar(screen: str, what: str) -> None:
    """It was there, it moved, and it told the time left."""
    assert what in screen
    assert len(set(re.findall(rf"(\d+)/{THOUSANDS}", screen))) > 2
    assert re.search(r"0:00:\d\d", screen)
    assert "\x1b[?25h" in screen  # the cursor is there again


def test_import_of_thousands_into_a_store_shows_a_bar_with_the_time_left(
    run: Program, tmp_path: Path
) -> None:
    names = [f"user{number}" for number in range(THOUSANDS)]
    env = slowed(tmp_path, SLOW)
    for created in ("2026-11-22T07:40:00Z", "2026-11-23T07:40:00Z"):
        records = {name: record(name, created=created) for name in names}
        (tmp_path / "all.json").write_text(json.dumps({"records": records}))
        arguments = ("import", "all.json", "-f", "sqlite:team.db", "--replace")
        with run.terminal(*arguments, env=env) as terminal:
            assert terminal.end() == 0
            assert_bar(terminal.screen, f"Saving {THOUSANDS} sessions")
        with Vault.open(f"sqlite:{tmp_path}/team.db", key=KEY) as vault:
            assert len(vault) == THOUSANDS
            assert vault["user7"]["created_at"] == created


def test_verify_of_a_store_of_thousands_shows_a_bar_with_the_time_left(
    run: Program, tmp_path: Path, store: str
) -> None:
    env = slowed(tmp_path, SLOW_TO_OPEN)
    with run.terminal("verify", store, env=env) as terminal:
        assert terminal.end() == 0
        assert_bar(terminal.screen, "Verifying")
        assert f"{THOUSANDS} accounts" in terminal.screen.splitlines()[-1]


def test_copy_of_thousands_shows_a_bar_with_the_time_left(
    run: Program, tmp_path: Path, store: str
) -> None:
    arguments = ("copy", store, "sqlite:copy.db")
    with run.terminal(*arguments, env=slowed(tmp_path, SLOW)) as terminal:
        assert terminal.end() == 0
        assert_bar(terminal.screen, "Copying")
        assert f"{THOUSANDS} sessions copied" in terminal.screen.splitlines()[-1]


def test_what_changes_and_looks_at_many_records_tells_of_each(store: str) -> None:
    heard: list[int] = []
    with Vault.open(store, key=KEY) as vault:
        assert vault.damaged(progress=heard.append) == 0
        assert heard == list(range(1, THOUSANDS + 1))
        heard.clear()
        with vault.transaction(progress=heard.append) as records:
            del records["user1"]
            records["user2"]["note"] = "changed"
            records["user3"] = dict(records["user3"])  # the same as before
        assert heard == [1, 2]


def test_what_ends_within_a_second_shows_no_line_and_a_pipe_none(tmp_path: Path) -> None:
    script = """
import sys, threading
from interpal.vault.cli import output
shown, screen = threading.Event(), output._screen
output._screen = lambda: shown.set() or screen()
with output.status("Saving"):
    if sys.argv[1] == "long" and sys.stderr.isatty():
        shown.wait(60)
"""
    for what, shows in (("short", False), ("long", True)):
        command = [sys.executable, "-c", script, what]
        with TerminalRun(command, tmp_path, environment(tmp_path), 80) as terminal:
            assert terminal.end() == 0
            assert ("Saving" in terminal.screen) is shows
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout == done.stderr == b""

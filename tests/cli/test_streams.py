"""Where the output cannot go, the exit code says so, and nothing goes anywhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli import COOKIE, PROGRAM, WITH_KEY, Done, Program, environment, read_vault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def with_streams(
    run: Program, redirected: str, *arguments: str, env: Mapping[str, str] | None = None
) -> Done:
    """Run it by a shell that closes or redirects some of its streams."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" {redirected}', *PROGRAM, *arguments],
        cwd=run.folder,
        env=environment(run.folder, {**WITH_KEY, **(env or {})}),
        capture_output=True,
        timeout=60,
        check=False,
        start_new_session=True,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def unread() -> int:
    """A pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def test_a_closed_stdout_is_an_error_where_something_is_to_be_printed(
    run: Program, vault: Path
) -> None:
    for arguments in (["list"], ["inspect", "--json"], ["export", "--plaintext"], ["--help"]):
        done = with_streams(run, ">&-", *arguments)
        assert done.code == 74
        assert "Bad file descriptor" in done.err
        assert done.err.count("\n") == 1


def test_what_prints_nothing_needs_no_stdout(run: Program, vault: Path) -> None:
    done = with_streams(run, "<&- >&-", "remove", "maple_ink")
    assert done.code == 0
    assert "removed" in done.err
    assert set(read_vault(vault)) == {"pedro_k"}


def test_without_any_stream_nothing_is_printed_into_a_file(run: Program, vault: Path) -> None:
    before = {path.name for path in vault.parent.iterdir()}
    for arguments, code in ((["remove", "pedro_k"], 0), (["list", "-f", "absent.json"], 66)):
        done = with_streams(run, "<&- >&- 2>&-", *arguments)
        assert (done.code, done.out, done.err) == (code, "", "")
    assert set(read_vault(vault)) == {"maple_ink"}
    assert {path.name for path in vault.parent.iterdir()} == before


def test_an_error_that_nobody_reads_keeps_its_exit_code(run: Program) -> None:
    writer = unread()
    done = run("list", "-f", "absent.json", stdout=subprocess.PIPE, stderr=writer)
    os.close(writer)
    assert (done.code, done.out) == (66, "")


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["export", "--plaintext"]])
def test_a_reader_that_has_gone_is_no_error_message(
    run: Program, vault: Path, arguments: list[str]
) -> None:
    writer = unread()
    done = run(*arguments, env=WITH_KEY, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.code, done.err) == (141, "")


def test_completion_ends_like_every_verb(run: Program) -> None:
    env = {"_INTERPAL_VAULT_COMPLETE": "bash_source"}
    done = with_streams(run, ">/dev/full", env=env)
    assert done.code == 74
    assert "No space left" in done.err
    assert done.err.count("\n") == 1


def test_the_copy_on_stdout_is_plain_json_whatever_else_was_asked_for(
    run: Program, vault: Path
) -> None:
    done = run("export", "--plaintext", "--json", env=WITH_KEY)
    assert done.code == 0
    assert done.json["records"]["pedro_k"]["session_cookie"] == COOKIE
    assert done.err == ""


def test_a_program_may_run_a_verb_and_go_on_as_a_command(run: Program, vault: Path) -> None:
    script = """
from interpal.vault import cli
cli.run(["exec", "--user", "pedro_k", "--", "printenv", "INTERPALS_USERNAME"])
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=run.folder,
        env=environment(run.folder, WITH_KEY),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"pedro_k\n", b"")

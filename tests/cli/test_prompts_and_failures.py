from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import pytest

from interpal.vault.vault import Vault
from tests.cli import (
    KEY,
    OTHER_KEY_TEXT,
    PASSPHRASE,
    WITH_KEY,
    Program,
    TerminalRun,
    assert_no_secret,
    environment,
    make_vault,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """A vault at the default path, for PASSPHRASE."""
    path = tmp_path / ".interpals_session.json"
    make_vault(path, "maple_ink", passphrase=PASSPHRASE)
    return path


def echoes(terminal: TerminalRun) -> bool:
    return bool(termios.tcgetattr(terminal.slave)[3] & termios.ECHO)


def test_the_prompt_names_the_vault_shows_nothing_and_gives_three_tries(
    run: Program, locked: Path
) -> None:
    with run.terminal("list") as terminal:
        terminal.answer(f"Passphrase for {locked}: ", "wrong one")
        terminal.expect("Wrong passphrase")
        terminal.answer("Passphrase", PASSPHRASE)
        assert terminal.end() == 0
        assert "maple_ink" in terminal.screen
        assert "wrong one" not in terminal.screen
        assert_no_secret(terminal.screen)
        assert echoes(terminal)


def test_three_wrong_passphrases_exit_77(run: Program, locked: Path) -> None:
    before = locked.read_bytes()
    with run.terminal("list") as terminal:
        for _ in range(3):
            terminal.answer("Passphrase", "wrong one")
        assert terminal.end() == 77
    assert locked.read_bytes() == before


def test_the_prompt_reads_the_terminal_and_never_stdin(run: Program, locked: Path) -> None:
    done = run("list", stdin=PASSPHRASE + "\n")
    assert done.code == 78
    assert "SESSION_VAULT_PASSPHRASE_FILE" in done.err
    assert "no terminal" in done.err


def test_a_key_file_that_does_not_open_it_is_no_reason_to_give_up(
    run: Program, locked: Path
) -> None:
    run("init", "-f", "other.json")  # makes the key file of the user
    with run.terminal("list") as terminal:
        terminal.answer("Passphrase", PASSPHRASE)
        assert terminal.end() == 0


def test_a_source_that_was_set_and_is_wrong_is_not_asked_about(run: Program, locked: Path) -> None:
    with run.terminal("list", env={"INTERPALS_VAULT_PASSPHRASE": "wrong one"}) as terminal:
        assert terminal.end() == 77
        assert "Passphrase for" not in terminal.screen
        assert "wrong one" not in terminal.screen


def test_the_default_key_that_does_not_open_and_no_terminal_exit_77(
    run: Program, vault: Path
) -> None:
    run("init", "-f", "other.json")
    done = run("list", "--json")
    assert done.code == 77
    assert "SESSION_VAULT_KEY" in done.error["message"]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_sane_after_the_prompt_was_interrupted(
    run: Program, locked: Path, end: signal.Signals
) -> None:
    with run.terminal("list") as terminal:
        terminal.expect("Passphrase")
        assert not echoes(terminal)
        if end == signal.SIGINT:
            terminal.type("half a pass\x03")
            assert terminal.end() == 130
            assert "interrupted" in terminal.screen
        else:
            os.kill(terminal.process.pid, end)
            assert terminal.end() == -end
        assert echoes(terminal)
        assert "half a pass" not in terminal.screen


def test_the_end_of_input_at_the_prompt_is_no_answer(run: Program, locked: Path) -> None:
    with run.terminal("list") as terminal:
        terminal.expect("Passphrase")
        terminal.type("\x04")
        assert terminal.end() == 78
        assert echoes(terminal)


def test_usage_errors_exit_64_and_are_json_on_demand(run: Program) -> None:
    for arguments in (["nonsense"], ["list", "--nonsense"], ["remove"], ["exec"], ["import"]):
        done = run(*arguments)
        assert done.code == 64
        assert done.out == ""
        assert done.err.count("\n") == 1
    done = run("list", "--nonsense", "--json")
    assert done.code == 64
    assert done.error["code"] == "usage"
    assert done.error["path"] is None


def test_each_failure_has_its_exit_code_and_its_code(run: Program, vault: Path) -> None:
    for env, code, name in (
        ({"INTERPALS_VAULT_KEY": OTHER_KEY_TEXT}, 77, "wrong-key"),
        ({}, 78, "key-required"),
        ({"INTERPALS_VAULT_PASSPHRASE": "x"}, 78, "key-required"),
        ({**WITH_KEY, "INTERPALS_VAULT_PASSPHRASE": "x"}, 78, "ambiguous-key"),
        ({"INTERPALS_VAULT_KEY": ""}, 69, "key-source"),
        ({"INTERPALS_VAULT_KEY": "00" * 31}, 69, "key-source"),
        ({"INTERPALS_VAULT_KEY_FILE": "/nonexistent"}, 69, "key-source"),
    ):
        done = run("list", "--json", env=env)
        assert (done.code, done.error["code"]) == (code, name)
        assert done.out == ""
        assert_no_secret(done.err)
    done = run("list", "--json", "-f", "absent.json", env=WITH_KEY)
    assert (done.code, done.error["code"]) == (66, "not-found")
    assert done.error["path"] == str(vault.parent / "absent.json")


def test_an_insecure_key_file_exits_78_with_the_remedy(run: Program, tmp_path: Path) -> None:
    run("keygen", "-o", "my.key")
    env = {"INTERPALS_VAULT_KEY_FILE": str(tmp_path / "my.key")}
    run("init", env=env)
    os.chmod(tmp_path / "my.key", 0o666)
    done = run("list", env=env)
    assert done.code == 78
    assert f"chmod 600 {tmp_path}/my.key" in done.err


def test_a_held_lock_exits_75(run: Program, vault: Path) -> None:
    with Vault.open(vault, key=KEY) as opened, opened.transaction():
        done = run("remove", "maple_ink", "--json", env=WITH_KEY)
    assert (done.code, done.error["code"]) == (75, "locked")
    assert str(os.getpid()) in done.error["message"]


def test_a_bug_exits_70_and_shows_nothing_of_it(run: Program, vault: Path) -> None:
    (run.folder / "sitecustomize.py").write_text(
        "from interpal.vault.health import report\n"
        "def account(name, record): raise ZeroDivisionError(record['session_cookie'])\n"
        "report.account = account\n"
    )
    done = run("list", "--json", env={**WITH_KEY, "PYTHONPATH": str(run.folder)})
    assert (done.code, done.error["code"]) == (70, "internal")
    assert_no_secret(done.err)


def test_warnings_of_the_library_are_shown(run: Program, vault: Path) -> None:
    os.chmod(vault, 0o644)
    done = run("list", env=WITH_KEY)
    assert done.code == 0
    assert "warning" in done.err
    assert "0644" in done.err


def test_a_path_that_steers_the_terminal_is_escaped_in_messages(run: Program) -> None:
    done = run("list", "-f", "a\x1b[31m\u202eb.json", env=WITH_KEY)
    assert done.code == 66
    assert "\x1b" not in done.err
    assert "\u202e" not in done.err
    done = run("remove", "x\x1b[31m", "-f", "absent", env=WITH_KEY)
    assert "\x1b" not in done.err


def test_the_lines_of_a_message_are_one(run: Program, tmp_path: Path) -> None:
    for name in ("absent.json", "."):
        done = run("list", "-f", name, env=WITH_KEY)
        assert done.code in (64, 66, 78)
        assert done.err.count("\n") == 1


def test_a_crash_leaves_no_core_file_but_a_command_may(run: Program, locked: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    mine = 4096 if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_CORE, (mine, hard))
    try:
        with run.terminal("list") as terminal:
            terminal.expect("Passphrase")
            assert resource.prlimit(terminal.process.pid, resource.RLIMIT_CORE) == (0, hard)
        show = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE)[0])"
        env = {"INTERPALS_VAULT_PASSPHRASE": PASSPHRASE}
        done = run("exec", "--", sys.executable, "-c", show, env=env)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    assert done.out == f"{mine}\n"


def test_what_takes_more_than_a_second_shows_a_bar_on_a_terminal(tmp_path: Path) -> None:
    script = """
import time
from interpal.vault.cli import output
with output.progress("Reading", 4) as step:
    for _ in range(3):
        time.sleep(0.6)
        step()
"""
    command = [sys.executable, "-c", script]
    with TerminalRun(command, tmp_path, environment(tmp_path), 80) as terminal:
        assert terminal.end() == 0
        assert "Reading" in terminal.screen
        assert re.search(r"\d/4", terminal.screen)
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout == done.stderr == b""

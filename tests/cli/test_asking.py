"""What is asked at the terminal: once for what is the same, and until there is an answer."""

from __future__ import annotations

import os
import signal
import sys
import termios
import time
from typing import TYPE_CHECKING

import pytest

from interpal.vault.format.key_slots import KdfParameters
from interpal.vault.vault import Vault
from tests.cli import (
    KEY,
    PASSPHRASE,
    WITH_KEY,
    Program,
    TerminalRun,
    assert_no_secret,
    environment,
    make_vault,
    read_vault,
)

if TYPE_CHECKING:
    from pathlib import Path

LOW = ("--profile", "low-memory")
DEFAULT = ".interpals_session.json"


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """A vault at the default path, for PASSPHRASE."""
    path = tmp_path / DEFAULT
    make_vault(path, "maple_ink", passphrase=PASSPHRASE)
    return path


def test_a_passphrase_of_several_vaults_is_asked_for_once(run: Program, tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_vault(tmp_path / f"{name}.json", name, passphrase=PASSPHRASE)
    with run.terminal("verify", "a.json", "b.json") as terminal:
        terminal.answer(f"Passphrase for {tmp_path}/a.json", PASSPHRASE)
        assert terminal.end() == 0
        assert terminal.screen.count("Passphrase for") == 1
        assert terminal.screen.count("1 account\n") == 2
    with run.terminal("import", "a.json", "b.json", "-f", "all.json", env=WITH_KEY) as terminal:
        terminal.answer(f"Passphrase for {tmp_path}/a.json", PASSPHRASE)
        assert terminal.end() == 0
        assert terminal.screen.count("Passphrase for") == 1
        assert_no_secret(terminal.screen)
    assert set(read_vault(tmp_path / "all.json")) == {"a", "b"}


def test_a_bar_makes_room_for_a_question(run: Program, tmp_path: Path) -> None:
    make_vault(tmp_path / "a.json", "a", passphrase=PASSPHRASE)
    make_vault(tmp_path / "b.json", "b", passphrase="another one")
    make_vault(tmp_path / "c.json", "c", passphrase="another one")
    with run.terminal("verify", "a.json", "b.json", "c.json") as terminal:
        terminal.expect("a.json: ")
        time.sleep(1.2)  # the person looks for it, and the bar is due
        terminal.type(f"{PASSPHRASE}\n")
        terminal.expect("b.json: ")
        asked = len(terminal.screen)
        time.sleep(0.5)
        terminal.type("wrong one\n")
        terminal.expect("Wrong passphrase")
        told = terminal.screen.index("Wrong passphrase", asked)
        assert terminal.screen[asked:told].strip() == ""
        terminal.answer("b.json: ", "another one")
        assert terminal.end() == 0
        assert "1/3" in terminal.screen
        assert "\x1b[?25h" in terminal.screen  # the cursor is there again


def test_three_answers_that_are_no_passphrase_are_enough(run: Program, locked: Path) -> None:
    with run.terminal("list") as terminal:
        for _ in range(3):
            terminal.expect("Passphrase for")
            terminal.type(b"\xff\xfe\n")
            terminal.expect("Not valid UTF-8")
        assert terminal.end() == 64
        assert "nothing was changed" in terminal.screen


def test_a_new_passphrase_that_is_never_the_same_twice_makes_nothing(
    run: Program, tmp_path: Path
) -> None:
    with run.terminal("init", "--passphrase", *LOW) as terminal:
        for number in range(3):
            terminal.answer("New passphrase for", f"one {number}")
            terminal.answer("Repeat passphrase", "another one")
        assert terminal.end() == 64
        assert "nothing was changed" in terminal.screen
    assert not (tmp_path / DEFAULT).exists()


def test_an_answer_without_an_end_is_refused(run: Program, locked: Path) -> None:
    with run.terminal("list") as terminal:
        # As some other program has left it: what is typed is read at once, line or not.
        raw = termios.tcgetattr(terminal.slave)
        raw[3] &= ~termios.ICANON
        termios.tcsetattr(terminal.slave, termios.TCSANOW, raw)
        terminal.expect("Passphrase for")
        for _ in range(70):
            terminal.type("x" * 1000)
        assert terminal.end() == 64
        assert "longer than 65536 bytes" in terminal.screen


def test_a_signal_that_is_ignored_stays_ignored_at_the_prompt(
    run: Program, locked: Path, tmp_path: Path
) -> None:
    # What `nohup` does.
    command = ["sh", "-c", f'trap "" HUP; exec {sys.executable} -m interpal.vault list']
    with TerminalRun(command, tmp_path, environment(tmp_path), 80) as terminal:
        terminal.expect("Passphrase for")
        os.kill(terminal.process.pid, signal.SIGHUP)
        terminal.type(f"{PASSPHRASE}\n")
        assert terminal.end() == 0
        assert "maple_ink" in terminal.screen


def test_a_handler_of_the_program_that_runs_it_ends_the_prompt(
    locked: Path, tmp_path: Path
) -> None:
    script = """
import signal, sys
from interpal.vault import cli
signal.signal(signal.SIGTERM, lambda *_: print("handled"))
print("code", cli.run(["list"]))
"""
    command = [sys.executable, "-c", script]
    with TerminalRun(command, tmp_path, environment(tmp_path), 80) as terminal:
        terminal.expect("Passphrase for")
        os.kill(terminal.process.pid, signal.SIGTERM)
        assert terminal.end() == 0
        assert "handled" in terminal.screen
        assert "code 130" in terminal.screen
        assert termios.tcgetattr(terminal.slave)[3] & termios.ECHO


def test_what_is_typed_while_a_passphrase_is_tried_is_not_shown(run: Program, locked: Path) -> None:
    """Argon2id takes its time. What is typed on meanwhile answers the next question."""
    with run.terminal("list") as terminal:
        terminal.expect("Passphrase for")
        terminal.type(f"wrong one\n{PASSPHRASE}\n")
        assert terminal.end() == 0, terminal.screen
    assert "Wrong passphrase." in terminal.screen
    assert "maple_ink" in terminal.screen
    assert PASSPHRASE not in terminal.screen
    assert "wrong one" not in terminal.screen


def test_a_passphrase_is_no_use_where_only_a_key_opens(run: Program, vault: Path) -> None:
    with run.terminal("list") as terminal:
        assert terminal.end() == 78
        assert "Passphrase for" not in terminal.screen
        assert "there is no key file" in terminal.screen
    with run.terminal("import", vault.name, "-f", "new.json") as terminal:
        assert terminal.end() == 78
        assert "Passphrase for" not in terminal.screen
        assert "--secret-file FILE" in terminal.screen


def test_the_key_file_alone_does_not_open_a_passphrase_and_that_is_said(
    run: Program, locked: Path
) -> None:
    assert run("init", "-f", "other.json").code == 0  # makes the key file of the user
    done = run("list", "--json")
    assert (done.code, done.error["code"]) == (78, "key-required")
    assert "only the key file" in done.error["message"]
    assert "no terminal to ask" in done.error["message"]


def test_an_account_that_went_while_the_person_was_asked_is_not_found(
    run: Program, vault: Path
) -> None:
    with run.terminal("remove", "maple_ink", env=WITH_KEY) as terminal:
        terminal.expect("[y/N]")
        with Vault.open(vault, key=KEY) as opened:
            del opened["maple_ink"]
        terminal.type("y\n")
        assert terminal.end() == 66


@pytest.mark.parametrize("secret", [PASSPHRASE, "another one"])
def test_a_vault_that_came_while_the_person_was_asked_is_left_alone(
    run: Program, tmp_path: Path, secret: str
) -> None:
    with run.terminal("init", "--passphrase", *LOW) as terminal:
        terminal.answer("New passphrase for", PASSPHRASE)
        terminal.expect("Repeat passphrase")
        make_vault(tmp_path / DEFAULT, "maple_ink", passphrase=secret)
        terminal.type(f"{PASSPHRASE}\n")
        assert terminal.end() == 73
        assert "already exists" in terminal.screen
    assert set(read_vault(tmp_path / DEFAULT, passphrase=secret)) == {"maple_ink"}


def test_a_copy_into_a_vault_with_a_passphrase_of_its_own_asks_for_it(
    run: Program, vault: Path, tmp_path: Path
) -> None:
    make_vault(tmp_path / "there.json", "ana", passphrase=PASSPHRASE)
    make_vault(tmp_path / "key.json", "ana", key=bytes(32))
    arguments = ("copy", vault.name, "there.json", "--passphrase")
    with run.terminal(*arguments, env=WITH_KEY) as terminal:
        terminal.answer(f"Passphrase for {tmp_path}/there.json", PASSPHRASE)
        assert terminal.end() == 0
    assert set(read_vault(tmp_path / "there.json", passphrase=PASSPHRASE)) == {
        "ana",
        "maple_ink",
        "pedro_k",
    }
    alone = run(*arguments, env=WITH_KEY)
    assert alone.code == 78
    assert "no terminal to ask" in alone.err
    assert "SESSION_VAULT_NEW_PASSPHRASE_FILE" in alone.err
    for more in ([], ["--passphrase"]):
        with run.terminal("copy", vault.name, "key.json", *more, env=WITH_KEY) as terminal:
            assert terminal.end() == (78 if more else 77)
            assert "Passphrase for" not in terminal.screen
            assert "choose another DEST" in terminal.screen
            assert "NEW_PASSPHRASE" not in terminal.screen


def test_an_import_goes_into_the_vault_that_came_while_the_person_was_asked(
    run: Program, tmp_path: Path
) -> None:
    (tmp_path / "ana.json").write_text('{"session_cookie": "c", "username": "ana"}')
    with run.terminal("import", "ana.json", "--passphrase") as terminal:
        terminal.answer("New passphrase for", PASSPHRASE)
        terminal.expect("Repeat passphrase")
        make_vault(tmp_path / DEFAULT, "maple_ink", passphrase=PASSPHRASE)
        terminal.type(f"{PASSPHRASE}\n")
        assert terminal.end() == 0
    assert set(read_vault(tmp_path / DEFAULT, passphrase=PASSPHRASE)) == {"ana", "maple_ink"}


def test_a_source_that_changed_while_the_person_was_asked_is_kept(
    run: Program, tmp_path: Path
) -> None:
    source = tmp_path / "ana.json"
    source.write_text('{"session_cookie": "c", "username": "ana"}')
    arguments = ("import", "ana.json", "--passphrase", "--remove-source")
    with run.terminal(*arguments, columns=300) as terminal:
        terminal.answer("New passphrase for", PASSPHRASE)
        terminal.expect("Repeat passphrase")
        source.write_text('{"session_cookie": "later", "username": "ana"}')
        terminal.type(f"{PASSPHRASE}\n")
        assert terminal.end() == 0
        assert "it has changed since it was read, and was kept" in terminal.screen
    assert "later" in source.read_text()


def test_enter_drops_the_slot_that_the_person_cannot_open(run: Program, vault: Path) -> None:
    with Vault.open(vault, key=KEY) as opened:
        opened.add_slot(passphrase="x", kid="laptop", kdf=KdfParameters.INSECURE_FOR_TESTS)
    with run.terminal("rotate", env=WITH_KEY) as terminal:
        terminal.answer("Passphrase of slot laptop", "")
        terminal.answer("Drop the slot laptop", "y")
        assert terminal.end() == 0
        assert "Dropped: laptop." in terminal.screen

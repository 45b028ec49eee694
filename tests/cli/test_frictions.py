"""What people stumbled over: other names of verbs, wrong answers, much output, interruptions."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from interpal.vault import KdfParameters, Vault
from tests.cli import (
    EXPIRED,
    KEY,
    PASSPHRASE,
    PROGRAM,
    WHOLE_PROGRAM,
    WITH_KEY,
    Program,
    environment,
    make_vault,
    record,
)

if TYPE_CHECKING:
    from pathlib import Path

CHEAP = KdfParameters.INSECURE_FOR_TESTS


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("rm", "remove"), ("delete", "remove"), ("ls", "list"), ("show", "inspect")],
)
def test_another_name_of_a_verb_gets_a_reply(run: Program, typed: str, meant: str) -> None:
    done = run(typed, "maple_ink")
    assert done.code == 64
    assert f"No such command '{typed}'. Did you mean '{meant}'?" in done.err


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("list team.json", "`-f team.json` (the vault)"),
        ("doctor 'my team.json'", "`-f 'my team.json'` (the vault)"),
        ("remove maple_ink team.json", "`-f team.json` (the vault)"),
        ("request GET /v1/account/self team.json", "`-f team.json` (the vault)"),
        ("slot list team.json", "`-f team.json` (the vault)"),
        ("slot add laptop", "`--kid laptop` (the slot)"),
        ("passwd laptop", "`--slot laptop` (the slot)"),
        ("keygen team.key", "`-o team.key` (the file to write)"),
        ("export b.json", "`-f b.json` (the vault), `-o b.json` (the file to write) or `--user"),
        ("login maple_ink", "`--user maple_ink` (the account)"),
        ("check maple_ink", "`--user maple_ink` (the account)"),
    ],
)
def test_an_argument_too_many_is_answered_with_the_option_that_takes_it(
    tmp_path: Path, line: str, meant: str
) -> None:
    done = Program(tmp_path, WHOLE_PROGRAM)(*shlex.split(line))
    assert done.code == 64
    assert meant in done.err


def test_an_argument_too_many_that_no_option_takes_is_named(run: Program) -> None:
    assert "'c.json'" in run("copy", "a.json", "b.json", "c.json").err


def test_f_before_the_verb_is_answered_with_its_place(run: Program) -> None:
    for line in (("-f", "team.json", "list"), ("--file=team.json", "list")):
        done = run(*line)
        assert done.code == 64
        assert "`interpal-vault VERB -f FILE`" in done.err
    assert "`interpal-vault slot VERB -f FILE`" in run("slot", "-f", "team.json", "list").err


def test_a_list_that_chooses_none_of_the_accounts_does_not_say_that_there_are_none(
    run: Program, vault: Path
) -> None:
    done = run("list", "--match", "x*", env=WITH_KEY)
    assert (done.code, done.out, done.err) == (0, "", "No account matches, of 2 in the vault.\n")
    assert "No accounts yet" not in run("list", "--state", "expired", env=WITH_KEY).err


def test_a_rotation_that_nobody_can_be_asked_for_names_its_options(
    run: Program, vault: Path
) -> None:
    env = {**WITH_KEY, "INTERPALS_VAULT_NEW_PASSPHRASE": PASSPHRASE}
    assert run("slot", "add", "--kid", "laptop", env=env).code == 0
    done = run("rotate", env=WITH_KEY)
    assert done.code == 78
    assert "--secret-file laptop=FILE" in done.err
    assert "--drop-slots" in done.err


def test_a_group_of_verbs_replies_as_the_program_does(run: Program) -> None:
    assert "Did you mean 'remove'?" in run("slot", "rm", "laptop").err
    assert "Did you mean 'init'?" not in run("slot", "new").err
    assert run("slot", "help", "add").out == run("slot", "add", "--help").out


def test_help_is_help(run: Program) -> None:
    assert run("help").out == run("--help").out
    assert run("help", "rotate").out == run("rotate", "--help").out
    assert run("help", "nonsense").out == run("--help").out


def test_the_hint_of_a_missing_vault_names_it(run: Program, tmp_path: Path) -> None:
    assert "`interpal-vault init`" in run("list").err
    for name in ("team.json", "sqlite:team.db", str(tmp_path / "team.json")):
        assert f"`interpal-vault init -f {name}`" in run("list", "-f", name).err


def test_the_commands_of_a_message_are_for_the_vault_that_was_named(
    run: Program, tmp_path: Path, vault: Path
) -> None:
    make_vault(tmp_path / "my team.json", "cedar", passphrase=PASSPHRASE)
    env = {
        "INTERPALS_VAULT_PASSPHRASE": PASSPHRASE,
        "INTERPALS_VAULT_NEW_PASSPHRASE": "correct horse battery",
    }
    named = ("-f", "my team.json")
    assert "`interpal-vault list -f 'my team.json'`" in run("remove", "x", *named, env=env).err
    assert "`interpal-vault rotate -f 'my team.json'`" in run("passwd", *named, env=env).err
    assert "`interpal-vault list`" in run("remove", "x", env=WITH_KEY).err
    assert "`interpal-vault slot add`" in run("passwd", env=WITH_KEY).err


def test_fish_gets_whole_descriptions(run: Program) -> None:
    env = {
        "_INTERPAL_VAULT_COMPLETE": "fish_complete",
        "COMP_WORDS": "interpal-vault ",
        "COMP_CWORD": "",
    }
    lines = run(env=env).out.splitlines()
    assert len(lines) > 10
    # "type,value<tab>description": what follows a second comma would be lost.
    assert all(line.count(",") == 1 for line in lines)
    assert any(";" in line for line in lines)


def test_a_pipe_that_is_closed_ends_it_as_it_ends_others(run: Program, tmp_path: Path) -> None:
    make_vault(tmp_path / "v.json", *(f"account{number:04}" for number in range(3000)))
    line = '"$@" | head -1; exit ${PIPESTATUS[0]}'
    done = subprocess.run(
        ["bash", "-c", line, "bash", *PROGRAM, "list", "-f", "v.json"],
        cwd=tmp_path,
        env=environment(tmp_path, WITH_KEY),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 141
    assert done.stderr == ""
    assert done.stdout.startswith("Account")


@pytest.fixture
def many(tmp_path: Path) -> Path:
    path = tmp_path / "many.json"
    with Vault.open(path, key=KEY, create=True) as vault, vault.transaction() as records:
        for number in range(30):
            ends = EXPIRED if number % 3 == 0 else f"2999-01-{number + 1:02}T00:00:00Z"
            records[f"bot-{number:02}"] = record(f"bot-{number:02}", expires=ends)
        records["cedar"] = record("cedar")
    return path


def names(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines()[1:]]


def test_many_accounts_are_counted_filtered_and_sorted(run: Program, many: Path) -> None:
    whole = run("list", "-f", many.name, env=WITH_KEY)
    assert len(names(whole.out)) == 31
    assert whole.err == "31 sessions: 10 expired, 21 not expired\n"
    some = run("list", "-f", many.name, "--match", "BOT-0*", env=WITH_KEY)
    assert names(some.out) == [f"bot-{number:02}" for number in range(10)]
    over = run("list", "-f", many.name, "--expired", env=WITH_KEY)
    assert names(over.out) == [f"bot-{number:02}" for number in range(0, 30, 3)]
    by_end = run("list", "-f", many.name, "--sort", "expires", "--json", env=WITH_KEY).json
    ends = [one["expires_at"] for one in by_end["accounts"]]
    assert ends == sorted(ends)
    assert {one["state"] for one in by_end["accounts"]} == {"expired", "not expired"}


def test_inspect_shows_the_first_accounts_and_how_many_there_are(run: Program, many: Path) -> None:
    out = run("inspect", many.name, env=WITH_KEY).out
    assert "bot-19" in out
    assert "bot-20" not in out
    assert "and 11 more; `interpal-vault list -f many.json` shows all" in out
    assert "31 sessions: 10 expired, 21 not expired" in out


def test_a_narrow_terminal_folds_no_time(run: Program, many: Path) -> None:
    with run.terminal("list", "-f", many.name, "--match", "cedar", env=WITH_KEY, columns=60) as one:
        assert one.end() == 0
    row = next(line for line in one.screen.splitlines() if "cedar" in line)
    assert " d" in row
    assert "not expired" in row


def test_a_wrong_passphrase_of_another_slot_is_asked_for_again(
    run: Program, tmp_path: Path
) -> None:
    path = tmp_path / "v.json"
    with Vault.open(path, key=KEY, create=True) as vault:
        vault.add_slot(passphrase=PASSPHRASE, kid="laptop", kdf=CHEAP)
    with run.terminal("rotate", "-f", "v.json", env=WITH_KEY) as terminal:
        terminal.answer("Passphrase of slot laptop", "wrong")
        terminal.expect("Wrong passphrase.")
        terminal.answer("Passphrase of slot laptop", PASSPHRASE)
        assert terminal.end() == 0, terminal.screen
    with Vault.open(path, passphrase=PASSPHRASE) as vault:
        assert [slot.kid for slot in vault.slots] == ["slot-1", "laptop"]
    before = path.read_bytes()
    with run.terminal("rotate", "-f", "v.json", env=WITH_KEY) as terminal:
        for _ in range(3):
            terminal.answer("Passphrase of slot laptop", "wrong")
        assert terminal.end() == 77
    assert "none of the 3 passphrases opens slot laptop" in terminal.screen
    assert path.read_bytes() == before


def test_a_key_slot_that_would_be_dropped_names_the_option_that_keeps_it(
    run: Program, tmp_path: Path
) -> None:
    with Vault.open(tmp_path / "v.json", key=KEY, create=True) as vault:
        vault.add_slot(key=bytes(32), kid="server")
    with run.terminal("rotate", "-f", "v.json", env=WITH_KEY) as terminal:
        terminal.expect("(--secret-file server=FILE keeps it.)")
        terminal.type("n\n")
        assert terminal.end() == 1


def test_a_name_that_is_taken_is_refused_before_a_question(run: Program, tmp_path: Path) -> None:
    make_vault(tmp_path / "v.json", "maple_ink")
    with run.terminal("slot", "add", "--kid", "slot-1", "-f", "v.json", env=WITH_KEY) as terminal:
        assert terminal.end() == 64
    assert "has a slot slot-1 already" in terminal.screen
    assert "New passphrase" not in terminal.screen


def test_a_short_passphrase_is_said_to_be_one(run: Program) -> None:
    with run.terminal("init", "--passphrase") as terminal:
        terminal.answer("New passphrase for", "x")
        terminal.expect("That is short")
        terminal.answer("Repeat passphrase", "x")
        assert terminal.end() == 0


def test_a_plain_file_that_stays_is_named(run: Program, tmp_path: Path) -> None:
    import json

    plain = tmp_path / "old_session.json"
    plain.write_text(json.dumps(record("maple_ink")))
    plain.chmod(0o644)
    done = run("import", plain.name, env=WITH_KEY)
    assert done.code == 0
    said = f"{plain} (mode 0644): still there, in plain text; remove it (--remove-source does)"
    assert said in done.err
    assert "still there" not in run("import", plain.name, "--replace", "--remove-source").err


def test_what_is_fixed_comes_without_a_command(run: Program, tmp_path: Path) -> None:
    make_vault(tmp_path / "v.json", "maple_ink")
    (tmp_path / "v.json").chmod(0o644)
    done = run("doctor", "--fix", "-f", "v.json")
    assert "fixed: " in done.out
    assert "chmod" not in done.out


def test_one_that_was_there_already_was(run: Program, tmp_path: Path) -> None:
    make_vault(tmp_path / "v.json", "maple_ink")
    assert run("copy", "v.json", "w.json", env=WITH_KEY).code == 0
    assert "1 was there already" in run("copy", "v.json", "w.json", env=WITH_KEY).err


def test_an_interrupted_copy_says_that_it_goes_on(run: Program, tmp_path: Path) -> None:
    code = """
import sys
from interpal.vault import cli, copying
def stop(source, target, store, *, step, **more):
    step.reach(6)
    raise KeyboardInterrupt
copying.copy = stop
sys.exit(cli.run(["copy", "v.json", "w.json"]))
"""
    import sys

    make_vault(tmp_path / "v.json", *(f"bot-{number}" for number in range(9)))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(tmp_path, WITH_KEY),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130
    assert "interrupted after 6 of 9 sessions; the same command goes on from there" in done.stderr


def test_errors_are_coloured_on_a_terminal_alone(run: Program) -> None:
    with run.terminal("list", "-f", "none.json") as terminal:
        assert terminal.end() == 66
    assert "\x1b[31m" in terminal.screen
    assert "\x1b[" not in run("list", "-f", "none.json").err
    with run.terminal("list", "-f", "none.json", env={"NO_COLOR": "1"}) as terminal:
        assert terminal.end() == 66
    assert "\x1b[31m" not in terminal.screen

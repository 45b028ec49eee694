from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from interpal.vault import cli
from interpal.vault.vault import Vault
from tests.cli import (
    EXPIRED,
    KEY,
    OTHER_KEY_TEXT,
    PASSPHRASE,
    WITH_KEY,
    Program,
    assert_no_secret,
    read_vault,
    record,
)

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT = ".interpals_session.json"


def mode_of(path: Path) -> int:
    return os.stat(path).st_mode & 0o777


def test_alone_it_prints_a_help_that_leads_a_new_user(run: Program) -> None:
    done = run()
    assert done.code == 0
    assert done.err == ""
    for verb in ("init", "inspect", "rotate", "export -o", "import backup", "passwd", "doctor"):
        assert verb in done.out


VERBS = (
    "benchmark copy doctor exec export import init inspect keygen list passwd prune remove rotate "
    "verify"
)


@pytest.mark.parametrize("verb", [*VERBS.split(), "slot", "slot add", "slot list", "slot remove"])
def test_every_verb_has_a_help_with_an_example(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([*verb.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert f"interpal-vault {verb.split()[0]}" in out.split("Example")[1]
    assert max(map(len, out.splitlines())) <= 80
    # The vault is anybody's; a line for a CI is for the client of Interpals.
    assert verb == "export" or "INTERPALS_VAULT_" not in out


def test_the_help_names_every_verb(run: Program) -> None:
    out = run("--help").out
    commands = out.split("Commands:")[1]
    for verb in VERBS.split():
        assert f"  {verb} " in commands
    assert "..." not in commands
    assert max(map(len, out.splitlines())) <= 80


def test_completion_is_that_of_click(run: Program) -> None:
    done = run(env={"_INTERPAL_VAULT_COMPLETE": "bash_source"})
    assert done.code == 0
    assert "complete" in done.out
    env = {
        "_INTERPAL_VAULT_COMPLETE": "bash_complete",
        "COMP_WORDS": "interpal-vault ins",
        "COMP_CWORD": "1",
    }
    assert "inspect" in run(env=env).out


def test_the_installed_name_is_the_same_program(run: Program) -> None:
    import subprocess
    import sys

    script = os.path.join(os.path.dirname(sys.executable), "interpal-vault")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout == run("--version").out


def test_init_makes_a_vault_for_the_key_file_of_the_user(run: Program, tmp_path: Path) -> None:
    done = run("init")
    assert done.code == 0
    assert done.out == ""
    key_file = tmp_path / "home/.config/interpal/vault.key"
    assert str(key_file) in done.err
    assert mode_of(key_file) == mode_of(tmp_path / DEFAULT) == 0o600
    assert run("list").code == 0
    assert key_file.read_text().strip() not in done.err


def test_init_never_overwrites(run: Program, vault: Path) -> None:
    before = vault.read_bytes()
    done = run("init", "--json", env=WITH_KEY)
    assert done.code == 73
    assert done.error["code"] == "exists"
    assert vault.read_bytes() == before


def test_init_takes_a_source_and_a_profile(run: Program, tmp_path: Path) -> None:
    env = {"INTERPALS_VAULT_PASSPHRASE": PASSPHRASE}
    done = run("init", "--profile", "low-memory", "--json", env=env)
    assert done.code == 0
    assert done.json["key_source"] == "INTERPALS_VAULT_PASSPHRASE"
    slot = run("slot", "list", "--json").json["slots"][0]
    assert slot["kdf"]["memory_kib"] == 19456
    assert run("init", "-f", "b.json", "--profile", "strong", env=WITH_KEY).code == 64
    assert not (tmp_path / "b.json").exists()


def test_init_asks_for_a_new_passphrase_twice(run: Program, tmp_path: Path) -> None:
    with run.terminal("init", "--passphrase", "--profile", "low-memory") as terminal:
        terminal.answer(f"New passphrase for {tmp_path / DEFAULT}: ", PASSPHRASE)
        terminal.answer("Repeat passphrase: ", "another one")
        terminal.expect("do not match")
        terminal.answer("New passphrase", "")
        terminal.expect("empty")
        terminal.answer("New passphrase", PASSPHRASE)
        terminal.answer("Repeat passphrase: ", PASSPHRASE)
        assert terminal.end() == 0
        assert_no_secret(terminal.screen)
    assert read_vault(tmp_path / DEFAULT, passphrase=PASSPHRASE) == {}


def test_init_without_a_terminal_names_what_would_do(run: Program, tmp_path: Path) -> None:
    done = run("init", "--passphrase", "--json")
    assert done.code == 78
    assert done.error["code"] == "key-required"
    assert "SESSION_VAULT_NEW_PASSPHRASE" in done.error["message"]
    assert not (tmp_path / DEFAULT).exists()


def test_init_in_a_folder_that_cannot_be_made_is_an_error_with_a_path(
    run: Program, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    done = run("init", "-f", "file/v.json", "--json", env=WITH_KEY)
    assert done.code == 74
    assert done.error["path"].startswith(str(tmp_path))


def test_keygen_prints_a_key_that_opens_a_vault(run: Program) -> None:
    done = run("keygen")
    assert done.code == 0
    assert run("init", env={"INTERPALS_VAULT_KEY": done.out.strip()}).code == 0
    assert run("verify", env={"INTERPALS_VAULT_KEY": done.out.strip()}).code == 0
    assert run("keygen").out != done.out
    assert len(run("keygen", "--json").json["key"]) == 43


def test_keygen_writes_a_private_file_and_overwrites_none(run: Program, tmp_path: Path) -> None:
    done = run("keygen", "-o", "my.key")
    assert done.code == 0
    assert done.out == ""
    assert mode_of(tmp_path / "my.key") == 0o600
    text = (tmp_path / "my.key").read_text()
    assert text.strip() not in done.err
    assert run("keygen", "-o", "my.key").code == 73
    assert (tmp_path / "my.key").read_text() == text
    env = {"INTERPALS_VAULT_KEY_FILE": str(tmp_path / "my.key")}
    assert run("init", env=env).code == 0


def test_keygen_puts_no_key_into_a_file_that_others_may_read(run: Program, tmp_path: Path) -> None:
    with open(tmp_path / "team.key", "wb") as file:
        os.fchmod(file.fileno(), 0o644)
        for more in ((), ("--json",)):
            assert run("keygen", *more, stdout=file).code == 78
        assert (tmp_path / "team.key").read_bytes() == b""
        os.fchmod(file.fileno(), 0o600)
        assert run("keygen", stdout=file).code == 0
    assert len((tmp_path / "team.key").read_text().strip()) == 43


def test_list_shows_the_accounts(run: Program, vault: Path) -> None:
    done = run("list", env=WITH_KEY)
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == [
        "Account",
        "maple_ink",
        "pedro_k",
    ]
    value = run("list", "--json", env=WITH_KEY).json
    assert value["path"] == str(vault)
    assert [account["name"] for account in value["accounts"]] == ["maple_ink", "pedro_k"]
    with run.terminal("list", env=WITH_KEY) as terminal:
        assert terminal.end() == 0
        assert "pedro_k" in terminal.screen


def test_remove_forgets_one(run: Program, vault: Path) -> None:
    done = run("remove", "Maple_Ink", env=WITH_KEY)
    assert done.code == 0
    assert set(read_vault(vault)) == {"pedro_k"}
    again = run("remove", "maple_ink", "--json", env=WITH_KEY)
    assert again.code == 66
    assert again.error["code"] == "no-such-account"
    assert again.error["path"] == str(vault)


def test_remove_asks_on_a_terminal(run: Program, vault: Path) -> None:
    before = vault.read_bytes()
    for answer in ("n", "", "\x04"):
        with run.terminal("remove", "maple_ink", env=WITH_KEY) as terminal:
            terminal.answer("[y/N]", answer)
            assert terminal.end() == 1
            assert vault.read_bytes() == before
    with run.terminal("remove", "maple_ink", env=WITH_KEY) as terminal:
        terminal.answer("[y/N]", "y")
        assert terminal.end() == 0
    with run.terminal("remove", "pedro_k", "--yes", env=WITH_KEY) as terminal:
        assert terminal.end() == 0
    assert read_vault(vault) == {}


def test_prune_drops_what_has_expired_and_nothing_else(run: Program, vault: Path) -> None:
    with Vault.open(vault, key=KEY) as opened, opened.transaction() as records:
        records["gone"] = record("gone", expires=EXPIRED)
        records["free"] = {"token": "x"}
    done = run("prune", env=WITH_KEY)
    assert done.code == 0
    assert done.out == "gone\n"
    assert set(read_vault(vault)) == {"maple_ink", "pedro_k", "free"}
    before = vault.read_bytes()
    assert run("prune", "--json", env=WITH_KEY).json["removed"] == []
    assert vault.read_bytes() == before


def test_verify_tells_of_each_file(run: Program, vault: Path, tmp_path: Path) -> None:
    done = run("verify", env=WITH_KEY)
    assert done.code == 0
    assert "2 accounts" in done.out
    (tmp_path / "cut.json").write_bytes(vault.read_bytes()[:-40])
    done = run("verify", DEFAULT, "cut.json", "absent.json", "--json", env=WITH_KEY)
    assert done.code == 65
    verdicts = done.json["vaults"]
    assert [verdict["ok"] for verdict in verdicts] == [True, False, False]
    assert [verdict["error"]["code"] for verdict in verdicts[1:]] == ["format", "not-found"]
    assert run("verify", env={"INTERPALS_VAULT_KEY": OTHER_KEY_TEXT}).code == 77
    assert run("verify", "absent.json", env=WITH_KEY).code == 66
    assert (tmp_path / "cut.json").exists()
    with run.terminal("verify", env=WITH_KEY) as terminal:
        assert terminal.end() == 0

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from interpal.vault.vault import Vault
from tests.cli import (
    EXPIRED,
    KEY,
    OTHER_KEY_TEXT,
    PASSPHRASE,
    PROGRAM,
    WITH_KEY,
    Program,
    assert_no_secret,
    environment,
    make_vault,
    record,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_key_it_shows_what_needs_none_and_says_so(run: Program, vault: Path) -> None:
    done = run("inspect")
    assert done.code == 0
    assert "unauthenticated" in done.out
    assert str(vault) in done.out
    assert re.search(r"Generation +2", done.out)
    assert "slot-1" in done.out
    assert "0600" in done.out
    assert "maple_ink" not in done.out
    assert_no_secret(done.out, done.err)


def test_with_a_key_it_shows_the_accounts_and_no_secret(run: Program, vault: Path) -> None:
    done = run("inspect", str(vault), env=WITH_KEY)
    assert done.code == 0
    assert "authenticated with the key from INTERPALS_VAULT_KEY" in done.out
    assert "maple_ink" in done.out
    assert "pedro_k" in done.out
    assert "not expired" in done.out
    assert done.err == ""
    assert_no_secret(done.out)


def test_with_a_wrong_key_it_shows_what_needs_none_and_exits_77(run: Program, vault: Path) -> None:
    before = vault.read_bytes()
    done = run("inspect", env={"INTERPALS_VAULT_KEY": OTHER_KEY_TEXT})
    assert done.code == 77
    assert "unauthenticated" in done.out
    assert "slot-1" in done.out
    assert "maple_ink" not in done.out
    assert done.err.count("\n") == 1
    assert vault.read_bytes() == before


def test_json_is_complete_with_a_key(run: Program, vault: Path) -> None:
    value = run("inspect", "--json", "-f", vault.name, env=WITH_KEY).json
    assert value["path"] == str(vault)
    assert value["authenticated"] is True
    assert value["format"] == "interpal-vault"
    assert value["version"] == 1
    assert value["generation"] == 2
    assert value["mode"] == "0600"
    assert value["owner"]["uid"] == os.geteuid()
    assert value["slots"][0]["kind"] == "key"
    assert value["key_source"] == "INTERPALS_VAULT_KEY"
    account = value["accounts"][0]
    assert account["name"] == "maple_ink"
    assert account["created_at"] == "2026-11-22T07:40:00Z"
    assert account["expires_at"] == "2999-01-01T00:00:00Z"
    assert account["seconds_left"] > 0
    assert account["state"] == "not expired"


def test_json_without_a_key_and_with_a_wrong_one(run: Program, vault: Path) -> None:
    without = run("inspect", "--json")
    assert without.code == 0
    assert without.json["authenticated"] is False
    assert without.json["accounts"] is None
    wrong = run("inspect", "--json", env={"INTERPALS_VAULT_KEY": OTHER_KEY_TEXT})
    assert wrong.code == 77
    assert wrong.json["authenticated"] is False
    assert wrong.error["code"] == "wrong-key"
    assert wrong.error["path"] == str(vault)


def test_argon2id_settings_are_shown(run: Program, tmp_path: Path) -> None:
    make_vault(tmp_path / "v.json", passphrase=PASSPHRASE)
    done = run("inspect", "v.json")
    assert "8 KiB, 1 pass, 1 lane (weak)" in done.out
    kdf = run("inspect", "v.json", "--json").json["slots"][0]["kdf"]
    assert kdf == {"name": "argon2id", "memory_kib": 8, "passes": 1, "lanes": 1}


def test_states_are_told_in_words(run: Program, vault: Path) -> None:
    with Vault.open(vault, key=KEY) as opened, opened.transaction() as records:
        records["gone"] = record("gone", expires=EXPIRED)
        records["free"] = {"token": "x"}
        records["odd"] = {"expires_at": "rubbish", "created_at": [1], "username": 7}
    done = run("inspect", "--json", env=WITH_KEY)
    states = {account["name"]: account["state"] for account in done.json["accounts"]}
    assert states["gone"] == "expired"
    assert states["free"] == "no expiry"
    assert states["odd"] == "expired", "as a client counts it"
    text = run("inspect", env=WITH_KEY).out
    assert "expired" in text
    assert "no expiry" in text


def test_control_characters_and_bidi_marks_in_names_are_escaped(run: Program, vault: Path) -> None:
    with Vault.open(vault, key=KEY) as opened, opened.transaction() as records:
        records["a\u202eb\u200fc"] = {"username": "x\x1b[31my\u2066"}
    for arguments in (("inspect",), ("list",), ("inspect", "--json"), ("list", "--json")):
        done = run(*arguments, env=WITH_KEY)
        assert done.code == 0
        assert not set(done.out) & set("\x1b\u202e\u200f\u2066")
    assert "a\\u202eb\\u200fc (x\\x1b[31my\\u2066)" in run("list", env=WITH_KEY).out


def test_it_fits_80_columns_in_a_pipe_and_on_a_terminal(run: Program, vault: Path) -> None:
    with Vault.open(vault, key=KEY) as opened:
        opened["a_name_of_20_letters"] = record("a_name_of_20_letters", created="2026-01-01")
    done = run("inspect", vault.name, env=WITH_KEY)
    accounts = done.out.split("\n\n", 1)[1]
    assert max(map(len, accounts.splitlines())) <= 80
    with run.terminal("inspect", vault.name, env=WITH_KEY) as terminal:
        assert terminal.end() == 0
        plain = re.sub(r"\x1b\[[0-9;]*m", "", terminal.screen)
        # The path alone may be longer: it is not folded, so that it can be copied.
        assert max(map(len, plain.splitlines()[1:])) <= 80
        assert "a_name_of_20_letters" in plain


def test_a_terminal_gets_colours_unless_no_color_and_a_pipe_none(run: Program, vault: Path) -> None:
    with run.terminal("inspect", vault.name, env=WITH_KEY) as terminal:
        assert terminal.end() == 0
        assert "\x1b[32m" in terminal.screen
        assert "\u2500" in terminal.screen
    with run.terminal("inspect", vault.name, env={**WITH_KEY, "NO_COLOR": "1"}) as terminal:
        assert terminal.end() == 0
        assert "\x1b[32m" not in terminal.screen
        assert "\x1b[3" not in terminal.screen
    done = run("inspect", env={**WITH_KEY, "FORCE_COLOR": "1"})
    assert "\x1b" not in done.out
    assert done.out.isascii()


def test_no_key_asks_for_none(run: Program, tmp_path: Path) -> None:
    make_vault(tmp_path / "v.json", passphrase=PASSPHRASE)
    with run.terminal("inspect", "--no-key", "v.json") as terminal:
        assert terminal.end() == 0
        assert "Passphrase" not in terminal.screen


def test_on_a_terminal_the_passphrase_is_asked_for_and_enter_does_without(
    run: Program, tmp_path: Path
) -> None:
    make_vault(tmp_path / "v.json", "maple_ink", passphrase=PASSPHRASE)
    with run.terminal("inspect", "v.json") as terminal:
        terminal.answer(f"Passphrase for {tmp_path}/v.json", PASSPHRASE)
        assert terminal.end() == 0
        assert "maple_ink" in terminal.screen
        assert PASSPHRASE not in terminal.screen
    with run.terminal("inspect", "v.json") as terminal:
        terminal.answer("Passphrase for", "")
        assert terminal.end() == 0
        assert "unauthenticated" in terminal.screen


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a second user")
def test_a_vault_of_another_user_is_shown_and_everything_else_refused(
    run: Program, vault: Path
) -> None:
    os.chmod(vault, 0o644)
    os.chown(vault, 1001, 1001)
    before = os.stat(vault)
    done = run("inspect", env=WITH_KEY)
    assert done.code == 0
    assert "unauthenticated" in done.out
    assert "another user" in done.out
    for arguments in (["list"], ["verify"], ["remove", "maple_ink"], ["prune"], ["rotate"]):
        refused = run(*arguments, "--json", env=WITH_KEY)
        assert refused.code == 78
        if arguments != ["verify"]:
            assert refused.error["code"] == "permission"
    after = os.stat(vault)
    assert (after.st_mode, after.st_uid, after.st_mtime) == (
        before.st_mode,
        before.st_uid,
        before.st_mtime,
    )


def test_files_that_are_no_vault_have_their_exit_codes(run: Program, tmp_path: Path) -> None:
    assert run("inspect", "absent.json").code == 66
    (tmp_path / "package.json").write_text('{"name": "x"}')
    done = run("inspect", "package.json", "--json")
    assert done.code == 65
    assert done.error["code"] == "format"
    (tmp_path / "old.json").write_text('{"session_cookie": "abc"}')
    done = run("inspect", "old.json")
    assert done.code == 65
    assert "interpal-vault import" in done.err
    (tmp_path / "empty.json").write_text("")
    assert run("inspect", "empty.json").code == 65
    os.mkfifo(tmp_path / "fifo")
    assert run("inspect", "fifo").code == 78
    os.symlink("package.json", tmp_path / "link")
    assert run("inspect", "link").code == 78


def test_damage_behind_the_key_exits_65(run: Program, vault: Path) -> None:
    members = json.loads(vault.read_bytes())
    text = members["ciphertext"]
    members["ciphertext"] = ("B" if text[0] == "A" else "A") + text[1:]
    vault.write_text(json.dumps(members))
    done = run("inspect", "--json", env=WITH_KEY)
    assert done.code == 65
    assert done.error["code"] == "corrupt"
    assert done.json["authenticated"] is False
    assert run("verify", env=WITH_KEY).code == 65
    assert run("list", env=WITH_KEY).code == 65


def test_another_version_exits_76(run: Program, tmp_path: Path) -> None:
    vectors = os.path.join(os.path.dirname(__file__), "..", "vectors")
    with open(os.path.join(vectors, "version-2.json"), encoding="utf-8") as file:
        (tmp_path / "v.json").write_text(json.load(file)["file"])
    done = run("inspect", "v.json", "--json", env=WITH_KEY)
    assert done.code == 76
    assert done.error["code"] == "version"


def test_two_files_are_a_usage_error(run: Program, vault: Path) -> None:
    shutil.copy(vault, vault.with_name("b.json"))
    assert run("inspect", "b.json", "-f", vault.name).code == 64
    assert run("inspect", "b.json", "-f", "b.json", env=WITH_KEY).code == 0


def test_a_reader_that_has_had_enough_is_no_error_message(run: Program, vault: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        [*PROGRAM, "inspect"],
        cwd=run.folder,
        env=environment(run.folder, WITH_KEY),
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
        start_new_session=True,
        check=False,
    )
    os.close(writer)
    assert process.returncode == 141
    assert process.stderr == b""


def test_a_full_disk_behind_stdout_is_told(run: Program, vault: Path) -> None:
    with open("/dev/full", "wb") as full:
        process = subprocess.run(
            [*PROGRAM, "list"],
            cwd=run.folder,
            env=environment(run.folder, WITH_KEY),
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            start_new_session=True,
            check=False,
        )
    assert process.returncode == 74
    assert b"No space left" in process.stderr
    assert process.stderr.count(b"\n") == 1

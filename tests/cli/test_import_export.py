from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from interpal.vault.vault import Vault
from tests.cli import (
    COOKIE,
    EXPIRED,
    KEY,
    PASSPHRASE,
    PROGRAM,
    TOKEN,
    WITH_KEY,
    Program,
    assert_no_secret,
    environment,
    make_vault,
    read_vault,
    record,
)

if TYPE_CHECKING:
    from pathlib import Path

NEW = "canary copy passphrase"
WITH_NEW = {**WITH_KEY, "INTERPALS_VAULT_NEW_PASSPHRASE": NEW}
LOW = ("--profile", "low-memory")


def write_plain(path: Path, username: str, created: str = "2026-11-22T08:40:00") -> None:
    """A session file as interpal 1.2 writes it."""
    path.write_text(
        json.dumps(
            {
                "session_cookie": COOKIE,
                "auth_token": TOKEN,
                "username": username,
                "created_at": created,
                "expires_at": "2999-01-01T00:00:00",
            }
        )
    )


def mode_of(path: Path) -> int:
    return os.stat(path).st_mode & 0o777


# import


def test_plain_files_are_encrypted_into_a_new_vault(run: Program, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_plain(tmp_path / f"{name}_session.json", name)
    done = run("import", "a_session.json", "b_session.json", "--json", env=WITH_KEY)
    assert done.code == 0
    assert done.json["imported"] == ["a", "b"]
    assert done.json["removed_files"] == []
    assert_no_secret(done.out, done.err)
    records = read_vault(tmp_path / ".interpals_session.json")
    assert records["a"]["session_cookie"] == COOKIE
    assert (tmp_path / "a_session.json").exists()


def test_the_source_goes_only_when_it_is_asked_to(run: Program, vault: Path) -> None:
    source = vault.with_name("a_session.json")
    write_plain(source, "ana")
    done = run("import", "a_session.json", "--remove-source", env=WITH_KEY)
    assert done.code == 0
    assert "Log in again" in done.err
    assert not source.exists()
    assert set(read_vault(vault)) == {"ana", "maple_ink", "pedro_k"}


def test_a_plain_file_at_the_path_of_the_vault_is_encrypted_in_place(
    run: Program, tmp_path: Path
) -> None:
    path = tmp_path / ".interpals_session.json"
    write_plain(path, "ana")
    assert run("import", path.name, env=WITH_KEY).code == 0
    assert set(read_vault(path)) == {"ana"}
    assert COOKIE.encode() not in path.read_bytes()
    assert mode_of(path) == 0o600


def test_a_session_that_is_there_stays_unless_it_is_to_be_replaced(
    run: Program, vault: Path
) -> None:
    source = vault.with_name("m_session.json")
    write_plain(source, "maple_ink", created="2026-12-01T00:00:00")
    done = run("import", "m_session.json", "--remove-source", env=WITH_KEY)
    assert done.code == 73
    assert "maple_ink" in done.err
    assert source.exists()
    assert read_vault(vault)["maple_ink"]["created_at"] == "2026-11-22T07:40:00Z"
    assert run("import", "m_session.json", "--replace", env=WITH_KEY).code == 0
    assert read_vault(vault)["maple_ink"]["created_at"].startswith("2026-1")


def test_what_is_no_session_is_refused_and_nothing_is_saved(run: Program, vault: Path) -> None:
    before = vault.read_bytes()
    write_plain(vault.with_name("a_session.json"), "ana")
    vault.with_name("other.json").write_text('{"name": "x"}')
    done = run("import", "a_session.json", "other.json", "--json", env=WITH_KEY)
    assert (done.code, done.error["code"]) == (65, "format")
    absent = run("import", "absent.json", "--json", env=WITH_KEY)
    assert (absent.code, absent.error["code"]) == (66, "not-found")
    assert run("import", vault.name, env=WITH_KEY).code == 64
    assert vault.read_bytes() == before


def test_an_account_can_be_named_for_a_file_that_names_none(run: Program, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps({"session_cookie": COOKIE}))
    assert run("import", "s.json", "--user", "Ana", env=WITH_KEY).code == 0
    assert set(read_vault(tmp_path / ".interpals_session.json")) == {"ana"}


def test_import_may_ask_for_the_passphrase_of_a_new_vault(run: Program, tmp_path: Path) -> None:
    write_plain(tmp_path / "a_session.json", "ana")
    with run.terminal("import", "a_session.json", "--passphrase") as terminal:
        terminal.answer("New passphrase", PASSPHRASE)
        terminal.answer("Repeat", PASSPHRASE)
        assert terminal.end() == 0
        assert_no_secret(terminal.screen)
    assert set(read_vault(tmp_path / ".interpals_session.json", passphrase=PASSPHRASE)) == {"ana"}


# export


def test_a_backup_is_made_verified_and_restored(run: Program, vault: Path, tmp_path: Path) -> None:
    done = run("export", "-o", "backup.json", *LOW, env=WITH_NEW)
    assert done.code == 0
    backup = tmp_path / "backup.json"
    assert mode_of(backup) == 0o600
    assert read_vault(backup, passphrase=NEW) == read_vault(vault)
    assert run("verify", "backup.json", env={"INTERPALS_VAULT_PASSPHRASE": NEW}).code == 0
    assert run("export", "-o", "backup.json", env=WITH_NEW).code == 73
    expected = read_vault(vault)
    vault.unlink()
    run("init")
    with run.terminal("import", "backup.json") as terminal:
        terminal.answer("Passphrase for", NEW)
        assert terminal.end() == 0
    with run.terminal("list") as terminal:
        assert terminal.end() == 0
        assert "maple_ink" in terminal.screen
    # A copy is a vault like any other: it may as well be moved into place.
    shutil.move(backup, vault)
    assert read_vault(vault, passphrase=NEW) == expected


def test_a_backup_with_a_passphrase_of_its_own_is_restored_without_a_terminal(
    run: Program, vault: Path, tmp_path: Path
) -> None:
    assert run("export", "-o", "backup.json", *LOW, env=WITH_NEW).code == 0
    done = run("import", "backup.json", "-f", "b.json", "--json", env=WITH_KEY)
    assert (done.code, done.error["code"]) == (78, "key-required")
    assert "--secret-file" in done.error["message"]
    (tmp_path / "secret").write_text(NEW + "\n")
    os.chmod(tmp_path / "secret", 0o600)
    done = run("import", "backup.json", "-f", "b.json", "--secret-file", "secret", env=WITH_KEY)
    assert done.code == 0
    assert read_vault(tmp_path / "b.json") == read_vault(vault)
    (tmp_path / "secret").write_text("wrong one")
    done = run("import", "backup.json", "-f", "c.json", "--secret-file", "secret", env=WITH_KEY)
    assert done.code == 77
    with run.terminal("import", "backup.json", "-f", "d.json", env=WITH_KEY) as terminal:
        terminal.answer("Passphrase for", NEW)
        assert terminal.end() == 0


def test_export_to_a_pipe_is_a_vault(run: Program, vault: Path, tmp_path: Path) -> None:
    done = run("export", "--user", "pedro_k", *LOW, env=WITH_NEW)
    assert done.code == 0
    (tmp_path / "copy.json").write_text(done.out)
    assert set(read_vault(tmp_path / "copy.json", passphrase=NEW)) == {"pedro_k"}
    assert run("export", "--user", "absent", env=WITH_NEW).code == 66


def test_export_without_a_secret_for_the_copy_exits_78(run: Program, vault: Path) -> None:
    assert run("export", "-o", "copy.json", env=WITH_KEY).code == 78
    assert not vault.with_name("copy.json").exists()


def test_export_on_a_terminal_asks_twice_and_shows_no_copy(run: Program, vault: Path) -> None:
    with run.terminal("export", "-o", "copy.json", *LOW, env=WITH_KEY) as terminal:
        terminal.answer("New passphrase for", NEW)
        terminal.answer("Repeat", NEW)
        assert terminal.end() == 0
        assert NEW not in terminal.screen
    for arguments in (["export"], ["export", "--plaintext"]):
        with run.terminal(*arguments, env=WITH_NEW) as terminal:
            assert terminal.end() == 64
            assert COOKIE not in terminal.screen


def test_plaintext_is_explicit_private_and_comes_back(
    run: Program, vault: Path, tmp_path: Path
) -> None:
    done = run("export", "--plaintext", "-o", "plain.json", env=WITH_KEY)
    assert done.code == 0
    assert "PLAIN" in done.err
    assert_no_secret(done.out, done.err)
    assert mode_of(tmp_path / "plain.json") == 0o600
    expected = read_vault(vault)
    assert json.loads((tmp_path / "plain.json").read_text()) == {"records": expected}
    assert run("import", "plain.json", "-f", "other.json", env=WITH_KEY).code == 0
    assert read_vault(tmp_path / "other.json") == expected
    one = run("export", "--plaintext", "--user", "pedro_k", env=WITH_KEY)
    assert json.loads(one.out) == expected["pedro_k"]


def test_plaintext_does_not_go_into_a_file_that_others_can_read(
    run: Program, vault: Path, tmp_path: Path
) -> None:
    with open(tmp_path / "out.json", "wb") as file:
        os.fchmod(file.fileno(), 0o644)
        done = run("export", "--plaintext", env=WITH_KEY, stdout=file)
    assert done.code == 78
    assert (tmp_path / "out.json").read_bytes() == b""


# exec

SHOW = 'echo "$INTERPALS_USERNAME $INTERPALS_SESSION_COOKIE $INTERPALS_AUTH_TOKEN"; env'


def test_exec_hands_the_session_to_the_command_and_no_key(run: Program, vault: Path) -> None:
    env = {**WITH_KEY, "INTERPALS_AUTH_TOKEN": "stale", "INTERPALS_BASE_URL": "http://x"}
    done = run("exec", "--user", "maple_ink", "--", "sh", "-c", SHOW, env=env)
    assert done.code == 0
    assert done.out.splitlines()[0] == f"maple_ink {COOKIE} {TOKEN}"
    assert "INTERPALS_VAULT_" not in done.out
    assert "INTERPALS_BASE_URL=http://x" in done.out
    assert done.err == ""


@pytest.mark.parametrize("name", ["interpals-vault-key", "interpals-vault-passphrase", "other"])
def test_exec_hands_on_credentials_only_without_the_key_of_the_vault(
    run: Program, vault: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / name).write_text("x")
    env = {**WITH_KEY, "CREDENTIALS_DIRECTORY": str(folder)}
    if name != "other":
        del env["INTERPALS_VAULT_KEY"]
        (folder / "interpals-vault-passphrase").unlink(missing_ok=True)
        secret = folder / "interpals-vault-key"
        secret.write_text(WITH_KEY["INTERPALS_VAULT_KEY"])
        secret.chmod(0o600)
    shown = f"CREDENTIALS_DIRECTORY={folder}"
    seen = run("exec", "--user", "maple_ink", "--", "env", env=env)
    assert seen.code == 0
    assert (shown in seen.out) is (name == "other")
    kept = run("exec", "--user", "maple_ink", "--keep-credentials", "--", "env", env=env)
    assert shown in kept.out


def test_exec_leaves_no_stale_token(run: Program, tmp_path: Path) -> None:
    make_vault(tmp_path / "v.json")
    with Vault.open(tmp_path / "v.json", key=KEY) as vault:
        vault["ana"] = {**record("ana", expires=EXPIRED), "auth_token": None}
    env = {**WITH_KEY, "INTERPALS_AUTH_TOKEN": "stale"}
    done = run("exec", "-f", "v.json", "--", "env", env=env)
    assert done.code == 0
    assert "INTERPALS_AUTH_TOKEN" not in done.out
    assert "expired" in done.err


@pytest.mark.parametrize("code", [0, 3, 77])
def test_exec_passes_the_exit_code_on(run: Program, vault: Path, code: int) -> None:
    done = run("exec", "--user", "pedro_k", "sh", "-c", f"exit {code}", env=WITH_KEY)
    assert done.code == code


def test_exec_without_a_command_an_account_or_a_choice(run: Program, vault: Path) -> None:
    assert run("exec", "--user", "maple_ink", "--", "/nonexistent", env=WITH_KEY).code == 127
    assert run("exec", "--user", "maple_ink", "--", "/etc/passwd", env=WITH_KEY).code == 126
    assert run("exec", "--user", "nobody", "--", "true", env=WITH_KEY).code == 66
    done = run("exec", "--", "true", env=WITH_KEY)
    assert done.code == 78
    assert "maple_ink, pedro_k" in done.err
    assert run("exec", env=WITH_KEY).code == 64


def test_exec_passes_signals_on_and_restores_them(run: Program, vault: Path) -> None:
    command = [*PROGRAM, "exec", "--user", "pedro_k", "--", "sh", "-c", "echo ready; exec sleep 60"]
    with subprocess.Popen(
        command,
        cwd=run.folder,
        env=environment(run.folder, WITH_KEY),
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            ignored = next(line for line in status if line.startswith("SigIgn"))
        assert not int(ignored.split()[1], 16) & (1 << (signal.SIGPIPE - 1))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == -signal.SIGTERM


def test_exec_gives_the_command_the_terminal(run: Program, vault: Path) -> None:
    arguments = ("exec", "--user", "pedro_k", "--", "sh", "-c", "test -t 0 && echo is a terminal")
    with run.terminal(*arguments, env=WITH_KEY) as terminal:
        assert terminal.end() == 0
        assert "is a terminal" in terminal.screen


def test_the_key_file_of_a_command_line_appears_in_no_argument_list(
    run: Program, vault: Path
) -> None:
    script = "tr '\\0' ' ' < /proc/$$/cmdline; ps -o args= -p $$ 2>/dev/null || true"
    done = run("exec", "--user", "pedro_k", "--", "sh", "-c", script, env=WITH_KEY)
    assert_no_secret(done.out)

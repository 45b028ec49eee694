from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from interpal.vault.cli.doctor import _has_log_fault
from tests.cli import (
    COOKIE,
    PASSPHRASE,
    WITH_KEY,
    Done,
    Program,
    assert_no_secret,
    make_vault,
)

if TYPE_CHECKING:
    from pathlib import Path

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


def codes(done: Done) -> set[str]:
    return {finding["code"] for finding in done.json["findings"]}


def doctor(run: Program, *arguments: str, **more: Any) -> Done:
    return run("doctor", "--json", *arguments, **more)


def test_a_sound_vault_has_no_findings(run: Program, vault: Path) -> None:
    done = run("doctor", env=WITH_KEY)
    assert done.code == 0, done.out
    assert "no problems found" in done.out
    with run.terminal("doctor") as terminal:
        assert terminal.end() == 0


def test_a_key_that_is_nowhere_is_told_though_none_is_needed(run: Program, vault: Path) -> None:
    done = run("doctor")
    assert done.code == 0
    assert "Here no key is set, and there is no key file" in done.err
    for env in (WITH_KEY, {"INTERPALS_VAULT_PASSPHRASE": PASSPHRASE}):
        assert "no key file" not in run("doctor", env=env).err


def test_doctor_without_a_vault_exits_66(run: Program) -> None:
    done = run("doctor", "--json")
    assert done.code == 66
    assert done.error["code"] == "not-found"


def test_loose_modes_are_found_and_mended(run: Program, vault: Path) -> None:
    os.chmod(vault, 0o644)
    os.chmod(f"{vault}.locks", 0o755)
    os.chmod(vault.parent, 0o777)
    done = doctor(run)
    assert done.code == 1
    assert {"mode", "locks", "folder-mode"} <= codes(done)
    for finding in done.json["findings"]:
        assert finding["message"]
        assert finding["remedy"]
    fixed = doctor(run, "--fix")
    assert fixed.code == 0, fixed.out
    assert {finding["code"] for finding in fixed.json["mended"]} == {"mode", "locks", "folder-mode"}
    assert os.stat(vault).st_mode & 0o777 == 0o600
    assert not os.stat(vault.parent).st_mode & 0o022


def test_each_finding_is_shown_with_its_remedy(run: Program, vault: Path) -> None:
    os.chmod(vault, 0o644)
    done = run("doctor")
    assert done.code == 1
    assert f"chmod 600 {vault}" in done.out
    with run.terminal("doctor") as terminal:
        assert terminal.end() == 1
        assert f"chmod 600 {vault}" in terminal.screen.replace("\n", "")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a second user")
def test_foreign_owners_are_found_and_left_alone(run: Program, vault: Path) -> None:
    os.chown(vault, 1001, 1001)
    done = doctor(run, "--fix")
    assert done.code == 1
    assert "owner" in codes(done)
    assert os.stat(vault).st_uid == 1001


def test_weak_slots_are_found(run: Program, tmp_path: Path) -> None:
    make_vault(tmp_path / "v.json", passphrase=PASSPHRASE)
    done = doctor(run, "-f", "v.json")
    assert codes(done) == {"weak-slot"}
    assert "passwd" in done.json["findings"][0]["remedy"]


def test_leftovers_are_found_and_only_temporaries_removed(run: Program, vault: Path) -> None:
    temporary = vault.with_name(f"{vault.name}.0123456789abcdef.tmp")
    aside = vault.with_name(f"{vault.name}.corrupt-20261122T000000Z")
    for path in (temporary, aside):
        path.write_bytes(b"x")
        os.chmod(path, 0o600)
        an_hour_ago = time.time() - 3600
        os.utime(path, (an_hour_ago, an_hour_ago))
    assert codes(doctor(run)) == {"leftover", "set-aside"}
    done = doctor(run, "--fix")
    assert done.code == 1
    assert codes(done) == {"set-aside"}
    assert not temporary.exists()
    assert aside.exists()


def test_plain_files_of_1x_nearby_are_found(run: Program, vault: Path) -> None:
    plain = vault.with_name("ana_session.json")
    plain.write_text(f'{{"session_cookie": "{COOKIE}", "username": "ana"}}')
    vault.with_name("other_session.json").write_text('{"name": "x"}')
    done = doctor(run)
    assert [(f["code"], f["path"]) for f in done.json["findings"]] == [
        ("plain-session", str(plain))
    ]
    assert "--remove-source" in done.json["findings"][0]["remedy"]
    assert_no_secret(done.out)
    assert codes(doctor(run, "-f", plain.name)) == {"mode", "plain-session"}


def test_key_files_are_judged(run: Program, vault: Path, tmp_path: Path) -> None:
    run("keygen", "-o", "my.key")
    os.chmod(tmp_path / "my.key", 0o666)
    env = {"INTERPALS_VAULT_KEY_FILE": str(tmp_path / "my.key")}
    assert codes(doctor(run, env=env)) == {"key-file", "key-beside-vault"}
    assert codes(doctor(run, "--fix", env=env)) == {"key-beside-vault"}
    assert os.stat(tmp_path / "my.key").st_mode & 0o777 == 0o600
    run("keygen", "-o", "vault.key")
    assert codes(doctor(run)) == {"key-beside-vault"}


def test_ambiguous_and_empty_sources_are_found(run: Program, vault: Path) -> None:
    done = doctor(run, env={**WITH_KEY, "INTERPALS_VAULT_PASSPHRASE": ""})
    assert codes(done) == {"ambiguous-sources", "empty-source"}
    assert_no_secret(done.out)


def test_a_damaged_file_is_found_and_left_alone(run: Program, vault: Path) -> None:
    vault.write_bytes(vault.read_bytes()[:100])
    before = vault.read_bytes()
    assert codes(doctor(run, "--fix")) == {"unreadable"}
    assert vault.read_bytes() == before


def git(folder: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=x", "-c", "user.email=x@x", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@needs_git
def test_a_vault_in_git_is_found(run: Program, vault: Path) -> None:
    git(vault.parent, "init")
    done = doctor(run)
    assert codes(done) == {"git-not-ignored"}
    assert done.json["findings"][0]["remedy"] == "echo '.interpals_session.json*' >> .gitignore"
    git(vault.parent, "add", "-f", vault.name)
    assert codes(doctor(run)) == {"git-tracked"}
    git(vault.parent, "rm", "--cached", vault.name)
    vault.with_name(".gitignore").write_text(".interpals_session.json*\n")
    assert codes(doctor(run)) == set()


@needs_git
def test_the_settings_of_a_repository_start_no_program(run: Program, vault: Path) -> None:
    git(vault.parent, "init")
    git(vault.parent, "config", "core.fsmonitor", f"touch {vault.parent}/started; false")
    doctor(run)
    assert not vault.with_name("started").exists()
    (vault.parent / ".git" / "config").write_text("[this is no configuration")
    assert codes(doctor(run)) == {"git-not-ignored"}, "it is not even read"
    (vault.parent / ".git" / "info" / "exclude").write_text("*.json\n")
    assert codes(doctor(run)) == set()


@needs_git
def test_a_vault_in_another_work_tree_of_a_repository_is_found(
    run: Program, vault: Path, tmp_path: Path
) -> None:
    main = tmp_path / "main"
    main.mkdir()
    git(main, "init")
    git(main, "commit", "--allow-empty", "-m", "x")
    git(main, "worktree", "add", "--detach", str(tmp_path / "second"))
    moved = tmp_path / "second" / vault.name
    vault.rename(moved)
    assert codes(doctor(run, "-f", str(moved))) >= {"git-not-ignored"}
    git(moved.parent, "add", "-f", moved.name)
    assert codes(doctor(run, "-f", str(moved))) >= {"git-tracked"}


@needs_git
def test_a_git_that_lies_in_the_folder_is_not_started(run: Program, vault: Path) -> None:
    git(vault.parent, "init")
    planted = vault.with_name("git")
    planted.write_text(f"#!/bin/sh\ntouch {vault.parent}/started\n")
    planted.chmod(0o755)
    doctor(run, env={"PATH": f".:{os.environ['PATH']}"})
    assert not vault.with_name("started").exists()


def test_without_git_doctor_works(run: Program, vault: Path, tmp_path: Path) -> None:
    assert doctor(run, env={"PATH": str(tmp_path)}).code == 0


def test_the_programs_that_doctor_starts_see_no_secret(
    run: Program, vault: Path, tmp_path: Path
) -> None:
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\n/usr/bin/env >> {tmp_path}/seen\necho "$@" >> {tmp_path}/seen\n')
    os.chmod(fake, 0o755)
    (vault.parent / ".git").mkdir()
    (vault.parent / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    doctor(run, env={**WITH_KEY, "PATH": f"{fake.parent}:/usr/bin:/bin"})
    seen = (tmp_path / "seen").read_text()
    assert "rev-parse" in seen
    assert "INTERPALS_" not in seen
    assert_no_secret(seen)


def test_it_says_the_version_of_sqlite(run: Program, tmp_path: Path) -> None:
    place = f"sqlite:{tmp_path / 'private' / 'v.db'}"
    assert run("init", "-f", place).code == 0
    assert doctor(run, "-f", place).json["sqlite"] == sqlite3.sqlite_version
    assert f"SQLite {sqlite3.sqlite_version}" in run("doctor", "-f", place).out


def test_the_versions_with_the_fault_are_those_of_its_release_notes() -> None:
    old = [
        version for version in ("3.40.1", "3.51.2", "3.51.3", "3.53.0") if _has_log_fault(version)
    ]
    assert old == ["3.40.1", "3.51.2"]

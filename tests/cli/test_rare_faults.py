"""What the program says in cases that come once in a while."""

from __future__ import annotations

import json
import os
import sqlite3
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from interpal._hidden import Hidden
from interpal.vault import Vault
from interpal.vault.cli import errors, formatting
from interpal.vault.cli.import_export import Source
from interpal.vault.format.key_slots import KdfParameters
from interpal.vault.keys.sources import explicit_source
from interpal.vault.stores.base import Stored
from interpal.vault.stores.file import FileStore
from interpal.vault.stores.memory import Memory
from tests.cli import (
    COOKIE,
    EXPIRED,
    KEY,
    WITH_KEY,
    Program,
    assert_no_secret,
    make_vault,
    read_vault,
    record,
)

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT = ".interpals_session.json"


def write_plain(path: Path, **members: str) -> None:
    path.write_text(json.dumps({"session_cookie": COOKIE, **members}))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A vault in a database, with two accounts."""
    path = tmp_path / "team.db"
    with Vault.open(f"sqlite:{path}", key=KEY, create=True) as vault:
        vault.update({name: record(name) for name in ("maple_ink", "pedro_k")})
    return path


def change(database: Path, statement: str) -> None:
    """Behind the vault's back."""
    with sqlite3.connect(database) as connection:
        connection.execute(statement)
    connection.close()


def test_remove_tells_programs_what_it_removed(run: Program, vault: Path) -> None:
    done = run("remove", "maple_ink", "--json", env=WITH_KEY)
    assert done.json == {"path": str(vault), "removed": ["maple_ink"]}


def test_a_vault_without_accounts_has_nobody_to_run_a_command_as(run: Program, vault: Path) -> None:
    for name in ("maple_ink", "pedro_k"):
        assert run("remove", name, env=WITH_KEY).code == 0
    done = run("exec", "--", "true", env=WITH_KEY)
    assert done.code == 66


def test_a_record_without_a_session_cannot_be_handed_to_a_command(run: Program) -> None:
    path = run.folder / ".interpals_session.json"
    with Vault.open(path, key=KEY, create=True) as vault:
        vault["maple_ink"] = {"note": "no session"}
        vault["pedro_k"] = {"session_cookie": "a\0b"}
        nameless = record("x")
        del nameless["username"]
        vault["nameless"] = nameless
    assert run("exec", "--user", "maple_ink", "--", "true", env=WITH_KEY).code == 66
    assert run("exec", "--user", "pedro_k", "--", "true", env=WITH_KEY).code == 65
    # The name of the record stands in for a username.
    done = run("exec", "--user", "nameless", "--", "printenv", "INTERPALS_USERNAME", env=WITH_KEY)
    assert (done.code, done.out) == (0, "nameless\n")


def test_init_leaves_what_is_there(run: Program, vault: Path) -> None:
    before = vault.read_bytes()
    assert run("init", env=WITH_KEY).code == 73
    assert vault.read_bytes() == before


def test_a_key_is_written_into_a_file_of_its_own(run: Program) -> None:
    done = run("keygen", "-o", "new.key", "--json")
    path = run.folder / "new.key"
    assert done.json == {"path": str(path)}
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError()])
def test_what_the_machine_refuses_is_an_error_of_the_machine(error: Exception) -> None:
    assert errors.failure_of(error).exit_code == 74


def test_durations_are_told_in_two_units_at_most() -> None:
    said = [
        formatting.duration(timedelta(**span))
        for span in (
            {"seconds": 5}, {"minutes": 5}, {"hours": 47}, {"days": 2}, {"days": 2, "hours": 3},
            {"days": 100},
        )
    ]  # fmt: skip
    assert said == ["5 s", "5 min", "47 h", "2 d", "2 d 3 h", "100 d"]


# Names in messages.


def test_a_message_names_ten_accounts_and_says_how_many_more(run: Program, tmp_path: Path) -> None:
    names = [f"user{number:02}" for number in range(12)]
    make_vault(tmp_path / DEFAULT, *names)
    done = run("exec", "--", "true", env=WITH_KEY)
    assert done.code == 78
    assert "user00, user01" in done.err
    assert "user09 and 2 more" in done.err
    records = {name: record(name, created="2026-11-23T00:00:00Z") for name in names[:11]}
    (tmp_path / "all.json").write_text(json.dumps({"records": records}))
    done = run("import", "all.json", env=WITH_KEY)
    assert done.code == 73
    assert "user09 and 1 more" in done.err


# What is shown of accounts.


def test_a_session_that_is_nearly_over_still_has_a_bar(run: Program, tmp_path: Path) -> None:
    later = datetime.now(timezone.utc) + timedelta(hours=5)
    make_vault(tmp_path / DEFAULT)
    with Vault.open(tmp_path / DEFAULT, key=KEY) as vault:
        expires = later.strftime("%Y-%m-%dT%H:%M:%SZ")
        vault["maple_ink"] = record("maple_ink", created=EXPIRED, expires=expires)
    assert "#--- 4 h" in run("list", env=WITH_KEY).out


# Damage and other faults of what is stored.


def test_prune_says_how_many_damaged_records_it_dropped(run: Program, database: Path) -> None:
    change(database, "UPDATE records SET data = substr(data, 1, length(data) - 9) || 'AAAAAAAAA'")
    done = run("prune", "-f", "team.db", "--damaged", env=WITH_KEY)
    assert done.code == 0
    assert f"{database}: 2 damaged records dropped" in done.err
    assert run("verify", "team.db", env=WITH_KEY).code == 0


def test_doctor_tells_of_a_damaged_root_and_of_weak_slots_in_a_database(
    run: Program, database: Path
) -> None:
    with Vault.open(f"sqlite:{database}", key=KEY) as vault:
        vault.add_slot(passphrase="x", kdf=KdfParameters.INSECURE_FOR_TESTS)
    done = run("doctor", "-f", "team.db", "--json")
    assert [finding["code"] for finding in done.json["findings"]] == ["weak-slot"]
    assert done.json["findings"][0]["remedy"] == "interpal-vault passwd -f team.db --slot slot-2"
    change(database, "UPDATE root SET data = 'no vault'")
    done = run("doctor", "-f", "team.db")
    assert done.code == 1
    assert "unreadable" in done.out
    assert "interpal-vault import" in done.out


def test_what_doctor_cannot_mend_is_told_and_what_it_can_is_mended(
    run: Program, vault: Path, tmp_path: Path
) -> None:
    os.chmod(vault, 0o644)
    # A key file by way of a link, which is not followed to change a mode.
    run("keygen", "-o", "real.key")
    os.chmod(tmp_path / "real.key", 0o666)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "link.key").symlink_to(tmp_path / "real.key")
    # What a dead writer has left, and no lock to be had to clear it away.
    leftover = vault.with_name(f"{vault.name}.0123456789abcdef.tmp")
    leftover.write_bytes(b"x")
    os.utime(leftover, (0, 0))
    locks = vault.with_name(f"{vault.name}.locks")
    for path in locks.iterdir():
        path.unlink()
    locks.rmdir()
    locks.write_text("a file")
    env = {"INTERPALS_VAULT_KEY_FILE": str(tmp_path / "keys" / "link.key")}
    done = run("doctor", "--fix", env=env)
    assert done.code == 1
    assert f"fixed: {vault}" in done.out
    assert os.stat(vault).st_mode & 0o777 == 0o600
    assert f"{tmp_path}/keys/link.key: cannot fix it" in done.err
    assert done.err.count("warning") == 2
    assert leftover.exists()
    with run.terminal("doctor", "--fix", "--json", env=env) as terminal:
        assert terminal.end() == 1
        assert '"warning"' in terminal.screen


def test_a_vault_of_another_version_or_shape_is_told_as_it_is(run: Program, tmp_path: Path) -> None:
    vector = os.path.join(os.path.dirname(__file__), "..", "vectors", "version-2.json")
    with open(vector, encoding="utf-8") as file:
        (tmp_path / "tomorrow.json").write_text(json.load(file)["file"])
    assert run("list", "-f", "tomorrow.json", env=WITH_KEY).code == 76
    (tmp_path / "bent.json").write_text('{"protected": 1}')
    os.chmod(tmp_path / "bent.json", 0o600)
    done = run("list", "-f", "bent.json", "--json", env=WITH_KEY)
    assert (done.code, done.error["code"]) == (65, "format")
    (tmp_path / "note.txt").write_text("a note")
    assert "not a vault" in run("list", "-f", "note.txt", env=WITH_KEY).err


# Where a vault is.


def test_what_is_no_url_is_refused_without_showing_it(run: Program, tmp_path: Path) -> None:
    (tmp_path / "store.url").write_bytes(b"redis://\xff\xfe")
    os.chmod(tmp_path / "store.url", 0o600)
    done = run("list", "-f", "@store.url", env=WITH_KEY)
    assert done.code == 64
    assert "not the URL of a store" in done.err
    done = run("list", "-f", "redis://bot:hunter2@[::1", env=WITH_KEY)
    assert done.code == 64
    assert "hunter2" not in done.err


# copy


def test_an_empty_vault_is_copied_too(run: Program, tmp_path: Path) -> None:
    make_vault(tmp_path / "empty.json")
    done = run("copy", "empty.json", "sqlite:new.db", env=WITH_KEY)
    assert done.code == 0
    assert "0 sessions copied" in done.err
    with Vault.open(f"sqlite:{tmp_path}/new.db", key=KEY) as copy:
        assert len(copy) == 0


def test_a_profile_of_a_copy_is_for_passphrases(run: Program, vault: Path) -> None:
    done = run("copy", vault.name, "copy.json", "--profile", "strong", env=WITH_KEY)
    assert done.code == 64
    assert not vault.with_name("copy.json").exists()


def test_what_has_expired_is_copied_to_redis_as_well(run: Program, vault: Path, redis: str) -> None:
    with Vault.open(vault, key=KEY) as opened:
        opened["gone"] = record("gone", expires=EXPIRED)
    done = run("copy", vault.name, redis, env=WITH_KEY)
    assert done.code == 0, done.err
    assert "3 read back" in done.err


# import and export


@pytest.mark.parametrize("names", [("old.json", "new.json"), ("new.json", "old.json")])
def test_of_two_sessions_of_one_account_the_later_one_is_imported(
    run: Program, tmp_path: Path, names: tuple[str, str]
) -> None:
    for name, day in (("old.json", "2026-11-21"), ("new.json", "2026-11-22")):
        write_plain(tmp_path / name, username="ana", created_at=f"{day}T00:00:00Z")
    assert run("import", *names, env=WITH_KEY).code == 0
    assert read_vault(tmp_path / DEFAULT)["ana"]["created_at"].startswith("2026-11-22")


def test_what_cannot_be_kept_or_read_is_not_imported(run: Program, tmp_path: Path) -> None:
    write_plain(tmp_path / "nameless.json")
    done = run("import", "nameless.json", "--user", "x" * 1025, env=WITH_KEY)
    assert done.code == 65
    assert f"{tmp_path}/nameless.json: " in done.err
    (tmp_path / "note.txt").write_text("a note")
    done = run("import", "note.txt", env=WITH_KEY)
    assert done.code == 65
    assert "left unchanged" in done.err
    (tmp_path / "empty.json").write_text("")
    assert "is empty" in run("import", "empty.json", env=WITH_KEY).err
    assert not (tmp_path / DEFAULT).exists()


def test_what_was_read_for_an_import_does_not_show_itself(tmp_path: Path) -> None:
    make_vault(tmp_path / "v.json", "maple_ink")
    store = FileStore(tmp_path / "v.json")
    stored = store.load()
    assert stored is not None
    source = Source(store, stored, "vault", Hidden({"maple_ink": record("maple_ink")}))
    assert_no_secret(repr(source), str([source]))


def test_export_tells_programs_what_it_wrote(run: Program, vault: Path) -> None:
    done = run("export", "--plaintext", "-o", "copy.json", "--json", env=WITH_KEY)
    assert done.json == {
        "path": str(vault.with_name("copy.json")),
        "accounts": ["maple_ink", "pedro_k"],
        "encrypted": False,
    }
    done = run("export", "--plaintext", "--profile", "strong", "-o", "new.json", env=WITH_KEY)
    assert done.code == 64
    assert not vault.with_name("new.json").exists()


def test_a_vault_in_memory_is_a_store_like_any_other() -> None:
    memory = Memory("memory")
    with Vault(memory, explicit_source(key=KEY)) as vault:
        assert vault.start(create=True)
        vault["maple_ink"] = record("maple_ink")
        vault.remove_file()
        sound = memory.load()
        assert sound is not None, "there is a record in it"
        members = json.loads(sound.reveal())
        text = members["ciphertext"]
        members["ciphertext"] = ("B" if text[0] == "A" else "A") + text[1:]
        memory.stored = Stored(json.dumps(members).encode(), sound.identity)
        assert vault.set_aside_if_corrupt() is None, "there is no place for it"
        memory.stored = sound
        del vault["maple_ink"]
        vault.remove_file()
    assert memory.load() is None

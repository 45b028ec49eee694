from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from interpal.exceptions import WrongKeyError
from interpal.vault.format.key_slots import KdfParameters
from interpal.vault.vault import Vault
from tests.cli import (
    KEY,
    PASSPHRASE,
    WITH_KEY,
    Program,
    assert_no_secret,
    make_vault,
    read_vault,
)

if TYPE_CHECKING:
    from pathlib import Path

OLD = {"INTERPALS_VAULT_PASSPHRASE": PASSPHRASE}
NEW = "canary new passphrase"
LOW = ("--profile", "low-memory")


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """A vault at the default path, for PASSPHRASE."""
    path = tmp_path / ".interpals_session.json"
    make_vault(path, "maple_ink", passphrase=PASSPHRASE)
    return path


@pytest.fixture
def shared(vault: Path) -> Path:
    """A vault with three slots: KEY, a passphrase, another key."""
    with Vault.open(vault, key=KEY) as opened:
        opened.add_slot(passphrase=PASSPHRASE, kid="laptop", kdf=KdfParameters.INSECURE_FOR_TESTS)
        opened.add_slot(key=bytes(32), kid="server")
    return vault


def kids(run: Program) -> list[str]:
    return [slot["kid"] for slot in run("slot", "list", "--json").json["slots"]]


def test_passwd_without_a_terminal_takes_the_new_one_from_its_variable(
    run: Program, locked: Path
) -> None:
    done = run("passwd", *LOW, env={**OLD, "INTERPALS_VAULT_NEW_PASSPHRASE": NEW})
    assert done.code == 0
    assert "rotate" in done.err
    assert_no_secret(done.err)
    assert NEW not in done.err
    assert set(read_vault(locked, passphrase=NEW)) == {"maple_ink"}
    with pytest.raises(WrongKeyError):
        read_vault(locked, passphrase=PASSPHRASE)


def test_passwd_from_a_file(run: Program, locked: Path, tmp_path: Path) -> None:
    (tmp_path / "new").write_text(NEW + "\n")
    os.chmod(tmp_path / "new", 0o600)
    env = {**OLD, "INTERPALS_VAULT_NEW_PASSPHRASE_FILE": str(tmp_path / "new")}
    done = run("passwd", "--json", *LOW, env=env)
    assert done.json["changed"] == "slot-1"
    read_vault(locked, passphrase=NEW)
    both = {**env, "INTERPALS_VAULT_NEW_PASSPHRASE": NEW}
    assert run("passwd", env={**both, "INTERPALS_VAULT_PASSPHRASE": NEW}).code == 78


def test_passwd_on_a_terminal_asks_for_old_and_new(run: Program, locked: Path) -> None:
    with run.terminal("passwd", *LOW) as terminal:
        terminal.answer("Passphrase for", PASSPHRASE)
        terminal.answer("New passphrase for", NEW)
        terminal.answer("Repeat passphrase", NEW)
        assert terminal.end() == 0
        assert_no_secret(terminal.screen)
        assert NEW not in terminal.screen
    read_vault(locked, passphrase=NEW)


def test_passwd_with_nobody_to_ask_changes_nothing(run: Program, locked: Path) -> None:
    before = locked.read_bytes()
    done = run("passwd", "--json", env=OLD)
    assert done.code == 78
    assert "SESSION_VAULT_NEW_PASSPHRASE_FILE" in done.error["message"]
    bad = run("passwd", env={**OLD, "INTERPALS_VAULT_NEW_PASSPHRASE": ""})
    assert bad.code == 69
    assert locked.read_bytes() == before


def test_passwd_of_a_key_slot_needs_its_name(run: Program, shared: Path) -> None:
    env = {**WITH_KEY, "INTERPALS_VAULT_NEW_PASSPHRASE": NEW}
    assert run("passwd", env=env).code == 64
    assert run("passwd", "--slot", "laptop", *LOW, env=env).code == 0
    read_vault(shared, passphrase=NEW)
    absent = run("passwd", "--slot", "absent", "--json", env=env)
    assert (absent.code, absent.error["code"]) == (66, "no-such-slot")


def test_slot_list_needs_no_key(run: Program, shared: Path) -> None:
    done = run("slot", "list")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == [
        "Slot",
        "slot-1",
        "laptop",
        "server",
    ]
    assert run("slot", "list", "-f", "absent").code == 66
    with run.terminal("slot", "list") as terminal:
        assert terminal.end() == 0
        assert "laptop" in terminal.screen
    assert "slot add" in run("slot").out


def test_slot_add_takes_a_passphrase_or_a_key_file(
    run: Program, vault: Path, tmp_path: Path
) -> None:
    env = {**WITH_KEY, "INTERPALS_VAULT_NEW_PASSPHRASE": NEW}
    done = run("slot", "add", "--kid", "laptop", *LOW, "--json", env=env)
    assert done.code == 0
    assert done.json["added"] == "laptop"
    run("keygen", "-o", "server.key")
    assert run("slot", "add", "--key-file", "server.key", env=WITH_KEY).code == 0
    assert kids(run) == ["slot-1", "laptop", "slot-2"]
    read_vault(vault, passphrase=NEW)
    assert run("list", env={"INTERPALS_VAULT_KEY_FILE": str(tmp_path / "server.key")}).code == 0
    assert run("slot", "add", "--kid", "laptop", *LOW, env=env).code == 64
    assert run("slot", "add", "--kid", "a b", *LOW, env=env).code == 64
    assert run("slot", "add", "--key-file", "absent", env=WITH_KEY).code == 69
    assert run("slot", "add", "--key-file", "server.key", *LOW, env=WITH_KEY).code == 64


def test_slot_add_on_a_terminal(run: Program, vault: Path) -> None:
    with run.terminal("slot", "add", *LOW, env=WITH_KEY) as terminal:
        terminal.answer("New passphrase for a new slot of", NEW)
        terminal.answer("Repeat passphrase", NEW)
        assert terminal.end() == 0
        assert NEW not in terminal.screen
    read_vault(vault, passphrase=NEW)


def test_slot_remove_asks_and_never_takes_the_last_one(run: Program, shared: Path) -> None:
    before = shared.read_bytes()
    assert run("slot", "remove", "laptop", env=WITH_KEY).code == 64
    with run.terminal("slot", "remove", "laptop", env=WITH_KEY) as terminal:
        terminal.answer("[y/N]", "no")
        assert terminal.end() == 1
    assert shared.read_bytes() == before
    done = run("slot", "remove", "laptop", "--yes", "--json", env=WITH_KEY)
    assert done.json["removed"] == "laptop"
    assert run("slot", "remove", "server", "--yes", env=WITH_KEY).code == 0
    assert run("slot", "remove", "slot-1", "--yes", env=WITH_KEY).code == 64
    assert run("slot", "remove", "laptop", "--yes", env=WITH_KEY).code == 66
    assert set(read_vault(shared)) == {"maple_ink", "pedro_k"}


def test_rotate_draws_a_new_key_and_keeps_the_slot_that_opened(run: Program, vault: Path) -> None:
    shutil.copy(vault, vault.with_name("old.json"))
    done = run("rotate", "--json", env=WITH_KEY)
    assert done.code == 0
    assert done.json["slots"] == ["slot-1"]
    assert done.json["dropped"] == []
    assert set(read_vault(vault)) == {"maple_ink", "pedro_k"}
    ids = [run("inspect", name, "--json").json["id"] for name in (vault.name, "old.json")]
    assert ids[0] != ids[1]
    with run.terminal("rotate", env=WITH_KEY) as terminal:
        assert terminal.end() == 0


def test_rotate_names_the_slots_that_it_cannot_keep(run: Program, shared: Path) -> None:
    before = shared.read_bytes()
    done = run("rotate", "--json", env=WITH_KEY)
    assert (done.code, done.error["code"]) == (78, "key-required")
    assert "laptop" in done.error["message"]
    assert "server" in done.error["message"]
    assert run("rotate", "--drop-slots", env=WITH_KEY).code == 64
    assert shared.read_bytes() == before
    done = run("rotate", "--drop-slots", "--yes", "--json", env=WITH_KEY)
    assert done.json["dropped"] == ["laptop", "server"]
    assert kids(run) == ["slot-1"]


def test_rotate_keeps_slots_whose_secrets_are_in_files(
    run: Program, shared: Path, tmp_path: Path
) -> None:
    (tmp_path / "pass").write_text(PASSPHRASE + "\n")
    (tmp_path / "key").write_bytes(bytes(32))
    for name in ("pass", "key"):
        os.chmod(tmp_path / name, 0o600)
    files = ("--secret-file", "laptop=pass", "--secret-file", "server=key")
    assert run("rotate", *files, env=WITH_KEY).code == 0
    assert kids(run) == ["slot-1", "laptop", "server"]
    read_vault(shared, passphrase=PASSPHRASE)
    wrong = ("--secret-file", "laptop=pass", "--secret-file", "server=pass")
    assert run("rotate", *wrong, env=WITH_KEY).code == 69
    assert run("rotate", "--secret-file", "laptop", env=WITH_KEY).code == 64
    assert run("rotate", "--secret-file", "absent=pass", env=WITH_KEY).code == 66


def test_rotate_on_a_terminal_asks_for_the_passphrases(run: Program, shared: Path) -> None:
    before = shared.read_bytes()
    with run.terminal("rotate", env=WITH_KEY) as terminal:
        terminal.answer("Passphrase of slot laptop", PASSPHRASE)
        terminal.answer("Drop the slot server", "n")
        assert terminal.end() == 1
    assert shared.read_bytes() == before
    with run.terminal("rotate", env=WITH_KEY) as terminal:
        terminal.answer("Passphrase of slot laptop", PASSPHRASE)
        terminal.answer("Drop the slot server", "y")
        assert terminal.end() == 0
        assert_no_secret(terminal.screen)
    assert kids(run) == ["slot-1", "laptop"]

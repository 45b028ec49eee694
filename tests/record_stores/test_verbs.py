"""The command line over SQLite and Redis, run as the real program."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

import pytest

from interpal.exceptions import StaleWriteError
from interpal.vault import KdfParameters, Vault
from interpal.vault.cli.errors import failure_of
from tests.cli import KEY, PASSPHRASE, WITH_KEY, Program, assert_no_secret, record
from tests.record_stores import flipped
from tests.redis_server import PASSWORD, RedisServer
from tests.vault.places import Place, RedisPlace, SqlitePlace

if TYPE_CHECKING:
    from pathlib import Path

CHEAP = KdfParameters.INSECURE_FOR_TESTS


@pytest.fixture
def run(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def where(place: Place, tmp_path: Path) -> str:
    """What `-f` takes for the place: its URL, or where that has a password the file with it."""
    if not isinstance(place, RedisPlace):
        return place.url
    path = tmp_path / "store.url"
    path.write_text(place.url + "\n")
    path.chmod(0o600)
    return f"@{path}"


def test_the_verbs_work_over_a_store_of_records(
    place: Place, where: str, run: Program, tmp_path: Path
) -> None:
    made = run("init", "-f", where, env=WITH_KEY)
    assert made.code == 0, made.err
    assert run("init", "-f", where, env=WITH_KEY).code == 73
    with place.open() as vault:
        vault.update({"maple_ink": record("maple_ink"), "pedro_k": record("pedro_k")})
    listed = run("list", "-f", where, "--json", env=WITH_KEY)
    assert [account["name"] for account in listed.json["accounts"]] == ["maple_ink", "pedro_k"]
    done = run("exec", "-f", where, "--user", "Pedro_K", "--", "env", env=WITH_KEY)
    assert "INTERPALS_USERNAME=pedro_k\n" in done.out
    assert run("remove", "pedro_k", "-f", where, "--yes", env=WITH_KEY).code == 0
    new = {**WITH_KEY, "INTERPALS_VAULT_NEW_PASSPHRASE": "x"}
    added = run("slot", "add", "-f", where, env=new)
    assert added.code == 0, added.err
    slots = run("slot", "list", "-f", where, "--json")
    assert [slot["kid"] for slot in slots.json["slots"]] == ["slot-1", "slot-2"]
    rotated = run("rotate", "-f", where, "--drop-slots", "--yes", "--json", env=WITH_KEY)
    assert rotated.json["dropped"] == ["slot-2"]
    backup = run("export", "-f", where, "-o", "backup.json", env=new)
    assert backup.code == 0, backup.err
    old = {"session_cookie": "a", "username": "new"}
    (tmp_path / "old_session.json").write_text(json.dumps(old))
    assert run("import", "old_session.json", "-f", where, env=WITH_KEY).code == 0
    verified = run("verify", where, env=WITH_KEY)
    assert verified.code == 0
    assert "2 accounts" in verified.out
    assert dict(place.open()).keys() == {"maple_ink", "new"}
    assert PASSWORD not in "".join((made.err, listed.out, rotated.out, verified.out))


def test_inspect_shows_what_anybody_sees_of_the_records(
    place: Place, where: str, run: Program
) -> None:
    with place.new({"maple_ink": record("maple_ink"), "pedro_k": record("pedro_k")}) as vault:
        shown_path = vault.path
    told = run("inspect", where, "--no-key", "--json")
    assert told.code == 0, told.err
    facts = told.json
    assert facts["path"] == shown_path
    assert facts["store"] == ("redis" if isinstance(place, RedisPlace) else "sqlite")
    assert facts["records"]["number"] == 2
    assert facts["records"]["total"] >= 2 * facts["records"]["smallest"] > 200
    assert facts["mode"] == (None if isinstance(place, RedisPlace) else "0600")
    assert facts["authenticated"] is False
    assert facts["accounts"] is None
    words = run("inspect", "-f", where, env=WITH_KEY)
    assert words.code == 0
    for text in ("Records", "2, ", "authenticated with", "maple_ink", "slot-1"):
        assert text in words.out
    assert ("Owner" in words.out) == (not isinstance(place, RedisPlace))
    wrong = run("inspect", where, env={"INTERPALS_VAULT_KEY": "A" * 43})
    assert wrong.code == 77
    assert "Records" in wrong.out
    assert "maple" not in wrong.out + told.out
    assert_no_secret(told.out, words.out, wrong.out)


def test_damage_is_told_and_can_be_dropped(place: Place, where: str, run: Program) -> None:
    with place.new({name: record(name) for name in "abc"}) as vault:
        place.damage(vault, "b", flipped)
    found = run("verify", where, env=WITH_KEY)
    assert found.code == 65
    assert "1 of 3 records" in found.out
    assert "prune --damaged" in found.out
    seen = run("inspect", where, "--json", env=WITH_KEY)
    assert seen.code == 65
    assert json.loads(seen.out)["records"]["number"] == 3
    assert run("prune", "-f", where, env=WITH_KEY).code == 65
    dropped = run("prune", "-f", where, "--damaged", "--json", env=WITH_KEY)
    assert dropped.code == 0, dropped.err
    assert dropped.json["damaged"] == 1
    assert run("verify", where, env=WITH_KEY).code == 0


def test_what_is_not_there_is_not_found_and_not_made(
    place: Place, where: str, run: Program
) -> None:
    for verb in (["inspect"], ["verify"], ["slot", "list"], ["doctor"]):
        done = run(*verb, "-f", where, env=WITH_KEY)
        assert done.code == 66, done.err
    if isinstance(place, SqlitePlace):
        assert not place.path.exists()
    else:
        assert place.records() == {}


def test_doctor_looks_at_the_slots_and_the_file(place: Place, where: str, run: Program) -> None:
    place.new(passphrase="x", kdf=CHEAP).close()
    if isinstance(place, SqlitePlace):
        os.chmod(place.path, 0o640)
    found = run("doctor", "-f", where, "--json")
    assert found.code == 1, found.err
    codes = {finding["code"] for finding in found.json["findings"]}
    assert "weak-slot" in codes
    assert ("mode" in codes) == (not isinstance(place, RedisPlace))
    assert "unreadable" not in codes
    assert run("inspect", where, "--no-key").code == 0
    if isinstance(place, SqlitePlace):
        assert place.path.stat().st_mode & 0o777 == 0o640, "looking changes nothing"
        mended = run("doctor", "-f", where, "--fix", "--json").json["mended"]
        assert [finding["code"] for finding in mended] == ["mode"]


def test_a_url_with_a_password_is_no_argument(redis_server: RedisServer, run: Program) -> None:
    place = RedisPlace(redis_server)
    for arguments in (["inspect", place.url], ["list", "-f", place.url], ["copy", "a", place.url]):
        done = run(*arguments, "--json", env=WITH_KEY)
        assert done.code == 78
        assert done.error["code"] == "insecure"
        assert "@FILE" in done.error["message"]
        assert PASSWORD not in done.err
        assert "p%40ss" not in done.err
    loose = run.folder / "loose.url"
    loose.write_text(place.url)
    loose.chmod(0o666)
    assert run("inspect", "@loose.url").code == 78


def test_a_redis_that_is_down_ends_with_69(run: Program) -> None:
    done = run("inspect", "redis://127.0.0.1:1", "--json")
    assert done.code == 69
    assert done.error["code"] == "store-unavailable"
    assert run("doctor", "-f", "redis://127.0.0.1:1").code == 69


def test_a_write_that_came_too_late_is_no_internal_error() -> None:
    failure = failure_of(StaleWriteError("it was changed meanwhile"))
    assert (failure.code, failure.exit_code) == ("stale", 75)


# copy


def test_a_vault_moves_into_a_store_and_opens_with_the_same_key(
    place: Place, where: str, run: Program
) -> None:
    with Vault.open(run.folder / "team.json", key=KEY, create=True) as vault:
        vault.update({"a": record("a"), "b": record("b")})
        vault.add_slot(passphrase="x", kid="laptop", kdf=CHEAP)
    done = run("copy", "team.json", where, "--json", env=WITH_KEY)
    assert done.code == 0, done.err
    told = done.json
    assert (told["total"], told["copied"], told["same"], told["verified"]) == (2, 2, 0, 2)
    assert told["kept"] == []
    with place.open() as copy, Vault.open(run.folder / "team.json", key=KEY) as source:
        assert told["path"] == copy.path
        assert dict(copy) == dict(source)
        assert copy.id != source.id
        assert copy._read().vault_key != source._read().vault_key
        assert [slot.kid for slot in copy.slots] == ["slot-1"]
        copy["a"] = {**record("a"), "created_at": "2030-01-01T00:00:00Z"}
    again = run("copy", "team.json", where, env=WITH_KEY)
    assert again.code == 73
    assert "1 was there already" in again.err
    assert "laptop" in again.err
    assert "--replace" in again.err
    assert run("copy", "team.json", where, "--replace", env=WITH_KEY).code == 0
    back = run("copy", where, "file:back.json", env=WITH_KEY)
    assert back.code == 0, back.err
    assert "2 sessions copied" in back.err
    assert "2 read back and compared" in back.err
    assert_no_secret(done.out, again.err, back.err)


def test_a_copy_may_have_a_passphrase_of_its_own(place: Place, where: str, run: Program) -> None:
    with Vault.open(run.folder / "team.json", key=KEY, create=True) as vault:
        vault["a"] = record("a")
    new = {**WITH_KEY, "INTERPALS_VAULT_NEW_PASSPHRASE": PASSPHRASE}
    done = run("copy", "team.json", where, "--profile", "low-memory", env=new)
    assert done.code == 0, done.err
    with place.open(passphrase=PASSPHRASE) as vault:
        assert dict(vault) == {"a": record("a")}
        assert vault.slots[0].kdf == KdfParameters.LOW_MEMORY
    assert run("copy", "team.json", where, env=new).code == 0
    other = run("copy", "team.json", where, env=WITH_KEY)
    assert other.code == 78
    assert "SESSION_VAULT_NEW_PASSPHRASE_FILE" in other.err
    assert run("copy", "team.json", where, "--passphrase", env=new).code == 64


def test_a_terminal_is_asked_for_the_passphrases(run: Program) -> None:
    with Vault.open(run.folder / "team.json", passphrase="old", create=True, kdf=CHEAP) as vault:
        vault["a"] = record("a")
    arguments = ("copy", "team.json", "sqlite:team.db", "--passphrase", "--profile", "low-memory")
    with run.terminal(*arguments) as terminal:
        terminal.answer("Passphrase for", "old")
        terminal.answer("New passphrase for", "new")
        terminal.answer("Repeat", "new")
        assert terminal.end() == 0, terminal.screen
    with Vault.open(run.folder / "team.db", passphrase="new") as vault:
        assert dict(vault) == {"a": record("a")}
    with run.terminal("copy", "team.json", "sqlite:team.db") as terminal:
        terminal.answer("Passphrase for", "old")
        terminal.answer("Passphrase for", "new")
        assert terminal.end() == 0, terminal.screen
        assert "1 was there already" in terminal.screen


def test_bad_copies_are_refused_and_make_nothing(run: Program) -> None:
    with Vault.open(run.folder / "team.json", key=KEY, create=True) as vault:
        vault["a"] = record("a")
    for source, target, code in (
        ("team.json", "file:team.json", 64),
        ("team.json", "./team.json", 64),
        ("nobody.json", "sqlite:new.db", 66),
        ("team.json", "sqlite://host/new.db", 64),
        ("team.json", "redis://127.0.0.1:1", 69),
    ):
        done = run("copy", source, target, env=WITH_KEY)
        assert done.code == code, done.err
    wrong = run("copy", "team.json", "sqlite:new.db", env={"INTERPALS_VAULT_KEY": "A" * 43})
    assert wrong.code == 77
    (run.folder / "note.txt").write_text("a note")
    assert run("copy", "team.json", "note.txt", env=WITH_KEY).code == 65
    for target in ("sqlite:new.db", "Redis://host", "postgres://bot:canary@host/db"):
        done = run("export", "-o", target, "-f", "team.json", env=WITH_KEY)
        assert done.code == 64
        assert "canary" not in done.out + done.err
    assert sorted(path.name for path in run.folder.glob("*") if path.is_file()) == [
        "note.txt",
        "team.json",
    ]
    assert (run.folder / "note.txt").read_text() == "a note"


@pytest.mark.parametrize("content", [b"a note", b"", b'{"session_cookie": "abc"}'])
def test_what_is_no_vault_keeps_its_mode_bits(run: Program, content: bytes) -> None:
    note = run.folder / "note.txt"
    note.write_bytes(content)
    note.chmod(0o644)
    for verb in (
        ["verify", "note.txt"],
        ["list", "-f", "note.txt"],
        ["export", "-f", "note.txt", "-o", "copy.json"],
        ["copy", "note.txt", "sqlite:new.db"],
        ["inspect", "note.txt"],
    ):
        done = run(*verb, env=WITH_KEY)
        assert done.code != 0
        assert stat.S_IMODE(note.stat().st_mode) == 0o644, verb

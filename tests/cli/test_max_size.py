"""`--max-size`: no verb reads or writes what is larger, and none changes what it refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from interpal.vault import Vault
from tests.cli import KEY, OTHER_KEY_TEXT, WITH_KEY, Program, make_vault, read_vault

VERBS = [
    ["copy", ".interpals_session.json", "sqlite:copy.db"],
    ["exec", "--user", "maple_ink", "--", "true"],
    ["export", "-o", "copy.json"],
    ["import", "plain.json"],
    ["inspect"],
    ["list"],
    ["passwd"],
    ["prune"],
    ["remove", "maple_ink", "--yes"],
    ["rotate", "--yes"],
    ["slot", "add", "--kid", "second"],
    ["slot", "list"],
    ["slot", "remove", "slot-1", "--yes"],
    ["verify"],
]


@pytest.mark.parametrize("words", VERBS, ids=lambda words: " ".join(words[:2]))
def test_every_verb_refuses_a_vault_that_is_larger(
    run: Program, vault: Path, tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "plain.json").write_text('{"session_cookie": "abc", "username": "ruth"}')
    before, names = vault.read_bytes(), {path.name for path in tmp_path.iterdir()}
    end = words.index("--") if "--" in words else len(words)
    command = [*words[:end], "--max-size", "1K", *words[end:]]
    done = run(*command, env=WITH_KEY | {"INTERPALS_VAULT_NEW_PASSPHRASE": "a new passphrase"})
    assert done.code == 65, done
    assert f"{len(before):,} bytes, and at most 1,024 are read" in done.out + done.err
    assert "--max-size" in done.out + done.err
    assert vault.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} - {"home"} == names


def test_who_asks_for_enough_gets_it(run: Program, vault: Path, tmp_path: Path) -> None:
    for size in ("8K", "8k", "8KB", "8KiB", "8192", "256M", "64mib"):
        assert run("verify", "--max-size", size, env=WITH_KEY).code == 0, size
    done = run("export", "-o", "copy.json", "--plaintext", "--max-size", "8K", env=WITH_KEY)
    assert done.code == 0
    done = run("copy", str(vault), "sqlite:copy.db", "--max-size", "8K", env=WITH_KEY)
    assert done.code == 0
    assert (tmp_path / "copy.db").exists()


def test_mb_is_a_million_bytes_and_mib_is_not(run: Program, tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    for size, most in {
        "2KB": 2_000,
        "2kb": 2_000,
        "2K": 2_048,
        "2KiB": 2_048,
        "1MB": 1_000_000,
        "1M": 2**20,
        "1mib": 2**20,
    }.items():
        path.touch(mode=0o600)
        os.truncate(path, most + 1)
        done = run("list", "-f", "v.json", "--max-size", size, env=WITH_KEY)
        assert f"{most + 1:,} bytes, and at most {most:,}" in done.err, size
    done = run("list", "--max-size", "1GB", env=WITH_KEY)
    assert "not from 1 to 256M" in done.err
    assert "MB is a million bytes" in run("list", "--help").out


def test_a_save_that_would_be_larger_is_refused(run: Program, vault: Path, tmp_path: Path) -> None:
    (tmp_path / "plain.json").write_text('{"session_cookie": "abc", "username": "ruth"}')
    before = vault.read_bytes()
    size = str(len(before))
    done = run("import", "plain.json", "--max-size", size, env=WITH_KEY)
    assert done.code == 65
    assert f"at most {len(before):,} are written. Nothing was changed." in done.err
    assert vault.read_bytes() == before
    assert run("import", "plain.json", env=WITH_KEY).code == 0
    assert sorted(read_vault(vault, key=KEY)) == ["maple_ink", "pedro_k", "ruth"]


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_copy_that_would_be_larger_makes_nothing(
    kind: str, run: Program, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    # The records of these two count only in the file that they are copied into.
    given, url = "sqlite:many.db", f"sqlite:{tmp_path / 'many.db'}"
    if kind == "redis":
        given = request.getfixturevalue("redis")
        url = Path(given[1:]).read_text().strip()
    with Vault.open(url, key=KEY, create=True) as many:
        many.update({f"bot-{number}": {"text": "x" * 100} for number in range(50)})
    before = names_below(tmp_path)
    for target in ("small.json", "folder/small.json"):
        done = run("copy", given, target, "--max-size", "4K", env=WITH_KEY)
        assert done.code == 65, done
        assert "small.json: the vault would have" in done.err
        assert "Nothing was changed" in done.err
        assert names_below(tmp_path) == before
    done = run("copy", given, "small.json", "--max-size", "64K", env=WITH_KEY)
    assert "50 sessions copied" in done.err
    assert len(read_vault(tmp_path / "small.json", key=KEY)) == 50


@pytest.mark.parametrize("target", ["v.json", "sqlite:v.db"])
def test_a_new_vault_that_would_be_larger_leaves_nothing(
    target: str, run: Program, tmp_path: Path
) -> None:
    (tmp_path / "plain.json").write_text('{"session_cookie": "abc", "username": "ruth"}')
    before = names_below(tmp_path)
    for words in (["init"], ["import", "plain.json"]):
        done = run(*words, "-f", target, "--max-size", "800", env=WITH_KEY)
        assert done.code == 65, done
        assert "Nothing was changed" in done.err
        assert names_below(tmp_path) == before


def test_an_empty_vault_is_copied(run: Program, tmp_path: Path) -> None:
    make_vault(tmp_path / "empty.json")
    assert "0 sessions copied" in run("copy", "empty.json", "w.json", env=WITH_KEY).err
    assert read_vault(tmp_path / "w.json", key=KEY) == {}


def names_below(folder: Path) -> set[str]:
    """The paths of all that is there, but for the home of the program and a Redis."""
    others = (folder / "home", folder / "redis")
    return {str(p) for p in folder.rglob("*") if not any(o in (p, *p.parents) for o in others)}


def test_a_backup_that_is_larger_is_not_imported(run: Program, vault: Path, tmp_path: Path) -> None:
    make_vault(tmp_path / "backup.json", *(f"account-{number}" for number in range(20)))
    before = vault.read_bytes()
    done = run("import", "backup.json", "--max-size", "2K", env=WITH_KEY)
    assert done.code == 65
    assert "backup.json: this has" in done.err
    assert vault.read_bytes() == before
    assert run("import", "backup.json", "--max-size", "64K", env=WITH_KEY).code == 0


def test_a_plain_file_is_no_vault_and_may_be_larger(
    run: Program, vault: Path, tmp_path: Path
) -> None:
    (tmp_path / "plain.json").write_text(
        '{"session_cookie": "abc",' + " " * 10_000 + '"username": "ruth"}'
    )
    assert run("import", "plain.json", "--max-size", "8K", env=WITH_KEY).code == 0
    assert sorted(read_vault(vault, key=KEY)) == ["maple_ink", "pedro_k", "ruth"]


def test_the_error_is_of_the_kind_limit_and_doctor_gives_its_remedy(
    run: Program, vault: Path
) -> None:
    done = run("list", "--json", "--max-size", "1K", env=WITH_KEY)
    assert (done.code, done.error["code"]) == (65, "limit")
    done = run("doctor", "--json", "--max-size", "1K", env={"INTERPALS_VAULT_KEY": OTHER_KEY_TEXT})
    [finding] = [one for one in done.json["findings"] if one["code"] == "unreadable"]
    assert "at most 1,024 are read" in finding["message"]
    assert "--max-size" in finding["remedy"]
    assert vault.exists()


@pytest.mark.parametrize("size", ["", "0", "-1", "257M", "1G", "1T", "12x", "1.5M", "M", "9" * 30])
def test_what_is_no_size_is_a_usage_error(run: Program, vault: Path, size: str) -> None:
    done = run("list", "--max-size", size, env=WITH_KEY)
    assert done.code == 64
    assert "--max-size" in done.err
    assert vault.exists()

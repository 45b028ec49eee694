"""What helps a person to choose: order and states of `list`, a pager, a dry run, completion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interpal.vault.vault import Vault
from tests.cli import EXPIRED, KEY, WITH_KEY, Program, make_vault, read_vault, record

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """Three accounts: one that is over, two that are not."""
    path = tmp_path / ".interpals_session.json"
    with Vault.open(path, create=True, key=KEY) as vault, vault.transaction() as records:
        records["b"] = record("b", created="2026-01-03T00:00:00Z", expires=EXPIRED)
        records["a"] = record("a", created="2026-01-01T00:00:00Z", expires="2998-01-01T00:00:00Z")
        records["c"] = record("c", created="2026-01-02T00:00:00Z", expires="2997-01-01T00:00:00Z")
    return path


def test_list_sorts_chooses_and_sums_up(run: Program, several: Path) -> None:
    def names(*options: str) -> str:
        found = run("list", "--json", *options, env=WITH_KEY)
        assert found.code == 0, found
        return "".join(one["name"] for one in found.json["accounts"])

    assert names() == "abc"
    assert names("--sort", "created") == "acb"
    assert names("--sort", "expires") == "bca"
    assert names("--state", "expired") == "b"
    assert names("--state", "not-expired", "--state", "expired") == "abc"
    assert names("--expired") == "b"
    assert names("--sort", "expires", "--limit", "2") == "bc"
    assert run("list", env=WITH_KEY).err == ""
    part = run("list", "--limit", "1", env=WITH_KEY)
    assert part.err == "3 sessions: 1 expired, 2 not expired; 1 shown\n"
    over = run("list", "--state", "expired", env=WITH_KEY)
    assert over.err == "1 session: 1 expired\n"
    assert len(over.out.splitlines()) == 2
    for wrong in (["--limit", "0"], ["--sort", "age"], ["--state", "odd"]):
        assert run("list", *wrong, env=WITH_KEY).code == 64


def test_a_long_list_has_a_pager_on_a_terminal(run: Program, tmp_path: Path) -> None:
    make_vault(tmp_path / ".interpals_session.json", *(f"user{n:03}" for n in range(40)))
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\necho PAGER BEGINS\ncat\necho PAGER ENDS\n")
    pager.chmod(0o755)
    env = {**WITH_KEY, "PAGER": str(pager)}
    with run.terminal("list", env=env) as terminal:
        terminal.expect("PAGER BEGINS")
        terminal.expect("user039")
        terminal.expect("PAGER ENDS")
        terminal.expect("40 sessions: 40 not expired")
        assert terminal.end() == 0
    with run.terminal("list", "--limit", "3", env=env) as terminal:
        terminal.expect("user002")
        assert terminal.end() == 0
        assert "PAGER" not in terminal.screen
    assert "PAGER" not in run("list", env=env).out


def test_a_dry_run_of_prune_changes_nothing(run: Program, several: Path) -> None:
    before = several.read_bytes()
    dry = run("prune", "--dry-run", env=WITH_KEY)
    assert (dry.code, dry.out) == (0, "b\n")
    assert "1 expired session would be dropped" in dry.err
    told = run("prune", "--dry-run", "--damaged", "--json", env=WITH_KEY).json
    assert (told["removed"], told["damaged"], told["dry_run"]) == (["b"], 0, True)
    assert several.read_bytes() == before
    assert run("prune", env=WITH_KEY).out == "b\n"
    assert sorted(read_vault(several)) == ["a", "c"]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("interpal-vault exec --user ", {"a", "b", "c"}),
        ("interpal-vault remove b", {"b"}),
        ("interpal-vault export --user ", {"a", "b", "c"}),
        ("interpal-vault slot remove ", {"slot-1"}),
        ("interpal-vault passwd --slot sl", {"slot-1"}),
        ("interpal-vault exec -f nothing.json --user ", set()),
    ],
)
def test_names_are_completed(run: Program, several: Path, line: str, wanted: set[str]) -> None:
    words = line.split(" ")
    env = {"_INTERPAL_VAULT_COMPLETE": "bash_complete", "COMP_WORDS": line,
           "COMP_CWORD": str(len(words) - 1)}  # fmt: skip
    done = run(env={**WITH_KEY, **env})
    found = {text.partition(",")[2] for text in done.out.splitlines() if text}
    assert found == wanted, done
    assert done.err == ""


def test_completion_asks_nothing_and_tells_nothing(run: Program, several: Path) -> None:
    env = {"_INTERPAL_VAULT_COMPLETE": "bash_complete", "COMP_CWORD": "3",
           "COMP_WORDS": "interpal-vault exec --user "}  # fmt: skip
    mark = several.parent / "asked"
    command = f"touch {mark}"
    sources: list[dict[str, str]] = [
        {},
        {"INTERPALS_VAULT_KEY": "no key"},
        {"INTERPALS_VAULT_PASSPHRASE": "wrong"},
        {"INTERPALS_VAULT_PASSPHRASE_COMMAND": command},
    ]
    for source in sources:
        done = run(env={**env, **source})
        assert (done.out.strip(), done.err) == ("", ""), (source, done)
    assert not mark.exists()

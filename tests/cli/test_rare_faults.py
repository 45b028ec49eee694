"""What the program says in cases that come once in a while."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from interpal.vault import Vault
from interpal.vault.cli import errors, output
from tests.cli import KEY, WITH_KEY, Program, record

if TYPE_CHECKING:
    from pathlib import Path


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
        output.duration(timedelta(**span))
        for span in (
            {"seconds": 5}, {"minutes": 5}, {"hours": 47}, {"days": 2}, {"days": 2, "hours": 3},
            {"days": 100},
        )
    ]  # fmt: skip
    assert said == ["5 s", "5 min", "47 h", "2 d", "2 d 3 h", "100 d"]

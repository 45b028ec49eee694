"""The vault where none is named: the default file of the client, or the one without its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli import WITH_KEY, Program, make_vault

if TYPE_CHECKING:
    from pathlib import Path

GENERAL = ".session_vault.json"


def test_the_default_file_of_either_is_found(run: Program, tmp_path: Path) -> None:
    make_vault(tmp_path / GENERAL, "forum")
    done = run("list", "--json", env=WITH_KEY)
    assert done.code == 0
    assert done.json["path"] == str(tmp_path / GENERAL)


def test_where_both_are_there_it_asks_for_f(run: Program, vault: Path, tmp_path: Path) -> None:
    make_vault(tmp_path / GENERAL, "forum")
    done = run("list", env=WITH_KEY)
    assert done.code == 64
    assert "-f FILE" in done.err
    assert GENERAL in done.err
    assert vault.name in done.err
    for name in (GENERAL, vault.name):
        assert run("list", "-f", name, env=WITH_KEY).code == 0


def test_the_second_name_of_a_variable_opens_it(run: Program, vault: Path) -> None:
    environment = {name.replace("INTERPALS", "SESSION"): text for name, text in WITH_KEY.items()}
    assert run("verify", env=environment).code == 0
    done = run("exec", "--user", "maple_ink", "--", "env", env=environment)
    assert done.code == 0
    assert "SESSION_VAULT_" not in done.out

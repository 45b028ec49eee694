"""The vault where none is named: the default file of the client, or the one without its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli import WITH_KEY, Program, make_vault, verbs_of_the_vault

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


def test_a_vault_that_is_named_needs_no_choice(run: Program, vault: Path, tmp_path: Path) -> None:
    make_vault(tmp_path / GENERAL, "forum")
    make_vault(tmp_path / "team.json", "cedar")
    for verb in ("inspect", "verify"):
        assert run(verb, "team.json", env=WITH_KEY).code == 0
        assert "-f FILE" in run(verb, env=WITH_KEY).err


def test_verify_takes_the_vault_of_f_and_those_that_follow(
    run: Program, vault: Path, tmp_path: Path
) -> None:
    make_vault(tmp_path / "team.json", "cedar")
    done = run("verify", "-f", vault.name, "team.json", "--json", env=WITH_KEY)
    assert [one["path"] for one in done.json["vaults"]] == [str(vault), str(tmp_path / "team.json")]


def test_completion_looks_into_the_default_file_of_either(run: Program, tmp_path: Path) -> None:
    make_vault(tmp_path / GENERAL, "forum")
    line = "interpal-vault remove "
    env = {"_INTERPAL_VAULT_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": "2"}
    assert run(env={**WITH_KEY, **env}).out == "plain,forum\n"


def test_every_help_says_which_file_is_the_default(run: Program) -> None:
    rule = ".interpals_session.json or, if it is here, .session_vault.json"
    for verb in sorted(verbs_of_the_vault() - {"keygen", "benchmark", "copy"}):
        assert rule in " ".join(run(*verb.split(), "--help").out.split()), verb
    assert rule in " ".join(run("--help").out.split())


def test_the_second_name_of_a_variable_opens_it(run: Program, vault: Path) -> None:
    environment = {name.replace("INTERPALS", "SESSION"): text for name, text in WITH_KEY.items()}
    assert run("verify", env=environment).code == 0
    done = run("exec", "--user", "maple_ink", "--", "env", env=environment)
    assert done.code == 0
    assert "SESSION_VAULT_" not in done.out

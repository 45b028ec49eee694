"""What docs/json.md says of `--json` is what every verb prints."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from interpal.vault.cli.app import cli
from tests.cli import WITH_KEY, Program, verbs_of_the_vault
from tests.cli.test_matrix import (
    LOW,
    WITH_NEW,
    WITH_OLD,
    damaged,
    locked,
    loose,
    nothing,
    two,
    with_expired,
    with_plain,
    with_server,
)
from tests.docs.markdown import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

PAGE = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")


class Run(NamedTuple):
    """A run of a verb: in which folder, and with which environment."""

    arguments: str
    prepare: Callable[[Path], None]
    env: Mapping[str, str] = WITH_KEY


RUNS: dict[str, tuple[Run, ...]] = {
    "inspect": (Run("", two), Run("", locked, WITH_OLD)),
    "list": (Run("", two),),
    "verify": (Run("", two), Run("", damaged)),
    "doctor": (Run("", loose), Run("--fix", loose), Run("", locked)),
    "init": (Run("", nothing),),
    "keygen": (Run("", nothing, {}), Run("-o new.key", nothing, {})),
    "passwd": (Run(LOW, locked, WITH_OLD),),
    "slot list": (Run("", two), Run("", locked)),
    "slot add": (Run(f"--kid laptop {LOW}", two, WITH_NEW),),
    "slot remove": (Run("server --yes", with_server),),
    "rotate": (Run("--yes", two), Run("--drop-slots --yes", with_server)),
    "remove": (Run("pedro_k --yes", two),),
    "prune": (Run("", with_expired), Run("--dry-run", with_expired)),
    "import": (Run("ana.json", with_plain),),
    "export": (Run(f"-o copy {LOW}", two, WITH_NEW),),
    "copy": (Run(".interpals_session.json sqlite:team.db", two),),
    "benchmark": (Run("", nothing, {}),),
}


def members(value: Any, path: str = "") -> Iterator[str]:
    """The paths of what is in a JSON value, as the page writes them."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from members(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        if not value:
            yield f"{path}[]"
        for inner in value:
            yield from members(inner, f"{path}[]")
    else:
        yield path


def said(section: str) -> set[str]:
    """The members that the page has under a heading."""
    text = PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]
    found = set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))
    assert found, section
    return found


def without_covers(found: set[str]) -> set[str]:
    """Without a member that is null or empty here and has members of its own elsewhere."""
    return {
        path
        for path in found
        if not any(
            other != path and other.startswith((f"{path}.", f"{path}[", f"{path.rstrip('[]')}[]."))
            for other in found
        )
    }


@pytest.mark.parametrize("verb", RUNS)
def test_the_page_has_the_members_that_the_verb_prints(verb: str, tmp_path: Path) -> None:
    printed: set[str] = set()
    for number, each in enumerate(RUNS[verb]):
        folder = tmp_path / str(number)
        folder.mkdir()
        each.prepare(folder)
        arguments = [*verb.split(), *each.arguments.split(), "--json"]
        done = Program(folder)(*arguments, env=each.env)
        printed |= set(members(json.loads(done.out)))
    assert without_covers(printed) == said(f"`{verb}`")


def test_the_page_has_every_verb() -> None:
    assert (
        verbs_of_the_vault() - {"exec"}
        == set(RUNS)
        == set(re.findall(r"^## `(.+)`$", PAGE, re.MULTILINE))
    )
    assert "--json" not in {option for each in cli.commands["exec"].params for option in each.opts}


def test_errors_and_warnings_are_as_the_page_says(run: Program, tmp_path: Path) -> None:
    done = run("list", "--json", env=WITH_KEY)
    told = {path for line in done.err.splitlines() for path in members(json.loads(line))}
    assert told == {path for path in said("Errors and warnings") if path.startswith("error.")}

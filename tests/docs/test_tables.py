"""The tables and numbers of the documentation are those of the code."""

from __future__ import annotations

import inspect
import json
import re

import pytest

from benchmarks.guesses import PROFILES
from benchmarks.guesses import RESULT as GUESSES
from docs import man
from docs.arguments import MEANINGS
from docs.generate import with_guesses
from docs.states import transitions
from interpal import AsyncInterpalClient, InterpalClient, exceptions
from interpal.api import calls
from interpal.sessions.events import EVENTS
from interpal.vault import KdfParameters
from interpal.vault.cli import errors
from interpal.vault.cli.app import cli
from interpal.vault.format import key_slots
from interpal.vault.health import guessing
from interpal.vault.keys.environment import SOURCES
from interpal.vault.stores.redis import client as redis_client
from interpal.vault.stores.redis import servers as redis_servers
from tests.docs.markdown import ROOT


def page(name: str) -> str:
    return (ROOT / name).read_text()


def words(name: str) -> str:
    """A page with its lines joined."""
    return " ".join(page(name).split())


def rows(text: str, title: str) -> list[list[str]]:
    """The rows of the table whose first column has this title."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {title} |"))
    table = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def test_the_table_of_parameters_is_the_constructor() -> None:
    parameters = inspect.signature(InterpalClient).parameters
    shown: dict[str, str] = {}
    for names, default, _ in rows(page("docs/client.md"), "parameter"):
        for name in re.findall(r"`(\w+)`", names):
            shown[name] = default.strip("`")
    assert list(shown) == list(parameters)
    assert inspect.signature(AsyncInterpalClient).parameters.keys() == parameters.keys()
    for name, parameter in parameters.items():
        if parameter.default is not None:
            assert shown[name] == str(parameter.default), name


def test_the_calls_of_the_table_are_there_on_both_clients() -> None:
    for cells in rows(page("docs/client.md"), "call"):
        for name in re.findall(r"`(\w+)", cells[0]):
            assert hasattr(InterpalClient, name), name
            assert hasattr(AsyncInterpalClient, name), name


# What a start finds, in the words of docs/client.md, for each transition of
# interpal/sessions/state.py that a start makes, in the words of its table.
RESUMING = {
    "a saved one is used unasked": [
        "seen working within `revalidate_after`",
        "the server cannot be reached, or says anything else",
    ],
    "the server says whose it is": ["the server says 200, and it is this account"],
    "the server says it is another's": ["the server says 200, and it is another account"],
    "it is past its expiry": ["past its expiry"],
    "the server says 401 to who it is": ["the server says 401"],
    "a login has given it": [
        "no vault, or none of this account in it",
        "a session made at another `base_url`; a file of 1.x belongs to the real site",
        "an empty or cut-off file, a vault that is damaged",
        "never validated, and `username=` is an e-mail address",
        "past its expiry",
        "the server says 401",
    ],
}


def test_the_resume_table_leads_to_the_states_of_the_table_of_transitions() -> None:
    found = {cells[0]: cells[2] for cells in rows(page("docs/client.md"), "what is found")}
    states: dict[str, set[str]] = {what: set() for what in found}
    for _, before, after, _, when in transitions():
        begins = before.startswith(("none", "open"))
        assert (when in RESUMING) is begins, when
        for what in RESUMING.get(when, ()):
            states[what].add(after)
    for what, reached in states.items():
        said = set(found[what].split(", ")) if found[what] else set()
        # Where nothing comes of it the client has no session, as before.
        assert said == reached or (said <= {"none"} and not reached), what


def test_every_event_is_in_the_table_with_the_level_of_its_log_line() -> None:
    shown = {
        name.strip("`"): level.lower() for name, _, _, level in rows(page("docs/events.md"), "name")
    }
    assert shown == dict(EVENTS)


def test_the_tree_of_errors_is_the_whole_tree() -> None:
    tree = page("docs/client.md")
    missing = [
        name
        for name, value in vars(exceptions).items()
        if inspect.isclass(value) and issubclass(value, Exception) and name not in tree
    ]
    assert not missing


def test_the_sources_of_a_key_are_those_that_are_looked_at() -> None:
    shown = [
        re.findall(r"`([\w-]+)`", cells[0])[0] for cells in rows(page("docs/keys.md"), "source")
    ]
    assert shown == [source.name for source in SOURCES]


def test_the_exit_codes_are_those_of_the_program() -> None:
    codes = [cells[0] for cells in rows(page("docs/command-line.md"), "code")]
    shown = {int(code) for cell in codes for code in cell.split(", ")}
    own = {
        value for name, value in vars(errors).items() if name.isupper() and isinstance(value, int)
    }
    assert shown == own


def test_the_commands_for_contributors_are_those_of_the_makefile() -> None:
    cells = " ".join(row[0] for row in rows(page("CONTRIBUTING.md"), "command"))
    shown = re.findall(r"`make ([a-z-]+)`", cells)
    declared = page("Makefile").replace("\\\n", " ")
    targets = re.findall(r"^\.PHONY: (.+)$", declared, re.MULTILINE)[0].split()
    assert sorted([*shown, "clean"]) == sorted(targets)


def test_the_places_of_changes_hold_what_is_to_be_changed() -> None:
    asked = (
        "largest vault",
        "a message",
        "an exit code",
        "an endpoint",
        "a rule for cookies",
        "a source of keys",
        "waits for a lock",
        "Argon2id",
        "`doctor`",
        "a reply has",
    )
    table = rows(page("docs/architecture.md"), "change")
    assert all(any(words in change for change, _, _ in table) for words in asked)
    for change, place, name in table:
        found = re.match(r"`([\w/]+(?:\.py)?/?)`", place)
        assert (found is None) == (not name), change
        if found is None:
            continue
        path = ROOT / "interpal" / found[1]
        files = [path] if path.is_file() else sorted(path.rglob("*.py"))
        word = re.compile(rf"^(class |def )?{name.strip('`')}\b", re.MULTILINE)
        assert any(word.search(file.read_text()) for file in files), change


def test_every_verb_is_in_the_table_of_the_command_line() -> None:
    shown = " ".join(cells[0] for cells in rows(page("docs/command-line.md"), "verb"))
    assert {*re.findall(r"`([a-z]+)", shown)} == {*cli.commands}


@pytest.mark.parametrize("name", ["SECURITY.md", "docs/format.md", "docs/keys.md"])
def test_the_numbers_of_argon2id_are_those_that_are_used(name: str) -> None:
    assert KdfParameters.DEFAULT == (64 * 1024, 3, 4)
    assert KdfParameters.LOW_MEMORY == (19 * 1024, 2, 1)
    assert "64 MiB" in page(name)
    assert "19 MiB" in page(name)


def test_the_bounds_are_those_that_are_enforced() -> None:
    shown = {cells[0]: cells[1:] for cells in rows(page("docs/format.md"), "what")}
    assert shown["`m`, KiB"][1] == f"{key_slots.MAX_MEMORY_KIB:,}"
    assert shown["`t`, passes"][1] == str(key_slots.MAX_PASSES)
    assert shown["`p`, lanes"][1] == str(key_slots.MAX_LANES)
    assert shown["key slots"][1] == str(key_slots.MAX_SLOTS)
    assert f"{key_slots.MAX_SLOT_COST >> 20} GiB for one slot" in shown["`m` times `t`"][1]
    assert f"{key_slots.MAX_TOTAL_COST >> 20} GiB for all" in shown["`m` times `t`"][1]


def test_the_page_of_the_environment_has_every_variable_that_the_package_names() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "interpal").rglob("*.py"))
    named = set(re.findall(r"\b(?:INTERPALS_[A-Z_]*[A-Z]|CREDENTIALS_DIRECTORY)\b", source))
    page = (ROOT / "docs" / "environment.md").read_text(encoding="utf-8")
    assert len(named) > 10
    assert {name for name in named if f"`{name}`" not in page} == set()
    general = set(re.findall(r"\bSESSION_VAULT_[A-Z_]*[A-Z]\b", source))
    assert {name.replace("SESSION", "INTERPALS") for name in general} <= named
    assert "`SESSION_VAULT_PASSPHRASE`" in page


def test_the_page_on_passphrases_has_what_was_measured_and_what_the_code_makes_of_it() -> None:
    shown = page("docs/passphrases.md")
    assert with_guesses(shown) == shown
    measured = json.loads(GUESSES.read_text())["guesses_per_core_second"]
    assert {name: guessing.MEASURED[kdf] for name, kdf in PROFILES.items()} == measured
    for name, kdf in PROFILES.items():
        cells = next(cells for cells in rows(shown, "profile") if cells[0] == name)
        assert cells[4] == "not measured"
        assert f"**{guessing.bits_needed(kdf)}**" in shown


def test_the_prices_of_the_page_on_passphrases_are_those_of_the_code() -> None:
    shown = page("docs/passphrases.md")
    assert f"electricity {guessing.ELECTRICITY_USD_PER_KWH:.2f} USD a kilowatt-hour" in shown
    assert f"{guessing.WATTS_PER_CORE:.0f} watts a core" in shown
    assert f"{guessing.usd_per_core_hour(rented=False):.3f} USD for an hour" in shown
    assert f"rent {guessing.RENT_USD_PER_CORE_HOUR:.2f} USD for an hour of a core" in shown
    assert f"**{guessing.BUDGET_USD:,} USD**" in shown
    assert f"a reserve of {guessing.MARGIN_BITS}" in shown


def test_the_manual_page_is_that_of_the_options_of_today() -> None:
    # Between brackets is what click says of an option, each version of it in its own words.
    kept, made = (re.sub(r" *\[[^]]*\]", "", text) for text in (man.PAGE.read_text(), man.page()))
    assert kept == made, "run `make docs`"
    for name in cli.commands:
        assert f"interpal\\-vault {name}" in man.page()


def test_every_argument_of_a_call_has_a_meaning_in_the_reference() -> None:
    taken: set[str] = set()
    for (module, name), names in calls.TOPICS.items():
        owner = calls.load(module, name)
        for method in names.split():
            declared = getattr(owner, method)
            function = getattr(declared, "__wrapped__", declared)
            taken |= set(inspect.signature(function).parameters) - {"self"}
    assert set(MEANINGS) == taken


def test_the_waits_for_a_redis_server_are_those_of_the_code() -> None:
    assert redis_servers.CONNECT_SECONDS == redis_servers.COMMAND_SECONDS == 3
    last, most = redis_client.MOST_SECONDS, redis_client.FAILOVER_SECONDS
    assert "no connection within 3 seconds, or for 3 seconds" in words("docs/scaling.md")
    assert f"not complete after {last:.0f}." in words("docs/scaling.md")
    save = redis_client.SAVE_SECONDS
    assert f"for {most:.0f} seconds, for a save {save:.0f}" in words("docs/scaling.md")
    assert f"wait up to {most:.0f} seconds for it, saves up to {save:.0f}" in words(
        "docs/fleets.md"
    )

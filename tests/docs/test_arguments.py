"""The tables of arguments in the reference have a row for each argument, and no other."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import griffe
import pytest

from docs.arguments import CLIENT, OTHERS
from tests.docs.markdown import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

# What the description of a number says that it measures or counts.
UNIT = re.compile(r"\b(seconds|hours|a count|number)\b", re.IGNORECASE)
NUMBER = re.compile(r"\b(int|float)\b")


@cache
def package() -> griffe.Module:
    """The package as the reference reads it."""
    found = griffe.load(
        "interpal",
        search_paths=[ROOT],
        extensions=griffe.load_extensions(str(ROOT / "docs" / "calls.py")),
        docstring_parser="google",
    )
    assert isinstance(found, griffe.Module)
    return found


def methods(path: str) -> Iterator[griffe.Function | griffe.Class]:
    """What takes arguments: a function, or the constructor and the methods of a class.

    The constructor's table is that of the class, where its docstring is the constructor's too.
    """
    owner = package()[path]
    if isinstance(owner, griffe.Function):
        yield owner
        return
    made = owner.all_members.get("__init__")
    if made is not None:
        yield owner if made.docstring is None else made
    for name, member in owner.members.items():
        if isinstance(member, griffe.Function) and not name.startswith("_"):
            yield member


def rows(declared: griffe.Function | griffe.Class) -> dict[str, griffe.DocstringParameter]:
    """The table of what it takes, by name."""
    sections = [] if declared.docstring is None else declared.docstring.parsed
    return {
        row.name.lstrip("*"): row
        for section in sections
        if isinstance(section, griffe.DocstringSectionParameters)
        for row in section.value
    }


@pytest.mark.parametrize("path", OTHERS)
def test_every_argument_has_a_row_with_its_type_and_default(path: str) -> None:
    for declared in methods(path):
        taken = {each.name: each for each in declared.parameters if each.name != "self"}
        taken.pop("cls", None)
        shown = rows(declared)
        assert list(shown) == list(taken), declared.path
        for name, row in shown.items():
            assert row.annotation == taken[name].annotation, (declared.path, name)
            assert row.default == taken[name].default, (declared.path, name)
            assert row.description, (declared.path, name)


@pytest.mark.parametrize("path", OTHERS)
def test_the_row_of_a_number_has_its_unit_and_the_default_as_a_number(path: str) -> None:
    for declared in methods(path):
        for name, row in rows(declared).items():
            if NUMBER.search(str(row.annotation).partition("Callable")[0]):
                assert UNIT.search(row.description), (declared.path, name)
                assert re.match(r"[\d.]+$|None$", str(row.default or 0)), (declared.path, name)


def test_nothing_is_described_that_nothing_takes() -> None:
    client = [*methods("client.InterpalClient"), *methods("async_client.AsyncInterpalClient")]
    assert set(CLIENT) <= {each.name for declared in client for each in declared.parameters}
    groups = {id(meanings): meanings for meanings in OTHERS.values()}
    for meanings in groups.values():
        taken = {
            each.name
            for path, group in OTHERS.items()
            if group is meanings
            for declared in methods(path)
            for each in declared.parameters
        }
        assert set(meanings) <= taken

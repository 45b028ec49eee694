"""What is said of mutants that survive is said of functions that are there."""

from __future__ import annotations

import ast
import re

import pytest

from tests.reliability.mutation import MODULES, ROOT
from tests.reliability.survivors import SURVIVORS, Survivor


def places() -> set[str]:
    """The functions that are changed, as `where` of a mutant names them."""
    found: set[str] = set()
    for module in MODULES:
        path = ROOT / "interpal" / "vault" / f"{module}.py"
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                found.add(f"{path.stem}.{node.name}")
            if isinstance(node, ast.ClassDef):
                methods = [n.name for n in node.body if isinstance(n, ast.FunctionDef)]
                found.update(f"{path.stem}.{node.name}.{name}" for name in methods)
    return found


@pytest.mark.parametrize("survivor", SURVIVORS, ids=lambda survivor: survivor.what[:50])
def test_every_function_that_a_kind_names_is_there(survivor: Survivor) -> None:
    there = places()
    assert any(re.search(survivor.where, place) for place in there)
    # `module\.(one|other)` and `module\.one`, without what is a pattern itself.
    for module, several, one in re.findall(
        r"([a-z_]+)\\\.(?:\(([^)]*)\)|([\w\\.]+))", survivor.where
    ):
        for name in (several or one).replace("\\.", ".").split("|"):
            if re.fullmatch(r"[A-Za-z_.]+", name) and name != "w":
                assert any(place.startswith(f"{module}.{name}") for place in there), name

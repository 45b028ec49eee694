"""Old names are gone from the package, and awkward phrases from its messages and pages."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "interpal"

# Each was replaced by a word of the field, or by what the thing is.
OLD_MODULES = frozenset(
    (
        *("attempts", "binding", "checking", "dead", "draft", "face", "flight", "found", "given"),
        *("ground", "handed", "learn", "locksmith", "looking", "making", "moving", "opener"),
        *("places", "plain", "recovery", "running", "save", "saved", "secret_text", "seen"),
        *("separate", "slot_changes", "slots", "tenure", "told", "trust", "under_way"),
    )
)
OLD_NAMES = frozenset(
    (
        *("Change", "Changes", "Draft", "Face", "Found", "Given", "Handed", "Link", "Refused"),
        *("Sealed", "Seen", "Tenure", "Told", "Verdict", "bury", "dead", "found", "given"),
        *("judge", "learn", "seen", "tenure", "told"),
    )
)
PHRASES = (
    r"to try it takes",
    r"plays the site",
    r"take interpals_\w+ away",
    r"there is no vault (at|there)",
    r"this is no vault",
    r"the same again:",
    r"does not open it\.",
    r"\b(is|are) at hand\b",
    r"open it no more",
    r"nothing found that could be safer",
    r"taken for known",
    r"peers that win",
    r"is the dearer",
    r"from the first day",
    r"the everyday calls",
    r"real and not real",
)
PAGES = [
    *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
SOURCES = sorted(path for path in PACKAGE.rglob("*.py"))


def test_no_module_has_an_old_name() -> None:
    assert [str(path) for path in SOURCES if path.stem in OLD_MODULES] == []


def test_no_class_or_public_function_has_an_old_name() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.name in OLD_NAMES
    ]
    assert found == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_page_has_an_old_phrase(path: Path) -> None:
    text = re.sub(r"\s+", " ", path.read_text(encoding="utf-8"))
    for phrase in PHRASES:
        match = re.search(phrase, text, re.IGNORECASE)
        assert match is None, text[max(0, match.start() - 60) : match.end() + 20]


def test_no_message_or_docstring_has_an_old_phrase() -> None:
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = re.sub(r"\s+", " ", node.value)
                found += [
                    f"{path.relative_to(ROOT)}:{node.lineno}: {phrase}"
                    for phrase in PHRASES
                    if re.search(phrase, text, re.IGNORECASE)
                ]
    assert found == []

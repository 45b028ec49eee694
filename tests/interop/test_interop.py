"""Two of the libraries on every run of the tests; `make interop` runs all, and compares too."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from interpal.vault.stores.sqlite import connections
from tests.debian import need
from tests.docs.markdown import blocks
from tests.interop import HERE, PAGE, jose, page, reading, writing
from tests.interop.libraries import LIBRARIES, READERS, Library, Refused, pinned, shown

if TYPE_CHECKING:
    from pathlib import Path

MODULES = ["vault.py", "vault.mjs", *(library.module for library in LIBRARIES[:-1])]


def here(name: str) -> Library:
    """A library that is at hand without `make interop`."""
    if name == "jwcrypto":
        return Library(name, "with_jwcrypto.py", python=sys.executable)
    need("jose")
    return LIBRARIES[-1]


@pytest.mark.parametrize("name", ["jwcrypto", "Debian `jose`"])
def test_the_page_says_what_a_library_reads_and_writes(name: str, tmp_path: Path) -> None:
    library = here(name)
    try:
        assert reading.row(library, reading.write(tmp_path)) == page.table(page.READING)[name][1:]
        assert writing.row(library) == page.table(page.WRITING)[name][1:]
    finally:
        library.close()


def test_what_a_library_refuses_is_a_no_and_what_it_alters_is_an_error(tmp_path: Path) -> None:
    library = here("jwcrypto")
    try:
        vaults = reading.write(tmp_path)
        slot = jose.header_of(jose.joined(vaults.by_key))["vault"]["slots"][0]
        with pytest.raises(Refused, match="Invalid"):
            library.ask("as_it_is", text=slot, key=bytes(32))
        ways: reading.Reads = {"yes": lambda text, key: library.ask("nothing", text=text, key=key)}
        assert reading.cell(ways, lambda read: read(slot, reading.KEY)) == "no"
        foreign = vaults._replace(by_key=vaults.big)
        with pytest.raises(AssertionError):
            reading.row(library, foreign)
    finally:
        library.close()


def test_a_reader_that_does_not_authenticate_the_header_is_found(tmp_path: Path) -> None:
    file = reading.write(tmp_path).by_key
    library = here("jwcrypto")

    def careless(text: str, key: bytes) -> str:
        """Authenticates what it knows to have been there, whatever it is given."""
        sound = jose.joined(file)
        given = sound if text.split(".")[1] == sound.split(".")[1] else text
        answer: str = library.ask("as_it_is", text=given, key=key)
        return answer

    try:
        with pytest.raises(AssertionError, match="a changed vault was opened"):
            reading.check_refusals(file, careless)
    finally:
        library.close()


@pytest.mark.parametrize("title", [page.READING, page.WRITING])
def test_the_tables_have_every_library_in_the_version_that_is_pinned(title: str) -> None:
    found = page.table(title)
    assert {name: cells[0] for name, cells in found.items()} == {
        library.name: library.version for library in LIBRARIES
    }
    assert {len(cells) for cells in found.values()} == {len(page.COLUMNS) + 1}


@pytest.mark.parametrize("name", MODULES)
def test_the_page_shows_what_is_run(name: str) -> None:
    parts = list(shown((READERS / name).read_text()))
    assert parts
    texts = {block.text.strip() for block in blocks(PAGE.read_text())}
    assert {part.strip() for part in parts} <= texts


def test_what_is_installed_is_what_is_pinned() -> None:
    locked = (HERE / "requirements.txt").read_text()
    for name, version in pinned().items():
        if name not in {"jose", "node-jose", "hash-wasm"}:
            assert re.search(rf"(?m)^{re.escape(name)}=={re.escape(version)} ", locked), name
    assert locked.count("==") < locked.count("--hash=sha256:")


def test_the_tables_of_the_documentation_are_those_that_are_opened() -> None:
    made = {connections._one_line(statement) for statement in writing.documented_tables()}
    assert made == connections._TABLES

"""Links inside the documentation lead somewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.docs.markdown import PAGES, ROOT, anchors, links, pictures, without_blocks

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_leads_to_a_page_and_a_heading(page: Path) -> None:
    broken = []
    for link in links(page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page if not path else (page.parent / path).resolve()
        inside = target.exists() and ROOT in target.parents
        if not inside or (anchor and anchor not in anchors(target.read_text())):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_picture_is_there_and_described(page: Path) -> None:
    for description, path in pictures(page.read_text()):
        assert (page.parent / path).is_file(), path
        assert len(description) > 15, f"{path}: say what it shows, for those who cannot see it"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_external_links_are_encrypted(page: Path) -> None:
    assert not [link for link in links(page.read_text()) if link.startswith("http:")]


def test_every_page_of_the_docs_is_reached_from_the_readme() -> None:
    reached = {ROOT / "README.md"}
    waiting = list(reached)
    while waiting:
        page = waiting.pop()
        for link in links(page.read_text()):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.exists() and target not in reached:
                reached.add(target)
                waiting.append(target)
    assert {page for page in PAGES if ROOT / "docs" in page.parents} <= reached


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_is_left_half_written(page: Path) -> None:
    assert not re.findall(r"\]\(\s*\)|\]\[\]", without_blocks(page.read_text()))

"""The parts of a Markdown page that the tests look at: fenced blocks, comments, links, headings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_BLOCK = re.compile(
    r"^<!--\s*(?P<comment>.*?)-->\n|^(?P<fence>```+)(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=fence)$",
    re.DOTALL | re.MULTILINE,
)
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """A fenced block, and the line of the page that its text begins on.

    `directives` are the hidden comments that belong to it, `<!-- name: value -->`, by name.
    """

    language: str
    text: str
    line: int
    directives: dict[str, str]


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order.

    A directive belongs to the next block, `prints` to the one before it.
    """
    found: list[Block] = []
    directives: dict[str, str] = {}
    for match in _BLOCK.finditer(page):
        if match["comment"] is not None:
            name, _, value = match["comment"].partition(":")
            value = value.strip("\n").rstrip()
            if name.strip() == "prints":
                found[-1].directives["prints"] = value
            else:
                directives[name.strip()] = value
            continue
        line = page.count("\n", 0, match.start("text")) + 1
        found.append(Block(match["language"], match["text"], line, directives))
        directives = {}
    return found


def without_fences(page: str) -> str:
    """The page as it is read, without its fenced blocks."""
    return _BLOCK.sub("", page)


def without_blocks(page: str) -> str:
    """The page's prose: neither fenced blocks nor code spans."""
    return re.sub(r"`[^`\n]*`", "", without_fences(page))


def links(page: str) -> list[str]:
    """Where the links of a page lead."""
    return _LINK.findall(_BLOCK.sub("", page))


def pictures(page: str) -> list[tuple[str, str]]:
    """The pictures of a page: their descriptions and paths."""
    return re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", _BLOCK.sub("", page))


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and mkdocs name them."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", _BLOCK.sub("", page), re.MULTILINE):
        text = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
        found.add(text.strip().replace(" ", "-"))
    return found

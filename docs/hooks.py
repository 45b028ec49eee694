"""What the site does beyond Markdown: pages of the repository's root, and terminals that scroll.

`SECURITY.md` and its like stand at the root, where people look for them, and each is one text:
here they become pages of the site, and every link between the two places leads to where it
leads in the repository.

A picture of a terminal has 80 columns. Where the screen is narrower, as on a phone, it keeps
letters that can be read, and is scrolled in a box of its own.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
ROOT_PAGES = {
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
}

TERMINAL = re.compile(r'<p>(<img [^>]*pictures/(?:demo|doctor|inspect)\.svg"[^>]*>)</p>')


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Let the copy button take the commands of a console block, without prompts and output."""
    config.extra_css.append("copy.css")
    address = repository((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if address is not None:
        # Not `repo_url`: with it every page asks a host of its forge for the number of stars.
        config.copyright = f'<a href="{address}">Repository</a>'
    return config


def repository(project: str) -> str | None:
    """The address of the repository that pyproject.toml states; None where it states none."""
    urls = project.partition("[project.urls]\n")[2].partition("\n[")[0]
    found = re.search(r'^(?:Repository|Source)\s*=\s*"(https://[^"]+)"', urls, re.MULTILINE)
    return found and found[1]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root to those of the folder `docs`."""
    for name, shown_as in ROOT_PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, shown_as, content=for_the_site(text)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead the links of a page that go to the root to the page of the site."""
    del page, config, files
    return _to_root_pages(markdown, "../")


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put each picture of a terminal into a box that scrolls (`copy.css`)."""
    del page, config, files
    return TERMINAL.sub(r'<div class="terminal" tabindex="0">\1</div>', html)


def for_the_site(text: str) -> str:
    """A page of the root, its links as they are seen from the folder `docs`."""
    return re.sub(r"\]\(docs/", "](", _to_root_pages(text, ""))


def _to_root_pages(text: str, folder: str) -> str:
    for name, shown_as in ROOT_PAGES.items():
        text = text.replace(f"]({folder}{name}", f"]({shown_as}")
    return text

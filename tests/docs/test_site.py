"""The site is built without a warning, and its pictures are those of the program as it is."""

from __future__ import annotations

import ast
import html
import inspect
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from docs import key_hierarchy, layers, pictures, start, states
from docs.hooks import ROOT_PAGES, for_the_site
from interpal import AsyncInterpalClient, InterpalClient
from tests.docs.markdown import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built by the command of `make docs`."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "WARNING" not in said
    assert "Warning" not in said
    return folder


def test_the_site_is_built_without_a_warning(site: Path) -> None:
    assert (site / "index.html").is_file()


@pytest.mark.parametrize("words", ["FAQ", "log in every time", "permission", "docker", "proxy"])
def test_the_search_finds_the_page_for_troubles(site: Path, words: str) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text())
    found = " ".join(
        f"{part['title']} {part['text']}".lower()
        for part in index["docs"]
        if part["location"].startswith("troubleshooting/")
    )
    for word in words.lower().split():
        assert word in re.findall(r"[a-z]+", found)


@pytest.mark.parametrize("page", sorted(ROOT_PAGES))
def test_a_page_of_the_root_is_a_page_of_the_site(site: Path, page: str) -> None:
    title = re.findall(r"^# (.+)$", (ROOT / page).read_text(), re.MULTILINE)[0]
    shown = (site / ROOT_PAGES[page].removesuffix(".md") / "index.html").read_text()
    assert f">{html.escape(title)}" in shown
    assert ".md" not in re.findall(r'href="([^":]*)"', shown)


def test_links_of_a_page_of_the_root_are_those_of_the_site() -> None:
    text = "[a](docs/format.md#6-bounds) [b](CHANGELOG.md) [c](https://example.org/docs/x)"
    assert for_the_site(text) == (
        "[a](format.md#6-bounds) [b](changelog.md) [c](https://example.org/docs/x)"
    )


def test_the_reference_has_every_public_name(site: Path) -> None:
    import interpal
    import interpal.vault

    shown = (site / "reference" / "index.html").read_text()
    names = {*interpal.__all__, *interpal.vault.__all__} - {"__version__"}
    missing = [name for name in sorted(names) if not re.search(rf'id="[\w.]*\b{name}"', shown)]
    assert not missing


@pytest.mark.parametrize("client", [InterpalClient, AsyncInterpalClient])
def test_the_reference_has_every_call_as_it_is_called(site: Path, client: type) -> None:
    shown = (site / "reference" / "index.html").read_text()
    calls = [name for name in dir(client) if not name.startswith("_")]
    missing = [name for name in calls if f'id="interpal.{client.__name__}.{name}"' not in shown]
    assert not missing
    words = re.sub(r"<[^>]+>", "", shown)
    assert "Flow[" not in words
    assert "Call[" not in words


def test_everything_in_the_reference_that_takes_arguments_has_a_table_of_them(site: Path) -> None:
    page = (site / "reference" / "index.html").read_text()
    signature = re.compile(r'<div class="(?:language-python )?doc-signature.*?</pre>', re.DOTALL)
    row = re.compile(r'<tr class="doc-section-item">\s*<td>\s*<code>\**([^<]+)</code>')
    entries = page.split('class="doc doc-heading"')[1:]
    found = 0
    missing = []
    for entry in entries:
        shown = signature.search(entry)
        call = "" if shown is None else html.unescape(re.sub(r"<[^>]+>", "", shown[0])).strip()
        if "(" not in call:
            continue
        (declared,) = ast.parse(f"def {call}: ...").body
        assert isinstance(declared, ast.FunctionDef)
        taken = declared.args
        names = [each.arg for each in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)]
        names += [each.arg for each in (taken.vararg, taken.kwarg) if each is not None]
        table = entry.partition(">Parameters:</span>")[2].partition("</table>")[0]
        if sorted(names) != sorted(row.findall(table)):
            missing.append(f"{call.partition('(')[0]}: {names} {row.findall(table)}")
        found += bool(names)
    assert found > 200
    assert "\n".join(missing) == ""


def test_no_page_of_the_site_loads_anything_from_elsewhere(site: Path) -> None:
    loading = re.compile(
        r'<(?:img|script|source|iframe|video|audio|object|embed)\b[^>]*?\b(?:src|data)="([^"]*)"'
        r'|<link\b(?=[^>]*\brel="(?:stylesheet|icon|preload|preconnect|modulepreload)")'
        r'[^>]*?\bhref="([^"]*)"'
    )
    pages = sorted(site.rglob("*.html"))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = [one or other for one, other in loading.findall(text)]
        assert len(loaded) > 5, page
        for address in loaded:
            # The page for what is not found may be shown anywhere: its addresses begin at the host.
            path = address.removeprefix("/en/latest/") if page.name == "404.html" else address
            base = site if page.name == "404.html" else page.parent
            assert not re.match(r"(?:[a-z]+:)?//", path), f"{page.name} loads {path}"
            assert (base / path.partition("?")[0]).is_file(), f"{page}: {path}"
    assert len(pages) > 30


def test_no_page_wants_a_program_to_draw_its_pictures(site: Path) -> None:
    assert not [page for page in site.rglob("*.html") if 'class="mermaid"' in page.read_text()]


@pytest.mark.parametrize(
    ("page", "names"), [("index", ["inspect", "demo"]), ("operating", ["doctor"])]
)
def test_a_picture_of_a_terminal_is_in_a_box_that_scrolls(
    site: Path, page: str, names: list[str]
) -> None:
    path = site / "index.html" if page == "index" else site / page / "index.html"
    boxed = re.findall(r'<div class="terminal"[^>]*><img [^>]*/(\w+)\.svg"', path.read_text())
    assert boxed == names


@pytest.mark.parametrize("client", [InterpalClient, AsyncInterpalClient])
def test_the_reference_has_a_table_of_the_parameters_of_a_client(site: Path, client: type) -> None:
    shown = (site / "reference" / "index.html").read_text()
    of_class = shown.partition(f'id="interpal.{client.__name__}"')[2]
    table = of_class.partition("<table>")[2].partition("</table>")[0]
    rows = [re.sub(r"<[^>]+>", "", row) for row in table.split("<tr")[2:]]
    names = [row.split()[-1] if not row.split() else row.split(">")[-1].split()[0] for row in rows]
    assert names == list(inspect.signature(client).parameters)


def test_the_reference_has_a_table_of_the_arguments_of_a_call(site: Path) -> None:
    shown = (site / "reference" / "index.html").read_text()
    of_call = shown.partition('id="interpal.InterpalClient.search_users"')[2]
    table = of_call.partition("<table>")[2].partition("</table>")[0]
    for name in ("query", "age_min", "online_only", "lfor_snail"):
        assert f"<code>{name}</code>" in table
    assert "who writes letters on paper" in table


def test_a_page_leads_to_the_one_before_it_and_to_the_next(site: Path) -> None:
    first, middle = (site / "index.html").read_text(), (site / "keys" / "index.html").read_text()
    assert "md-footer__link--next" in first
    assert "md-footer__link--next" in middle
    assert "md-footer__link--prev" in middle


def seen(picture: str) -> list[str]:
    """The lines of text in a picture of a terminal."""
    rows: dict[float, str] = {}
    for y, text in re.findall(
        r'<text class="terminal-r\d+"[^>]* y="([\d.]+)"[^>]*>([^<]*)', picture
    ):
        rows[float(y)] = rows.get(float(y), "") + html.unescape(text).replace("\xa0", " ")
    return [rows[y].rstrip() for y in sorted(rows)]


def test_the_pictures_are_what_the_program_shows_today(tmp_path: Path) -> None:
    pictures.make(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        kept = seen((pictures.HERE / path.name).read_text())
        assert seen(path.read_text()) == kept, "run `make pictures`, and look at them"
        assert len(kept) > 5
        assert max(map(len, kept)) <= pictures.COLUMNS


def test_the_picture_of_the_layers_is_drawn_from_the_imports_of_today() -> None:
    kept = (pictures.HERE / "layers.svg").read_text(encoding="utf-8")
    assert layers.svg() == kept, "run `make pictures`, and look at it"
    assert kept.count("<path") > len(layers.needs())


@pytest.mark.parametrize(
    ("name", "drawn"), [("start", start.svg), ("keys", key_hierarchy.svg), ("states", states.svg)]
)
def test_what_is_drawn_by_a_program_is_what_it_draws_today(
    name: str, drawn: Callable[[], str]
) -> None:
    kept = (pictures.HERE / f"{name}.svg").read_text(encoding="utf-8")
    assert drawn() == kept, "run `make pictures`, and look at it"


@pytest.mark.parametrize("name", ["layers", "start", "keys"])
def test_a_drawn_picture_is_as_wide_as_a_phone_and_has_colours_for_the_dark(name: str) -> None:
    kept = (pictures.HERE / f"{name}.svg").read_text(encoding="utf-8")
    image = ElementTree.fromstring(kept)
    assert float(image.attrib["width"]) <= 420
    assert "prefers-color-scheme: dark" in kept


def test_looking_at_a_picture_fetches_nothing() -> None:
    for path in pictures.HERE.parent.rglob("*.svg"):
        addresses = re.findall(r"https?://[^\s\"')&<]+", path.read_text())
        # A name of XML, a comment, and what the demo prints.
        assert set(addresses) <= {
            "http://www.w3.org/2000/svg",
            "https://www.textualize.io",
            "http://127.0.0.1:8474.",
        }

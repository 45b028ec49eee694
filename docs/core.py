"""What a resume loads, for the page *Architecture*: the code that reads a session and its key."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cases.resuming import OURS
from benchmarks.children import environment
from benchmarks.records import vault_file

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- core: made by `make docs` -->", "<!-- end of core -->"

_NAMES = """
import sys
print(*sys.modules)
"""


def loaded() -> set[str]:
    """Every module of a process that has resumed with a raw key and asked nobody."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        done = subprocess.run(
            [sys.executable, "-c", OURS + _NAMES, str(vault_file(folder, 1))],
            cwd=folder,
            env={**environment(folder), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
    return set(done.stdout.split())


def path_of(module: str) -> Path:
    """The file of a module of the package."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def by_folder() -> Iterator[tuple[str, list[str], int]]:
    """Each folder of the package, with those of its modules that a resume loads, and their lines.

    What marks a folder as a package, `__init__.py` of one line, is left out.
    """
    folders: dict[str, list[Path]] = {}
    for module in loaded():
        if module.partition(".")[0] == "interpal":
            path = path_of(module)
            folders.setdefault(str(path.parent.relative_to(ROOT)), []).append(path)
    for folder, paths in sorted(folders.items()):
        lines = {p.name: len(p.read_text(encoding="utf-8").splitlines()) for p in paths}
        names = sorted(name for name, count in lines.items() if count > 1)
        if names:
            yield folder, names, sum(lines[name] for name in names)


def core_table() -> str:
    """The table, as Markdown. Lines to the next fifty: a comment more changes no page."""
    rows = ["| folder | modules | lines |", "| --- | --- | ---: |"]
    modules = total = 0
    for folder, names, lines in by_folder():
        shown = ", ".join(f"`{name}`" for name in names)
        rows.append(f"| `{folder}/` | {shown} | {-(-lines // 50) * 50:,} |")
        modules, total = modules + len(names), total + lines
    rows.append(f"| all | {modules} modules | {-(-total // 50) * 50:,} |")
    return "\n".join(rows)


def with_core(page: str) -> str:
    """The page *Architecture* with the table."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{core_table()}\n\n{END}{after}"

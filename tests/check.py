"""`make check`: the linters, and the tests of what has changed, as many as a minute allows.

What has changed is what differs from the main branch, uncommitted and new files included. Its
tests are the changed ones, those that import a changed module, and those in the folder that is
named as the module's own; of a changed page those that read the pages. The linters run beside the
tests: ruff and mypy on everything, pyright on what has changed. No test is begun once the time is
over, and how many were not is said: `make test` runs them all.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 30
# Left to `make test`: one of their tests can take the minute.
SLOW = (
    "tests/benchmarks/test_bench.py",
    "tests/packaging/test_distribution.py",
    "tests/reliability/test_lines.py",
)
# Fast, and about every module; about every page.
OF_MODULES = ("tests/test_layers.py", "tests/test_surface.py")
OF_PAGES = ("tests/docs/test_links.py", "tests/docs/test_tables.py")


def git(*arguments: str) -> list[str]:
    """The lines that git prints; none where it fails."""
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.splitlines() if done.returncode == 0 else []


def changed_files() -> list[str]:
    """What differs from the main branch, relative to the root of the repository."""
    bases = (git("merge-base", "HEAD", name) for name in ("origin/main", "main"))
    base = next((found[0] for found in bases if found), "HEAD")
    found = git("diff", "--name-only", "--diff-filter=d", "--relative", base)
    return sorted({*found, *git("ls-files", "--others", "--exclude-standard")})


def module_of(path: str) -> str:
    """The module in a file: `interpal/vault/__init__.py` is `interpal.vault`."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def imports_of(path: Path) -> set[str]:
    """The modules that a file imports, and what it imports from them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def tests_of(changed: Iterable[str]) -> list[str]:
    """The test files for changed files, those first that have changed themselves."""
    changed = list(changed)
    python = [path for path in changed if path.endswith(".py")]
    first = [path for path in python if os.path.basename(path).startswith("test_")]
    modules = {module_of(path) for path in python}
    importing = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if imports_of(path) & modules
    ]
    folders = dict.fromkeys(
        Path(path).parent.name for path in python if path.startswith("interpal/")
    )
    beside = [
        str(path.relative_to(ROOT))
        for folder in folders
        for path in sorted((ROOT / "tests" / folder).glob("test_*.py"))
    ]
    found = [*(OF_MODULES if modules else ()), *first, *importing, *beside]
    if any(path.endswith(".md") for path in changed):
        found += OF_PAGES
    known = dict.fromkeys(path for path in found if (ROOT / path).is_file())
    return [path for path in known if path not in SLOW]


def linters(changed: Iterable[str]) -> list[list[str]]:
    """The commands of the linters."""
    tools = os.path.join(os.path.dirname(sys.executable), "")
    commands = [[f"{tools}ruff", "check", "."], [f"{tools}ruff", "format", "--check", "."]]
    commands.append([f"{tools}mypy", "--python-version", "3.10"])
    python = [path for path in changed if path.endswith((".py", ".pyi"))]
    return [*commands, [f"{tools}pyright", *python]] if python else commands


class Budget:
    """A plugin of pytest that begins no test after so many seconds, and counts those."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = 0.0
        self.left_out = 0

    def pytest_collection_finish(self) -> None:
        self._until = time.monotonic() + self._seconds

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self) -> bool | None:
        """True: as if it had been run."""
        if time.monotonic() < self._until:
            return None
        self.left_out += 1
        return True


def main() -> int:
    os.chdir(ROOT)
    changed = changed_files()
    tests = tests_of(changed)
    print(f"{len(changed)} files differ from the main branch; their tests:")
    print("".join(f"  {path}\n" for path in tests or ["none"]), end="", flush=True)
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    lint = " && ".join(subprocess.list2cmdline(command) for command in linters(changed))
    with subprocess.Popen(
        ["sh", "-c", lint],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as linting:
        budget = Budget(SECONDS)
        options = ["-q", "-x", "-p", "no:xdist"]
        code = int(pytest.main([*options, *tests], plugins=[budget])) if tests else 0
        said = linting.communicate()[0]
    print(said, end="")
    if budget.left_out:
        print(f"{budget.left_out} tests not begun, the time is over: `make test` runs all.")
    print("lint:", "failed" if linting.returncode else "passed")
    return code or linting.returncode


if __name__ == "__main__":
    sys.exit(main())

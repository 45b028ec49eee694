"""What the sdist of PyPI `interpal` 1.2.0 has: its pages and example scripts.

It is downloaded with pip when it is needed, read in memory, and nothing of it is kept.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tarfile
import tempfile
import textwrap
from functools import cache
from pathlib import Path
from typing import NamedTuple

RELEASE = "interpal==1.2.0"


class Block(NamedTuple):
    """A Python block of a page: its name (`README.md#3`) and its code."""

    name: str
    code: str


@cache
def texts() -> dict[str, str]:
    """The pages and the examples, by their path in the sdist."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run(
            [*pip, "--no-deps", "--no-binary", ":all:", "--dest", folder, RELEASE],
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        (sdist,) = Path(folder).glob("*.tar.gz")
        found: dict[str, str] = {}
        with tarfile.open(sdist) as archive:
            for member in archive:
                path = member.name.partition("/")[2]
                file = (
                    archive.extractfile(member)
                    if re.fullmatch(r"README\.md|docs/[\w.-]+\.md|examples/[\w.-]+\.py", path)
                    else None
                )
                if file is not None:
                    found[path] = file.read().decode("utf-8").replace("\r\n", "\n")
    return found


def blocks() -> list[Block]:
    """The Python blocks of the README and of the pages under docs/, in order."""
    found: list[Block] = []
    for path, text in sorted(texts().items()):
        if path.endswith(".md"):
            codes = re.findall(r"^[ ]*```python\n(.*?)^[ ]*```", text, re.DOTALL | re.MULTILINE)
            found += [
                Block(f"{path}#{number}", textwrap.dedent(code))
                for number, code in enumerate(codes)
            ]
    return found


def examples() -> dict[str, str]:
    """The example scripts that use the library, by name. (Two only record requests to the site.)"""
    return {
        path.rpartition("/")[2]: text
        for path, text in sorted(texts().items())
        if path.endswith(".py") and re.search(r"^from interpal", text, re.MULTILINE)
    }


def accounts(code: str) -> dict[str, str]:
    """The accounts that a program logs in with, by what it has after `username=`, `password=`."""
    pair = r"""username\s*[=:]\s*["']([^"']+)["'],\s*(?:#.*)?password\s*[=:]\s*["']([^"']+)["']"""
    return dict(re.findall(pair, code))


def cookies(code: str) -> list[str]:
    """The session cookies that a program has in it."""
    given = re.findall(r"""session_cookie=["']([^"']+)["']""", code)
    return [text.rpartition("interpals_sessid=")[2] for text in given]


def numbers(code: str) -> list[str]:
    """The ids of digits that a program has in it."""
    return sorted(set(re.findall(r"""["'](\d{3,19})["']""", code)))


def compiles(code: str) -> bool:
    """Whether it is a program at all, `await` at its top level included."""
    try:
        compile(code, "block", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError:
        return False
    return True

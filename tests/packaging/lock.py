"""Writes `requirements.lock`, with uv: `python -m tests.packaging.lock`, or `make lock`.

One resolution for all Pythons from 3.10 on, for everything that development and CI install; every
file of every version with its hash. Behind it, as comments, the lowest versions that are declared.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import tomli

from tests.packaging.environment import LOCK, OLDEST, PART, ROOT, find_uv

PROJECT = "pyproject.toml"
# The lowest versions of these are tested.
ALSO_OLDEST = ("redis", "keyring", "httpx")


def declared() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """What pyproject.toml asks for: `run` and each extra, by name; and each group."""
    data: dict[str, Any] = tomli.loads((ROOT / PROJECT).read_text("utf-8"))
    project = data["project"]
    extras = {"run": project["dependencies"], **project["optional-dependencies"]}
    return extras, data["dependency-groups"]


def _compile(uv: list[str], *options: str) -> list[str]:
    command = [*uv, "pip", "compile", "--quiet", "--no-header", "--universal"]
    command += ["--python-version", "3.10", *options]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()


def _names(uv: list[str], pins: list[str], *options: str) -> list[str]:
    """The packages that a part needs at the versions of *pins*."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("\n".join(line for line in pins if "--hash" not in line))
        constraints.flush()
        lines = _compile(uv, "--no-annotate", "--constraint", constraints.name, *options)
    return sorted({line.partition("==")[0] for line in lines if "==" in line})


def main() -> None:
    uv = find_uv()
    if uv is None:
        sys.exit("`make lock` needs uv: pip install uv")
    extras, groups = declared()
    chosen = [option for group in groups for option in ("--group", group)]
    newest = _compile(uv, "--generate-hashes", "--all-extras", *chosen, PROJECT)
    chosen = [option for extra in ALSO_OLDEST for option in ("--extra", extra)]
    lowest = ("--resolution", "lowest-direct", "--generate-hashes")
    oldest = _compile(uv, *lowest, *chosen, PROJECT)
    pins = [line.removesuffix(" \\") for line in newest if "==" in line]
    options = {extra: ["--extra", extra, PROJECT] for extra in extras}
    options |= {"run": [PROJECT], **{group: ["--group", group] for group in groups}}
    with ThreadPoolExecutor() as pool:
        names = pool.map(lambda part: _names(uv, pins, *options[part]), options)
    lines = ["# Every version that development and CI install, for all Pythons; by `make lock`."]
    lines += [
        f"{PART}{part}: {' '.join(found)}" for part, found in zip(options, names, strict=True)
    ]
    lines += newest
    lines.append("# The lowest versions that pyproject.toml declares, and what they need:")
    lines += [f"{OLDEST}{line}" for line in oldest]
    LOCK.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()

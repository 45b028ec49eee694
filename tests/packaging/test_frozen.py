"""What PyInstaller is told to put into a frozen program: all that is imported by name, and keyring.

`make long` freezes a program (test_distribution.py): that takes minutes, and PyInstaller.
"""

from __future__ import annotations

import pkgutil
import runpy
from pathlib import Path
from typing import Any

import tomli

ROOT = Path(__file__).parents[2]


def hook() -> dict[str, Any]:
    """What the hook says, found as PyInstaller finds it."""
    project = tomli.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, function = project["entry-points"]["pyinstaller40"]["hook-dirs"].partition(":")
    (folder,) = getattr(pkgutil.resolve_name(module), function)()
    return runpy.run_path(str(Path(folder) / "hook-interpal.py"))


def test_a_frozen_program_has_every_module_that_is_loaded_when_it_is_first_used() -> None:
    named = set(hook()["hiddenimports"])
    paths = [path for path in (ROOT / "interpal").rglob("*.py") if path.stem.isidentifier()]
    every = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths}
    assert {name for name in every if "__" not in name} - named == {"interpal.testing"}
    # Nor what is only run as a program.
    assert not {name for name in named if name.endswith("__main__")}


def test_a_frozen_program_finds_the_keyring() -> None:
    assert "keyring" in hook()["hiddenimports"]

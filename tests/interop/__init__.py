"""Other JOSE libraries read vaults and write them: the table of docs/interop.md."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FOLDER = ROOT / "build/interop"
PAGE = ROOT / "docs/interop.md"

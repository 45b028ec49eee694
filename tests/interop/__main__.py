"""Run every cell of the tables of docs/interop.md: `python -m tests.interop [--write]`.

Without `--write` the page has to say what was found.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.interop import PAGE, page, reading, writing
from tests.interop.libraries import LIBRARIES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.interop", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put what is found into the page")
    chosen = parser.parse_args()
    found: dict[str, page.Table] = {page.READING: {}, page.WRITING: {}}
    with tempfile.TemporaryDirectory() as folder:
        vaults = reading.write(Path(folder))
        for library in LIBRARIES:
            for title, cells in (
                (page.READING, reading.row(library, vaults)),
                (page.WRITING, writing.row(library)),
            ):
                found[title][library.name] = [library.version, *cells]
                shown = ", ".join(map(": ".join, zip(page.COLUMNS, cells, strict=True)))
                print(f"{library.name} {library.version} {title}: {shown}", flush=True)
            library.close()
    differs = False
    for title, rows in found.items():
        if chosen.write:
            page.write(title, rows)
        elif page.table(title) != rows:
            differs = True
            print(f"{PAGE}: the table {title!r} says something else; see --write")
    return int(differs)


if __name__ == "__main__":
    raise SystemExit(main())

"""Try file systems: `python -m tests.filesystems [--write] [NAME…]`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from tests.filesystems import mounts, trials
from tests.reliability.namespaces import in_mounts_of_its_own, mount_allowed

PAGE = Path(__file__).parents[2] / "docs" / "filesystems.md"
BEGIN = "<!-- filesystems: this table is written by `python -m tests.filesystems --write` -->\n\n"
END = "\n<!-- end of the table -->"
COLUMNS = ("locks", "birth", "fsync", "modes", "SQLite", "two views")
HEADER = f"| file system | {' | '.join(COLUMNS)} | run |\n| --- |{' --- |' * len(COLUMNS)} --- |\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.filesystems", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put what is found into the page")
    parser.add_argument("names", nargs="*", metavar="NAME")
    chosen = parser.parse_args()
    rows = read()
    day = datetime.now(timezone.utc).date().isoformat()
    for one in mounts.FILE_SYSTEMS:
        if not chosen.names or one.name in chosen.names:
            rows[one.name] = [*cells(one), day]
            print(one.name, *rows[one.name], sep=" | ", flush=True)
            if chosen.write:
                write(rows)
    return 0


def cells(one: mounts.FileSystem) -> list[str]:
    """What came of one file system, a cell for each column."""
    refused = mount_allowed()
    if refused is None:
        try:
            mounts.install(one.package)
        except RuntimeError as error:
            refused = str(error).partition(":")[0]
    if refused is None:
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            try:
                found: list[str] = json.loads(
                    in_mounts_of_its_own(lambda: tried(one, Path(folder)))
                )
            except (AssertionError, json.JSONDecodeError) as error:
                reason = str(error).strip().splitlines()
                refused = reason[-1][:120].replace("|", "/") if reason else "no answer"
            else:
                return found
    return [f"not run: {refused}", *[""] * (len(COLUMNS) - 1)]


def tried(one: mounts.FileSystem, folder: Path) -> str:
    """The cells, as JSON. In mounts of its own."""
    behind, points = folder / "behind", [folder / "one", folder / "two"]
    for path in (behind, *points):
        path.mkdir(mode=0o755)
    points = points[: 2 if one.views else 1]
    mounted = []
    try:
        for point in points:
            one.mount(behind, point)
            mounted.append(point)
        folders = [point / "private" for point in points]
        folders[0].mkdir(mode=0o700)
        return json.dumps(
            [
                trials.locks(folders[0]),
                trials.birth(folders[0]),
                trials.fsync(folders[0]),
                trials.modes(folders[0]),
                trials.sqlite(folders[0]),
                trials.locks(*folders, url="{}/views.json") if one.views else "",
            ]
        )
    finally:
        for point in mounted:
            subprocess.run(["umount", str(point)], check=False, capture_output=True)


def read() -> dict[str, list[str]]:
    """The rows of the page, by name."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].splitlines():
        row = [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
        if line.startswith("| ") and row[0] not in ("file system", "---"):
            found[row[0]] = row[1:]
    return found


def write(rows: dict[str, list[str]]) -> None:
    """Put these rows into the page, in the order of `FILE_SYSTEMS`."""
    names = [one.name for one in mounts.FILE_SYSTEMS if one.name in rows]
    lines = [f"| {' | '.join((name, *rows[name]))} |\n" for name in names]
    text = PAGE.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, f"{PAGE} has no table"
    assert end, f"{PAGE} has no end of its table"
    PAGE.write_text(before + begin + HEADER + "".join(lines) + end + after, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

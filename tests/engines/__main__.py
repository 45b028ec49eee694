"""Run the tests of the Redis store on each binary: `python -m tests.engines BINARY…`."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from tests.engines import abilities
from tests.redis_server import BINARY_VARIABLE, find_binary

PAGE = Path(__file__).parents[2] / "docs" / "engines.md"
BEGIN = "<!-- engines: this table is written by `make engines` -->\n\n"
END = "\n<!-- end of the table -->"
HEADER = (
    "| engine | version | contract | WAITAOF | cluster | min-replicas for scripts | ACL | run |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- |\n"
)
TESTS = (
    "tests/stores/test_redis.py",
    "tests/stores/test_redis_faults.py",
    "tests/stores/test_redis_groups.py",
    "tests/stores/test_redis_rotation.py",
    "tests/stores/test_redis_states.py",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.engines", description=__doc__)
    parser.add_argument("binaries", nargs="+", metavar="BINARY", help="redis-server and its kin")
    parser.add_argument("--workers", default="4", help="tests that run at a time")
    chosen = parser.parse_args()
    rows = read()
    failed = False
    for path in chosen.binaries:
        os.environ[BINARY_VARIABLE] = os.path.abspath(path)
        with tempfile.TemporaryDirectory() as folder:
            engine = abilities.engine(find_binary(), Path(folder))
            can = abilities.abilities(Path(folder))
        contract, passed = run_contract(engine, chosen.workers)
        failed = failed or not passed
        day = datetime.now(timezone.utc).date().isoformat()
        rows[engine.name, engine.version] = [contract, *can, day]
        print(engine.name, engine.version, contract, *can, sep=" | ", flush=True)
        write(rows)
    return int(failed)


def run_contract(engine: abilities.Engine, workers: str) -> tuple[str, bool]:
    """What came of the tests of the store, in words."""
    without = "sqlite" if engine.tls else "sqlite or Tls or tls or certificate"
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-n", workers, "-p", "no:cacheprovider",
            "-k", f"not ({without})", *TESTS,
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    last = done.stdout.strip().rpartition("\n")[2]
    passed = re.search(r"(\d+) passed", last)
    wrong = re.search(r"(\d+) failed", last)
    if done.returncode:
        print(done.stdout[-3000:], file=sys.stderr)
    text = f"{passed[1] if passed else 0} passed"
    if done.returncode:
        text += f", **{wrong[1] if wrong else 'some'} failed**"
    return text + ("" if engine.tls else ", built without TLS"), done.returncode == 0


def read() -> dict[tuple[str, str], list[str]]:
    """The rows of the page, by engine and version."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] not in ("engine", "---"):
            found[cells[0], cells[1]] = cells[2:]
    return found


def write(rows: dict[tuple[str, str], list[str]]) -> None:
    """Put these rows into the page."""
    lines = [
        f"| {' | '.join((*key, *cells))} |\n" for key, cells in sorted(rows.items(), key=_order)
    ]
    text = PAGE.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, f"{PAGE} has no table"
    assert end, f"{PAGE} has no end of its table"
    PAGE.write_text(before + begin + HEADER + "".join(lines) + end + after, encoding="utf-8")


def _order(row: tuple[tuple[str, str], list[str]]) -> tuple[int, list[int]]:
    (name, version), _ = row
    names = list(abilities.NAMES.values())
    return (
        names.index(name) if name in names else len(names),
        [int(part) for part in version.split(".") if part.isdigit()],
    )


if __name__ == "__main__":
    sys.exit(main())

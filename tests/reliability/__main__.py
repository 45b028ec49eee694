"""Run lines of the table: `python -m tests.reliability [--full] [LETTER…]`."""

from __future__ import annotations

import argparse
import time
from datetime import datetime, timezone

from tests.reliability import Row, page
from tests.reliability.lines import LINES


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.reliability",
        description="Cause faults on purpose and count what comes of them.",
    )
    parser.add_argument("letters", nargs="*", metavar="LETTER", help=" ".join(LINES))
    parser.add_argument(
        "--full",
        action="store_true",
        help="in full; writes docs/reliability-counts.md",
    )
    chosen = parser.parse_args()
    letters = [letter.upper() for letter in chosen.letters] or list(LINES)
    unknown = [letter for letter in letters if letter not in LINES]
    if unknown:
        parser.error(f"no such line: {', '.join(unknown)}")
    rows: list[Row] = []
    failed = False
    for letter in letters:
        start = time.monotonic()
        try:
            for row in LINES[letter](full=chosen.full):
                rows.append(row)
                print(row, flush=True)
        except (AssertionError, RuntimeError) as error:
            failed = True
            print(f"{letter}: FAILED: {error}", flush=True)
            rows.append(Row(letter, "the rest of the line", 0, f"FAILED: {str(error)[:200]}"))
        print(f"{letter}: {time.monotonic() - start:.0f} s", flush=True)
    if chosen.full:
        page.write(rows, set(letters), datetime.now(timezone.utc).date().isoformat())
        print(f"{sum(row.cases for row in rows):,} cases; written: {page.PAGE}")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())

"""Run the cases, print each figure as a ratio to its floor, and write results, table and plot."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import lines, plot, table
from benchmarks.cases import FULL, QUICK, all_cases
from benchmarks.children import ROOT, compile_package
from benchmarks.places import on_disk
from benchmarks.result import Result, load, save

PAGE = "cost.md"
PLOT = "cost.svg"
CROSSING = "crossing.svg"
# Cases with a table of their own: the page, and the name of the table there.
APART = {"crossing": ("scaling.md", "stores"), "steps": (PAGE, "steps")}
# Cases that stand on the page of what they measure too.
ALSO = {"keyring": ("keyring.md", "keyring")}


def main(arguments: list[str] | None = None) -> int:
    cases = all_cases()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="tiny counts, to see that all runs; nothing is written"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(cases))
    parser.add_argument("--results", type=Path, help="where the JSON goes (benchmarks/results)")
    parser.add_argument("--docs", type=Path, help=f"the folder of {PAGE} and {PLOT} (docs)")
    options = parser.parse_args(arguments)

    results_folder, docs = options.results, options.docs
    if not options.quick:
        results_folder = results_folder or ROOT / "benchmarks" / "results"
        docs = docs or ROOT / "docs"
    compile_package()
    found: dict[str, Result] = {}
    for name in options.only or cases:
        print(f"{name}:", flush=True)
        with on_disk() as folder:
            found[name] = cases[name](QUICK if options.quick else FULL, folder)
        print(table.plain(found[name]), flush=True)
        if results_folder is not None:
            save(found[name], results_folder)
    if docs is not None and results_folder is not None:
        # Of the cases that did not run now, the figures of their last run stay.
        kept = [found.get(name) or load(results_folder, name) for name in cases]
        _write_pages(docs, [result for result in kept if result is not None])
    judged = [row for result in found.values() for row in result.rows if row.reached is not None]
    reached = sum(row.reached is True for row in judged)
    print(f"{reached} of {len(judged)} costs to reach are reached")
    return 0


def _write_pages(docs: Path, results: list[Result]) -> None:
    costs = [result for result in results if result.case not in APART]
    rows = [row for result in costs for row in result.rows]
    table.put_into(docs / PAGE, "costs", [row for row in rows if row.at_most is not None])
    table.put_into(docs / PAGE, "more", [row for row in rows if row.at_most is None])
    goals = [r._replace(rows=[row for row in r.rows if row.at_most is not None]) for r in costs]
    (docs / PLOT).write_text(plot.svg(goals), encoding="utf-8")
    for result in results:
        for places in (APART, ALSO):
            if result.case in places:
                page, name = places[result.case]
                table.put_into(docs / page, name, result.rows)
        if result.case == "crossing":
            (docs / CROSSING).write_text(lines.svg(result), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

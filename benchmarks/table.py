"""The figures as text: for the terminal, and as the table of docs/cost.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.result import Result, Row

BEGIN = "<!-- {name}: this table is written by `make bench` -->"
END = "<!-- end of the table -->"


def amount(value: float, unit: str) -> str:
    """A figure with its unit, three digits of it."""
    if unit == "s":
        for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
            if value * factor >= 1 or name == "µs":
                return f"{_digits(value * factor)} {name}"
    return f"{_digits(value)} {unit}".strip()


def value_of(row: Row) -> str:
    """What is compared: `1.23 x`, a difference with its unit, or a bare count."""
    if row.kind == "ratio":
        return f"{_digits(row.value)} x"
    return amount(row.value, row.unit)


def bound_of(row: Row) -> str:
    """The cost to reach, in the same form; empty where none is set."""
    if row.at_most is None:
        return ""
    if row.kind == "ratio":
        return f"{row.at_most:g} x"
    return amount(row.at_most, row.unit)


def verdict_of(row: Row) -> str:
    """`yes`, `**no**`, or nothing where no cost is set."""
    return {True: "yes", False: "**no**", None: ""}[row.reached]


def markdown(rows: list[Row]) -> str:
    """One table of all rows; without its last two columns where no cost is to be reached."""
    judged = any(row.at_most is not None for row in rows)
    heads = ["what", "against", "ours", "theirs", "cost", "at most", "reached"]
    rules = ["---", "---", "---:", "---:", "---:", "---:", "---"]
    width = len(heads) if judged else 5
    lines = [f"| {' | '.join(cells[:width])} |" for cells in (heads, rules)]
    for row in rows:
        floor = "" if row.kind == "count" else amount(row.floor.median, row.unit)
        cells = [
            row.what,
            row.against,
            amount(row.ours.median, row.unit),
            floor,
            value_of(row),
            bound_of(row),
            verdict_of(row),
        ]
        lines.append(f"| {' | '.join(cells[:width])} |")
    return "\n".join(lines)


def plain(result: Result) -> str:
    """The rows of one case for the terminal."""
    lines = []
    for row in result.rows:
        verdict = {True: "reached", False: "NOT REACHED", None: ""}[row.reached]
        bound = bound_of(row) and f"(at most {bound_of(row)})"
        lines.append(f"  {row.what}, against {row.against}")
        figures = amount(row.ours.median, row.unit)
        if row.kind != "count":
            figures += f" to {amount(row.floor.median, row.unit)}"
        lines.append(f"      {figures}: {value_of(row)} {bound} {verdict}".rstrip())
    return "\n".join(lines)


def put_into(page: Path, name: str, rows: list[Row]) -> None:
    """Replace the table called *name* in a page. Raises ValueError where its markers are lost."""
    text = page.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN.format(name=name))
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} has lost its markers: {BEGIN.format(name=name)} and {END}")
    page.write_text(f"{head}{begin}\n\n{markdown(rows)}\n\n{end}{tail}", encoding="utf-8")


def _digits(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 0.1 or value == 0:
        return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    return f"{value:.2g}"

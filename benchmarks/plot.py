"""The ratios as a picture: a dot for each on a logarithmic scale, a bar for the cost to reach."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from benchmarks.table import value_of
from docs.drawing import WIDTH, picture, text

if TYPE_CHECKING:
    from benchmarks.result import Result, Row

_LEFT, _RIGHT, _TOP, _LINE = 22, 70, 84, 54

_Across = Callable[[float], float]

_COLORS = {True: "green", False: "red", None: "muted"}
_STYLE = """
  .green { stroke: var(--green); fill: var(--green); }
  .red { stroke: var(--red); fill: var(--red); }
  .muted { stroke: var(--muted); fill: var(--muted); }
  text[class] { stroke: none; }
  line { stroke-width: 2; }
"""


def svg(results: list[Result]) -> str:
    """All rows that are ratios, as an SVG image."""
    rows = [row for result in results for row in result.rows if row.kind == "ratio"]
    values = [value for row in rows for value in (row.value, row.at_most) if value]
    low = math.floor(math.log10(min([1.0, *values])))
    high = math.ceil(math.log10(max([1.0, *values])))
    high = max(high, low + 1)

    def across(value: float) -> float:
        share = (math.log10(value) - low) / (high - low)
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    height = _TOP + _LINE * len(rows) + 8
    parts = [
        text(10, 24, "Cost, as a ratio to its floor (left is cheaper)", "name"),
        text(10, 42, "The bar is the cost to reach: green is reached, red is not.", "small"),
    ]
    for power in range(low, high + 1):
        x = across(10.0**power)
        kind = "line" if power == 0 else "rule"
        parts += [
            f'<path class="{kind}" d="M {x:.1f} {_TOP - 16} V {height - 8}"/>',
            text(round(x, 1), _TOP - 20, f"{10.0**power:g} x", "small middle"),
        ]
    for number, row in enumerate(rows):
        parts += _line(row, _TOP + _LINE * number, across)
    title = "Cost as a ratio to a floor measured in the same run"
    return picture(title, WIDTH, height, parts, _STYLE)


def _line(row: Row, top: float, across: _Across) -> list[str]:
    color = _COLORS[row.reached]
    x, y = across(row.value), top + 38
    parts = [
        text(10, top + 12, _short(row.what), "small name"),
        text(10, top + 25, f"/ {_short(row.against)}", "small"),
        f'<circle class="{color}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>',
        text(round(x + 9, 1), y + 4, value_of(row), f"small {color}"),
    ]
    if row.at_most is not None:
        bound = across(row.at_most)
        parts.append(
            f'<line class="{color}" x1="{bound:.1f}" y1="{y - 8:.1f}" x2="{bound:.1f}" '
            f'y2="{y + 8:.1f}"/>'
        )
    return parts


def _short(words: str) -> str:
    plain = words.replace("`", "")
    return plain if len(plain) <= 66 else f"{plain[:64].rpartition(' ')[0]} …"

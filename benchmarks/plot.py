"""The ratios as a picture: a dot for each on a logarithmic scale, a bar for the cost to reach."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

from benchmarks.table import value_of

if TYPE_CHECKING:
    from benchmarks.result import Result, Row

_LABELS = 560
_SCALE = 360
_MARGIN = 70
_LINE = 22
_TOP = 64

_Across = Callable[[float], float]

_REACHED, _MISSED, _PLAIN = "#1a7f37", "#cf222e", "#57606a"


def svg(results: list[Result]) -> str:
    """All rows that are ratios, as an SVG image."""
    rows = [row for result in results for row in result.rows if row.kind == "ratio"]
    values = [value for row in rows for value in (row.value, row.at_most) if value]
    low = math.floor(math.log10(min([1.0, *values])))
    high = math.ceil(math.log10(max([1.0, *values])))
    high = max(high, low + 1)

    def across(value: float) -> float:
        share = (math.log10(value) - low) / (high - low)
        return _LABELS + share * _SCALE

    width, height = _LABELS + _SCALE + _MARGIN, _TOP + _LINE * len(rows) + 16
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-family="sans-serif" font-size="12">'
        ),
        "<title>Cost as a ratio to a floor measured in the same run</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        (
            '<text x="12" y="22" font-size="14" font-weight="bold">Cost, as a ratio to its floor '
            "(left is cheaper)</text>"
        ),
        (
            f'<text x="12" y="42" fill="{_PLAIN}">The bar is the cost to reach; green is reached, '
            "red is not, gray has none.</text>"
        ),
    ]
    for power in range(low, high + 1):
        x = across(10.0**power)
        parts += [
            (
                f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{height - 8}" '
                f'stroke="{"#57606a" if power == 0 else "#d0d7de"}"/>'
            ),
            (
                f'<text x="{x:.1f}" y="{_TOP - 12}" text-anchor="middle" fill="{_PLAIN}">'
                f"{10.0**power:g} x</text>"
            ),
        ]
    for number, row in enumerate(rows):
        parts += _line(row, _TOP + _LINE * number + _LINE / 2, across)
    return "\n".join([*parts, "</svg>", ""])


def _line(row: Row, y: float, across: _Across) -> list[str]:
    color = {True: _REACHED, False: _MISSED, None: _PLAIN}[row.reached]
    x = across(row.value)
    label = escape(f"{row.what} / {row.against}".replace("`", ""))
    parts = [
        f'<text x="{_LABELS - 14}" y="{y + 4:.1f}" text-anchor="end" font-size="10">{label}</text>',
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{color}"/>',
        (
            f'<text x="{x + 9:.1f}" y="{y + 4:.1f}" font-size="10" fill="{color}">'
            f"{value_of(row)}</text>"
        ),
    ]
    if row.at_most is not None:
        bound = across(row.at_most)
        parts.append(
            f'<line x1="{bound:.1f}" y1="{y - 8:.1f}" x2="{bound:.1f}" y2="{y + 8:.1f}" '
            f'stroke="{color}" stroke-width="2"/>'
        )
    return parts

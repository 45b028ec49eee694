"""The crossing between the stores as a picture: a line for each, over the number of accounts."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.table import amount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.result import Result

_ROW = re.compile(r"(?P<what>.+) one of (?P<size>[\d,]+): (?P<store>.+)")

_WIDTH, _HEIGHT, _TOP, _LEFT, _GAP = 400, 300, 60, 70, 130
_COLORS = {"file": "#0969da", "SQLite": "#1a7f37", "Redis": "#bc4c00"}
_GRAY, _RULE = "#57606a", "#d0d7de"

Points = list[tuple[int, float]]
"""Accounts and seconds."""


class Panel(NamedTuple):
    """One kind of work: `lines` are the points of each store."""

    what: str
    lines: dict[str, Points]


def panels(result: Result) -> list[Panel]:
    """The rows of the crossing, by kind of work and store."""
    found: dict[str, dict[str, Points]] = {}
    for row in result.rows:
        match = _ROW.fullmatch(row.what)
        if match is None:
            raise ValueError(f"not a row of the crossing: {row.what}")
        size = int(match["size"].replace(",", ""))
        lines = found.setdefault(match["what"], {})
        for store, spread in ((match["store"], row.ours), (row.against, row.floor)):
            points = lines.setdefault(store, [])
            if (size, spread.median) not in points:
                points.append((size, spread.median))
    return [Panel(what, lines) for what, lines in found.items()]


def svg(result: Result) -> str:
    """The picture: one panel for each kind of work, both axes logarithmic."""
    found = panels(result)
    width, height = len(found) * (_WIDTH + _LEFT + _GAP), _TOP + _HEIGHT + 60
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-family="sans-serif" font-size="12">'
        ),
        "<title>Time of one operation by the number of accounts, for each store</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for number, panel in enumerate(found):
        parts += _panel(panel, number * (_WIDTH + _LEFT + _GAP) + _LEFT)
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, left: int) -> list[str]:
    points = [point for line in panel.lines.values() for point in line]
    sizes, times = (list(axis) for axis in zip(*points, strict=True))
    low, high = _powers(sizes)
    fast, slow = _powers(times)

    def x(size: float) -> float:
        return left + (math.log10(size) - low) / (high - low) * _WIDTH

    def y(seconds: float) -> float:
        return _TOP + (slow - math.log10(seconds)) / (slow - fast) * _HEIGHT

    parts = [
        (
            f'<text x="{left}" y="24" font-size="14" font-weight="bold">{panel.what} one: '
            "time by the number of accounts</text>"
        )
    ]
    bottom, right = _TOP + _HEIGHT, left + _WIDTH
    for power in range(low, high + 1):
        across = x(10**power)
        parts += [
            (
                f'<line x1="{across:.1f}" y1="{_TOP}" x2="{across:.1f}" y2="{bottom}" '
                f'stroke="{_RULE}"/>'
            ),
            (
                f'<text x="{across:.1f}" y="{bottom + 18}" text-anchor="middle" fill="{_GRAY}">'
                f"{10**power:,}</text>"
            ),
        ]
    for power in range(fast, slow + 1):
        up = y(10.0**power)
        parts += [
            f'<line x1="{left}" y1="{up:.1f}" x2="{right}" y2="{up:.1f}" stroke="{_RULE}"/>',
            (
                f'<text x="{left - 8}" y="{up + 4:.1f}" text-anchor="end" fill="{_GRAY}">'
                f"{_round(10.0**power)}</text>"
            ),
        ]
    parts.append(
        f'<text x="{(left + right) / 2}" y="{bottom + 40}" text-anchor="middle" '
        f'fill="{_GRAY}">accounts</text>'
    )
    for store, line in panel.lines.items():
        color = _COLORS.get(store, "#000000")
        path = " ".join(f"{x(size):.1f},{y(seconds):.1f}" for size, seconds in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{x(size):.1f}" cy="{y(seconds):.1f}" r="3" fill="{color}"/>'
            for size, seconds in line
        ]
    parts += _labels(panel, right, y)
    return parts


def _labels(panel: Panel, right: int, y: Callable[[float], float]) -> list[str]:
    """The name of each line at its end, moved apart where two would lie on each other."""
    ends = sorted((y(line[-1][1]), store, line[-1][1]) for store, line in panel.lines.items())
    parts, last = [], -math.inf
    for wanted, store, seconds in ends:
        last = max(wanted, last + 15)
        parts.append(
            f'<text x="{right + 8}" y="{last + 4:.1f}" fill="{_COLORS.get(store, "#000000")}">'
            f"{store}, {amount(seconds, 's')}</text>"
        )
    return parts


def _powers(values: Iterable[float]) -> tuple[int, int]:
    found = list(values)
    low, high = math.floor(math.log10(min(found))), math.ceil(math.log10(max(found)))
    return low, max(high, low + 1)


def _round(seconds: float) -> str:
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if seconds * factor >= 1:
            return f"{round(seconds * factor)} {unit}"
    return f"{round(seconds * 1e6)} µs"

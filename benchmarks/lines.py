"""The crossing between the stores as a picture: a line for each, over the number of accounts."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.table import amount
from docs.drawing import WIDTH, picture, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.result import Result

_ROW = re.compile(r"(?P<what>.+) one of (?P<size>[\d,]+): (?P<store>.+)")

_PLOT, _HEIGHT, _TOP, _LEFT, _PANEL = 250, 220, 40, 62, 320
_COLORS = {"file": "blue", "SQLite": "green", "Redis": "orange"}
_STYLE = """
  .blue { stroke: var(--blue); fill: var(--blue); }
  .green { stroke: var(--green); fill: var(--green); }
  .orange { stroke: var(--orange); fill: var(--orange); }
  text[class] { stroke: none; }
  polyline { stroke-width: 2; }
  .curve { fill: none; }
"""

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
    parts: list[str] = []
    found = panels(result)
    for number, panel in enumerate(found):
        parts += _panel(panel, number * _PANEL)
    title = "Time of one operation by the number of accounts, for each store"
    return picture(title, WIDTH, len(found) * _PANEL, parts, _STYLE)


def _panel(panel: Panel, top: int) -> list[str]:
    points = [point for line in panel.lines.values() for point in line]
    sizes, times = (list(axis) for axis in zip(*points, strict=True))
    low, high = _powers(sizes)
    fast, slow = _powers(times)
    upper, bottom, right = top + _TOP, top + _TOP + _HEIGHT, _LEFT + _PLOT

    def x(size: float) -> float:
        return _LEFT + (math.log10(size) - low) / (high - low) * _PLOT

    def y(seconds: float) -> float:
        return upper + (slow - math.log10(seconds)) / (slow - fast) * _HEIGHT

    parts = [text(10, top + 24, f"{panel.what} one, by the number of accounts", "name")]
    for power in range(low, high + 1):
        across = x(10**power)
        parts += [
            f'<path class="rule" d="M {across:.1f} {upper} V {bottom}"/>',
            text(round(across, 1), bottom + 16, f"{10**power:,}", "small middle"),
        ]
    for power in range(fast, slow + 1):
        up = y(10.0**power)
        parts += [
            f'<path class="rule" d="M {_LEFT} {up:.1f} H {right}"/>',
            text(_LEFT - 6, round(up + 4, 1), _round(10.0**power), "small end"),
        ]
    parts.append(text((_LEFT + right) / 2, bottom + 34, "accounts", "small middle"))
    for store, line in panel.lines.items():
        color = _COLORS[store]
        path = " ".join(f"{x(size):.1f},{y(seconds):.1f}" for size, seconds in line)
        parts.append(f'<polyline class="{color} curve" points="{path}"/>')
        parts += [
            f'<circle class="{color}" cx="{x(size):.1f}" cy="{y(seconds):.1f}" r="3"/>'
            for size, seconds in line
        ]
    return parts + _labels(panel, right, y)


def _labels(panel: Panel, right: int, y: Callable[[float], float]) -> list[str]:
    """The name of each line at its end, moved apart where two would lie on each other."""
    ends = sorted((y(line[-1][1]), store, line[-1][1]) for store, line in panel.lines.items())
    parts, last = [], -math.inf
    for wanted, store, seconds in ends:
        last = max(wanted, last + 15)
        words = f"{store}, {amount(seconds, 's')}"
        parts.append(text(right + 7, round(last + 4, 1), words, f"small {_COLORS[store]}"))
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

"""Draw the states of a client and what leads from one to another: `python -m docs.states`.

Each state has a column, each transition a row, all read from the table of
`interpal/sessions/state.py`: rings where it may begin, a dot where it leads to.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from docs.drawing import PICTURES, WIDTH, picture
from interpal.sessions import state
from interpal.sessions.state import Phase

if TYPE_CHECKING:
    from pathlib import Path

TOP, ROW, LEFT, COLUMN = 104, 40, 30, 51


def transitions() -> list[tuple[str, str, str, str, str]]:
    """The rows of the table of `interpal/sessions/state.py`: name, from, to, epoch, when."""
    lines = (state.__doc__ or "").splitlines()
    start = next(n for n, line in enumerate(lines) if line.strip().startswith("transition |"))
    rows: list[tuple[str, str, str, str, str]] = []
    for line in lines[start + 2 :]:
        if not line.strip():
            break
        name, before, after, epoch, when = (cell.strip() for cell in line.split("|"))
        rows.append((name, before, after, epoch, when))
    return rows


def phases(text: str) -> frozenset[Phase]:
    """The phases that a cell of the table stands for."""
    if text == "any":
        return frozenset(Phase)
    if text.startswith("any but "):
        return frozenset(Phase) - {Phase(text.removeprefix("any but "))}
    groups = {"in use": state.IN_USE, "open": state.OPEN}
    found: set[Phase] = set()
    for word in text.split(", "):
        found |= groups[word] if word in groups else {Phase(word)}
    return frozenset(found)


def svg() -> str:
    """The picture."""
    rows, columns = transitions(), list(Phase)
    height = TOP + ROW * len(rows) + 12

    def x_of(phase: Phase) -> int:
        return LEFT + COLUMN * columns.index(phase)

    parts = []
    for phase in columns:
        x = x_of(phase)
        parts += [
            f'<path class="rule" d="M {x} {TOP - 16} V {height - 12}"/>',
            (
                f'<text class="name" transform="translate({x - 4} {TOP - 24}) rotate(-40)">'
                f"{escape(phase.value)}</text>"
            ),
        ]
    in_use = sorted(x_of(phase) for phase in state.IN_USE)
    parts += [
        f'<path class="line" d="M {in_use[0] - 12} {TOP - 13} H {in_use[-1] + 12}"/>',
        f'<text class="small middle" x="{in_use[1]}" y="{TOP - 1}">in use</text>',
    ]
    for number, (_, before, after, epoch, when) in enumerate(rows):
        y = TOP + ROW * number + 30
        target = x_of(Phase(after))
        begins = sorted(x_of(phase) for phase in phases(before))
        label = f"{when} *" if epoch == "new" else when
        parts.append(f'<text class="small" x="10" y="{y - 11}">{escape(label)}</text>')
        ends = [*begins, target]
        parts.append(f'<path class="line" d="M {min(ends)} {y} H {max(ends)}"/>')
        parts += [f'<circle class="box" cx="{x}" cy="{y}" r="4"/>' for x in begins]
        parts += [_head(target, y, side) for side in (-1, 1) if _comes(begins, target, side)]
        parts.append(f'<circle class="head" cx="{target}" cy="{y}" r="4.5"/>')
    return picture("The states of a client", WIDTH, height, parts)


def _comes(begins: list[int], target: int, side: int) -> bool:
    """Whether an arrow comes to the target from this side."""
    return any((x - target) * side > 0 for x in begins)


def _head(x: int, y: int, side: int) -> str:
    tip, base = x + 5 * side, x + 13 * side
    return f'<path class="head" d="M {tip} {y} L {base} {y - 4} V {y + 4} Z"/>'


def make(folder: Path) -> None:
    """Write the picture into *folder*."""
    (folder / "states.svg").write_text(svg(), encoding="utf-8")


if __name__ == "__main__":
    make(PICTURES)

"""Draw the layers of the package from its own imports: `python -m docs.layers`.

The table in `tests/test_layers.py` says what the layers are, and its test that imports go down
only. The arcs on the right are read from the code: from each layer to those that it takes from
directly, without the ones that it reaches by way of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docs.drawing import PICTURES, WIDTH, box, picture, text
from tests.test_layers import LAYERS, imports_of, layer_of, modules

if TYPE_CHECKING:
    from pathlib import Path

ROW, GAP, BOX, LEFT = 44, 10, 270, 8


def needs() -> dict[int, set[int]]:
    """The layers below that each layer imports from, those reached through another left out."""
    below: dict[int, set[int]] = {layer: set() for layer in range(len(LAYERS))}
    for module, path in modules():
        for imported in imports_of(path):
            if layer_of(imported) < layer_of(module):
                below[layer_of(module)].add(layer_of(imported))
    reached: dict[int, set[int]] = {}
    direct: dict[int, set[int]] = {}
    for layer in sorted(below):
        through = {far for near in below[layer] for far in reached[near]}
        reached[layer] = below[layer] | through
        direct[layer] = below[layer] - through
    return direct


def svg() -> str:
    """The picture."""
    count = len(LAYERS)
    height = count * (ROW + GAP) + GAP

    def top(layer: int) -> int:
        return GAP + (count - 1 - layer) * (ROW + GAP)

    drawn: list[str] = []
    for layer, (name, members) in enumerate(LAYERS):
        y = top(layer)
        in_vault = all(member.startswith("interpal.vault") for member in members)
        drawn += [
            box(LEFT, y, BOX, ROW, "vault" if in_vault else "box"),
            text(LEFT + 10, y + 18, name, "name"),
            text(LEFT + 10, y + 35, _where(members), "small"),
        ]
    edge = LEFT + BOX
    for upper, lowers in needs().items():
        for order, lower in enumerate(sorted(lowers, reverse=True)):
            start, end = top(upper) + 16 + 6 * order, top(lower) + 14
            reach = min(WIDTH - 6, edge + 18 + 11 * (upper - lower))
            drawn.append(
                f'<path class="line" d="M {edge} {start} '
                f'C {reach} {start} {reach} {end} {edge + 5} {end}"/>'
            )
            drawn.append(
                f'<path class="head" d="M {edge} {end} l 7 -4 l 0 8 z"/>',
            )
    title = "The layers of interpal: each takes from those below it only"
    return picture(title, WIDTH, height, drawn)


def _where(members: tuple[str, ...]) -> str:
    short = [member.removeprefix("interpal.").replace(".", "/") for member in members]
    where = ", ".join(short)
    return where if len(where) <= 44 else f"{where[:42].rpartition(',')[0]}, …"


def make(folder: Path) -> None:
    """Write the picture into *folder*."""
    (folder / "layers.svg").write_text(svg(), encoding="utf-8")


if __name__ == "__main__":
    make(PICTURES)

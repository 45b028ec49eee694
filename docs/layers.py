"""Draw the layers of the package from its own imports: `python -m docs.layers`.

The table in `tests/test_layers.py` says what the layers are, and its test that imports go down
only. The arcs on the right are read from the code: from each layer to those that it takes from
directly, without the ones that it reaches by way of another.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from tests.test_layers import LAYERS, imports_of, layer_of, modules

HERE = Path(__file__).parent / "pictures"
WIDTH, ROW, GAP, BOX, LEFT = 420, 44, 10, 270, 8

# Colours of text, boxes and arcs by the scheme of whoever looks.
STYLE = """
  svg { --text: #1f2328; --muted: #57606a; --box: #f6f8fa; --line: #8c959f; --vault: #ddf4ff; }
  @media (prefers-color-scheme: dark) {
    svg { --text: #e6edf3; --muted: #9198a1; --box: #21262d; --line: #6e7681; --vault: #0c2d4a; }
  }
  text { fill: var(--text); font: 13px sans-serif; }
  .small { fill: var(--muted); font-size: 11px; }
  .name { font-weight: bold; }
  rect { fill: var(--box); stroke: var(--line); }
  .vault { fill: var(--vault); }
  path { fill: none; stroke: var(--line); }
  .head { fill: var(--line); stroke: none; }
"""


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

    drawn = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}">'
        ),
        "<title>The layers of interpal: each takes from those below it only</title>",
        f"<style>{STYLE}</style>",
    ]
    for layer, (name, members) in enumerate(LAYERS):
        y = top(layer)
        kind = ' class="vault"' if all(m.startswith("interpal.vault") for m in members) else ""
        drawn += [
            f'<rect x="{LEFT}" y="{y}" width="{BOX}" height="{ROW}" rx="6"{kind}/>',
            f'<text class="name" x="{LEFT + 10}" y="{y + 18}">{escape(name)}</text>',
            f'<text class="small" x="{LEFT + 10}" y="{y + 35}">{escape(_where(members))}</text>',
        ]
    edge = LEFT + BOX
    for upper, lowers in needs().items():
        for order, lower in enumerate(sorted(lowers, reverse=True)):
            start, end = top(upper) + 16 + 6 * order, top(lower) + 14
            reach = min(WIDTH - 6, edge + 18 + 11 * (upper - lower))
            drawn.append(
                f'<path d="M {edge} {start} C {reach} {start} {reach} {end} {edge + 5} {end}"/>'
            )
            drawn.append(
                f'<path class="head" d="M {edge} {end} l 7 -4 l 0 8 z"/>',
            )
    return "\n".join([*drawn, "</svg>", ""])


def _where(members: tuple[str, ...]) -> str:
    short = [member.removeprefix("interpal.").replace(".", "/") for member in members]
    text = ", ".join(short)
    return text if len(text) <= 44 else f"{text[:42].rpartition(',')[0]}, …"


def make(folder: Path) -> None:
    """Write the picture into *folder*."""
    (folder / "layers.svg").write_text(svg(), encoding="utf-8")


if __name__ == "__main__":
    make(HERE)

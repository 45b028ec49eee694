"""What the drawn pictures share: colours for light and dark, and a width that a phone can show.

A picture is as wide as the text of a phone, so its letters are not made smaller there. It brings
its own ground and its own colours, by the scheme of whoever looks: `prefers-color-scheme`, which
in a page follows the page's own switch too.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

PICTURES = Path(__file__).parent / "pictures"
WIDTH = 420

STYLE = """
  svg { --ground: #ffffff; --text: #1f2328; --muted: #57606a; --box: #f6f8fa; --line: #8c959f;
        --rule: #d8dee4; --blue: #0550ae; --blue-box: #ddf4ff; --green: #116329;
        --green-box: #dafbe1; --red: #a40e26; --red-box: #ffebe9; --orange: #953800; }
  @media (prefers-color-scheme: dark) {
    svg { --ground: #161b22; --text: #e6edf3; --muted: #9198a1; --box: #21262d; --line: #6e7681;
          --rule: #30363d; --blue: #79c0ff; --blue-box: #0c2d4a; --green: #7ee787;
          --green-box: #0f2d1a; --red: #ffa198; --red-box: #3d1416; --orange: #ffa657; }
  }
  .ground { fill: var(--ground); stroke: none; }
  text { fill: var(--text); font: 13px sans-serif; }
  .small { fill: var(--muted); font-size: 11px; }
  .name { font-weight: bold; }
  .end { text-anchor: end; }
  .middle { text-anchor: middle; }
  .box { fill: var(--box); stroke: var(--line); }
  .vault, .blue-box { fill: var(--blue-box); stroke: var(--line); }
  .green-box { fill: var(--green-box); stroke: var(--green); }
  .red-box { fill: var(--red-box); stroke: var(--red); }
  .blue { fill: var(--blue); }
  .green { fill: var(--green); }
  .red { fill: var(--red); }
  .line { fill: none; stroke: var(--line); }
  .rule { fill: none; stroke: var(--rule); }
  .head { fill: var(--line); stroke: none; }
"""


def picture(title: str, width: float, height: float, parts: list[str], style: str = "") -> str:
    """An SVG picture of these parts; *title* is what is read to those who cannot see it."""
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
                f'width="{width:g}" height="{height:g}">'
            ),
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}{style}</style>",
            f'<rect class="ground" width="{width:g}" height="{height:g}" rx="6"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """Words; *kind* are classes of `STYLE`."""
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:g}" y="{y:g}">{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, kind: str = "box") -> str:
    """A rectangle with round corners."""
    return (
        f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"/>'
    )


def arrow_down(x: float, start: float, end: float) -> list[str]:
    """A line that ends in a head, from above."""
    return [
        f'<path class="line" d="M {x:g} {start:g} V {end - 6:g}"/>',
        f'<path class="head" d="M {x:g} {end:g} l -5 -8 l 10 0 z"/>',
    ]

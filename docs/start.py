"""Draw what a client does when it starts: `python -m docs.start`.

One box for each step, with the ways out of it on the right and the way on below. What each of
them means stands in the table of docs/client.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from docs.drawing import PICTURES, WIDTH, arrow_down, box, picture, text

if TYPE_CHECKING:
    from pathlib import Path

LOGIN = "a login is wanted"
READY = "ready"
ERROR = "an error says what to do"
COLORS = {LOGIN: "blue", READY: "green", ERROR: "red"}


class Step(NamedTuple):
    """A step, its ways out (what is found, what comes of it), and what leads to the next."""

    name: str
    ways_out: tuple[tuple[str, str], ...]
    on: str


STEPS = (
    Step(
        "Load and decrypt the saved session",
        (
            ("wrong key, or another kind of file", ERROR),
            ("none there, or damaged (it is set aside)", LOGIN),
        ),
        "found",
    ),
    Step(
        "Is it over?",
        (("past its expiry", LOGIN), ("worked within revalidate_after", READY)),
        "no",
    ),
    Step(
        "Ask the server, once",
        (
            ("200, the same account", READY),
            ("200, another account", ERROR),
            ("time-out, 429, 5xx, HTML", "ready, not verified"),
        ),
        "401",
    ),
    Step("A login is wanted", (("no password available", ERROR),), ""),
    Step("Take the account's login lock", (("no lock in time, no place to save", ERROR),), ""),
    Step("Look again, under the lock", (("another process has logged in", READY),), "still none"),
    Step("Log in", (("refused, 429, no network", ERROR),), ""),
    Step(
        "Replace the vault, whole or not at all",
        (("disk full", "ready, persisted is False"),),
        "saved",
    ),
)
LEFT, TOP, ROW, HEAD, GAP = 10, 10, 26, 30, 30


def svg() -> str:
    """The picture."""
    parts: list[str] = []
    y = TOP
    wide = WIDTH - 2 * LEFT
    for step in STEPS:
        height = HEAD + ROW * len(step.ways_out) + 4
        parts += [box(LEFT, y, wide, height), text(LEFT + 10, y + 20, step.name, "name")]
        for number, (found, then) in enumerate(step.ways_out):
            parts += _way_out(y + HEAD + ROW * number, found, then)
        y += height
        parts += arrow_down(LEFT + 24, y, y + GAP)
        parts.append(text(LEFT + 36, y + GAP / 2 + 5, step.on, "small"))
        y += GAP
    parts += [
        box(LEFT, y, wide, HEAD, "green-box"),
        text(LEFT + 10, y + 20, "Ready", "name green"),
    ]
    title = "What a client does when it starts, step by step, and what comes of each"
    return picture(title, WIDTH, y + HEAD + TOP, parts)


def _way_out(y: float, found: str, then: str) -> list[str]:
    color = COLORS.get(then, "green")
    left = LEFT + 244
    return [
        text(LEFT + 12, y + 15, found, "small"),
        f'<path class="head" d="M {left - 4} {y + 11} l -8 -5 l 0 10 z"/>',
        box(left, y, WIDTH - LEFT - 8 - left, 22, f"{color}-box"),
        text(left + 7, y + 15, then, f"small {color}"),
    ]


def make(folder: Path) -> None:
    """Write the picture into *folder*."""
    (folder / "start.svg").write_text(svg(), encoding="utf-8")


if __name__ == "__main__":
    make(PICTURES)

"""Everything that is printed: data to stdout, messages to stderr, and no control characters.

A terminal gets tables with lines and colours (rich), a pipe the same columns in plain text.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from threading import Timer
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from types import ModuleType

    from rich.progress import Progress

    from interpal.vault.cli.errors import Failure

PROGRAM = "interpal-vault"
_BAR_CELLS = 8
_MOST_NAMES = 10


class Cell(NamedTuple):
    """A text and the style that a terminal shows it in."""

    text: str
    style: str = ""


def clean(text: str) -> str:
    """*text* with everything escaped that does not print: controls, bidi marks, surrogates.

    A backslash is doubled, so that no name can look like the escaped form of another.
    """
    text = text.replace("\\", "\\\\")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _one_line(message: str) -> str:
    """A message of ours, in which names were cleaned: what is left that steers is escaped."""
    return "".join(
        c
        if c.isprintable() or c == "\n"
        else c.encode("unicode_escape", "backslashreplace").decode()
        for c in message
    )


def say(message: str) -> None:
    """A message to the person, on stderr."""
    click.echo(_one_line(message), err=True)


def warn(message: str, *, as_json: bool) -> None:
    """A warning: something is doubtful, and the program goes on."""
    if as_json:
        click.echo(json.dumps({"warning": {"message": message}}), err=True)
    else:
        say(f"{PROGRAM}: warning: {message}")


def fail(failure: Failure, *, as_json: bool) -> None:
    """The error that ends the program, on stderr."""
    if as_json:
        click.echo(json.dumps({"error": failure.told()}), err=True)
    else:
        text = failure.message
        say(f"{PROGRAM}: {text}" + ("" if text.endswith((".", "!", "?")) else "."))


def put_json(value: Any) -> None:
    """Data for a program: ASCII, so that no terminal is steered by it either."""
    click.echo(json.dumps(value, indent=2))


def put(text: str = "") -> None:
    """One line of data."""
    click.echo(_one_line(text))


def put_bytes(data: bytes) -> None:
    """Data that is no text, or more of it than lines."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def on_terminal() -> bool:
    """Whether a person sees stdout."""
    return sys.stdout.isatty()


def put_table(titles: Sequence[str], rows: Sequence[Sequence[Cell | str]]) -> None:
    """Columns with titles. A terminal cuts nothing off: what is too wide is folded."""
    cells = [[as_cell(cell) for cell in row] for row in rows]
    if on_terminal():
        _screen().table(titles, cells)
    else:
        _put_lines([[Cell(title) for title in titles], *cells])


def put_facts(facts: Sequence[tuple[str, Cell | str]]) -> None:
    """Names and values, one a line."""
    cells = [[Cell(name, "dim"), as_cell(value)] for name, value in facts]
    if on_terminal():
        _screen().grid(cells)
    else:
        _put_lines(cells)


def put_finding(label: Cell, path: str, message: str, remedy: str) -> None:
    """Something that was found: where, what, and what to do."""
    if on_terminal():
        _screen().finding(label, path, message, remedy, arrow="\u2192" if _draws() else "->")
    else:
        put(f"{label.text}: {path}: {message}")
        put(f"    {remedy}")


def put_title(text: str) -> None:
    """What comes next."""
    if on_terminal():
        _screen().title(text)
    else:
        put(text)


def as_cell(value: Cell | str) -> Cell:
    """A text without a style as a cell."""
    return value if isinstance(value, Cell) else Cell(value)


def _screen() -> ModuleType:
    # A pipe, `exec` above all, does not wait for what only a terminal needs.
    from interpal.vault.cli import screen

    return screen


def _put_lines(rows: Sequence[Sequence[Cell]]) -> None:
    widths = [max(len(cell.text) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.text.ljust(width) for cell, width in zip(row, widths, strict=True))
        put(line.rstrip())


# Times, sizes and bars in words.


def utc_now() -> datetime:
    """The clock of the command line."""
    return datetime.now(timezone.utc)


def iso(time: datetime | None) -> str | None:
    """RFC 3339 UTC with whole seconds, for programs."""
    return None if time is None else time.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def long_time(time: datetime) -> str:
    """For the one place where the second counts."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def short_time(time: datetime | None, now: datetime) -> str:
    """`22 Nov 07:40` within half a year, else `2025-11-22`; 12 columns at most."""
    if time is None:
        return "-"
    if abs(time - now) < timedelta(days=180):
        return f"{time.day:2d} {_MONTHS[time.month - 1]} {time:%H:%M}"
    return f"{time.year:04d}-{time.month:02d}-{time.day:02d}"


# Not the locale's: the columns have to fit.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def duration(span: timedelta) -> str:
    """`2 d 4 h`, `23 h`, `12 min`, `40 s`: 8 columns at most below a hundred days."""
    seconds = int(span.total_seconds())
    days, hours, minutes = seconds // 86400, seconds // 3600, seconds // 60
    if days >= 100:
        return f"{days} d"
    if days >= 2:
        return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"
    if hours:
        return f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"


def bar(share: float | None) -> Cell:
    """The share that is left, as a bar."""
    if share is None:
        return Cell(" " * _BAR_CELLS)
    cells = round(share * _BAR_CELLS)
    if share and not cells:
        cells = 1
    full, empty = ("\u2588", "\u2591") if _draws() else ("#", "-")
    style = "green" if share > 0.25 else "yellow" if share else "red"
    return Cell(full * cells + empty * (_BAR_CELLS - cells), style)


def _draws() -> bool:
    encoding = (getattr(sys.stdout, "encoding", "") or "").lower().replace("-", "")
    return on_terminal() and encoding == "utf8" and os.environ.get("TERM") != "dumb"


def size(number: int) -> str:
    """Bytes in words."""
    if number < 1024:
        return f"{number} bytes"
    return f"{number / 1024:.1f} KiB" if number < 2**20 else f"{number / 2**20:.1f} MiB"


def plural(number: int, noun: str) -> str:
    """`1 account`, `2 accounts`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Sequence[str]) -> str:
    """Names for a message, ten of them at most: `a, b and 3 more`."""
    text = ", ".join(clean(name) for name in names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return f"{text} and {more} more" if more > 0 else text


# Progress, on stderr, where it takes more than a second and a person looks on.


@contextmanager
def progress(what: str, total: int, *, passes: int = 1) -> Generator[Step, None, None]:
    """A bar with the time left. Call the step once for every item in each of the passes."""
    step = Step(what, total, passes)
    _steps.append(step)
    try:
        yield step
    finally:
        _steps.remove(step)
        step.stop()


def make_room() -> None:
    """Take the bars away before somebody is asked: they would write into the question."""
    for step in _steps:
        step.stop()


class Step:
    """Counts items; the bar appears after a second, and after a question again."""

    def __init__(self, what: str, total: int, passes: int) -> None:
        self._what = what
        self._total = total
        self._passes = passes
        self._done = 0
        self._begin = monotonic()
        self._bar: Progress | None = None

    def __call__(self) -> None:
        """One more is done."""
        self.reach(self._done + 1)

    def reach(self, done: int) -> None:
        """So many are done, in all passes together."""
        self._done = done
        bar = self._bar
        if bar is None:
            if not sys.stderr.isatty() or monotonic() - self._begin < 1:
                return
            bar = self._bar = _screen().bar(self._what, self._total)
        bar.update(bar.task_ids[0], completed=self._done / self._passes)

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


_steps: list[Step] = []


@contextmanager
def status(what: str) -> Generator[None, None, None]:
    """A line that says what goes on, where no steps can be counted: one save of everything.

    Nothing inside the block may use the terminal.
    """
    if not sys.stderr.isatty():
        yield
        return
    running: list[Progress] = []
    # The block does not come back to us before its end, so a thread looks at the clock.
    timer = Timer(1, lambda: running.append(_screen().status(what)))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        for line in running:
            line.stop()

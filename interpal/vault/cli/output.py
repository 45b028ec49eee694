"""Everything that is printed: data to stdout, messages to stderr, and no control characters.

A terminal gets tables with lines and colours (rich), a pipe the same columns in plain text.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from contextlib import contextmanager
from shutil import get_terminal_size
from threading import Timer
from typing import TYPE_CHECKING, Any

import click

from interpal._clock import monotonic
from interpal.vault.cli import errors
from interpal.vault.cli.formatting import Cell, draws

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from types import ModuleType

    from rich.progress import Progress

    from interpal.vault.cli.errors import Failure

PROGRAM = "interpal-vault"


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
        click.echo(json.dumps({"error": failure.as_json()}), err=True)
    else:
        text = failure.message
        program = f"{PROGRAM}:"
        if sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
            program = click.style(program, fg="red", bold=True)
        end = "" if text.endswith((".", "!", "?")) else "."
        click.echo(f"{program} {_one_line(text)}{end}", err=True)


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


def check_private_stdout() -> None:
    """Refuse to write a secret into a file that others may read: `InsecureRequest`."""
    try:
        found = os.fstat(sys.stdout.fileno())
    except (OSError, ValueError):
        return  # closed, or no file at all
    if stat.S_ISREG(found.st_mode) and found.st_mode & 0o077:
        raise errors.InsecureRequest(
            f"other users can read the output file (mode "
            f"{stat.S_IMODE(found.st_mode):04o}): use -o FILE, which creates it with mode 0600"
        )


def on_terminal() -> bool:
    """Whether a person sees stdout."""
    return sys.stdout.isatty()


def is_narrow() -> bool:
    """Whether the terminal has less than the 80 columns that tables are made for."""
    return on_terminal() and get_terminal_size().columns < 80


def put_table(
    titles: Sequence[str], rows: Sequence[Sequence[Cell | str]], *, paged: bool = False
) -> None:
    """Columns with titles. A terminal cuts nothing off: what is too wide is folded.

    A table that is *paged* goes through a pager where the terminal is too low for it.
    """
    cells = [[as_cell(cell) for cell in row] for row in rows]
    if on_terminal():
        _screen().table(titles, cells, paged=paged)
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
        _screen().finding(label, path, message, remedy, arrow="\u2192" if draws() else "->")
    else:
        put(f"{label.text}: {path}: {message}")
        if remedy:
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

    @property
    def done(self) -> int:
        """How many items the passes have dealt with, as far as they are alike."""
        return min(self.total, self._done)

    @property
    def total(self) -> int:
        """How many items there are."""
        return self._total

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

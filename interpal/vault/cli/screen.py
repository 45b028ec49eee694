"""What a terminal gets that a pipe does not: lines, colours, a bar that moves (rich)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.progress import ProgressColumn

    from interpal.vault.cli.formatting import Cell


# Lines that a table and the next prompt take beside the rows.
_AROUND_TABLE = 4


def _console() -> Console:
    # A name is never markup, a path never an emoji.
    return Console(force_terminal=True, highlight=False, markup=False, emoji=False)


def table(titles: Sequence[str], rows: Sequence[Sequence[Cell]], *, paged: bool = False) -> None:
    """Columns with titles and a line below them; what is too wide is folded."""
    columns = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    for number, title in enumerate(titles):
        # A name may be long; a time that is folded cannot be read.
        columns.add_column(title, overflow="fold", no_wrap=number > 0)
    _fill(columns, rows, paged=paged)


def grid(rows: Sequence[Sequence[Cell]]) -> None:
    """Names and values, one a line."""
    columns = Table.grid(padding=(0, 2))
    columns.add_column(no_wrap=True)
    columns.add_column(overflow="fold")
    _fill(columns, rows)


def _fill(columns: Table, rows: Sequence[Sequence[Cell]], *, paged: bool = False) -> None:
    for row in rows:
        columns.add_row(*(Text(cell.text, style=cell.style) for cell in row))
    console = _console()
    if paged and len(rows) + _AROUND_TABLE > console.height and sys.stdin.isatty():
        with console.pager():
            console.print(columns)
    else:
        console.print(columns)


def title(text: str) -> None:
    """What comes next."""
    _console().print(Text(text, style="bold"), soft_wrap=True)


def finding(label: Cell, path: str, message: str, remedy: str, *, arrow: str) -> None:
    """What was found, where, and what to do."""
    console = _console()
    console.print(Text.assemble((label.text, label.style), "  ", (path, "bold")), soft_wrap=True)
    console.print(Padding(Text(message), (0, 0, 0, 2)))
    if remedy:
        # A command that is folded cannot be copied.
        console.print(Text(f"  {arrow} {remedy}"), soft_wrap=True)


def bar(what: str, total: int) -> Progress:
    """A bar on stderr with the time that is left, running; its caller stops it."""
    text = TextColumn("{task.description}")
    bar = BarColumn(bar_width=30)
    return _running(what, total, text, bar, MofNCompleteColumn(), TimeRemainingColumn())


def status(what: str) -> Progress:
    """A line on stderr with the time that has passed, running; its caller stops it."""
    text = TextColumn("{task.description}", markup=False)
    return _running(what, None, SpinnerColumn(), text, TimeElapsedColumn())


def _running(what: str, total: int | None, *columns: ProgressColumn) -> Progress:
    console = Console(stderr=True, highlight=False)
    progress = Progress(*columns, console=console, transient=True)
    progress.add_task(what, total=total)
    progress.start()
    return progress

"""Names, times, sizes and bars as text: printable, in fixed columns, in English."""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_BAR_CELLS = 4
_MOST_NAMES = 10
# Not the locale's: the columns have to fit.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


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
    full, empty = ("\u2588", "\u2591") if draws() else ("#", "-")
    style = "green" if share > 0.25 else "yellow" if share else "red"
    return Cell(full * cells + empty * (_BAR_CELLS - cells), style)


def draws() -> bool:
    """Whether the terminal shows more than ASCII."""
    encoding = (getattr(sys.stdout, "encoding", "") or "").lower().replace("-", "")
    return sys.stdout.isatty() and encoding == "utf8" and os.environ.get("TERM") != "dumb"


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

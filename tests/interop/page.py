"""The tables of docs/interop.md: read, compared and written."""

from __future__ import annotations

from tests.interop import PAGE

READING, WRITING = "reads ours", "writes, and we read"
COLUMNS = ("slot, key", "slot, passphrase", "content", "two slots", "3 MB", "SQLite")

Table = dict[str, list[str]]


def table(title: str) -> Table:
    """The cells of the table with this title, by library, the version first."""
    lines = PAGE.read_text().splitlines()
    start, end = _place(lines, title)
    found: Table = {}
    for line in lines[start + 2 : end]:
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        found[name] = cells
    return found


def write(title: str, rows: Table) -> None:
    """Put *rows* in the place of those that are there."""
    lines = PAGE.read_text().splitlines()
    start, end = _place(lines, title)
    made = [f"| {title} | version | {' | '.join(COLUMNS)} |", "| --- " * (len(COLUMNS) + 2) + "|"]
    made += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    lines[start:end] = made
    PAGE.write_text("\n".join(lines) + "\n")


def _place(lines: list[str], title: str) -> tuple[int, int]:
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {title} |"))
    end = next(n for n in range(start, len(lines)) if not lines[n].startswith("|"))
    return start, end

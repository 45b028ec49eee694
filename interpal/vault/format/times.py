"""Times in a record: RFC 3339 text of docs/format.md. What says less is read by `legacy_file`."""

from __future__ import annotations

from datetime import datetime, timezone


def parse(text: str) -> datetime:
    """ISO 8601 text, naive where it names no offset. Raises ValueError."""
    # Python 3.10 does not read the Z.
    return datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in ("Z", "z") else text)


def from_text(text: object) -> datetime | None:
    """The aware UTC time of RFC 3339 text; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        time = parse(text)
        return time.astimezone(timezone.utc) if time.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def to_text(time: datetime) -> str:
    """RFC 3339 UTC text, `2026-11-22T07:40:00Z`."""
    return time.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")

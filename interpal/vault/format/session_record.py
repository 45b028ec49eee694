"""What the record of a session means, wherever one is read: its name, its times, its life.

Times are RFC 3339 text of docs/format.md. What says less is read by `legacy_file`.
"""

from __future__ import annotations

from interpal._clock import datetime, timezone

DEFAULT_NAME = "default"
"""The name of the record of a session of which nobody has said whose it is."""

DEFAULT_LIFETIME_HOURS = 24
"""How long a session lasts where nothing says so, as in interpal 1.x."""


def record_name(username: str) -> str:
    """The name of an account's record: the username in lower case and NFC, as sites compare.

    Not casefolded, which would make one account of two that differ by a sharp s.
    """
    if username.isascii():
        return username.lower()
    import unicodedata

    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", username).lower())


def parse_time(text: str) -> datetime:
    """ISO 8601 text, naive where it names no offset. Raises ValueError."""
    # Python 3.10 does not read the Z.
    return datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in ("Z", "z") else text)


def from_text(text: object) -> datetime | None:
    """The aware UTC time of RFC 3339 text; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        time = parse_time(text)
        return time.astimezone(timezone.utc) if time.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def to_text(time: datetime) -> str:
    """RFC 3339 UTC text, `2026-11-22T07:40:00Z`."""
    return time.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")

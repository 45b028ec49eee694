"""Text of others, for a message or a line of a log."""

from __future__ import annotations


def printable(text: str) -> str:
    """*text* with what does not print escaped: controls, line separators, marks of direction."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

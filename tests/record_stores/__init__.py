"""The Vault and the clients over stores that keep each record apart: SQLite and a real Redis."""

from __future__ import annotations


def flipped(data: bytes) -> bytes:
    """*data* with one bit of its last part, the tag of the content, turned."""
    at = data.rindex(b".") + 3 if b"." in data else len(data) // 2
    return data[:at] + (b"A" if data[at : at + 1] != b"A" else b"B") + data[at + 1 :]


class Keeping:
    """Changes nothing, and keeps the bytes that it was shown."""

    data = b""

    def __call__(self, data: bytes) -> bytes:
        self.data = data
        return data

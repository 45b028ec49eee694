"""Files that are no vault, or none that opens: what each is made of, and a program that reads one.

All of it is harmless: text of some size, most of it well-formed JSON.
"""

from __future__ import annotations

SHAPES: dict[str, tuple[bytes, bytes, bytes]] = {
    "digits": (b'{"protected":', b"9", b"}"),
    "base64url": (b'{"protected":"', b"A", b'"}'),
    "cut off": (b'{"protected":"', b"A", b""),
    "two members of one name": (b'{"protected":"","protected":"', b"A", b'"}'),
    "blanks": (b'{"protected":', b" ", b"}"),
    "nothing": (b"", b"\0", b""),
    "a fish and more": (b'{"protected":"\xf0\x9f\x90\x9f', b"A", b'"}'),
    "escapes": (b"[" + b"[]," * 80 + b'"', b"\\\\", b'"]'),
    "brackets that close": (b"[]" * 80, b"]", b""),
    "a header of semicolons": (b'{"session_cookie":"', b";", b'"}'),
    "a long name": (b'{"session_cookie":"abc","username":"', b"a", b'"}'),
    "accents": (b'{"session_cookie":"abc","username":"', b"\xc3\xa9", b'"}'),
}
"""By name: how the file begins, what it repeats, and how it ends."""


def shaped(name: str, size: int) -> bytes:
    """About *size* bytes of a shape."""
    begins, unit, ends = SHAPES[name]
    return begins + unit * (size // len(unit)) + ends


LOOK = """
import sys
import time
from interpal.exceptions import VaultError
from interpal.session_manager import SessionManager
from interpal.vault.health import report
from interpal.vault.stores.file import FileStore

def look(path):
    slowest = 0
    # As `interpal-vault inspect` does it, and then a client.
    for read in (
        lambda: report.parsed(path, report.load(FileStore(path, max_size=2**28))),
        lambda: SessionManager(store=FileStore(path, max_size=2**28), key=bytes(32)).find("x"),
    ):
        start = time.process_time()
        try:
            read()
        except VaultError:
            pass
        slowest = max(slowest, time.process_time() - start)
    return slowest

def most():
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1])
"""
"""A program that defines two functions.

`look(path)` reads a file in two ways, and gives the processor's seconds of the slower one;
`most()` is the most memory that the process had, in KiB.
"""

"""Installs what the tests want beside the packages of `.venv`: `python -m tests.needs`.

Each test that wants one of these makes sure of it too, so that a part of the tests can be run by
itself; here it is done before they start, and with a line for each. Exit code 1 where something
cannot be had.
"""

from __future__ import annotations

import shutil
import sys
from subprocess import CalledProcessError

from tests.beside import beside_python
from tests.debian import need
from tests.redis_server import find_binary
from tests.reliability.clocks import libfaketime
from tests.sandbox.peer import RELEASE, peer_python

NEEDS = {
    "redis-server": lambda: find_binary().path,
    "jose": lambda: need("jose"),
    "strace": lambda: need("strace"),
    "bindfs": lambda: need("bindfs"),
    "exfat-fuse": lambda: need("exfat-fuse", lambda: shutil.which("mount.exfat-fuse")),
    "exfatprogs": lambda: need("exfatprogs", lambda: shutil.which("mkfs.exfat")),
    "libfaketime": libfaketime,
    RELEASE: peer_python,
    "tools beside it": beside_python,
}


def main() -> int:
    return 1 - min([_had(name) for name in NEEDS])


def _had(name: str) -> bool:
    try:
        print(f"{name}: {NEEDS[name]()}", flush=True)
    except (AssertionError, OSError, RuntimeError, CalledProcessError) as error:
        print(f"{name}: NOT INSTALLED: {error}", flush=True)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())

"""An environment of its own for the packages that are measured beside this one.

It is made once, under `.venv/peers`, and kept. The project never depends on them. (That of
interpal 1.2.0 is made by `tests/sandbox/peer.py`, which the tests share.)
"""

from __future__ import annotations

import fcntl
import json
import shutil
import sys

import tomli

from benchmarks.children import ROOT
from tests.packaging.environment import make, read_lock

PART = "secret-stores"


def versions() -> list[str]:
    """What is measured beside this package, as `name==version`."""
    group = tomli.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"][PART]
    return [str(requirement) for requirement in group]


_FOLDER = ROOT / ".venv" / "peers"


def secret_stores() -> str:
    """The path of a Python that has keyrings.cryptfile, pykeepass and sqlcipher."""
    folder = _FOLDER / PART
    python, marker = folder / "bin" / "python", folder / ".complete"
    recipe = json.dumps([read_lock().of([PART]), sys.version])
    _FOLDER.mkdir(parents=True, exist_ok=True)
    # Two runs at once: one makes it, the other waits.
    with (_FOLDER / ".lock-secret-stores").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not marker.exists() or marker.read_text() != recipe:
            shutil.rmtree(folder, ignore_errors=True)
            make(folder, [PART])
            marker.write_text(recipe)
    return str(python)

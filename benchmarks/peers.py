"""An environment of its own for the packages that are measured beside this one.

It is made once, under `.venv/peers`, and kept. The project never depends on them. (That of
interpal 1.2.0 is made by `tests/sandbox/peer.py`, which the tests share.)
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
import venv

from benchmarks.children import ROOT

SECRET_STORES = ("keyrings.cryptfile==1.3.9", "pykeepass==4.2.0", "sqlcipher3-wheels==0.5.7")

_FOLDER = ROOT / ".venv" / "peers"


def secret_stores() -> str:
    """The path of a Python that has keyrings.cryptfile, pykeepass and sqlcipher."""
    folder = _FOLDER / "secret-stores"
    python, marker = folder / "bin" / "python", folder / ".complete"
    recipe = json.dumps([SECRET_STORES, sys.version])
    _FOLDER.mkdir(parents=True, exist_ok=True)
    # Two runs at once: one makes it, the other waits.
    with (_FOLDER / ".lock-secret-stores").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not marker.exists() or marker.read_text() != recipe:
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=True, symlinks=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            # Compiled, whatever the caller's environment says: else the compiler is measured.
            done = subprocess.run(
                [*pip, "--compile", *SECRET_STORES], capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                raise RuntimeError(f"the peers cannot be installed:\n{done.stderr}")
            marker.write_text(recipe)
    return str(python)

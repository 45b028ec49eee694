"""The package beside other tools, in an environment of their own: `.venv/peers/beside`.

Some of them patch what every program uses, so each test runs a script in a process of its own.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.packaging.environment import ROOT, make, read_lock

if TYPE_CHECKING:
    from pathlib import Path

PARTS = ("run", "redis", "keyring")

_NOT_THEIRS = ("INTERPALS_", "SESSION_VAULT_", "COVERAGE_")

_FOLDER = ROOT / ".venv" / "peers"


def beside_python(name: str = "beside") -> str:
    """The path of a Python that has the tools of a group; the first call installs them."""
    folder, parts = _FOLDER / name, (*PARTS, name)
    python, marker = folder / "bin" / "python", folder / ".complete"
    recipe = json.dumps([read_lock().of(parts), sys.version])
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (_FOLDER / f".lock-{name}").open("w") as lock:
        # Parallel test workers: one makes it, the others wait.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not marker.exists() or marker.read_text() != recipe:
            shutil.rmtree(folder, ignore_errors=True)
            make(folder, parts)
            marker.write_text(recipe)
    return str(python)


def environment_of(**variables: str) -> dict[str, str]:
    """The variables of a script: none of a proxy or a vault but those given."""
    kept = {
        name: text
        for name, text in os.environ.items()
        if "proxy" not in name.lower() and not name.startswith(_NOT_THEIRS)
    }
    return {**kept, "PYTHONPATH": str(ROOT), **variables}


def run_beside(
    script: str,
    *arguments: str,
    folder: Path,
    seconds: float = 60,
    tools: str = "beside",
    **variables: str,
) -> Any:
    """Run a script in *folder*, beside a group of *tools*.

    The JSON value in the last line of its output.
    """
    done = subprocess.run(
        [beside_python(tools), "-c", script, *arguments],
        cwd=folder,
        env=environment_of(XDG_CONFIG_HOME=str(folder / "config"), **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])

"""Programs and libraries of Debian that the harness needs; what cannot be had is an error."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_INSTALL = ["apt-get", "install", "-y", "-qq", "-o", "DPkg::Lock::Timeout=120"]


def need(package: str, found: Callable[[], str | None]) -> str:
    """What *found* finds, after *package* was installed if need be. RuntimeError otherwise."""
    reason = ""
    for commands in ([], [[*_INSTALL, package]], [["apt-get", "update"], [*_INSTALL, package]]):
        for command in commands:
            try:
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                reason = f"{done.stdout}{done.stderr}".strip()[-500:]
            except OSError as error:
                reason = str(error)
        path = found()
        if path is not None:
            return path
    raise RuntimeError(f"{package} is needed and could not be installed: {reason}")

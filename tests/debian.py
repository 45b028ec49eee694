"""Programs and libraries of Debian that the tests need; what cannot be had is an error."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_INSTALL = ["apt-get", "install", "-y", "-qq", "-o", "DPkg::Lock::Timeout=120"]


def need(package: str, found: Callable[[], str | None] | None = None) -> str:
    """What *found* finds, after *package* was installed if need be. RuntimeError otherwise.

    Without *found* it is the program of the package's name.
    """
    found = found or (lambda: shutil.which(package))
    path, reason = found(), ""
    for commands in ([[*_INSTALL, package]], [["apt-get", "update"], [*_INSTALL, package]]):
        if path is not None:
            break
        reason = "".join(_run(command) for command in commands)[-500:]
        path = found()
    if path is None:
        raise RuntimeError(f"{package} is needed and could not be installed: {reason}")
    return path


def _run(command: list[str]) -> str:
    """What a program said, or why it could not be started."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return done.stdout + done.stderr

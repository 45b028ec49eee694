"""Programs of Debian that the documentation shows; what cannot be had fails the test."""

from __future__ import annotations

import shutil
import subprocess

import pytest


def need(program: str) -> None:
    """Make sure of *program*, installed from the package of its name where it is missing."""
    if shutil.which(program):
        return
    command = ["apt-get", "install", "--yes", "-o", "DPkg::Lock::Timeout=120", program]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
        reason = done.stdout + done.stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    if not shutil.which(program):
        pytest.fail(f"{program} is needed: {' '.join(command)}\n{reason}")

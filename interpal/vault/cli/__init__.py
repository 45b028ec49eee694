"""The command line, `interpal-vault`: the only floor that prints.

`main` is what the installed script and `python -m interpal.vault` call. It ends the process
with an exit code of docs/command-line.md; `run` returns it instead.
"""

from __future__ import annotations

from interpal.vault.cli import (
    accounts,
    checking,
    copying,
    locksmith,
    looking,
    making,
    moving,
    running,
)
from interpal.vault.cli.app import main, run

__all__ = [
    "accounts",
    "checking",
    "copying",
    "locksmith",
    "looking",
    "main",
    "making",
    "moving",
    "run",
    "running",
]

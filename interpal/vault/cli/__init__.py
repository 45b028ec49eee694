"""The command line, `interpal-vault`: one module a verb, named like it.

`main` is what the installed script and `python -m interpal.vault` call. It ends the process
with an exit code of docs/command-line.md; `run` returns it instead.
"""

from __future__ import annotations

# Each module adds its verb to the command. Two are called like something that Python has.
from interpal.vault.cli import (
    benchmark,
    copying,
    doctor,
    import_export,
    init,
    inspect_vault,
    keygen,
    passwd,
    prune,
    remove,
    rotate,
    slot,
    verify,
)
from interpal.vault.cli import exec as _exec
from interpal.vault.cli import list as _list
from interpal.vault.cli.app import main, run

__all__ = [
    "_exec",
    "_list",
    "benchmark",
    "copying",
    "doctor",
    "import_export",
    "init",
    "inspect_vault",
    "keygen",
    "main",
    "passwd",
    "prune",
    "remove",
    "rotate",
    "run",
    "slot",
    "verify",
]

"""The verbs of the client: `login`, `check`, `request`; and what a browser writes, for `import`.

They are added to the command of `interpal.vault.cli`, which knows nothing of the client.
`main` is what the installed script and `python -m interpal` call.
"""

from __future__ import annotations

# Each module adds its verb to the command.
from interpal.cli import browser_files, check, failures, login, request
from interpal.vault.cli.app import main, run

__all__ = ["browser_files", "check", "failures", "login", "main", "request", "run"]

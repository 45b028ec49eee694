"""What a user does first, with an installed package: run by the tests of the distribution.

Prints `works` at the end. Uses nothing of the repository.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from interpal import InterpalClient, SessionManager, __version__
from interpal.sandbox import Sandbox
from interpal.vault import Vault


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    os.environ["XDG_CONFIG_HOME"] = str(folder / "config")
    os.chdir(folder)
    with Sandbox(accounts={"maple_ink": "secret"}) as sandbox:
        os.environ["INTERPALS_BASE_URL"] = sandbox.base_url
        for _ in range(2):
            with InterpalClient(
                "maple_ink", "secret", auto_login=True, persist_session=True
            ) as client:
                if client.get_self()["username"] != "maple_ink":
                    raise SystemExit("another profile than expected")
        if sandbox.stats()["logins"] != {"maple_ink": 1}:
            raise SystemExit(f"not one login: {sandbox.stats()}")
    with Vault.open("team.json", passphrase="for a smoke test", create=True) as vault:
        vault["anybody"] = {"session_cookie": "crumbs"}
    if "crumbs" in Path("team.json").read_text(encoding="utf-8"):
        raise SystemExit("the vault is in clear")
    if SessionManager(username="maple_ink").load_session() is None:
        raise SystemExit("the session cannot be loaded")
    shown = subprocess.run(
        [sys.executable, "-m", "interpal.vault", "inspect"],
        capture_output=True,
        text=True,
        check=True,
    )
    if "maple_ink" not in shown.stdout:
        raise SystemExit("inspect does not show the account")
    print("works", __version__)


if __name__ == "__main__":
    main()

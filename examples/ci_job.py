"""A session for a CI job: one encrypted line in a variable, and no file."""

import os
import subprocess
import sys
import tempfile

from _sandbox import account

from interpal import InterpalClient

JOB = """
from interpal import InterpalClient

with InterpalClient() as client:
    saved = "saved" if client.persisted else "not saved"
    print(f"The job runs as {client.get_self().name}, and its session is {saved}.")
"""


def command(*arguments: str) -> str:
    """What `interpal-vault` prints."""
    program = [sys.executable, "-m", "interpal", *arguments]
    return subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def main(username: str, password: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        vault, key = os.path.join(folder, "vault.json"), os.path.join(folder, "ci.key")
        # At home, once.
        with InterpalClient(
            username, password, auto_login=True, persist_session=True, session_file=vault
        ):
            pass
        command("keygen", "-o", key)
        line = command("export", "--ci", "-f", vault, "--key-file", key)
        with open(key, encoding="ascii") as file:
            secrets = {"INTERPALS_SESSION": line, "INTERPALS_VAULT_KEY": file.read().strip()}
        print(f"INTERPALS_SESSION is one line of {len(line)} characters.", flush=True)
        # In the CI, whose two secret variables these are.
        subprocess.run([sys.executable, "-c", JOB], check=True, env={**os.environ, **secrets})


if __name__ == "__main__":
    with account() as (username, password):
        main(username, password)

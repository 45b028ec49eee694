"""The session of another site, kept for requests: the second run does not log in.

What stands in for the site is the sandbox, of which nothing but HTTP is used here.
"""

import tempfile

import requests

from interpal.sandbox import Sandbox
from interpal.sessions import keep
from interpal.vault import Vault


def main(site: str, vault: Vault) -> None:
    def login(session: requests.Session) -> None:
        print("Logging in ...")
        data = {"username": "maple_ink", "password": "correct horse"}
        reply = session.post(f"{site}/v1/token", data=data, timeout=10)
        reply.raise_for_status()
        session.headers["X-Auth-Token"] = reply.json()["auth_token"]

    client = requests.Session()
    with keep(client, "my site", vault, login=login, headers=["X-Auth-Token"]) as session:
        reply = session.get(f"{site}/v1/account/self", timeout=10)
        reply.raise_for_status()
        print("Hello,", reply.json()["name"])


if __name__ == "__main__":
    with (
        Sandbox(accounts={"maple_ink": "correct horse"}) as sandbox,
        tempfile.TemporaryDirectory() as folder,
    ):
        for _ in range(2):
            with Vault.open(
                f"{folder}/sessions.json", passphrase="an example", create=True
            ) as vault:
                main(sandbox.base_url, vault)

"""The OAuth 2 token of any service in a vault, and each one that it is refreshed to.

pip install interpal-vault requests-oauthlib
CLIENT_ID=… CLIENT_SECRET=… python oauth_token.py https://photos.example/token https://photos.example/me
"""

import os
import sys

from oauthlib.oauth2 import BackendApplicationClient
from requests_oauthlib import OAuth2Session

from interpal.bridges.tokens import TokenSaver
from interpal.vault import Vault


def main(token_url: str, url: str) -> None:
    client_id, client_secret = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]
    with Vault.open("tokens.json", create=True) as vault:
        saver = TokenSaver(vault, "photos")
        session = OAuth2Session(
            client=BackendApplicationClient(client_id),
            token=saver.token,
            auto_refresh_url=token_url,
            auto_refresh_kwargs={"client_id": client_id, "client_secret": client_secret},
            token_updater=saver,
        )
        if saver.token is None:
            print("There is no token yet.")
            saver(session.fetch_token(token_url, client_secret=client_secret))
        reply = session.get(url, timeout=10)
        reply.raise_for_status()
        print("Hello,", reply.json()["name"])


if __name__ == "__main__":
    main(*sys.argv[1:])

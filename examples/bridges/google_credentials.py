"""The credentials of a Google account in a vault, with each token that they are refreshed to.

pip install interpal-vault google-auth requests
GOOGLE_CLIENT_ID=… GOOGLE_CLIENT_SECRET=… GOOGLE_REFRESH_TOKEN=… python google_credentials.py

The first run takes the variables, which the flow of google-auth-oauthlib gives; later ones do not.
"""

import os

from google.auth.transport.requests import AuthorizedSession, Request
from google.oauth2.credentials import Credentials

from interpal.bridges.tokens import load_google, save_google
from interpal.vault import Vault


def main() -> None:
    with Vault.open("tokens.json", create=True) as vault:
        info = load_google(vault, "google")
        print("Credentials are kept." if info else "There are no credentials yet.")
        credentials = Credentials.from_authorized_user_info(
            info
            or {
                "client_id": os.environ["GOOGLE_CLIENT_ID"],
                "client_secret": os.environ["GOOGLE_CLIENT_SECRET"],
                "refresh_token": os.environ["GOOGLE_REFRESH_TOKEN"],
            }
        )
        if not credentials.valid:
            credentials.refresh(Request())
            save_google(vault, "google", credentials)
        reply = AuthorizedSession(credentials).get("https://www.googleapis.com/oauth2/v3/userinfo")
        reply.raise_for_status()
        print("Hello,", reply.json()["name"])


if __name__ == "__main__":
    main()

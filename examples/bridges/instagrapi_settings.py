"""The device and the session of instagrapi in a vault: only a first run logs in.

pip install interpal-vault instagrapi
INSTAGRAM_SESSIONID=… python instagrapi_settings.py
"""

import os

from instagrapi import Client

from interpal.bridges.tokens import load_settings, save_settings
from interpal.vault import Vault


def main() -> None:
    client = Client()
    with Vault.open("tokens.json", create=True) as vault:
        if load_settings(client, vault, "instagram"):
            print("A session is kept.")
        else:
            print("There is no session yet.")
            client.login_by_sessionid(os.environ["INSTAGRAM_SESSIONID"])
            save_settings(client, vault, "instagram")
    print("Device:", client.get_settings()["device_settings"]["model"])


if __name__ == "__main__":
    main()

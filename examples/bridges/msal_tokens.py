"""The tokens of Microsoft's identity platform in a vault that several processes may share.

pip install interpal-vault msal
AZURE_CLIENT_ID=… AZURE_CLIENT_SECRET=… AZURE_TENANT_ID=… python msal_tokens.py
"""

import os
import sys

import msal

from interpal.bridges.msal_cache import VaultTokenCache
from interpal.vault import Vault


def main() -> None:
    with Vault.open("tokens.json", create=True) as vault:
        app = msal.ConfidentialClientApplication(
            os.environ["AZURE_CLIENT_ID"],
            client_credential=os.environ["AZURE_CLIENT_SECRET"],
            authority=f"https://login.microsoftonline.com/{os.environ['AZURE_TENANT_ID']}",
            token_cache=VaultTokenCache(vault, "microsoft"),
        )
        result = app.acquire_token_for_client(["https://graph.microsoft.com/.default"])
        if "access_token" not in result:
            sys.exit(f"{result['error']}: {result.get('error_description')}")
        is_kept = result["token_source"] == "cache"
        print("A token is kept." if is_kept else "There is a new token.")


if __name__ == "__main__":
    main()

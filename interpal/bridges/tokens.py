"""Tokens of libraries that hand them out as JSON: requests-oauthlib, google-auth, instagrapi.

Nothing here imports one of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from interpal.vault.core.record_views import thaw

if TYPE_CHECKING:
    from interpal.vault.vault import Vault


class TokenSaver:
    """The token of requests-oauthlib in the record *name* of *vault*. Raises what a `Vault` does.

    saver = TokenSaver(vault, "photos")
    OAuth2Session(client_id, token=saver.token, auto_refresh_url=…, token_updater=saver)
    """

    def __init__(self, vault: Vault, name: str) -> None:
        self._vault = vault
        self._name = name

    @property
    def token(self) -> dict[str, Any] | None:
        """The saved token, None where there is none yet."""
        record = self._vault.get(self._name)
        return None if record is None else thaw(record)

    def __call__(self, token: dict[str, Any]) -> None:
        """Save a token; it is on the disk when this returns."""
        self._vault[self._name] = dict(token)


def load_google(vault: Vault, name: str) -> dict[str, Any] | None:
    """What `Credentials.from_authorized_user_info` of google-auth takes; None: nothing is saved."""
    return TokenSaver(vault, name).token


def save_google(vault: Vault, name: str, credentials: Any) -> None:
    """Save credentials of google-auth by their `to_json`."""
    vault[name] = json.loads(credentials.to_json())


def load_settings(client: Any, vault: Vault, name: str) -> bool:
    """instagrapi's `load_settings`, from a vault. False where nothing is saved."""
    record = vault.get(name)
    if record is None:
        return False
    client.set_settings(thaw(record))
    return True


def save_settings(client: Any, vault: Vault, name: str) -> None:
    """instagrapi's `dump_settings`, into a vault: cookies, device and all."""
    vault[name] = json.loads(json.dumps(client.get_settings()))

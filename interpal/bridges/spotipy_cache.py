"""A cache handler for spotipy: its token is a record of a vault.

SpotifyOAuth(…, cache_handler=VaultCacheHandler(vault, "spotify"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spotipy.cache_handler import CacheHandler  # pyright: ignore[reportMissingImports]

from interpal.vault.core.record_views import thaw

if TYPE_CHECKING:
    from interpal.vault.vault import Vault


class VaultCacheHandler(CacheHandler):  # type: ignore[misc]  # It may not be installed here.
    """Keeps the token of spotipy in the record *name* of *vault*. Raises what a `Vault` does."""

    def __init__(self, vault: Vault, name: str) -> None:
        self._vault = vault
        self._name = name

    def get_cached_token(self) -> dict[str, Any] | None:
        """The token, None where there is none yet."""
        record = self._vault.get(self._name)
        return None if record is None else thaw(record)

    def save_token_to_cache(self, token_info: dict[str, Any]) -> None:
        """Save the token; it is on the disk when this returns."""
        self._vault[self._name] = dict(token_info)

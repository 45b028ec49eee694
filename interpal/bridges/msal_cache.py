"""A token cache for msal, in a vault: `ConfidentialClientApplication(…, token_cache=…)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msal import SerializableTokenCache  # pyright: ignore[reportMissingImports]

if TYPE_CHECKING:
    from interpal.vault.vault import Vault


class VaultTokenCache(SerializableTokenCache):  # type: ignore[misc]  # It may not be installed here.
    """Keeps the tokens of msal in the record *name* of *vault*: at most 64 KiB of them.

    Every look reads the newest of them, every change is merged into it under the lock, as
    msal-extensions does with a file. Raises what a `Vault` does.
    """

    def __init__(self, vault: Vault, name: str) -> None:
        super().__init__()
        self._vault = vault
        self._name = name

    def search(self, *arguments: Any, **settings: Any) -> Any:
        """`TokenCache.search` among the newest tokens."""
        self.deserialize(self._vault.get(self._name, {}).get("cache"))
        return super().search(*arguments, **settings)

    def modify(self, *arguments: Any, **settings: Any) -> None:
        """`TokenCache.modify`; saved when this returns."""
        with self._vault.transaction() as records:
            self.deserialize(records.get(self._name, {}).get("cache"))
            super().modify(*arguments, **settings)
            records[self._name] = {**records.get(self._name, {}), "cache": self.serialize()}

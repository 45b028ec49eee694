"""A client for an account of the vault that a verb was given, opened as every verb opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal.session import DEFAULT_NAME
from interpal.vault.cli import opening, stores
from interpal.vault.cli.accounts import name_of

if TYPE_CHECKING:
    from interpal.client import InterpalClient
    from interpal.sessions.events import OnEvent
    from interpal.vault.stores.base import Store

# The server is asked by the verb itself, not at the start of the client.
_NEVER_ASKED_AGAIN = 10**9


class Place:
    """The vault at a path or URL, and the passphrase that was typed for it."""

    def __init__(self, path: str) -> None:
        self.store: Store = stores.store_of(path)
        self.typed: list[str] = []

    @property
    def location(self) -> str:
        """The path that messages name."""
        return self.store.location

    def account(self, user: str | None) -> str:
        """The name of a user's record; of the only one there is where no user is named.

        Raises `NotFound`, `AmbiguousAccountError`, and what opening a vault raises.
        """
        return self._names(user)[0]

    def accounts(self, user: str | None) -> list[str]:
        """The same, or the names of all records where no user is named and there are several."""
        return self._names(user, every=True)

    def _names(self, user: str | None, *, every: bool = False) -> list[str]:
        with opening.open_vault(self.store, typed=self.typed) as vault:
            if every and user is None and len(vault) > 1:
                return sorted(vault)
            return [name_of(vault, user)]

    def ask_for_new(self) -> None:
        """Ask for the passphrase of a vault that is to be made."""
        self.typed.append(opening.new_passphrase(self.location))

    def client(
        self, username: str, password: str | None = None, *, on_event: OnEvent | None = None
    ) -> InterpalClient:
        """A client of this account whose sessions are in this vault. Nothing was sent yet.

        It may be asked of the server, where nobody has said yet whose the session is.
        """
        from interpal.client import InterpalClient

        return InterpalClient(
            # A session that was imported without a name.
            None if username == DEFAULT_NAME else username,
            password,
            persist_session=True,
            store=self.store,
            vault_passphrase=self.typed[-1] if self.typed else None,
            revalidate_after=_NEVER_ASKED_AGAIN,
            on_event=on_event,
        )

"""What a shell completes beside verbs and options: names of accounts and of key slots.

Completion says nothing, asks nothing and changes nothing: whatever goes wrong, there is nothing to
choose from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click

    from interpal.vault.stores.base import Store

# Ends of the names of sources that may put a question of their own to the person, or take their
# time.
ASKING = ("VAULT_PASSPHRASE_COMMAND", "VAULT_KEYRING")


def accounts(context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """The accounts in the vault of `-f`, where the key is available without a question."""
    return _beginning(typed, _account_names(_store(context)))


def slots(context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """The key slots of the vault of `-f`, as it claims them."""
    return _beginning(typed, _slot_names(_store(context)))


def _beginning(typed: str, names: list[str]) -> list[str]:
    # What does not print would be a line of its own to the shell, or worse.
    return [name for name in names if name.startswith(typed) and name.isprintable()]


def _store(context: click.Context) -> Store | None:
    from interpal.vault.cli import stores

    try:
        store = stores.store_of(context.params.get("path") or stores.default_place())
        return store if stores.exists(store) else None
    except Exception:  # noqa: BLE001  (nobody asked for an error)
        return None


def _account_names(store: Store | None) -> list[str]:
    from interpal.vault.files.permissions import without_repairs
    from interpal.vault.keys.sources import find_source
    from interpal.vault.vault import Vault

    if store is None:
        return []
    try:
        source = find_source()
        if source.name.endswith(ASKING):
            return []
        with without_repairs(), Vault(store, source) as vault:
            vault.start()
            return sorted(vault)
    except Exception:  # noqa: BLE001  (nobody asked for an error)
        return []


def _slot_names(store: Store | None) -> list[str]:
    from interpal.vault.cli import stores
    from interpal.vault.health import report

    if store is None:
        return []
    try:
        header = report.parsed(store.location, stores.load(store)).header
    except Exception:  # noqa: BLE001  (nobody asked for an error)
        return []
    return [slot.kid for slot in header.slots]

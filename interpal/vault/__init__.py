"""An encrypted vault of named records, for any service's sessions.

    from interpal.vault import Vault

    with Vault.open("team.json", passphrase="…", create=True) as vault:
        vault["maple_ink"] = {"session_cookie": "…"}

Names are imported when they are first used.
"""

from __future__ import annotations

# Importing it from `typing` takes a tenth of what Python takes to start; checkers know the name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interpal.exceptions import (
        AmbiguousKeyError,
        KeyRequiredError,
        KeySourceError,
        LockTimeoutError,
        NotDurableError,
        StaleWriteError,
        StoreUnavailableError,
        VaultCorruptError,
        VaultError,
        VaultExistsError,
        VaultFormatError,
        VaultIOError,
        VaultKeyError,
        VaultLimitError,
        VaultNotFoundError,
        VaultPermissionError,
        VaultRollbackError,
        VaultVersionError,
        WrongKeyError,
    )
    from interpal.vault.format.key_slots import KdfParameters, Slot
    from interpal.vault.hardening import harden_process
    from interpal.vault.stores.base import Store
    from interpal.vault.stores.file import FileStore
    from interpal.vault.stores.opening import open_store
    from interpal.vault.stores.redis.store import RedisStore
    from interpal.vault.stores.sqlite.store import SqliteStore
    from interpal.vault.vault import Vault

_HOME = {
    "AmbiguousKeyError": "interpal.exceptions",
    "FileStore": "interpal.vault.stores.file",
    "KdfParameters": "interpal.vault.format.key_slots",
    "KeyRequiredError": "interpal.exceptions",
    "KeySourceError": "interpal.exceptions",
    "LockTimeoutError": "interpal.exceptions",
    "NotDurableError": "interpal.exceptions",
    "RedisStore": "interpal.vault.stores.redis.store",
    "Slot": "interpal.vault.format.key_slots",
    "SqliteStore": "interpal.vault.stores.sqlite.store",
    "StaleWriteError": "interpal.exceptions",
    "Store": "interpal.vault.stores.base",
    "StoreUnavailableError": "interpal.exceptions",
    "Vault": "interpal.vault.vault",
    "VaultCorruptError": "interpal.exceptions",
    "VaultError": "interpal.exceptions",
    "VaultExistsError": "interpal.exceptions",
    "VaultFormatError": "interpal.exceptions",
    "VaultIOError": "interpal.exceptions",
    "VaultKeyError": "interpal.exceptions",
    "VaultLimitError": "interpal.exceptions",
    "VaultNotFoundError": "interpal.exceptions",
    "VaultPermissionError": "interpal.exceptions",
    "VaultRollbackError": "interpal.exceptions",
    "VaultVersionError": "interpal.exceptions",
    "WrongKeyError": "interpal.exceptions",
    "harden_process": "interpal.vault.hardening",
    "open_store": "interpal.vault.stores.opening",
}

__all__ = [
    "AmbiguousKeyError",
    "FileStore",
    "KdfParameters",
    "KeyRequiredError",
    "KeySourceError",
    "LockTimeoutError",
    "NotDurableError",
    "RedisStore",
    "Slot",
    "SqliteStore",
    "StaleWriteError",
    "Store",
    "StoreUnavailableError",
    "Vault",
    "VaultCorruptError",
    "VaultError",
    "VaultExistsError",
    "VaultFormatError",
    "VaultIOError",
    "VaultKeyError",
    "VaultLimitError",
    "VaultNotFoundError",
    "VaultPermissionError",
    "VaultRollbackError",
    "VaultVersionError",
    "WrongKeyError",
    "harden_process",
    "open_store",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)

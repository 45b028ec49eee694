# The public names, for type checkers and editors; `__init__.py` imports them when used.

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
    VaultMismatchError,
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
from interpal.vault.stores.simple import SimpleStore
from interpal.vault.stores.sqlite.store import SqliteStore
from interpal.vault.vault import Vault

__all__ = [
    "AmbiguousKeyError",
    "FileStore",
    "KdfParameters",
    "KeyRequiredError",
    "KeySourceError",
    "LockTimeoutError",
    "NotDurableError",
    "RedisStore",
    "SimpleStore",
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
    "VaultMismatchError",
    "VaultNotFoundError",
    "VaultPermissionError",
    "VaultRollbackError",
    "VaultVersionError",
    "WrongKeyError",
    "harden_process",
    "open_store",
]

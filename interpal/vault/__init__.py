"""An encrypted vault of named records, for any service's sessions.

    from interpal.vault import Vault

    with Vault.open("team.json", passphrase="…", create=True) as vault:
        vault["maple_ink"] = {"session_cookie": "…"}

Names are imported when they are first used.
"""

from __future__ import annotations

from interpal._lazy import public_names

TYPE_CHECKING = False  # pyright: ignore[reportConstantRedefinition]
if TYPE_CHECKING:
    # For pylint, which reads no stubs, and has no idea of what a client's methods return.
    from typing import Any

    from interpal.exceptions import *  # noqa: F403

    FileStore: Any
    KdfParameters: Any
    RedisStore: Any
    SimpleStore: Any
    Slot: Any
    SqliteStore: Any
    Store: Any
    Vault: Any
    harden_process: Any
    open_store: Any

# The same names for type checkers and editors are in `__init__.pyi`; a test compares the two.
__all__, __getattr__, __dir__ = public_names(
    __name__,
    {
        "interpal.exceptions": (
            "AmbiguousKeyError KeyRequiredError KeySourceError LockTimeoutError "
            "NotDurableError StaleWriteError StoreUnavailableError VaultCorruptError "
            "VaultError VaultExistsError VaultFormatError VaultIOError VaultKeyError "
            "VaultLimitError VaultMismatchError VaultNotFoundError VaultPermissionError "
            "VaultRollbackError VaultVersionError WrongKeyError"
        ),
        "interpal.vault.format.key_slots": "KdfParameters Slot",
        "interpal.vault.hardening": "harden_process",
        "interpal.vault.stores.base": "Store",
        "interpal.vault.stores.file": "FileStore",
        "interpal.vault.stores.opening": "open_store",
        "interpal.vault.stores.redis.store": "RedisStore",
        "interpal.vault.stores.simple": "SimpleStore",
        "interpal.vault.stores.sqlite.store": "SqliteStore",
        "interpal.vault.vault": "Vault",
    },
)

"""Log in to Interpals once, and keep the session encrypted for every later run.

The clients, what they hand out, and every error. Names are imported when they are first used:
`import interpal` itself loads nothing.
"""

from __future__ import annotations

from interpal._version import __version__

# Importing it from `typing` takes a tenth of what Python takes to start; checkers know the name.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from interpal.async_client import AsyncInterpalClient
    from interpal.client import InterpalClient
    from interpal.exceptions import (
        AccountMismatchError,
        AmbiguousAccountError,
        AmbiguousKeyError,
        APIError,
        AuthenticationError,
        InterpalException,
        InvalidCredentialsError,
        KeyRequiredError,
        KeySourceError,
        LockTimeoutError,
        NetworkError,
        NotDurableError,
        RateLimitError,
        SessionExpiredError,
        StaleWriteError,
        StoreUnavailableError,
        ValidationError,
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
    from interpal.session import Session, SessionInfo
    from interpal.session_manager import SessionManager
    from interpal.sessions.events import Event

_HOME = {
    "APIError": "exceptions",
    "AccountMismatchError": "exceptions",
    "AmbiguousAccountError": "exceptions",
    "AmbiguousKeyError": "exceptions",
    "AsyncInterpalClient": "async_client",
    "AuthenticationError": "exceptions",
    "Event": "sessions.events",
    "InterpalClient": "client",
    "InterpalException": "exceptions",
    "InvalidCredentialsError": "exceptions",
    "KeyRequiredError": "exceptions",
    "KeySourceError": "exceptions",
    "LockTimeoutError": "exceptions",
    "NetworkError": "exceptions",
    "NotDurableError": "exceptions",
    "RateLimitError": "exceptions",
    "Session": "session",
    "SessionExpiredError": "exceptions",
    "SessionInfo": "session",
    "SessionManager": "session_manager",
    "StaleWriteError": "exceptions",
    "StoreUnavailableError": "exceptions",
    "ValidationError": "exceptions",
    "VaultCorruptError": "exceptions",
    "VaultError": "exceptions",
    "VaultExistsError": "exceptions",
    "VaultFormatError": "exceptions",
    "VaultIOError": "exceptions",
    "VaultKeyError": "exceptions",
    "VaultLimitError": "exceptions",
    "VaultNotFoundError": "exceptions",
    "VaultPermissionError": "exceptions",
    "VaultRollbackError": "exceptions",
    "VaultVersionError": "exceptions",
    "WrongKeyError": "exceptions",
}

__all__ = [
    "APIError",
    "AccountMismatchError",
    "AmbiguousAccountError",
    "AmbiguousKeyError",
    "AsyncInterpalClient",
    "AuthenticationError",
    "Event",
    "InterpalClient",
    "InterpalException",
    "InvalidCredentialsError",
    "KeyRequiredError",
    "KeySourceError",
    "LockTimeoutError",
    "NetworkError",
    "NotDurableError",
    "RateLimitError",
    "Session",
    "SessionExpiredError",
    "SessionInfo",
    "SessionManager",
    "StaleWriteError",
    "StoreUnavailableError",
    "ValidationError",
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
    "__version__",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)

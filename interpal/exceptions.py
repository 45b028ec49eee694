"""Every error of the package.

    InterpalException
    ├─ ValidationError (also ValueError)         a bad argument; names it
    ├─ ClientClosedError (also RuntimeError)      the client was closed; make a new one
    ├─ AuthenticationError  .status_code
    │  ├─ InvalidCredentialsError                 the server refused username and password
    │  ├─ SessionExpiredError  .expired_at .replayed   ended, and no credentials to log in again
    │  └─ AccountMismatchError  .expected .found
    ├─ AmbiguousAccountError  .accounts
    ├─ NetworkError                               nothing can be said of the session
    │  └─ CallNetworkError (also APIError)        a call that got no reply, as in interpal 1.x
    ├─ APIError  .status_code .response
    │  ├─ NotFoundError                           404
    │  ├─ PermissionError                         403; not for `from interpal.exceptions import *`
    │  └─ RateLimitError  .retry_after
    ├─ WebSocketError                             live events
    │  ├─ WebSocketConnectionError (also NetworkError)
    │  ├─ WebSocketTimeoutError (also NetworkError)
    │  ├─ WebSocketAuthenticationError (also AuthenticationError)
    │  └─ WebSocketRateLimitError (also RateLimitError)
    └─ VaultError  .path
       ├─ VaultNotFoundError   ├─ VaultExistsError
       ├─ VaultKeyError: KeyRequiredError, WrongKeyError, AmbiguousKeyError, KeySourceError
       ├─ VaultFormatError: VaultVersionError, VaultLimitError
       ├─ VaultCorruptError    ├─ VaultRollbackError    ├─ VaultMismatchError
       ├─ VaultPermissionError  what is insecure, and the command that fixes it
       ├─ VaultIOError: NotDurableError (saved, but the folder could not be synced)
       ├─ LockTimeoutError  .holder
       ├─ StaleWriteError                         somebody else was first; nothing was written
       └─ StoreUnavailableError

What goes wrong at a login is an AuthenticationError as well, as in interpal 1.x:
LoginNetworkError, LoginAPIError and LoginRateLimitError.

A message says what happened, to which path or account, and what to do. It never holds a
secret; facts that a program may want are attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from typing import Any, Protocol

    class ErrorResponse(Protocol):
        """The reply that an error is made of: what a response of requests has, but no secrets."""

        @property
        def status_code(self) -> int: ...
        @property
        def headers(self) -> Mapping[str, str]: ...
        @property
        def text(self) -> str: ...
        @property
        def content(self) -> bytes: ...
        def json(self) -> Any: ...


# Without `PermissionError`, which would hide the builtin of that name.
__all__ = [
    "APIError",
    "AccountMismatchError",
    "AmbiguousAccountError",
    "AmbiguousKeyError",
    "AuthenticationError",
    "CallNetworkError",
    "ClientClosedError",
    "InterpalException",
    "InvalidCredentialsError",
    "KeyRequiredError",
    "KeySourceError",
    "LockTimeoutError",
    "LoginAPIError",
    "LoginNetworkError",
    "LoginRateLimitError",
    "NetworkError",
    "NotDurableError",
    "NotFoundError",
    "RateLimitError",
    "SessionExpiredError",
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
    "VaultMismatchError",
    "VaultNotFoundError",
    "VaultPermissionError",
    "VaultRollbackError",
    "VaultVersionError",
    "WebSocketAuthenticationError",
    "WebSocketConnectionError",
    "WebSocketError",
    "WebSocketRateLimitError",
    "WebSocketTimeoutError",
    "WrongKeyError",
]

# Seconds to wait where the server refuses a request and does not say for how long.
WAIT_WITHOUT_RETRY_AFTER = 60.0


class InterpalException(Exception):  # noqa: N818  (the name that users of interpal 1.x catch)
    """Base of every error that this package raises on purpose.

    Its text is one line: what does not print of a name in it is escaped.
    """

    def __str__(self) -> str:
        from interpal._text import printable

        return printable(super().__str__())


class ValidationError(InterpalException, ValueError):
    """An argument is wrong. The message names it."""


class ClientClosedError(InterpalException, RuntimeError):
    """The client was closed, and has forgotten its session, its password and its key."""


class AuthenticationError(InterpalException):
    """The server refused, or the session cannot be used.

    `status_code` is the HTTP status where there was one, else None.
    """

    def __init__(
        self, message: str = "Authentication failed", status_code: int | None = None
    ) -> None:
        super().__init__(message)
        self.status_code = status_code


class InvalidCredentialsError(AuthenticationError):
    """The server refused this username and password."""


class SessionExpiredError(AuthenticationError):
    """The session has ended and there are no credentials to log in again.

    `expired_at` is the session's own expiry where that is what ended it. `replayed` tells
    whether the request was sent a second time, with a new session.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        expired_at: datetime | None = None,
        replayed: bool = False,
    ) -> None:
        super().__init__(message, status_code=status_code)
        self.expired_at = expired_at
        self.replayed = replayed


class AccountMismatchError(AuthenticationError):
    """The session belongs to another account than the one that was asked for."""

    def __init__(self, message: str, *, expected: str | None, found: str | None) -> None:
        super().__init__(message)
        self.expected = expected
        self.found = found


class AmbiguousAccountError(InterpalException):
    """The vault holds several accounts and no username says which. `accounts` lists them."""

    def __init__(self, message: str, *, accounts: Iterable[str]) -> None:
        super().__init__(message)
        self.accounts = tuple(accounts)


class NetworkError(InterpalException):
    """The server could not be asked. Nothing can be said of the session."""


class APIError(InterpalException):
    """The server answered with an error. `status_code` is its HTTP status.

    `response` is the reply, where there was one: `status_code, headers, text, content, json()`.
    It holds nothing of the session: no cookies, no token.
    """

    def __init__(
        self,
        message: str,
        status_code: int | None = None,
        response: ErrorResponse | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.response = response


class NotFoundError(APIError):
    """There is no such thing (404)."""

    def __init__(
        self,
        message: str = "Resource not found",
        status_code: int | None = 404,
        response: ErrorResponse | None = None,
    ) -> None:
        super().__init__(message, status_code, response)


class PermissionError(APIError):  # noqa: A001  (the name of interpal 1.x; here, and in no `__all__`)
    """The account may not do that (403)."""

    def __init__(
        self,
        message: str = "Permission denied",
        status_code: int | None = 403,
        response: ErrorResponse | None = None,
    ) -> None:
        super().__init__(message, status_code, response)


class RateLimitError(APIError):
    """Too many requests. `retry_after` is the seconds to wait: what the server said, else 60."""

    def __init__(
        self,
        message: str = "Rate limit exceeded",
        retry_after: float | None = None,
        status_code: int | None = 429,
        response: ErrorResponse | None = None,
    ) -> None:
        super().__init__(message, status_code, response)
        self.retry_after = WAIT_WITHOUT_RETRY_AFTER if retry_after is None else retry_after


class CallNetworkError(NetworkError, APIError):
    """A call got no reply. `status_code` and `response` are None."""


class LoginNetworkError(NetworkError, AuthenticationError):
    """The server could not be asked for a session."""


class LoginAPIError(APIError, AuthenticationError):
    """The server was in trouble when it was asked for a session."""


class LoginRateLimitError(RateLimitError, AuthenticationError):
    """The server allows no login for now. `retry_after` is the seconds to wait."""


class WebSocketError(InterpalException):
    """Something about the connection for live events."""


class WebSocketConnectionError(WebSocketError, NetworkError):
    """The connection for live events could not be made, or broke."""


class WebSocketTimeoutError(WebSocketError, NetworkError):
    """The server did not answer in time."""


class WebSocketAuthenticationError(WebSocketError, AuthenticationError):
    """The server does not let this session listen."""


class WebSocketRateLimitError(WebSocketError, RateLimitError):
    """Too many connections. `retry_after` is the seconds to wait."""


class VaultError(InterpalException):
    """Something about a vault. `path` is its path, or the URL of its store without secrets."""

    def __init__(self, message: str, *, path: str | None = None) -> None:
        super().__init__(message)
        self.path = path


class VaultNotFoundError(VaultError):
    """No vault at the path."""


class VaultExistsError(VaultError):
    """There is something at the path already."""


class VaultKeyError(VaultError):
    """The vault cannot be opened with the secrets that are available."""


class KeyRequiredError(VaultKeyError):
    """No key, or only one of the other kind than the vault has slots for."""


class WrongKeyError(VaultKeyError):
    """No slot of the vault opens with this passphrase or key (or a slot was tampered with)."""


class AmbiguousKeyError(VaultKeyError):
    """Two sources of a key are set. The message names both and shows neither."""


class KeySourceError(VaultKeyError):
    """A source of a key is set but gives no key."""


class VaultFormatError(VaultError):
    """Not a vault, or not one by the letter of the format."""


class VaultVersionError(VaultFormatError):
    """A vault of another version of the format; nothing was guessed and nothing touched."""


class VaultLimitError(VaultFormatError):
    """Something of the right kind is beyond a bound of the format."""


class VaultCorruptError(VaultError):
    """The vault was damaged or tampered with: a slot opened and what is behind it is wrong."""


class VaultRollbackError(VaultError):
    """The vault is an older copy than the one the caller has seen."""

    def __init__(self, message: str, *, path: str | None = None, generation: int, minimum: int):
        super().__init__(message, path=path)
        self.generation = generation
        self.minimum = minimum


class VaultMismatchError(VaultError):
    """Another vault than the one that was expected. `expected` and `found` are ids in hex."""

    def __init__(
        self, message: str, *, path: str | None = None, expected: str, found: str | None
    ) -> None:
        super().__init__(message, path=path)
        self.expected = expected
        self.found = found


class VaultPermissionError(VaultError):
    """A file or folder is not safe or not ours. The message gives the command that fixes it."""


class VaultIOError(VaultError):
    """The operating system refused. `errno` is its number; the old content is intact."""

    def __init__(self, message: str, *, path: str | None = None, errno: int | None = None) -> None:
        super().__init__(message, path=path)
        self.errno = errno


class NotDurableError(VaultIOError):
    """Saved, but the folder could not be synced: a power cut might bring the old file back."""


class LockTimeoutError(VaultError):
    """Another process holds the lock. `holder` is its pid or name, None if it is not known."""

    def __init__(self, message: str, *, path: str | None = None, holder: str | None = None) -> None:
        super().__init__(message, path=path)
        self.holder = holder


class StaleWriteError(VaultError):
    """A write came too late: the vault, the record or the lock has changed hands meanwhile.

    Nothing was written. Read again, then decide again.
    """


class StoreUnavailableError(VaultError):
    """The store of the vault does not answer."""

"""Log in to Interpals once, and keep the session encrypted for every later run.

The clients, what they hand out, and every error. Names are imported when they are first used:
`import interpal` itself loads nothing.
"""

from __future__ import annotations

import sys

from interpal._lazy import public_names

if sys.platform == "win32":
    raise ImportError(
        "interpal-vault does not run on Windows, which has no POSIX locks, owners and modes of "
        "files: install and run it inside WSL, https://learn.microsoft.com/windows/wsl/install."
    )

TYPE_CHECKING = False  # pyright: ignore[reportConstantRedefinition]
if TYPE_CHECKING:
    # For pylint, which reads no stubs, and has no idea of what a client's methods return.
    from typing import Any

    from interpal.exceptions import *  # noqa: F403
    from interpal.models import *  # noqa: F403

    AsyncInterpalClient: Any
    Event: Any
    InterpalClient: Any
    Session: Any
    SessionInfo: Any
    SessionManager: Any

# The same names for type checkers and editors are in `__init__.pyi`; a test compares the two.
__all__, __getattr__, __dir__ = public_names(
    __name__,
    {
        "interpal._version": "__version__",
        "interpal.api.replies": (
            "Album Bookmark Comment CounterUpdateEvent EventCounters Like LikesComments "
            "MediaUpload Message MessageEventData Notification Photo PhotoUploadStatus Post "
            "Profile ProfileViewEvent Relationship Thread ThreadNewMessageEvent "
            "ThreadTypingEvent Trip TypingIndicator User UserCounters UserRelation "
            "UserSettings"
        ),
        "interpal.async_client": "AsyncInterpalClient",
        "interpal.client": "InterpalClient",
        "interpal.exceptions": (
            "APIError AccountMismatchError AmbiguousAccountError AmbiguousKeyError "
            "AuthenticationError CallNetworkError ClientClosedError InterpalException "
            "InvalidCredentialsError KeyRequiredError KeySourceError LockTimeoutError "
            "LoginAPIError LoginNetworkError "
            "LoginRateLimitError NetworkError NotDurableError NotFoundError RateLimitError "
            "SessionExpiredError StaleWriteError StoreUnavailableError ValidationError "
            "VaultCorruptError VaultError VaultExistsError VaultFormatError VaultIOError "
            "VaultKeyError VaultLimitError VaultMismatchError VaultNotFoundError "
            "VaultPermissionError VaultRollbackError VaultVersionError "
            "WebSocketAuthenticationError WebSocketConnectionError WebSocketError "
            "WebSocketRateLimitError WebSocketTimeoutError WrongKeyError"
        ),
        "interpal.session": "Session SessionInfo",
        "interpal.session_manager": "SessionManager",
        "interpal.sessions.events": "Event",
    },
)

"""Which error of the client ends the program with which exit code."""

from __future__ import annotations

from interpal import exceptions as e
from interpal.vault.cli import errors

# The more special before the more general.
errors.add(
    (e.InvalidCredentialsError, "wrong-password", errors.WRONG_KEY),
    (e.AccountMismatchError, "another-account", errors.CONFIGURATION),
    (e.RateLimitError, "rate-limit", errors.LOCKED),
    (e.NetworkError, "network", errors.SOURCE),
    (e.SessionExpiredError, "session-ended", errors.WRONG_KEY),
    (e.AuthenticationError, "no-session", errors.WRONG_KEY),
    (e.APIError, "server", errors.VERSION),
)

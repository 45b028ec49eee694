"""Refused logins, remembered in the vault so that nobody asks the same again at once.

FORMAT.md section 4, `attempts`: a rate limit holds everybody back, a refused password those who
have the same one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interpal.exceptions import InvalidCredentialsError, LoginRateLimitError

if TYPE_CHECKING:
    from interpal._hidden import Hidden
    from interpal.vault.vault import Vault

REMEMBER_REFUSAL = 60.0
LONGEST_REFUSAL = 86400.0
# `until` has whole seconds, rounded up.
_ROUNDING = 1.0


def check(
    vault: Vault, name: str, password: Hidden[bytes], *, who: str, now: float, force: bool = False
) -> None:
    """Raise what another process was told a moment ago, in place of asking the server again.

    *now* is epoch seconds. Raises `LoginRateLimitError`, or `InvalidCredentialsError` where the
    password is the same one; *force* asks about that one again.
    """
    attempt = vault.attempts.get(name)
    if attempt is None:
        return
    left = attempt["until"] - now
    tag = attempt.get("tag")
    longest = LONGEST_REFUSAL if tag is None else REMEMBER_REFUSAL
    if not 0 < left <= longest + _ROUNDING:
        return  # Over, or written by a clock that was far ahead.
    if tag is None:
        raise rate_limit(who, left)
    if not force and tag == vault.attempt_tag(name, password):
        raise refused_before(who)


def note(
    vault: Vault, name: str, password: Hidden[bytes] | None, *, now: float, seconds: float
) -> None:
    """Remember a refused login: with its *password*, or for a rate limit None."""
    until = int(now + min(max(seconds, 1.0), LONGEST_REFUSAL) + _ROUNDING)
    attempt: dict[str, Any] = {"until": until}
    if password is not None:
        attempt["tag"] = vault.attempt_tag(name, password)
    with vault.transaction() as records:
        records.attempts[name] = attempt


def rate_limit(who: str, left: float) -> LoginRateLimitError:
    """The error for a login that is not to be tried for another *left* seconds."""
    return LoginRateLimitError(
        f"the server allows no login for {who} for another {left:.0f} seconds", retry_after=left
    )


def refused_before(who: str) -> InvalidCredentialsError:
    """The error for a password that the server has refused a moment ago."""
    return InvalidCredentialsError(
        f"the server refused this password for {who} less than a minute ago and it was not tried "
        "again; check it, or use login(force=True)",
        status_code=401,
    )

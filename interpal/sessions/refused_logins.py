"""Refused logins, remembered in the client and in the vault, so that nobody asks the same again.

FORMAT.md section 4, `attempts`. A rate limit holds everybody back for its time, a day at most. Any
other refusal holds back those who would try the same password again, and where it may be the
host that is refused and not the password, those on the same host. Its pause doubles each time,
from a minute to an hour, as long as it is remembered: for a day after its end.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from interpal._clock import monotonic
from interpal.exceptions import (
    AuthenticationError,
    InvalidCredentialsError,
    LoginAPIError,
    LoginNetworkError,
    LoginRateLimitError,
)
from interpal.transport.protocol import LONGEST_WAIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interpal._hidden import Hidden
    from interpal.vault.vault import Vault

PASSWORD, RATE_LIMIT, REDIRECT = "password", "rate-limit", "redirect"
# The status that a refusal of each kind had, for its error when it is raised again.
STATUS = {
    PASSWORD: 401,
    "forbidden": 403,
    "blocked": 423,
    REDIRECT: 302,
    "no-session": 200,
    "refused": 400,
}
FIRST_PAUSE = 60.0
LONGEST_PAUSE = 3600.0
HOW_TO_FORCE = "login(force=True)"
LONGEST_RATE_LIMIT = LONGEST_WAIT
REMEMBERED = 86400.0
# `until` has whole seconds, rounded up.
_ROUNDING = 1.0
_MOST_DOUBLINGS = 32


class Refusal(NamedTuple):
    """One refused login: its kind, and the seconds of a rate limit, else None."""

    kind: str
    seconds: float | None = None


def kind_of(error: Exception) -> str | None:
    """The kind of a refusal; None where the server did not decide (5xx, no answer)."""
    return kind_of_status(getattr(error, "status_code", None))


def kind_of_status(status: int | None) -> str | None:
    """The kind of a refusal with this status; None where it is none."""
    if status is None or status >= 500:
        return None
    if 300 <= status < 400:
        return REDIRECT
    named = {code: kind for kind, code in STATUS.items()}
    return named.get(status, "refused")


def pause_of(count: int) -> float:
    """Seconds until the same may be tried again, after *count* refusals one after the other."""
    doublings: int = min(max(count, 1) - 1, _MOST_DOUBLINGS)
    return float(min(FIRST_PAUSE * 2**doublings, LONGEST_PAUSE))


class RefusedLogins:
    """The answers that one client got to logins to one account; others read them in the vault.

    Times are of the monotonic clock.
    """

    def __init__(self) -> None:
        self._held_until = 0.0
        self._password: Hidden[bytes] | None = None
        self._kind = ""
        self._count = 0
        self._until = 0.0
        self._unreachable = ""
        self._unreachable_at = float("-inf")

    def __repr__(self) -> str:
        return "<RefusedLogins>"

    def note(self, refusal: Refusal, password: Hidden[bytes]) -> None:
        """The server refused a login."""
        now = monotonic()
        if refusal.seconds is not None:
            self._held_until = now + min(refusal.seconds, LONGEST_RATE_LIMIT)
            return
        again = refusal.kind == self._kind and password == self._password
        self._count = self._count + 1 if again else 1
        self._kind, self._password = refusal.kind, password
        self._until = now + pause_of(self._count)

    def forget(self) -> None:
        """A login succeeded."""
        self._kind, self._password, self._count, self._until = "", None, 0, 0.0

    def unreachable(self, reason: str) -> None:
        """The server could not be asked."""
        self._unreachable, self._unreachable_at = reason, monotonic()

    def check(
        self,
        who: str,
        password: Hidden[bytes],
        *,
        since: float,
        force: bool,
        how: str = HOW_TO_FORCE,
    ) -> None:
        """Raise what the server would say again; one of the network only if later than *since*.

        *how* is what the caller can do to be asked all the same.
        """
        now = monotonic()
        if now < self._held_until:
            raise rate_limit(who, self._held_until - now)
        if self._unreachable_at > since:
            raise LoginNetworkError(self._unreachable)
        if not force and now < self._until and password == self._password:
            raise refused_before(who, self._kind, self._until - now, how)


def check(
    vault: Vault,
    name: str,
    password: Hidden[bytes],
    *,
    who: str,
    now: float,
    force: bool = False,
    how: str = HOW_TO_FORCE,
) -> None:
    """Raise the answer that another process got a moment ago, in place of asking the server again.

    *now* is epoch seconds. Raises `LoginRateLimitError`, or what the refusal was where it holds
    for this password and host; *force* passes that one.
    """
    attempt = vault.attempts.get(name)
    if attempt is None:
        return
    left = attempt["until"] - now
    longest = LONGEST_RATE_LIMIT if "tag" not in attempt else LONGEST_PAUSE
    if not 0 < left <= longest + _ROUNDING:
        return  # Over, or written by a clock that was far ahead.
    if "tag" not in attempt:
        raise rate_limit(who, left)
    kind = attempt.get("kind", PASSWORD)
    if not force and attempt["tag"] in _tags(vault, name, kind, password):
        raise refused_before(who, kind, left, how)


def note(vault: Vault, name: str, refusal: Refusal, password: Hidden[bytes], *, now: float) -> None:
    """Remember a refused login of the account *name*; *now* is epoch seconds."""
    attempt: dict[str, Any] = {"kind": refusal.kind}
    with vault.transaction() as records:
        if refusal.seconds is not None:
            seconds = min(max(refusal.seconds, 1.0), LONGEST_RATE_LIMIT)
        else:
            attempt["tag"] = _tags(vault, name, refusal.kind, password)[0]
            attempt["count"] = _count(records.attempts.get(name), attempt, now) + 1
            seconds = pause_of(attempt["count"])
        attempt["until"] = int(now + seconds + _ROUNDING)
        if refusal.seconds is None:
            attempt["forget_at"] = int(attempt["until"] + REMEMBERED)
        records.attempts[name] = attempt


def _count(before: Mapping[str, Any] | None, attempt: Mapping[str, Any], now: float) -> int:
    """How many refusals of the same there were before, as far as they are remembered."""
    if before is None or before.get("tag") != attempt["tag"]:
        return 0
    forgotten = before.get("forget_at", before["until"])
    # One from a clock that was far ahead is none.
    if not now < forgotten <= now + LONGEST_PAUSE + REMEMBERED + _ROUNDING:
        return 0
    return int(before.get("count", 1))


def _tags(vault: Vault, name: str, kind: str, password: Hidden[bytes]) -> list[str]:
    """What an entry of this kind has as its `tag`; of a kind that is not known here, either."""
    from interpal._hidden import Hidden

    # A password is refused on all hosts; any other refusal may be of this host alone.
    here = b"\0" + os.uname().nodename.encode("utf-8", "surrogateescape")
    on_all = [vault.attempt_tag(name, password)]
    on_this = [vault.attempt_tag(name, Hidden(password.reveal() + here))]
    if kind == PASSWORD:
        return on_all
    return on_this if kind in STATUS else on_this + on_all


def rate_limit(who: str, left: float) -> LoginRateLimitError:
    """The error for a login that is not to be tried for another *left* seconds."""
    return LoginRateLimitError(
        f"the server allows no login for {who} for another {left:.0f} seconds", retry_after=left
    )


def refused_before(
    who: str, kind: str, left: float, how: str = HOW_TO_FORCE
) -> AuthenticationError:
    """The error for what the server has refused, and what is not tried for *left* seconds."""
    from datetime import timedelta

    from interpal._clock import utc_now
    from interpal.session import to_text

    until = (utc_now() + timedelta(seconds=left + 1)).replace(microsecond=0)
    status = STATUS.get(kind)
    what = {
        PASSWORD: "this password",
        REDIRECT: "the login by a redirect, as to a captcha,",
        "no-session": "a session after the login, as for a second factor,",
    }.get(kind, f"the login ({kind if status is None else status})")
    remedy = (
        f"give another password, or try at once with {how}"
        if kind == PASSWORD
        else f"see in a browser what the site asks for, then try at once with {how}"
    )
    text = (
        f"the server refused {what} for {who}, and the same is not tried again before "
        f"{to_text(until)}: {remedy}"
    )
    if kind == PASSWORD:
        return InvalidCredentialsError(text, status_code=status)
    error = LoginAPIError if kind == REDIRECT else AuthenticationError
    return error(text, status_code=status)

"""Two logins that end each other's sessions, where a server allows an account one at a time.

Neither can know it from one ending. What tells is that sessions of one's own logins end again and
again right after they were made: by a login of another client of this process that keeps its
sessions elsewhere, or, where nobody of this process did it, before they have answered twice.
Then the next login waits, longer each time.
"""

from __future__ import annotations

import threading
from itertools import count

from interpal._clock import monotonic
from interpal._log import Logger
from interpal.exceptions import SessionExpiredError
from interpal.sessions.refused_logins import HOW_TO_FORCE
from interpal.vault.files.forks import in_child

# A session that has lived for so many seconds was not ended by a quarrel.
SHORT_LIFE = 60.0
FIRST_PAUSE = 40.0
LONGEST_PAUSE = 600.0
# What an ending counts that another client here has caused, and one that only looks like it.
_KNOWN, _LIKELY, _ENOUGH = 2, 1, 4

_log = Logger("interpal.sessions")

# The last login of each account in this process: where its session is kept, and its number.
_logins: dict[tuple[str, str], tuple[object, int]] = {}
_numbers = count(1)
_guard = threading.Lock()


class Contest:
    """What one client knows of the endings of its own logins. Times are of the monotonic clock."""

    def __init__(self) -> None:
        self._made_at: float | None = None
        self._number = 0
        self._answers = 0
        self._count = 0
        self._pause = FIRST_PAUSE
        self._until = 0.0

    def __repr__(self) -> str:
        return "<Contest>"

    def made(self, account: tuple[str, str], place: object) -> None:
        """A login of this client has given a session, which is kept at *place*."""
        with _guard:
            self._number = next(_numbers)
            _logins[account] = (place, self._number)
        self._made_at, self._answers = monotonic(), 0

    def answered(self) -> None:
        """The server has answered a request with the session."""
        self._answers += 1

    def ended(self, account: tuple[str, str], place: object) -> None:
        """The server has ended the session in use."""
        made_at, self._made_at = self._made_at, None
        if made_at is None:
            return  # Another's: it may have been made long ago.
        now = monotonic()
        with _guard:
            elsewhere, number = _logins.get(account, (place, 0))
        known = elsewhere != place and number > self._number
        if now - made_at > SHORT_LIFE or not (known or self._answers <= 1):
            self._count, self._pause = 0, FIRST_PAUSE
            return
        self._count += _KNOWN if known else _LIKELY
        if self._count >= _ENOUGH:
            self._until = now + self._pause
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
            _log.warning("%s: another login keeps ending this session", account[1])

    def check(self, who: str, *, place: str = "session_file", how: str = HOW_TO_FORCE) -> None:
        """Raise `SessionExpiredError` where the next login is to wait.

        *place* is what both programs are to be given, *how* what the caller can do at once.
        """
        left = self._until - monotonic()
        if left > 0:
            raise SessionExpiredError(
                f"another login keeps ending this session of {who}, right after it was made: give "
                f"both programs the same {place}, or stop one of them; the next login is made "
                f"in {left:.0f} seconds, or by {how}",
                status_code=401,
            )


def _forget_after_fork() -> None:
    global _guard
    _guard = threading.Lock()


in_child(_forget_after_fork)

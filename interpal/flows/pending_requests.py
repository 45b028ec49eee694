"""Which requests are under way with which session: a refusal may overtake the reply to another."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from interpal.sessions.wait import pauses

if TYPE_CHECKING:
    from interpal.flows.account import Account
    from interpal.session import Session
    from interpal.sessions.wait import Flow

# A reply that takes longer than this after a refusal costs one login more.
LONGEST_WAIT = 2.0
LONGEST_PAUSE = 0.05


class Sending:
    """A request with *session*, from before it is sent until what its reply brings is taken on."""

    __slots__ = ("_account", "_pid", "session")

    def __init__(self, account: Account, session: Session) -> None:
        self._account = account
        self.session = session
        self._pid = os.getpid()

    def is_of(self, session: Session) -> bool:
        """Whether it is with *session*, and not the parent's from before a fork."""
        return session.same_credentials(self.session) and self._pid == os.getpid()

    def __enter__(self) -> None:
        self._account.under_way.add(self)

    def __exit__(self, *exc_info: object) -> None:
        self._account.under_way.discard(self)


def replies_to(account: Account, session: Session) -> Flow[None]:
    """Wait a moment for the replies to what was sent with *session* before now.

    The server may have given a new cookie in one of them, and refused the old one since. Then the
    session lives, and `account.session` is another when this returns.
    """
    sent = {sending for sending in account.under_way.copy() if sending.is_of(session)}
    deadline = time.monotonic() + LONGEST_WAIT
    coming = pauses(LONGEST_PAUSE)
    while session.same_credentials(account.session) and not sent.isdisjoint(account.under_way):
        if time.monotonic() >= deadline:
            return
        yield next(coming)

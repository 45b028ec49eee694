"""Which requests are under way with which session: a refusal may overtake the reply to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal._clock import monotonic
from interpal.sessions.wait import pauses
from interpal.vault.files.forks import Process

if TYPE_CHECKING:
    from interpal.flows.context import ClientContext
    from interpal.session import Session
    from interpal.sessions.wait import Flow

# A reply that takes longer than this after a refusal costs one login more.
LONGEST_WAIT = 2.0
LONGEST_PAUSE = 0.05


class Sending:
    """A request with *session*, from before it is sent until what its reply brings is applied."""

    __slots__ = ("_context", "_process", "session")

    def __init__(self, context: ClientContext, session: Session) -> None:
        self._context = context
        self.session = session
        self._process = Process()

    def is_of(self, session: Session) -> bool:
        """Whether it is with *session*, and not the parent's from before a fork."""
        return session.same_credentials(self.session) and self._process.is_current

    def __enter__(self) -> None:
        self._context.pending.add(self)

    def __exit__(self, *exc_info: object) -> None:
        self._context.pending.discard(self)


def replies_to(context: ClientContext, session: Session) -> Flow[None]:
    """Wait a moment for the replies to what was sent with *session* before now.

    The server may have given a new cookie in one of them, and refused the old one since. Then the
    session lives, and `context.state.live` is another when this returns.
    """
    sent = {sending for sending in context.pending.copy() if sending.is_of(session)}
    deadline = monotonic() + LONGEST_WAIT
    coming = pauses(LONGEST_PAUSE)
    while session.same_credentials(context.state.live) and not sent.isdisjoint(context.pending):
        if monotonic() >= deadline:
            return
        yield next(coming)

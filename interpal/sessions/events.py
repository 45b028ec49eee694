"""What happens in a session's life, for the log and for the caller's `on_event`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from interpal._clock import datetime  # noqa: TC001  (`typing.get_type_hints` reads it)
from interpal._log import Logger
from interpal._tuples import NamedTuple

_log = Logger("interpal.events")

# Each event with the level of its log line.
EVENTS: Mapping[str, str] = {
    "session_loaded": "info",
    "validated": "info",
    "unverified": "warning",
    "invalidated": "info",
    "login_started": "info",
    "login_waited": "info",
    "logged_in": "info",
    "saved": "debug",
    "save_failed": "warning",
    "quarantined": "warning",
    "migrated": "info",
}


class Event(NamedTuple):
    """One event: its name, the account and the vault it concerns, when (aware UTC), and facts.

    Names are the keys of `EVENTS`. No event holds a secret.
    """

    name: str
    username: str | None
    path: str | None
    at: datetime
    facts: Mapping[str, Any]


OnEvent = Callable[[Event], object]


def tell(event: Event, on_event: OnEvent | None) -> None:
    """Log an event and hand it to the hook. A hook that raises is logged and harms nothing."""
    facts = "".join(f" {name}={value}" for name, value in event.facts.items())
    log = getattr(_log, EVENTS[event.name])
    log("%s: account %s, vault %s%s", event.name, event.username, event.path, facts)
    if on_event is None:
        return
    try:
        on_event(event)
    except Exception as error:  # noqa: BLE001  (the hook is the user's; whatever it raises is not ours)
        # The type alone: what the hook's error says may hold anything.
        _log.warning("on_event raised %s at %s", type(error).__name__, event.name)

"""A bot that runs for weeks: it says what happens to its session, and waits where it has to.

python examples/long_running_bot.py [ROUNDS] [SECONDS BETWEEN THEM]
"""

from __future__ import annotations

import logging
import sys
import time

from _sandbox import account

from interpal import APIError, Event, InterpalClient, NetworkError, RateLimitError

log = logging.getLogger("bot")


def on_event(event: Event) -> None:
    """Told of every event of the session's life; a bot might count them, or send an alert."""
    if event.name in ("login_started", "save_failed", "quarantined"):
        log.warning("%s: %s %s", event.name, event.username, dict(event.facts) or "")


def one_round(client: InterpalClient) -> None:
    threads = client.get_threads()
    unread = sum(thread.get("new", 0) for thread in threads)
    log.info("%d threads, %d unread messages", len(threads), unread)


def run(client: InterpalClient, rounds: int, pause: float) -> None:
    for _ in range(rounds):
        wait = pause
        try:
            one_round(client)
        except RateLimitError as error:
            wait = error.retry_after or 60
            log.warning("too fast; the server asks for %.0f seconds", wait)
        except (NetworkError, APIError) as error:
            # Nothing is wrong with the session: the next round tries again.
            log.warning("%s", error)
        time.sleep(wait)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)-7s %(name)s: %(message)s")
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    pause = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
    with (
        account() as (username, password),
        InterpalClient(
            username,
            password,
            auto_login=True,
            persist_session=True,
            session_expiration_hours=14 * 24,
            min_interval=0.2,
            on_event=on_event,
        ) as client,
    ):
        run(client, rounds, pause)

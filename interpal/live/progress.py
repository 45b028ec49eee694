"""Which messages were handed out: each once, also over connections, and in bounded memory.

Ids are decimal numbers that grow with time (19 digits in every frame and reply that was seen), so
of two messages of one conversation the one with the greater id is the later one.
"""

from __future__ import annotations

# So many messages, and as many again, are remembered by their ids.
REMEMBERED_MESSAGES = 5_000
REMEMBERED_THREADS = 10_000


def is_after(message_id: str, other: str) -> bool:
    """Whether an id is greater than another: as numbers, whatever their length."""
    length, others = len(message_id), len(other)
    return message_id > other if length == others else length > others


def key_of(message_id: str) -> tuple[int, str]:
    """What ids are sorted by."""
    return len(message_id), message_id


class Progress:
    """What one client has handed out so far.

    A conversation is *settled* up to a message where that message and all before it were handed
    out, or were there before the first connection. What is neither settled nor remembered is new.
    """

    def __init__(
        self, messages: int = REMEMBERED_MESSAGES, threads: int = REMEMBERED_THREADS
    ) -> None:
        self._most_messages = messages
        self._most_threads = threads
        # Of each message the connection on which it was handed out; the last ones, and those
        # before them. Whole generations are forgotten at once, which costs the least.
        self._young: dict[str, int] = {}
        self._old: dict[str, int] = {}
        # The last message of each conversation in a generation.
        self._young_latest: dict[str, str] = {}
        self._old_latest: dict[str, str] = {}
        self._settled: dict[str, str] = {}
        # Up to where conversations are settled that have no entry.
        self._floor = ""
        self.connection = 0

    def first_time(self, thread_id: str, message_id: str) -> bool:
        """Note a message; whether it was not noted before."""
        young = self._young
        if message_id in young or message_id in self._old:
            return False
        settled = self._settled.get(thread_id)
        if settled is not None and not is_after(message_id, settled):
            return False
        young[message_id] = self.connection
        self._young_latest[thread_id] = message_id
        if len(young) >= self._most_messages:
            self._forget()
        return True

    def is_settled(self, thread_id: str, message_id: str) -> bool:
        """Whether this message was handed out, or was there before it all."""
        if message_id in self._young or message_id in self._old:
            return True
        return not is_after(message_id, self._settled.get(thread_id, self._floor))

    def handed_out_since(self, message_id: str, connection: int) -> bool:
        """Whether it was handed out on this connection or a later one."""
        found = self._young.get(message_id, self._old.get(message_id))
        return found is not None and found >= connection

    def settle(self, newest: dict[str, str]) -> None:
        """Everything up to the *newest* message of each conversation is handed out, or is old."""
        for thread_id, message_id in newest.items():
            before = self._settled.pop(thread_id, None)
            if before is not None and not is_after(message_id, before):
                message_id = before
            # What has changed last is the last of the dict, and what is forgotten the first.
            self._settled[thread_id] = message_id
        while len(self._settled) > self._most_threads:
            oldest = next(iter(self._settled))
            self.settle_the_rest(self._settled.pop(oldest))

    def settle_the_rest(self, message_id: str) -> None:
        """So is everything up to this message, in conversations that were not named."""
        if is_after(message_id, self._floor):
            self._floor = message_id

    def _forget(self) -> None:
        self.settle(self._old_latest)
        self._old, self._young = self._young, {}
        self._old_latest, self._young_latest = self._young_latest, {}

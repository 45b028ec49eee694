"""What is tried: which clients there are, what each is asked for, and what lies in the vault."""

from __future__ import annotations

import random
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from interpal.session import Session
from interpal.vault.vault import Vault
from tests.interleavings.clients import (
    ACTIONS,
    CALL,
    MINE,
    OTHER,
    ROTATE_KEY,
    Action,
)
from tests.interleavings.hosts import Hosts, chance_of
from tests.interleavings.world import (
    ACCOUNTS,
    ENVELOPES,
    KEY,
    ORIGIN,
    START,
    DiskPlace,
    MemoryStore,
    Place,
    Process,
    Site,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interpal.vault.format.envelope import Payload
    from interpal.vault.stores.base import Stored

SAVED = ("living", "ended", "nothing", "unvalidated", "foreign")


class Plan(NamedTuple):
    """*clients* has the process of each client; *actors* the client and the actions of each
    thread; *saved* what the vault holds; *events* what the site does at some moment; *faults*
    how many deaths and cancellations there may be. Where *single*, the site allows an account one
    session at a time.
    """

    clients: tuple[int, ...]
    actors: tuple[tuple[int, tuple[Action, ...]], ...]
    saved: str = "living"
    events: tuple[str, ...] = ()
    faults: int = 0
    named: bool = True
    single: bool = False

    def __str__(self) -> str:
        threads = "; ".join(
            f"thread {number} (client {client}, process {self.clients[client]}): "
            + ", ".join(action.name for action in actions)
            for number, (client, actions) in enumerate(self.actors)
        )
        return f"saved: {self.saved}; site: {self.events or 'nothing'}; {threads}"

    @property
    def processes(self) -> int:
        return max(self.clients) + 1

    @property
    def saved_living(self) -> set[str]:
        return {MINE} if self.saved in ("living", "unvalidated") else set()

    def prepare(self, site: Site, path: str | Hosts | None) -> Place:
        """The vault with what it holds at the start, of which the site knows.

        In the file at *path*, or that of hosts, or in memory.
        """
        cookie = site.new_session(OTHER if self.saved == "foreign" else MINE)
        if self.saved in ("nothing", "ended"):
            site.end(MINE)
        site.endings = dict.fromkeys(ACCOUNTS, 0)
        ENVELOPES.forget()
        if isinstance(path, Hosts):
            return path.place(_record(self.saved, cookie), MINE)
        if path is not None:
            return DiskPlace(path, *_prepared(self.saved, cookie, sealed=True))
        return Place(*_prepared(self.saved, cookie, sealed=False))


@lru_cache
def _prepared(saved: str, cookie: str, *, sealed: bool) -> tuple[Stored | None, Payload | None]:
    """Made once, within `frozen`, *sealed* or not as its vaults are."""
    place = Place()
    vault = Vault.open(MemoryStore(place, Process(0)), key=KEY, create=True)
    record = _record(saved, cookie)
    if record is not None:
        vault[MINE] = record
    vault.close()
    if not sealed:
        ENVELOPES.keep()
    return place.stored, place.payload


def _record(saved: str, cookie: str) -> dict[str, Any] | None:
    if saved == "nothing":
        return None
    validated = saved in ("living", "ended")
    session = Session(
        session_cookie=cookie,
        username=MINE,
        user_id=ACCOUNTS[MINE] if validated else None,
        origin=ORIGIN,
        created_at=START,
        expires_at=START.replace(year=START.year + 1),
        last_validated_at=START if validated else None,
    )
    return session.to_record()


THREADS = (0,)
PROCESSES = (0, 1)


def pairs() -> Iterator[Plan]:
    """Two threads with an action each: of one client, and of clients of two processes."""
    every = (*ACTIONS, ROTATE_KEY)
    for saved, events, shared in product(SAVED, ((), ("end",), ("rotate",)), (False, True)):
        for number, one in enumerate(every):
            for other in every[number:]:
                if one is ROTATE_KEY and other is ROTATE_KEY:
                    continue
                if shared:
                    yield Plan(THREADS, ((0, (one,)), (0, (other,))), saved, events)
                else:
                    yield Plan(PROCESSES, ((0, (one,)), (1, (other,))), saved, events)


LAYOUTS = (
    # The process of each client, and the client of each thread.
    ((0,), (0, 0)),
    ((0,), (0, 0, 0)),
    ((0, 1), (0, 1)),
    ((0, 1), (0, 0, 1)),
    ((0, 0), (0, 1, 1)),
    ((0, 1, 2), (0, 1, 2)),
)
EVENTS = ((), ("end",), ("rotate",), ("end", "end"), ("rotate", "end"), ("rotate", "rotate"))


def any_plan(seed: int) -> Plan:
    """A plan of two or three threads with one to three actions each, by a seed."""
    chance = random.Random(seed)
    clients, threads = chance.choice(LAYOUTS)
    every = (*ACTIONS, CALL, CALL, ROTATE_KEY)
    return Plan(
        clients,
        tuple(
            (client, tuple(chance.choices(every, k=chance.choice((1, 1, 1, 2)))))
            for client in threads
        ),
        chance.choice(SAVED),
        chance.choice(EVENTS),
        faults=chance.choice((0, 0, 1)),
    )


def plan_of_hosts(seed: int) -> Plan:
    """A plan of two or three hosts, one of which may be stopped or not be let in, by a seed."""
    chance, plan = chance_of(seed), any_plan(seed)
    clients, threads = chance.choice([one for one in LAYOUTS if len(set(one[0])) > 1])
    every = [action for _, actions in plan.actors for action in actions]
    return plan._replace(
        clients=clients,
        actors=tuple(
            (client, tuple(chance.choices((*every, CALL), k=chance.choice((1, 1, 2)))))
            for client in threads
        ),
        events=chance.choice((*EVENTS, ("block",), ("end", "block"), ("block", "end"))),
        faults=chance.choice((0, 1, 1)),
        single=chance.random() < 0.5,
    )

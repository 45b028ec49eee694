"""Q: every order of the steps of a few clients, up to two preemptions, and random walks."""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.interleavings import explore, plans, world
from tests.interleavings.hosts import Hosts
from tests.interleavings.mutants import MUTANTS, OF_HOSTS, Caught, Mutant, catch
from tests.interleavings.schedule import BrokenPromiseError
from tests.redis_server import RedisServer
from tests.reliability import Row
from tests.reliability.children import scratch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.interleavings.plans import Plan

WANTED = 1_000_000
WORKERS = 2
LONGEST = 3 * 3600
SHORT = 1000
ON_DISK, SHORT_ON_DISK = 5000, 50
ON_HOSTS, SHORT_ON_HOSTS = 5000, 50
# In a short run every so many-eth of the plans, and so many schedules of each.
EVERY, OF_EACH = 60, 32
CHUNK = 10
WALKS = 2000


class Tried(NamedTuple):
    """How many plans were begun, how many schedules of them run, and what broke a promise."""

    plans: int
    schedules: int
    broken: list[str]


def run(*, full: bool) -> Iterator[Row]:
    every = list(plans.pairs())
    if full:
        tried, walked = _in_full(every)
    else:
        tried = _explore_some(every[::EVERY], OF_EACH)
        walked = _walk_some(range(SHORT))
    good = "no session of another, nothing after a logout, one login an ending, no lock left"
    what = f"every order up to {explore.PREEMPTIONS} preemptions of two threads or processes"
    filed = _walk_on_disk(range(ON_DISK if full else SHORT_ON_DISK))
    shared = _walk_on_hosts(range(ON_HOSTS if full else SHORT_ON_HOSTS))
    broken = [*tried.broken, *walked.broken, *filed.broken, *shared.broken]
    assert not broken, f"{len(broken)} schedules break a promise, such as:\n{broken[0]}"
    some = f"{tried.plans:,} of {len(every):,} plans"
    yield Row("Q", f"{what}: {some}", tried.schedules, good)
    yield Row(
        "Q",
        "random orders of up to three, with deaths and cancellations",
        walked.schedules,
        f"{good}; seeds 0 to {walked.schedules - 1:,}",
    )
    what = "the same random orders on a file in a tmpfs, encrypted, with the locks of the kernel"
    yield Row("Q", what, filed.schedules, good)
    what = (
        "random orders of two or three hosts over a Redis server, one of which is stopped until "
        "its locks have run out, killed, or refused its logins"
    )
    yield Row(
        "Q", what, shared.schedules, f"{good}; nothing over a later login, no host for another"
    )
    if not full:
        return  # Each mutant is a test in tests/interleavings.
    with world.frozen():
        for mutant in MUTANTS:
            yield _row_of(mutant, catch(mutant))
    with scratch() as folder, RedisServer(Path(folder) / "redis") as server:
        hosts = Hosts(server)
        with world.frozen(sealed=True):
            for mutant in OF_HOSTS:
                yield _row_of(mutant, catch(mutant, hosts))
        hosts.close()


def _row_of(mutant: Mutant, caught: Caught) -> Row:
    where = "" if mutant.plan is None else ", in orders of one plan"
    fault = f"mutant: {mutant.name}"
    return Row("Q", fault, caught.schedules, f"caught ({caught.as_what}){where}, as it must be")


def _in_full(every: list[Plan]) -> tuple[Tried, Tried]:
    until = time.monotonic() + float(os.environ.get("ORDERS_SECONDS", LONGEST))
    chunks = [every[at : at + CHUNK] for at in range(0, len(every), CHUNK)]
    # Started anew, so that a worker has nothing of this process but what it is asked for.
    with multiprocessing.get_context("spawn").Pool(WORKERS, _collect_by_hand) as pool:
        tried = _summed(_in_time(pool.imap_unordered(_explore_some, chunks), until))
        starts = range(0, max(WANTED - tried.schedules, SHORT), WALKS)
        walks = [range(start, start + WALKS) for start in starts]
        return tried, _summed(_in_time(pool.imap_unordered(_walk_some, walks), until))


def _in_time(parts: Iterable[Tried], until: float) -> Iterator[Tried]:
    for part in parts:
        yield part
        print(f"Q: {part.schedules:,} more, {len(part.broken)} broken", *part.broken, flush=True)
        if time.monotonic() > until:
            return


def _collect_by_hand() -> None:
    """A worker collects garbage after each piece of work, not in the middle of each schedule."""
    gc.freeze()
    gc.disable()


def _explore_some(some: list[Plan], most: int | None = None) -> Tried:
    gc.collect()
    with world.frozen():
        return _summed(_explored(plan, most) for plan in some)


def _explored(plan: Plan, most: int | None) -> Tried:
    schedules = 0
    try:
        for _ in islice(explore.systematically(plan), most):
            schedules += 1
    except BrokenPromiseError as error:
        return Tried(1, schedules + 1, [str(error)])
    return Tried(1, schedules, [])


def _walk_some(seeds: range) -> Tried:
    gc.collect()
    with world.frozen():
        return _summed(_walked(seed) for seed in seeds)


def _walk_on_disk(seeds: range) -> Tried:
    with scratch() as folder, world.frozen(sealed=True):
        return _summed(_walked(seed, os.path.join(folder, "vault.json")) for seed in seeds)


def _walk_on_hosts(seeds: range) -> Tried:
    with scratch() as folder, RedisServer(Path(folder) / "redis") as server:
        hosts = Hosts(server)
        with world.frozen(sealed=True):
            tried = _summed(_walked(seed, hosts) for seed in seeds)
        hosts.close()
    return tried


def _walked(seed: int, path: str | Hosts | None = None) -> Tried:
    plan = plans.plan_of_hosts if isinstance(path, Hosts) else plans.any_plan
    try:
        explore.walk(plan(seed), seed, path)
    except BrokenPromiseError as error:
        return Tried(1, 1, [f"seed {seed}: {error}"])
    return Tried(1, 1, [])


def _summed(parts: Iterable[Tried]) -> Tried:
    plans_begun, schedules, broken = 0, 0, []
    for part in parts:
        plans_begun += part.plans
        schedules += part.schedules
        broken += part.broken
    return Tried(plans_begun, schedules, broken)

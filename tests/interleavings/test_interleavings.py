"""The explorer itself: it takes every order, the same ones each time, and notices each mistake.

What it finds of the clients is line Q of tests/reliability.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from tests.interleavings import explore, world
from tests.interleavings.clients import CALL, LOGOUT, MINE
from tests.interleavings.hosts import Hosts
from tests.interleavings.mutants import MUTANTS, OF_HOSTS, Mutant, catch
from tests.interleavings.plans import PROCESSES, THREADS, Plan, any_plan, pairs
from tests.interleavings.schedule import BrokenPromiseError, Schedule
from tests.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@pytest.fixture(autouse=True)
def _frozen(request: pytest.FixtureRequest) -> Iterator[None]:
    with nullcontext() if "hosts" in request.fixturenames else world.frozen():
        yield


class Recorded:
    """Runs a plan by some choices, the usual one after them, and keeps what there was to choose."""

    def __init__(self, *choices: int) -> None:
        self._choices = list(choices)
        self.costs: list[list[int]] = []

    def __call__(self, costs: Sequence[int]) -> int:
        self.costs.append(list(costs))
        return self._choices.pop(0) if self._choices else 0


def steps_of(plan: Plan, *choices: int) -> list[str]:
    steps: list[str] = []
    Schedule(plan, Recorded(*choices), steps=steps).run()
    return steps


def test_an_ended_session_costs_two_processes_one_login() -> None:
    plan = Plan(PROCESSES, ((0, (CALL,)), (1, (CALL,))), saved="ended")
    steps = steps_of(plan)
    assert sum("sends POST" in step for step in steps) == 1
    assert steps == steps_of(plan), "not the same in every run"


def test_every_order_is_taken_once() -> None:
    plan = Plan(THREADS, ((0, (CALL,)), (0, (LOGOUT,))))
    taken: list[tuple[int, ...]] = []
    real = explore.run

    def noted(plan: Plan, choose: explore.Choices) -> None:
        real(plan, choose)
        taken.append(tuple(choose.taken))

    counts = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explore, "run", noted)
        for preemptions in range(3):
            counts.append(sum(1 for _ in explore.systematically(plan, preemptions)))
            assert len(taken) == len(set(taken)) == counts[-1]
            taken.clear()
    # Without a preemption only who begins is open: three beginnings would be a mistake.
    assert counts[0] == 2 < counts[1] < counts[2]


def test_a_walk_is_the_same_for_the_same_seed() -> None:
    assert any_plan(7) == any_plan(7)
    assert len({str(any_plan(seed)) for seed in range(200)}) > 150
    assert len(list(pairs())) == len({str(plan) + str(plan.clients) for plan in pairs()})


@pytest.mark.parametrize(
    "seed",
    [10640, 22712, 28104, 30488, 65545, 67382, 68819, 72291, 73361, 88523, 98237, 125246, 619627],
)
def test_an_order_that_broke_a_promise_once_holds(seed: int) -> None:
    with world.frozen():
        explore.walk(any_plan(seed), seed)


def test_what_is_broken_is_told_with_every_step() -> None:
    plan = Plan(PROCESSES, ((0, (CALL,)), (1, (CALL,))), saved="ended")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.interleavings.world.Site.end", lambda *_: None)
        patch.setattr("interpal.vault.core.login_locks.AccountLock.release", lambda _: None)
        with pytest.raises(BrokenPromiseError) as caught:
            for _ in explore.systematically(plan._replace(saved="nothing")):
                pass
    told = str(caught.value)
    assert told.startswith(("a lock", "a login lock"))
    assert "thread 0: call begins" in told
    assert MINE in told


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    with RedisServer(tmp_path_factory.mktemp("redis") / "plain") as server:
        hosts = Hosts(server)
        yield hosts
        hosts.close()


@pytest.mark.parametrize("mutant", OF_HOSTS, ids=lambda mutant: mutant.name)
def test_each_mistake_between_hosts_is_noticed(mutant: Mutant, hosts: Hosts) -> None:
    with world.frozen(sealed=True):
        assert catch(mutant, hosts).schedules


@pytest.mark.long
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mistake_is_noticed(mutant: Mutant) -> None:
    assert catch(mutant).schedules

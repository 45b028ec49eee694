"""N: a Redis primary dies while many log in and save; a slot moves; a node of a cluster dies."""

from __future__ import annotations

import random
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from interpal import InterpalClient
from interpal.exceptions import StaleWriteError, StoreUnavailableError, VaultError
from interpal.vault import Vault
from tests.redis_groups import DURABLE, MIN_REPLICAS, Cluster, Watched, until
from tests.reliability import Row
from tests.reliability.logins import LOGIN_DELAY, NAME, PASSWORD, Crowd, server
from tests.reliability.subjects import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.redis_server import RedisServer
    from tests.reliability.logins import Server


class Way(NamedTuple):
    """How a primary fails, how many replicas confirm a lock, and how many logins there may be."""

    how: str
    replicas: int
    most: int
    settings: str = DURABLE
    fail: Callable[[Watched], object] = lambda group: group.primary.kill()


def _stop_until_another_is_primary(group: Watched) -> None:
    before = group.primary
    before.stop()
    group.wait_for_another(before)
    before.go_on()


_WAYS = (
    Way("the primary is killed meanwhile; each lock confirmed by one of two replicas", 1, 1),
    Way("the primary is killed meanwhile; none confirmed", 0, 2),
    Way(
        "the primary is stopped meanwhile, and goes on when another has taken over; each lock "
        "confirmed by one of two replicas, `min-replicas-to-write 1`",
        1,
        1,
        MIN_REPLICAS,
        _stop_until_another_is_primary,
    ),
)
_SHORT = (16, 1, 1)
_FULL = (200, 2, 5)


def run(*, full: bool) -> Iterator[Row]:
    size, rounds, saves = _FULL if full else _SHORT
    with server() as sandbox:
        for way in _WAYS:
            logins, told, undone = 0, 0, 0
            for number in range(rounds):
                found, away, twice = logins_and_a_failover(sandbox, size, way, number)
                assert found <= way.most, f"{found} logins: {way.how}"
                logins, told, undone = max(logins, found), told + away, undone + twice
            counts = f"at most {logins} login{'s' * (logins > 1)} a round"
            if way.most > 1:
                counts += f", two in {undone}"
            yield Row(
                "N",
                f"{size} processes log in under Sentinels, {way.how}",
                rounds,
                f"{counts}; all in but {told}, who were told that the store is away; no session "
                "of another",
            )
    for save, fault, kept in (
        (
            saves_and_a_failover,
            "8 processes count up, confirmed by a replica, and the primary is killed meanwhile",
            "none lost",
        ),
        (
            saves_and_a_slot_that_moves,
            "8 processes count up in a cluster and their slot moves to another node meanwhile",
            "none lost and none twice",
        ),
        (
            saves_and_a_node_that_dies,
            "8 processes count up in a cluster, confirmed by a replica, and their node is killed",
            "none lost",
        ),
    ):
        cases = [save(number) for number in range(saves)]
        yield Row("N", fault, len(cases), f"{sum(cases):,} counts acknowledged, {kept}")


def logins_and_a_failover(sandbox: Server, size: int, way: Way, seed: int) -> tuple[int, int, int]:
    """Logins; how many were told that the store is away; 1 where there were two logins."""
    chance = random.Random(seed)
    with (
        tempfile.TemporaryDirectory() as folder,
        Watched(Path(folder), replicas=2, settings=way.settings, down_after_ms=3000) as group,
    ):
        sandbox.do("reset")
        url = group.url(replicas=way.replicas)
        Vault.open(url, key=KEY, create=True).close()
        crowd = Crowd(size, lambda wait: _log_in(sandbox, url))
        crowd.gather()
        crowd.go()
        _wait_for_a_login_lock(group.primary)
        time.sleep(chance.random() * 1.3 * LOGIN_DELAY)
        way.fail(group)
        said = crowd.results()
        away = sum(text.startswith("StoreUnavailableError") for text in said)
        sessions = {text for text in said if text.startswith("in ")}
        assert all(text.startswith(("in ", "StoreUnavailableError")) for text in said), said
        assert len(sessions) <= sandbox.logins, "a session that nobody was given"
        return sandbox.logins, away, int(sandbox.logins == 2)


def _log_in(sandbox: Server, url: str) -> str:
    with InterpalClient(
        NAME,
        PASSWORD,
        auto_login=True,
        persist_session=True,
        base_url=sandbox.url,
        store=url,
        vault_key=KEY,
        timeout=240,
        lock_timeout=240,
    ) as client:
        assert client.session is not None
        own = client.get_self()["username"]
        assert own == NAME, f"the session of {own}"
        return f"in {client.session.session_cookie}"


def _wait_for_a_login_lock(primary: RedisServer) -> None:
    with primary.admin() as admin:
        until(lambda: any(True for _ in admin.scan_iter("*:login:*")), "a login lock")


def _count(url: str, rounds: int) -> int:
    """Count up that often; how many times it was acknowledged."""
    done = 0
    with Vault.open(url, key=KEY, lock_timeout=60) as vault:
        while done < rounds:
            with suppress(StaleWriteError, StoreUnavailableError):
                with vault.transaction() as records:
                    records["shared"]["n"] += 1
                done += 1
    return done


def _counted(url: str, disturb: Callable[[], object], rounds: int = 25) -> tuple[int, int]:
    """How many counts were acknowledged, and the counter then."""
    with Vault.open(url, key=KEY, create=True) as vault:
        vault["shared"] = {"n": 0}
    crowd = Crowd(8, lambda wait: _count(url, rounds))
    crowd.gather()
    crowd.go()
    time.sleep(0.2)
    disturb()
    done = sum(int(said) for said in crowd.results())
    counter: list[int] = []

    def read() -> bool:
        try:
            with Vault.open(url, key=KEY) as vault:
                counter.append(vault["shared"]["n"])
        except VaultError:
            return False
        return True

    until(read, "the vault can be read")
    return done, counter[0]


def saves_and_a_failover(seed: int) -> int:
    chance = random.Random(seed)
    with (
        tempfile.TemporaryDirectory() as folder,
        Watched(Path(folder), replicas=2, down_after_ms=3000) as group,
    ):

        def disturb() -> None:
            time.sleep(chance.random())
            group.primary.kill()

        done, counter = _counted(group.url(replicas=1), disturb)
        assert counter >= done, f"{done} acknowledged, {counter} kept"
        return done


def saves_and_a_slot_that_moves(seed: int) -> int:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, Cluster(Path(folder)) as group:

        def disturb() -> None:
            source = group.owner("interpal")
            target = chance.choice([node for node in group.nodes if node is not source])
            group.move("interpal", target, halfway=lambda: time.sleep(chance.random() / 2))

        done, counter = _counted(group.url(prefix="interpal"), disturb)
        assert counter == done, f"{done} acknowledged, {counter} kept"
        return done


def saves_and_a_node_that_dies(seed: int) -> int:
    chance = random.Random(seed)
    with (
        tempfile.TemporaryDirectory() as folder,
        Cluster(Path(folder), replicas=6) as group,
    ):
        group.wait_for_replicas()

        def disturb() -> None:
            time.sleep(chance.random())
            group.owner("interpal").kill()

        done, counter = _counted(group.url(prefix="interpal", replicas=1), disturb)
        assert counter >= done, f"{done} acknowledged, {counter} kept"
        return done

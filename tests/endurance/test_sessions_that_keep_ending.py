"""A bot that runs for weeks: the server ends its session again and again, at any moment."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from interpal import AsyncInterpalClient, InterpalClient
from interpal.flows.request import MOST_SENDINGS
from interpal.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# For each client: together the 10,000 that are promised, and a tenth of them in `make test`.
AMOUNTS = [pytest.param(500, id="500"), pytest.param(5_000, id="5,000", marks=pytest.mark.long)]
CALLS_AN_ENDING = 50
THREADS = 8
TASKS = 50
# Endings that a call meets at most.
MOST = MOST_SENDINGS - 1


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(accounts={"maple_ink": "secret"}) as sandbox:
        yield sandbox


class Ender:
    """Ends the session at random calls.

    Only one that has answered twice since it was made: one that is refused before cannot be told
    from one that another login ends. And only while no call has met so many endings that it would
    be told, whatever the machine does to its thread: a server that refuses each new session of a
    call refuses the call.
    """

    def __init__(
        self, sandbox: Sandbox, client: InterpalClient | AsyncInterpalClient, calls: int
    ) -> None:
        self._sandbox = sandbox
        self._contest = client._context.contest
        self.calls, self.wanted = calls, calls // CALLS_AN_ENDING
        self._at = set(random.Random(7).sample(range(calls), self.wanted))
        self._owed = 0
        self._last = 0
        self._under_way: dict[int, int] = {}
        self._guard = threading.Lock()
        self.ended = 0

    def called(self, number: int) -> None:
        with self._guard:
            self._owed += number in self._at
            self._under_way[number] = self.ended

    def answered(self, number: int) -> None:
        """A call returned: end the session where an ending is owed and may be."""
        with self._guard:
            del self._under_way[number]
            met = self.ended - min(self._under_way.values(), default=self.ended)
            login = self._contest._number
            if self._owed and self._contest._answers >= 2 and login != self._last and met < MOST:
                self._last = login
                self._owed -= 1
                self.ended += 1
                self._sandbox.invalidate()


def work(number: int) -> tuple[str, tuple[Any, ...]]:
    """The call with this number: every tenth a message, else one of the reads."""
    kinds: list[tuple[str, tuple[Any, ...]]] = [
        ("send_message", ("THREAD", f"message {number}")),
        ("get_threads", ()),
        ("get_thread_messages", ("THREAD", 1)),
        ("search_users", ("",)),
    ]
    return kinds[0] if number % 10 == 0 else kinds[1 + number % 3]


def check(sandbox: Sandbox, ender: Ender, thread: str, results: list[Any]) -> None:
    assert len(results) == ender.calls
    assert all(result is not None for result in results)
    sent = Counter(m["message"] for m in sandbox.messages(thread))
    assert sent == Counter(f"message {n}" for n in range(0, ender.calls, 10)), "lost or sent twice"
    print(f"{ender.ended} of {ender.wanted} endings")
    assert ender.ended >= ender.wanted * 0.9
    assert sandbox.stats()["logins"]["maple_ink"] <= ender.ended + 1


def arguments(sandbox: Sandbox, tmp_path: Path) -> dict[str, Any]:
    return {
        "username": "maple_ink",
        "password": "secret",
        "auto_login": True,
        "persist_session": True,
        "session_file": tmp_path / "bot_session.json",
        "vault_key": bytes(range(32)),
        "base_url": sandbox.base_url,
        "timeout": 30,
    }


@pytest.mark.parametrize("calls", AMOUNTS)
def test_eight_threads_get_every_answer(sandbox: Sandbox, tmp_path: Path, calls: int) -> None:
    with InterpalClient(**arguments(sandbox, tmp_path)) as client:
        thread = client.get_threads(limit=1)[0]["id"]
        ender = Ender(sandbox, client, calls)

        def do(number: int) -> Any:
            ender.called(number)
            name, values = work(number)
            values = tuple(thread if value == "THREAD" else value for value in values)
            call: Callable[..., Any] = getattr(client, name)
            result = call(*values)
            ender.answered(number)
            return result

        with ThreadPoolExecutor(THREADS) as pool:
            results = list(pool.map(do, range(calls)))
    check(sandbox, ender, thread, results)


@pytest.mark.parametrize("calls", AMOUNTS)
def test_fifty_tasks_get_every_answer(sandbox: Sandbox, tmp_path: Path, calls: int) -> None:
    async def run() -> tuple[Ender, str, list[Any]]:
        async with AsyncInterpalClient(**arguments(sandbox, tmp_path)) as client:
            thread = (await client.get_threads(limit=1))[0]["id"]
            ender = Ender(sandbox, client, calls)
            numbers = iter(range(calls))
            results: list[Any] = []

            async def worker() -> None:
                for number in numbers:
                    ender.called(number)
                    name, values = work(number)
                    values = tuple(thread if value == "THREAD" else value for value in values)
                    results.append(await getattr(client, name)(*values))
                    ender.answered(number)

            await asyncio.gather(*(worker() for _ in range(TASKS)))
            return ender, thread, results

    ender, thread, results = asyncio.run(run())
    check(sandbox, ender, thread, results)

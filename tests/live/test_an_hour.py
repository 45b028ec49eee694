"""A bot runs for an hour of virtual time against faults; every message is handled once."""

from __future__ import annotations

import asyncio
import collections
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from interpal import _clock
from interpal.exceptions import APIError, NetworkError
from interpal.ext.commands import Bot, Context
from interpal.sandbox import Sandbox
from tests.live.virtual_time import VirtualTimeLoop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOUR = 3600.0
PEOPLE = ("pedro_k", "lin.m", "amara_w", "jonas.b")


class Hour:
    """One hour of one bot: what was said, what it handled, what it was told of errors."""

    def __init__(self, site: Sandbox, folder: Path, seed: int) -> None:
        self.site = site
        self.chance = random.Random(seed)
        self.said: list[str] = []
        self.heard: list[str] = []
        self.carried_out: list[str] = []
        self.answered: list[str] = []
        self.left_open: dict[str, BaseException] = {}
        self.faults: collections.Counter[str] = collections.Counter()
        self.over = False
        self.bot = self._bot(folder)

    def _bot(self, folder: Path) -> Bot:
        bot = Bot(
            "!", username="maple_ink", password="secret", persist_session=True,
            session_file=folder / "v.json", vault_key=bytes(32), base_url=self.site.base_url,
            timeout=20, max_retries=1, lock_timeout=600,
        )  # fmt: skip

        @bot.event
        async def on_message(event: Any) -> None:
            self.heard.append(event.message)
            # Sometimes far slower than messages come.
            if self.chance.random() < 0.05:
                await asyncio.sleep(self.chance.uniform(1, 60))

        @bot.event
        async def on_error(error: Exception) -> None:
            self.faults[type(error).__name__] += 1

        @bot.event
        async def on_command_error(ctx: Context, error: Exception) -> None:
            self.left_open[ctx.args[0]] = error

        @bot.command()
        async def echo(ctx: Context, number: str) -> None:
            self.carried_out.append(number)
            await asyncio.sleep(self.chance.choice((0, 0, 0.5, 30)))
            await ctx.send(f"echo {number}")
            self.answered.append(number)

        return bot

    async def talk(self) -> None:
        """People write, every third time a command, now and then many at once."""
        loop = asyncio.get_running_loop()
        end = loop.time() + HOUR
        while loop.time() < end:
            for _ in range(self.chance.choice((1, 1, 1, 1, 25))):
                number = str(len(self.said))
                text = f"!echo {number}" if self.chance.random() < 0.3 else number
                self.said.append(text)
                self.site.say(self.chance.choice(PEOPLE), text, "maple_ink")
            await asyncio.sleep(self.chance.expovariate(1 / 12))
        self.over = True

    async def disturb(self) -> None:
        """The site and the network do what they can."""
        site, chance = self.site, self.chance

        def dropped(path: str, **how: Any) -> None:
            """The way back meets a fault."""
            site.fault(path, **how)
            site.drop_sockets()

        def ended(path: str, **how: Any) -> None:
            """So does the way to another session."""
            site.fault(path, **how)
            site.invalidate("maple_ink")

        def limit(seconds: int) -> dict[str, Any]:
            return {"status": 429, "headers": {"Retry-After": str(seconds)}}

        faults: list[Callable[[], None]] = [
            site.drop_sockets,
            lambda: site.invalidate("maple_ink"),
            lambda: site.rotate("maple_ink", token=True),
            lambda: dropped("/v1/ws", status=503, times=3),
            lambda: dropped("/v1/ws", status=401),
            lambda: dropped("/v1/ws", **limit(20)),
            lambda: dropped("/v1/ws", hang=chance.uniform(1, 60)),
            lambda: dropped("/v1/user/self/threads", status=500, times=4),
            lambda: dropped("/v1/user/self/threads", **limit(15)),
            lambda: dropped("*", drop=True, times=2),
            lambda: ended("*", status=503, times=5),
            lambda: ended("/v1/token", **limit(30)),
            lambda: ended("/v1/ws", drop=True),
            lambda: site.fault("/v1/message", drop=True),
            lambda: site.fault("/v1/message", drop=True, after=True),
            lambda: site.fault("/v1/message", **limit(3)),
        ]
        while not self.over:
            await asyncio.sleep(chance.expovariate(1 / 25))
            # One after the other: the bot is to be connected most of the time.
            if not site._site.faults:
                chance.choice(faults)()

    async def run(self) -> None:
        running = asyncio.create_task(self.bot.start())
        # On a machine that is busy the clock jumps over what is under way on loopback.
        for _ in range(60):
            await asyncio.sleep(10)
            if self.bot.is_websocket_connected():
                break
        assert self.bot.is_websocket_connected()
        disturbing = asyncio.create_task(self.disturb())
        await self.talk()
        await disturbing
        with self.site._lock:
            self.site._site.faults.clear()
        # Time enough for the longest pause, and for what waits in the handlers' queues.
        loop = asyncio.get_running_loop()
        end = loop.time() + 4 * HOUR
        while len(self.heard) < len(self.said) and loop.time() < end:  # noqa: ASYNC110
            await asyncio.sleep(60)
        await asyncio.sleep(600)
        assert not running.done(), running
        await self.bot.close()
        await running


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_every_message_of_an_hour_is_handled_exactly_once(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = VirtualTimeLoop()
    monkeypatch.setattr(_clock, "clock", loop.time)
    monkeypatch.setattr(ThreadPoolExecutor, "submit", lambda pool, *work: loop.submit(pool, *work))
    began = _clock.utc_now() - timedelta(seconds=loop.time())
    monkeypatch.setattr(_clock, "utc_clock", lambda: began + timedelta(seconds=loop.time()))
    site = Sandbox({"maple_ink": "secret"})
    tmp_path.chmod(0o700)

    async def main() -> Hour:
        ready = asyncio.Event()
        serving = asyncio.create_task(site.serve(ready.set))
        await ready.wait()
        hour = Hour(site, tmp_path, seed)
        hour.bot.live.settings = hour.bot.live.settings._replace(shutdown_timeout=3600)
        await hour.run()
        site.stop()
        await serving
        return hour

    try:
        hour = loop.run_until_complete(main())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    assert len(hour.said) > 300
    assert sorted(hour.heard) == sorted(hour.said)

    commands = [text.split()[1] for text in hour.said if text.startswith("!")]
    assert sorted(hour.carried_out) == sorted(commands)
    # Each was answered, or its error was told; never both, and none was answered twice.
    assert sorted([*hour.answered, *hour.left_open]) == sorted(commands)
    sent = collections.Counter(message["message"] for message in site.messages())
    assert max(sent.values()) == 1
    assert {f"echo {number}" for number in hour.answered} <= set(sent)
    assert any(isinstance(error, NetworkError) for error in hour.left_open.values())
    assert all(isinstance(error, (APIError, NetworkError)) for error in hour.left_open.values())
    # The outcome of some was open: they had arrived, and were not sent again.
    arrived = [number for number in hour.left_open if sent[f"echo {number}"]]
    assert len(arrived) >= 1

    counts = hour.bot.live.get_statistics()
    assert counts["connections"] > 20
    assert counts["recovered"] > 20
    assert site.stats()["logins"]["maple_ink"] > 3

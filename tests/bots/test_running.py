"""Bots as programs: signals, several accounts, and sessions that come from the vault."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.web import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from interpal.sandbox import Sandbox
    from tests.helpers import Place

SCRIPT = {
    "async": """
import asyncio, sys
from interpal.ext.commands import Bot, run
bots = []
for name, password in zip(sys.argv[2::2], sys.argv[3::2]):
    bot = Bot("!", username=name, password=password, persist_session=True,
              session_file="v.json", vault_key=bytes(32), base_url=sys.argv[1])

    @bot.command()
    async def slow(ctx, bot=bot):
        print("begun", flush=True)
        await asyncio.sleep(1)
        await ctx.send(f"done by {bot.session.username}")

    @bot.event
    async def on_ready():
        print("ready", flush=True)

    bots.append(bot)
run(*bots)
print("ended", flush=True)
""",
    "sync": """
import sys, time
from interpal.ext.commands import SyncBot
bot = SyncBot("!", username=sys.argv[2], password=sys.argv[3], persist_session=True,
              session_file="v.json", vault_key=bytes(32), base_url=sys.argv[1])

@bot.command()
def slow(ctx):
    print("begun", flush=True)
    time.sleep(1)
    ctx.send(f"done by {bot.session.username}")

@bot.event
def on_ready():
    print("ready", flush=True)

bot.run()
print("ended", flush=True)
""",
}


class Program:
    def __init__(self, kind: str, folder: Path, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", SCRIPT[kind], *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.kill()
        self._process.communicate()

    def end(self, number: signal.Signals) -> tuple[int, str]:
        self._process.send_signal(number)
        printed, _ = self._process.communicate(timeout=30)
        return self._process.returncode, printed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_signal_ends_a_bot_when_what_it_has_begun_is_done(
    kind: str, number: signal.Signals, site: Sandbox, place: Place
) -> None:
    with Program(kind, place.folder, site.base_url, "maple_ink", "secret") as program:
        assert program.line() == "ready"
        site.say("pedro_k", "!slow", "maple_ink")
        assert program.line() == "begun"
        assert program.end(number) == (0, "ended\n")
    assert [message["message"] for message in site.messages()] == ["done by maple_ink"]
    assert eventually(lambda: site.sockets() == {})


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_session_of_a_bot_comes_from_the_vault(kind: str, site: Sandbox, place: Place) -> None:
    for _ in range(2):
        with Program(kind, place.folder, site.base_url, "maple_ink", "secret") as program:
            assert program.line() == "ready"
            assert program.end(signal.SIGTERM) == (0, "ended\n")
    assert site.stats()["logins"] == {"maple_ink": 1}


def test_several_accounts_run_in_one_process(site: Sandbox, place: Place) -> None:
    accounts = ("maple_ink", "secret", "pedro_k", "radio")
    with Program("async", place.folder, site.base_url, *accounts) as program:
        assert [program.line(), program.line()] == ["ready", "ready"]
        assert eventually(lambda: site.sockets() == {"maple_ink": 1, "pedro_k": 1})
        site.say("lin.m", "!slow", "maple_ink")
        site.say("lin.m", "!slow", "pedro_k")
        assert [program.line(), program.line()] == ["begun", "begun"]
        assert eventually(lambda: len(site.messages()) == 2)
        assert program.end(signal.SIGTERM) == (0, "ended\n")
    assert {message["message"] for message in site.messages()} == {
        "done by maple_ink",
        "done by pedro_k",
    }


def test_a_bot_that_cannot_go_on_ends_with_its_error(site: Sandbox, place: Place) -> None:
    with Program("async", place.folder, site.base_url, "maple_ink", "wrong") as program:
        printed, _ = program._process.communicate(timeout=30)
    assert program._process.returncode == 1
    assert "InvalidCredentialsError" in printed

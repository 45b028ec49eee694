"""Frames through a bot with one handler, against a bare WebSocket loop; and what they leave."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.children import PYTHON, ROOT, Program, environment
from benchmarks.measure import Contestant, Spread, interleave
from benchmarks.result import Result, Row

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from benchmarks.cases import Scale

# Both ask for their frames, a few first, which are not counted: what is measured is frames, and
# not how a connection begins. The clock is that of the processor: reading is work, and what else
# the machine does meanwhile is no part of it.
WARM_UP = 1_000
BARE = """
import asyncio, json, sys, time
import aiohttp
url, counts = sys.argv[1], [int(text) for text in sys.argv[2:]]

async def main():
    handled = wanted = 0

    async def on_message(event):
        nonlocal handled
        handled += 1

    async with aiohttp.ClientSession() as http, http.ws_connect(url + "/v1/ws?token=t") as socket:
        found = []
        for count in counts:
            wanted += count
            start = time.process_time()
            await socket.send_str(json.dumps({"frames": count}))
            async for message in socket:
                await on_message(json.loads(message.data))
                if handled == wanted:
                    break
            found.append((time.process_time() - start, 0))
        print(json.dumps(found))

asyncio.run(main())
"""

OURS = """
import asyncio, json, sys, time
from interpal.ext.commands import Bot
url, counts = sys.argv[1], [int(text) for text in sys.argv[2:]]

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

async def main():
    handled = wanted = 0
    done = asyncio.Event()
    bot = Bot("!", session_cookie="c" * 26, auth_token="t", base_url=url)

    @bot.event
    async def on_message(event):
        nonlocal handled
        handled += 1
        if handled == wanted:
            done.set()

    await bot.connect_websocket()
    found = []
    for count in counts:
        done.clear()
        wanted += count
        start = time.process_time()
        await bot.live.send({"frames": count})
        await done.wait()
        found.append((time.process_time() - start, resident()))
    await bot.close()
    print(json.dumps(found))

asyncio.run(main())
"""


def run(scale: Scale, folder: Path) -> Result:
    frames = scale.many
    # The first tenth fills what is remembered; the rest is to add nothing.
    first, rest = 10 * frames, 90 * frames
    with _server(folder) as url:
        found = interleave(
            {
                "bare": _last_seconds(Program(folder, BARE, url, str(WARM_UP), str(frames))),
                "ours": _last_seconds(Program(folder, OURS, url, str(WARM_UP), str(frames))),
            },
            max(1, scale.processes // 3),
        )
        after_first, after_all = (
            float(text) / 1024
            for text in _memory(Program(folder, OURS, url, str(first), str(rest)))
        )
    return Result(
        "live",
        [
            Row(
                what=f"{frames:,} frames through a bot with one handler (processor time)",
                against="a bare aiohttp WebSocket loop with json",
                ours=found["ours"],
                floor=found["bare"],
                at_most=1.5,
            ),
            Row(
                what=f"memory of that bot after {first + rest:,} frames",
                against=f"after {first:,}",
                ours=Spread.of([after_all]),
                floor=Spread.of([after_first]),
                at_most=1.0,
                kind="difference",
                unit="MiB",
            ),
        ],
        {"frames": frames, "conversations": 200},
    )


def _last_seconds(program: Program) -> Contestant:
    return lambda: float(json.loads(program.run())[-1][0])


def _memory(program: Program) -> list[int]:
    return [int(resident) for _, resident in json.loads(program.run())]


@contextmanager
def _server(folder: Path) -> Generator[str, None, None]:
    process = subprocess.Popen(
        [PYTHON, "-m", "benchmarks.frame_server"],
        cwd=ROOT,
        env=environment(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.communicate()

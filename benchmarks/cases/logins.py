"""Very many processes on four "hosts" start at the same moment on an empty Redis: one login."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from benchmarks.children import Program
from benchmarks.measure import Spread
from benchmarks.records import ACCOUNT, KEY
from benchmarks.result import Result, Row
from interpal.sandbox import Sandbox
from tests.redis_server import RedisServer

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.cases import Scale

HOSTS = 4
PASSWORD = "secret"

# A host: its own home and working folder, and processes that wait until the last one is ready.
HOST = f"""
import os, sys
from interpal import InterpalClient
import requests
count, url, store = int(sys.argv[1]), sys.argv[2], sys.argv[3]
ready, here = os.pipe()
go, gate = os.pipe()
children = []
for _ in range(count):
    child = os.fork()
    if child == 0:
        os.close(gate)
        os.write(here, b".")
        os.read(go, 1)
        status = 1
        try:
            client = InterpalClient({ACCOUNT!r}, {PASSWORD!r}, auto_login=True,
                                    persist_session=True, store=store, vault_key={KEY!r},
                                    base_url=url, lock_timeout=240)
            status = 0 if client.persisted and client.get_self()["username"] else 2
        finally:
            os._exit(status)
    children.append(child)
for _ in children:
    os.read(ready, 1)
os.close(gate)
print(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


def run(scale: Scale, folder: Path) -> Result:
    rounds = 1 if scale.at_once < 100 else 3
    logins, seconds = [], []
    with RedisServer(folder / "redis") as server, Sandbox(accounts={ACCOUNT: PASSWORD}) as sandbox:
        for number in range(rounds):
            sandbox.reset()
            store = server.url(prefix=f"round-{number}")
            start = time.perf_counter()
            failed = _start_hosts(folder, scale.at_once // HOSTS, sandbox.base_url, store)
            if failed:
                raise RuntimeError(f"{failed} processes ended without a saved session")
            seconds.append(time.perf_counter() - start)
            logins.append(float(sandbox.stats()["logins"][ACCOUNT]))
    spread = Spread.of(logins)
    row = Row(
        what=f"{scale.at_once} processes on {HOSTS} hosts, empty Redis: logins",
        against="exactly one",
        ours=spread._replace(median=max(logins)),
        floor=Spread(1, 1, 1, 1),
        at_most=1,
        kind="count",
        unit="",
    )
    facts = {
        "hosts": "separate home and working folders",
        "seconds": [round(took, 2) for took in seconds],
    }
    return Result("logins", [row], facts)


def _start_hosts(folder: Path, count: int, url: str, store: str) -> int:
    """Run the hosts; how many of their processes ended without a session."""
    homes = [folder / f"host-{number}" for number in range(HOSTS)]
    for home in homes:
        home.mkdir(exist_ok=True)
    hosts = [Program(home, HOST, str(count), url, store) for home in homes]
    with ThreadPoolExecutor(HOSTS) as pool:
        return sum(int(printed) for printed in pool.map(Program.run, hosts))

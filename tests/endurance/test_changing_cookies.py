"""Processes that share one account while the server changes its cookie again and again."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from interpal.sandbox import Sandbox
from interpal.sandbox.values import user_id

if TYPE_CHECKING:
    from pathlib import Path

PROCESSES = 5
CHANGES = 35

WORKER = """
import sys
from interpal import InterpalClient
from interpal.flows import login

login.LONGEST_LOOK = 20  # for a machine that is busy
base_url, store = sys.argv[1:]
settings = dict(auto_login=True, persist_session=True, store=store, vault_key=b"k" * 32)
with InterpalClient("maple_ink", "secret", base_url=base_url, **settings) as client:
    print("ready", flush=True)
    calls = 0
    while client.get("/v1/settings/self")["language"] == "en":
        client.get("/v1/user-counters")
        calls += 1
print(calls)
"""


@pytest.mark.parametrize("kind", ["file", "sqlite"])
@pytest.mark.parametrize("one_session", [False, True])
def test_a_cookie_that_changes_costs_no_login(tmp_path: Path, kind: str, one_session: bool) -> None:
    with Sandbox({"maple_ink": "secret"}, one_session=one_session) as sandbox:
        arguments = [sandbox.base_url, f"{kind}:{tmp_path}/v.db"]
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", WORKER, *arguments], stdout=subprocess.PIPE, text=True
            )
            for _ in range(PROCESSES)
        ]
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for _ in range(CHANGES):
            served = sum(sandbox.stats()["requests"].values())
            sandbox.rotate()
            # Until each has met the change, as far as the machine has time for them.
            while sum(sandbox.stats()["requests"].values()) < served + 4 * PROCESSES:
                time.sleep(0.02)
        sandbox._site.world.settings(user_id("maple_ink"), {"language": "no"})
        calls = [int(worker.communicate(timeout=120)[0]) for worker in workers]
        assert [worker.returncode for worker in workers] == [0] * PROCESSES
        assert all(calls)
        assert sandbox.stats()["logins"] == {"maple_ink": 1}

"""The event loop is never held: not by Argon2id, not by a lock, not by the disk."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from interpal import AsyncInterpalClient, InterpalClient
from interpal.sandbox import Sandbox
from tests.helpers import SELF
from tests.sandbox.web import eventually, held_back

PASSPHRASE = "default cost, on purpose"

# Run in a process of its own, so that the first import of everything is part of it. Each turn of
# its loop is a line.
RESUME = """
import asyncio, json, sys
from argon2 import low_level
from interpal import AsyncInterpalClient
from tests.blocking import blocking_calls

turns, meanwhile = 0, []
derive = low_level.hash_secret_raw

def counted(*arguments, **settings):
    for _ in range(20):  # the machine may be busy with other things for one of them
        before = turns
        derived = derive(*arguments, **settings)
        if turns > before + 10:
            break
    meanwhile.append(turns - before)
    return derived

async def turn():
    global turns
    while True:
        turns += 1
        print(turns, flush=True)
        await asyncio.sleep(0.001)

async def main(path, url, passphrase):
    task = asyncio.create_task(turn())
    client = AsyncInterpalClient(
        "maple_ink", "secret", auto_login=True, persist_session=True, session_file=path,
        vault_passphrase=passphrase, base_url=url,
    )
    with blocking_calls() as blocking:
        async with client:
            assert client.is_authenticated
    task.cancel()
    print(json.dumps({"blocking": blocking, "meanwhile": meanwhile}))

low_level.hash_secret_raw = counted
asyncio.run(main(*sys.argv[1:]))
"""


def test_a_resume_with_argon2id_over_a_slow_server_lets_the_loop_run(tmp_path: Path) -> None:
    vault = tmp_path / "slow_session.json"
    with Sandbox(accounts={"maple_ink": "secret"}) as sandbox:
        InterpalClient(
            "maple_ink",
            "secret",
            auto_login=True,
            persist_session=True,
            session_file=vault,
            vault_passphrase=PASSPHRASE,
            base_url=sandbox.base_url,
        ).close()
        asked = sandbox.stats()["requests"].get(SELF, 0)
        turns, last = 0, ""
        with (
            held_back(sandbox, SELF) as released,
            subprocess.Popen(
                [sys.executable, "-c", RESUME, str(vault), sandbox.base_url, PASSPHRASE],
                cwd=Path(__file__).parents[2],
                stdout=subprocess.PIPE,
                text=True,
            ) as process,
        ):
            assert process.stdout is not None
            for line in process.stdout:
                last = line
                # The server waits for the loop: were that held, the client would wait in vain.
                turns += sandbox.stats()["requests"].get(SELF, 0) > asked
                if turns == 100:
                    released.set()
        assert process.returncode == 0
        assert sandbox.stats()["logins"] == {"maple_ink": 1}
    said = json.loads(last)
    assert said["blocking"] == []
    (meanwhile,) = said["meanwhile"]
    assert meanwhile > 10, "nothing else ran while the key was derived"


def test_fifty_calls_at_once_run_side_by_side(tmp_path: Path) -> None:
    with Sandbox(accounts={"maple_ink": "secret"}) as sandbox:

        def asked() -> int:
            return sandbox.stats()["requests"].get(SELF, 0)

        async def fifty() -> None:
            async with AsyncInterpalClient(
                "maple_ink",
                "secret",
                auto_login=True,
                persist_session=True,
                session_file=tmp_path / "v_session.json",
                vault_key=bytes(32),
                base_url=sandbox.base_url,
            ) as client:
                before = asked()
                with held_back(sandbox, SELF) as released:
                    calls = [asyncio.create_task(client.get_self()) for _ in range(50)]
                    # Nobody is answered before the last one has asked.
                    assert await asyncio.to_thread(eventually, lambda: asked() == before + 50)
                    released.set()
                    await asyncio.gather(*calls)

        asyncio.run(fifty())
    assert not list(tmp_path.glob("*.tmp"))

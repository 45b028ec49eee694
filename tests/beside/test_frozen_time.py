"""Programs whose tests freeze the time: waits end, and nothing is remembered for decades."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from interpal.vault import Vault
from tests.beside import run_beside

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

KEY = b"k" * 32

# Whoever hangs says where, and ends.
START = """
import asyncio, faulthandler, json, sys, time
import freezegun
faulthandler.dump_traceback_later(40, exit=True)
from interpal import AsyncInterpalClient, InterpalClient
from interpal.exceptions import InterpalException
from interpal.sandbox import Sandbox
from interpal.vault import Vault
said = []
"""


def run(script: str, folder: Path) -> list[str]:
    folder.chmod(0o700)
    said: list[str] = run_beside(f"{START}\n{script}\nprint(json.dumps(said))", folder=folder)
    return said


@contextmanager
def holder(folder: Path, which: str) -> Generator[None, None, None]:
    """Holds a lock of the vault in *folder* as another process does."""
    folder.chmod(0o700)
    with Vault.open(folder / "v.json", key=KEY, create=True) as vault:
        lock = vault.login_lock("maple_ink") if which == "login" else None
        if lock is None:
            with vault.transaction():
                yield
            return
        assert lock.try_acquire()
        try:
            yield
        finally:
            lock.release()


CLIENT = """
settings = dict(auto_login=True, persist_session=True, session_file="v.json", vault_key=b"k" * 32,
                lock_timeout=1)
with Sandbox() as site, freezegun.freeze_time("2026-11-27"{options}):
    try:
        {act}
    except InterpalException as error:
        said.append(type(error).__name__)
"""
SYNC = 'InterpalClient("maple_ink", "correct horse", base_url=site.base_url, **settings)'
ASYNC = """
        async def main():
            settings["base_url"] = site.base_url
            async with AsyncInterpalClient("maple_ink", "correct horse", **settings) as client:
                await client.get_self()
        asyncio.run(main())
"""


@pytest.mark.parametrize("options", ["", ", real_asyncio=True", ", tick=True"])
@pytest.mark.parametrize("act", [SYNC, ASYNC], ids=["sync", "async"])
def test_the_wait_for_anothers_login_ends(act: str, options: str, tmp_path: Path) -> None:
    with holder(tmp_path, "login"):
        script = CLIENT.format(act=act.strip(), options=options)
        assert run(script, tmp_path) == ["LockTimeoutError"]


@pytest.mark.parametrize("url", ["v.json", "sqlite:v.db"])
def test_the_wait_for_a_transaction_ends(url: str, tmp_path: Path) -> None:
    script = f"""
import threading
first = Vault.open({url!r}, key=b"k" * 32, create=True)
with first.transaction() as records, freezegun.freeze_time("2026-11-27"):
    records["a"] = {{"session_cookie": "x"}}
    def change():
        try:
            Vault.open({url!r}, key=b"k" * 32, lock_timeout=1)["b"] = {{"session_cookie": "y"}}
        except InterpalException as error:
            said.append(type(error).__name__)
    thread = threading.Thread(target=change)
    thread.start()
    thread.join()
"""
    assert run(script, tmp_path) == ["LockTimeoutError"]


def test_a_429_of_a_frozen_test_is_over_in_its_time(tmp_path: Path) -> None:
    script = """
with Sandbox() as site:
    client = InterpalClient("maple_ink", "correct horse", base_url=site.base_url)
    with freezegun.freeze_time("2026-11-27"):
        site.fault("/v1/token", status=429, headers={"Retry-After": "1"}, times=1)
        try:
            client.login()
        except InterpalException as error:
            said.append(type(error).__name__)
    time.sleep(1.2)
    client.login()
    said.append(client.get_self()["name"])
"""
    assert run(script, tmp_path) == ["LoginRateLimitError", "Runa"]


def test_requests_keep_their_distance_into_and_out_of_a_freeze(tmp_path: Path) -> None:
    script = """
with Sandbox() as site:
    settings = dict(auto_login=True, base_url=site.base_url, min_interval=0.1)
    client = InterpalClient("maple_ink", "correct horse", **settings)
    with freezegun.freeze_time("2026-11-27") as frozen:
        for day in range(3):
            said.append(client.get_self()["name"])
            frozen.tick(86400)
    said.append(client.get_self()["name"])
"""
    assert run(script, tmp_path) == ["Runa"] * 4


def test_the_delays_of_the_sandbox_end(tmp_path: Path) -> None:
    script = """
with freezegun.freeze_time("2026-11-27"), Sandbox(login_delay=0.2) as site:
    client = InterpalClient("maple_ink", "correct horse", base_url=site.base_url)
    client.login()
    site.fault("/v1/account/self", hang=0.3)
    said.append(client.get_self()["name"])
"""
    assert run(script, tmp_path) == ["Runa"]


def test_a_command_that_prints_no_passphrase_is_ended(tmp_path: Path) -> None:
    script = """
import os
from interpal.vault.keys import command
command.TIMEOUT_SECONDS = 0.5
os.environ["INTERPALS_VAULT_PASSPHRASE_COMMAND"] = "sh -c 'exec >&-; sleep 30'"
with freezegun.freeze_time("2026-11-27"):
    try:
        Vault.open("v.json", create=True)
    except InterpalException as error:
        said.append(type(error).__name__)
"""
    assert run(script, tmp_path) == ["KeySourceError"]


def test_the_package_may_be_loaded_in_a_freeze(tmp_path: Path) -> None:
    script = """
import importlib, interpal
with freezegun.freeze_time("2026-11-27"):
    for name in [name for name in sys.modules if name.startswith("interpal")]:
        del sys.modules[name]
    from interpal._clock import monotonic
    before = monotonic()
    time.sleep(0.1)
    said.append(str(monotonic() - before >= 0.1))
"""
    assert run(script, tmp_path) == ["True"]

"""M: clocks that jump. Wall clocks by libfaketime, monotonic clocks by time namespaces."""

from __future__ import annotations

import glob
import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from interpal import InterpalClient, _clock
from interpal.exceptions import LockTimeoutError
from interpal.vault.files.locks import FileLock
from interpal.vault.vault import Vault
from tests.debian import need
from tests.reliability import Row
from tests.reliability.children import in_child, scratch
from tests.reliability.logins import NAME, PASSWORD, Server, server
from tests.reliability.subjects import KEY, path_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLIENT = """
import sys, json, time
from interpal import InterpalClient
from interpal.exceptions import InterpalException
url, path, key, password, trust = sys.argv[1:]
try:
    client = InterpalClient(
        "maple_ink", password or None, auto_login=bool(password), persist_session=True,
        base_url=url, session_file=path, vault_key=key,
        revalidate_after=float(trust))
    said = {"cookie": client.session.session_cookie if client.session else None}
    if not password:
        said["name"] = client.get_self()["username"]
except InterpalException as error:
    said = {"error": type(error).__name__}
print(json.dumps({**said, "now": time.time()}))
"""

TRANSACTIONS = """
import sys
from interpal.vault import Vault
vault = Vault.open(sys.argv[1], key=sys.argv[2], lock_timeout=60)
for _ in range(int(sys.argv[3])):
    with vault.transaction() as records:
        records["counter"]["n"] += 1
"""

PATIENCE = 1.0
HOUR = 3600
DAY = 24 * HOUR
JUMPS = (0, 1, -1, HOUR, -HOUR, 12 * HOUR, -DAY, DAY, -25 * HOUR, 25 * HOUR, -400 * DAY, 400 * DAY)


def libfaketime() -> str:
    """The path of the library. RuntimeError where it cannot be had."""
    return need("libfaketime", _library)


def run(*, full: bool) -> Iterator[Row]:
    library = libfaketime()
    with server(delay=0.0) as sandbox:
        jumps = JUMPS if full else (-DAY, 12 * HOUR, 25 * HOUR)
        for jump in jumps:
            resume_after(sandbox, library, jump)
        yield Row(
            "M",
            "the clock of a process stands wrong by up to 400 days, both ways: resume, expiry, "
            "login (libfaketime)",
            2 * len(jumps),
            "no session lost; one from the future is used, one past its end is kept until replaced",
        )
        yield Row(
            "M",
            "a validation and a refusal noted by a clock that was a day ahead",
            remembered(sandbox, library),
            "neither is believed later: the server is asked again",
        )
        waits = (DAY, -DAY, 400 * DAY, -400 * DAY) if full else (DAY, -DAY)
        for jump in waits:
            wait_while_it_jumps(sandbox, jump)
        yield Row(
            "M",
            "the clock jumps while a login or a change waits for its lock",
            2 * len(waits),
            "the wait is as long as it was to be, by the monotonic clock",
        )
    yield other_monotonic(200 if full else 20)


def _library() -> str | None:
    found = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    return found[0] if found else None


class Watched:
    """A client in a process of its own, whose wall clock is off by a number of seconds."""

    def __init__(
        self,
        sandbox: Server,
        folder: str,
        library: str,
        *,
        jump: int = 0,
        password: str = "",
        trust: float = 0,
    ) -> None:
        environment = {
            **os.environ,
            "LD_PRELOAD": library,
            "FAKETIME": f"{jump:+d}",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        arguments = [sandbox.url, path_in(folder), KEY.hex(), password, str(trust)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", CLIENT, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )

    def said(self) -> dict[str, Any]:
        """What came of it: a cookie or an error, and the time it had."""
        output, _ = self._process.communicate(timeout=120)
        assert self._process.returncode == 0, output
        said: dict[str, Any] = json.loads(output)
        return said


def resume_after(sandbox: Server, library: str, jump: int) -> None:
    """Log in at the right time, then come back with a clock that is off, twice."""
    sandbox.do("reset")
    with scratch() as folder:
        first = Watched(sandbox, folder, library, password=PASSWORD).said()
        cookie = first["cookie"]
        assert cookie, first
        again = Watched(sandbox, folder, library, jump=jump).said()
        assert abs(again["now"] - time.time() - jump) < 60, "the clock was not turned"
        expired = jump >= DAY - 1
        expected = "SessionExpiredError" if expired else None
        assert again.get("error") == expected, f"{jump} s: {again}"
        assert _saved(folder) == cookie, f"{jump} s: the session is lost"
        renewed = Watched(sandbox, folder, library, jump=jump, password=PASSWORD).said()
        assert renewed["cookie"], renewed
        assert (renewed["cookie"] == cookie) is not expired, f"{jump} s: {renewed}"
        assert _saved(folder) == renewed["cookie"], f"{jump} s: not saved"
        assert sandbox.logins == 1 + expired


def remembered(sandbox: Server, library: str) -> int:
    """What a clock a day ahead noted is not believed once the clock is right."""
    sandbox.do("reset")
    with scratch() as folder:
        Watched(sandbox, folder, library, jump=DAY, password=PASSWORD).said()
        before = sandbox.stats()["requests"].get("/v1/account/self", 0)
        now = Watched(sandbox, folder, library, password=PASSWORD, trust=HOUR).said()
        assert now["cookie"], now
        after = sandbox.stats()["requests"].get("/v1/account/self", 0)
        assert after == before + 1, "a validation in the future was believed"
    sandbox.do("reset")
    with scratch() as folder:
        for jump, attempts in ((DAY, 1), (DAY, 1), (0, 2), (0, 2)):
            said = Watched(sandbox, folder, library, jump=jump, password="wrong").said()
            assert said.get("error") == "InvalidCredentialsError", said
            assert sandbox.attempts == attempts, f"{sandbox.attempts} attempts"
    return 2


def wait_while_it_jumps(sandbox: Server, jump: int) -> None:
    """A login, and a change, wait for their locks; the clock jumps meanwhile.

    In the process itself: libfaketime gets the sleep of a clock that jumps wrong.
    """
    sandbox.do("reset")
    with scratch() as folder, Vault.open(path_in(folder), key=KEY, create=True) as vault:
        login, write = vault.login_lock(NAME), FileLock(path_in(folder), "write.lock")
        for lock, work in ((login, _log_in), (write, _change)):
            assert lock.try_acquire()
            ended = in_child(partial(_jumping, jump, sandbox, folder, work))
            seconds = float(ended.said)
            lock.release()
            assert PATIENCE <= seconds < PATIENCE + 10, f"{seconds} s"


def _jumping(
    jump: int, sandbox: Server, folder: str, work: Callable[[Server, str], object]
) -> float:
    """The seconds that *work* waited before it gave up, while the wall clock jumped."""
    start, true_time, true_clock = time.monotonic(), time.time, _clock.utc_clock

    def off_by() -> int:
        return jump if time.monotonic() - start > PATIENCE / 2 else 0

    time.time = lambda: true_time() + off_by()
    _clock.utc_clock = lambda: true_clock() + timedelta(seconds=off_by())
    try:
        work(sandbox, folder)
    except LockTimeoutError:
        assert off_by(), "it did not wait"
        return time.monotonic() - start
    raise AssertionError("the lock was not waited for")


def _log_in(sandbox: Server, folder: str) -> object:
    return InterpalClient(
        NAME,
        PASSWORD,
        auto_login=True,
        persist_session=True,
        base_url=sandbox.url,
        session_file=path_in(folder),
        vault_key=KEY,
        lock_timeout=PATIENCE,
    )


def _change(sandbox: Server, folder: str) -> None:
    Vault.open(path_in(folder), key=KEY, lock_timeout=PATIENCE)["pedro_k"] = {}


def other_monotonic(each: int) -> Row:
    """Processes whose monotonic clocks are days apart change one vault and wait for one lock."""
    what = "processes whose monotonic clocks are ten days apart (unshare -T)"
    probe = subprocess.run(["unshare", "-T", "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        return Row("M", what, 0, "not run: time namespaces are not allowed here")
    offsets = (0, DAY, 10 * DAY)
    with scratch() as folder:
        with Vault.open(path_in(folder), key=KEY, create=True) as vault:
            vault["counter"] = {"n": 0}
        work = [sys.executable, "-c", TRANSACTIONS, path_in(folder), KEY.hex(), str(each)]
        workers = []
        for offset in map(str, offsets):
            other = ["unshare", "-T", "--monotonic", offset, "--boottime", offset, "--fork"]
            workers.append(subprocess.Popen([*other, *work]))
        for worker in workers:
            assert worker.wait(timeout=300) == 0
        with Vault.open(path_in(folder), key=KEY) as vault:
            counted = vault["counter"]["n"]
        assert counted == each * len(offsets), f"{counted} of {each * len(offsets)}"
        assert FileLock(path_in(folder), "write.lock").try_acquire()
    return Row("M", what, counted, f"{counted} of {counted} transactions")


def _saved(folder: str) -> str | None:
    with Vault.open(path_in(folder), key=KEY) as vault:
        return vault[NAME]["session_cookie"] if NAME in vault else None

"""I, continued: one login for all. Two hundred processes and one account, against a sandbox."""

from __future__ import annotations

import json
import os
import random
import secrets
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

from interpal import InterpalClient
from interpal.exceptions import VaultNotFoundError
from interpal.transport.protocol import LOGIN_PATH
from interpal.vault import Vault
from tests.reliability import Row
from tests.reliability.children import Child, scratch
from tests.reliability.subjects import KEY, path_in

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

LOGIN_DELAY = 0.5
TOKEN = secrets.token_urlsafe(16)
CONTROL = {"Authorization": f"Bearer {TOKEN}"}
NAME, PASSWORD = "maple_ink", "correct-horse"


class Server:
    """A sandbox in a process of its own, whose login takes half a second."""

    def __init__(self, url: str) -> None:
        self.url = url

    def stats(self) -> dict[str, dict[str, int]]:
        request = urllib.request.Request(f"{self.url}/_sandbox/stats", headers=CONTROL)
        with urllib.request.urlopen(request, timeout=60) as reply:
            stats: dict[str, dict[str, int]] = json.load(reply)
            return stats

    def do(self, what: str, **facts: object) -> None:
        data = json.dumps(facts).encode()
        headers = {"Content-Type": "application/json", **CONTROL}
        request = urllib.request.Request(f"{self.url}/_sandbox/{what}", data, headers)
        urllib.request.urlopen(request, timeout=60).close()

    @property
    def logins(self) -> int:
        return sum(self.stats()["logins"].values())

    @property
    def attempts(self) -> int:
        """Requests for a login that reached the server."""
        return self.stats()["requests"].get(LOGIN_PATH, 0)


@contextmanager
def server(password: str = PASSWORD, delay: float = LOGIN_DELAY) -> Generator[Server, None, None]:
    command = [sys.executable, "-m", "interpal.sandbox", "--account", f"{NAME}:{password}"]
    command += ["--login-delay", str(delay)]
    environment = {**os.environ, "INTERPALS_SANDBOX_TOKEN": TOKEN}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            yield Server(process.stdout.readline().strip())
        finally:
            process.terminate()


class Crowd:
    """Processes that do the same at one moment, and tell what came of it."""

    def __init__(self, size: int, work: Callable[[Callable[[], None]], object]) -> None:
        """*work* gets a function that says "here" and waits until all are let go on."""
        self._here, here = os.pipe()
        gates = [os.pipe() for _ in range(2)]
        readers, self._gates = [gate[0] for gate in gates], [gate[1] for gate in gates]
        waiting = iter(readers)

        def wait() -> None:
            os.write(here, b".")
            os.read(next(waiting), 1)  # until the other end is closed

        def life() -> object:
            for gate in self._gates:
                os.close(gate)
            wait()
            return work(wait)

        self.children = [Child(life) for _ in range(size)]
        for descriptor in (here, *readers):
            os.close(descriptor)

    def gather(self) -> None:
        """Wait until everyone is here (or has ended)."""
        here = 0
        while here < len(self.children):
            piece = os.read(self._here, 1000)
            assert piece, "a process of the crowd ended early"
            here += len(piece)

    def go(self) -> None:
        os.close(self._gates.pop(0))

    def results(self) -> list[str]:
        """What each one said, "" for one that was killed."""
        for descriptor in (*self._gates, self._here):
            os.close(descriptor)
        return [child.wait().said for child in self.children]


def run(*, full: bool) -> Iterator[Row]:
    size = 200 if full else 16
    with server() as sandbox:
        once(sandbox, size)
        yield Row("I", f"{size} processes log in at once, 0.5 s a login", size, "1 login, all in")
        rounds = 50 if full else 2
        most, killed = with_a_dying_holder(sandbox, size, rounds)
        yield Row(
            "I",
            f"the same with the process that logs in killed at a random moment, {size} each",
            rounds,
            f"at most {most} logins, {killed} killed, all others in",
        )
        ended_meanwhile(sandbox, size)
        yield Row("I", f"the session ends while {size} use it", size, "1 login more, all in")
        refused(sandbox, size)
        yield Row("I", f"{size} with a wrong password", size, "1 attempt, its error for all")
        held_back(sandbox, size)
        yield Row("I", f"a 429 at login, {size} wait for it", size, "1 attempt, all held back")


def once(sandbox: Server, size: int) -> None:
    with scratch() as folder:
        sandbox.do("reset")
        crowd = Crowd(size, lambda wait: _log_in(sandbox, folder))
        crowd.gather()
        crowd.go()
        said = crowd.results()
        _all_in(said, size)
        assert sandbox.logins == 1, f"{sandbox.logins} logins"


def with_a_dying_holder(sandbox: Server, size: int, rounds: int) -> tuple[int, int]:
    """The most logins of a round, and how many of the holders were killed."""
    chance = random.Random(size)
    most = killed = 0
    for _ in range(rounds):
        killed += _round_with_a_dying_holder(sandbox, size, chance)
        most = max(most, sandbox.logins)
        assert most <= 2, f"{most} logins"
    assert killed, f"nobody was killed in {rounds} rounds"
    return most, killed


def _round_with_a_dying_holder(sandbox: Server, size: int, chance: random.Random) -> bool:
    """Whether a holder was killed in the middle; all others must be in."""
    with scratch() as folder:
        sandbox.do("reset")
        crowd = Crowd(size, lambda wait: _log_in(sandbox, folder))
        crowd.gather()
        crowd.go()
        victim = _kill_holder(crowd, folder, chance)
        said = crowd.results()
        killed = victim is not None and said[victim] == ""
        if victim is not None and killed:
            del said[victim]
        _all_in(said, size - killed)
        return killed


def ended_meanwhile(sandbox: Server, size: int) -> None:
    with scratch() as folder:
        sandbox.do("reset")

        def work(wait: Callable[[], None]) -> str:
            client = _client(sandbox, folder)
            wait()
            client.get_self()
            client.get_self()
            return _told(client)

        crowd = Crowd(size, work)
        crowd.gather()
        crowd.go()
        crowd.gather()
        sandbox.do("invalidate", username=NAME)
        crowd.go()
        _all_in(crowd.results(), size)
        assert sandbox.logins == 2, f"{sandbox.logins} logins"


def refused(sandbox: Server, size: int) -> None:
    with scratch() as folder:
        sandbox.do("reset")
        crowd = Crowd(size, lambda wait: _log_in(sandbox, folder, "wrong"))
        crowd.gather()
        crowd.go()
        for said in crowd.results():
            assert said.startswith("InvalidCredentialsError"), said
        assert sandbox.attempts == 1, f"{sandbox.attempts} attempts"


def held_back(sandbox: Server, size: int) -> None:
    with scratch() as folder:
        sandbox.do("reset")
        sandbox.do("fault", path=LOGIN_PATH, status=429, headers={"Retry-After": "600"})
        crowd = Crowd(size, lambda wait: _log_in(sandbox, folder))
        crowd.gather()
        crowd.go()
        for said in crowd.results():
            assert said.startswith("LoginRateLimitError"), said
        assert sandbox.attempts == 1, f"{sandbox.attempts} attempts"


def _client(sandbox: Server, folder: str, password: str = PASSWORD) -> InterpalClient:
    return InterpalClient(
        NAME,
        password,
        auto_login=True,
        persist_session=True,
        base_url=sandbox.url,
        session_file=path_in(folder),
        vault_key=KEY,
        timeout=240,
        lock_timeout=240,
    )


def _log_in(sandbox: Server, folder: str, password: str = PASSWORD) -> str:
    return _told(_client(sandbox, folder, password))


def _told(client: InterpalClient) -> str:
    assert client.is_authenticated
    assert client.persisted
    assert client.session is not None
    return f"in {client.session.session_cookie}"


def _all_in(said: list[str], size: int) -> None:
    assert len(said) == size
    for text in said:
        assert text.startswith("in "), f"not logged in: {text}"
    assert len(set(said)) == 1, f"{len(set(said))} sessions"


def _kill_holder(crowd: Crowd, folder: str, chance: random.Random) -> int | None:
    """Kill who holds the login lock, at a random moment of the login; its number.

    None where the login was done before that, or before anybody was seen at it.
    """
    pids = {str(child.pid): number for number, child in enumerate(crowd.children)}
    until = time.monotonic() + 30
    pause = chance.random() * 1.3 * LOGIN_DELAY
    while time.monotonic() < until:
        holder, is_done = _holder(folder)
        known = pids.get(holder or "")
        if known is not None and pause:
            time.sleep(pause)
            pause = 0.0
        elif known is not None:
            crowd.children[known].kill()
            return known
        elif is_done or not pause:
            return None
    raise AssertionError("nobody was seen to hold the login lock")


def _holder(folder: str) -> tuple[str | None, bool]:
    """The pid of who logs in, where somebody does, and whether the session is saved."""
    try:
        with Vault.open(path_in(folder), key=KEY) as vault:
            lock = vault.login_lock(NAME)
            try:
                return None if lock.try_acquire() else lock.holder(), NAME in vault
            finally:
                lock.release()
    except VaultNotFoundError:
        return None, False

"""The command line, run as the real program: in a pipe, and in a real pseudo-terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from interpal.vault.format.jwe import b64encode
from interpal.vault.format.key_slots import KdfParameters
from interpal.vault.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PROGRAM = [sys.executable, "-m", "interpal.vault"]
# With the verbs of the client, as the installed script.
WHOLE_PROGRAM = [sys.executable, "-m", "interpal"]

KEY = bytes(range(32))
KEY_TEXT = b64encode(KEY)
OTHER_KEY_TEXT = b64encode(bytes(32))
WITH_KEY = {"INTERPALS_VAULT_KEY": KEY_TEXT}

COOKIE = "canary-cookie-7f3a"
TOKEN = "canary-token-91bc"
PASSPHRASE = "canary passphrase é"
SECRETS = (COOKIE, TOKEN, PASSPHRASE, KEY_TEXT)


def verbs_of_the_vault() -> set[str]:
    """Every verb that needs no server, such as `slot list`."""
    import click

    from interpal.vault.cli.app import cli

    verbs = set()
    for name, command in cli.commands.items():
        if isinstance(command, click.Group):
            verbs |= {f"{name} {verb}" for verb in command.commands}
        else:
            verbs.add(name)
    # Those of the client are there where something has imported `interpal.cli`;
    # tests/cli/test_client_verbs.py has them.
    return verbs - {"check", "login", "request"}


class Done(NamedTuple):
    """How a run of the program ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The error of a run with --json."""
        told: dict[str, Any] = json.loads(self.err)["error"]
        return told


def environment(folder: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a user who has nothing yet, with *folder* as the home."""
    # COVERAGE_…: what measures the tests' coverage follows into the program.
    kept = {
        name: text
        for name, text in os.environ.items()
        if name in ("PATH", "LANG", "TZ") or name.startswith("COVERAGE_")
    }
    return {
        **kept,
        "HOME": str(folder / "home"),
        "PYTHONIOENCODING": "utf-8",
        "TERM": "xterm",
        **(extra or {}),
    }


def record(
    username: str, *, created: str = "2026-11-22T07:40:00Z", expires: str = "2999-01-01T00:00:00Z"
) -> dict[str, Any]:
    return {
        "session_cookie": COOKIE,
        "auth_token": TOKEN,
        "username": username,
        "created_at": created,
        "expires_at": expires,
    }


EXPIRED = "2020-01-01T00:00:00Z"


def make_vault(path: Path, *names: str, **opening: Any) -> None:
    """A vault with these accounts; for KEY unless told otherwise."""
    if "passphrase" in opening:
        opening.setdefault("kdf", KdfParameters.INSECURE_FOR_TESTS)
    else:
        opening.setdefault("key", KEY)
    with (
        Vault.open(path, create=True, **opening) as vault,
        vault.transaction() as records,
    ):
        for name in names:
            records[name] = record(name)


def read_vault(path: Path, **opening: Any) -> dict[str, dict[str, Any]]:
    if not opening:
        opening["key"] = KEY
    with Vault.open(path, **opening) as vault:
        return {name: dict(value) for name, value in vault.snapshot().items()}


class Program:
    """The program, run in a folder of its own."""

    def __init__(self, folder: Path, command: Sequence[str] = PROGRAM) -> None:
        self.folder = folder
        self.command = command

    def __call__(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        user: int | None = None,
        **more: Any,
    ) -> Done:
        """Run it in a pipe, without a terminal."""
        done = subprocess.run(
            [*self.command, *arguments],
            cwd=self.folder,
            env=environment(self.folder, env),
            input=stdin.encode(),
            capture_output=not more,
            timeout=60,
            check=False,
            start_new_session=True,
            user=user,
            **more,
        )
        return Done(done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode())

    def terminal(
        self, *arguments: str, env: Mapping[str, str] | None = None, columns: int = 80
    ) -> TerminalRun:
        """Run it in a pseudo-terminal of its own."""
        return TerminalRun(
            [*self.command, *arguments], self.folder, environment(self.folder, env), columns
        )


class TerminalRun:
    """The program in a pseudo-terminal that controls it. A context manager."""

    def __init__(
        self, command: list[str], folder: Path, env: Mapping[str, str], columns: int
    ) -> None:
        self._master, slave = pty.openpty()
        import fcntl
        import struct
        import termios

        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.slave = slave
        # The first terminal that the leader of a session opens becomes the one that controls it.
        script = 'exec <"$0" >"$0" 2>&1; exec "$@"'
        self.process = subprocess.Popen(
            ["sh", "-c", script, os.ttyname(slave), *command],
            cwd=folder,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.screen = ""

    def __enter__(self) -> TerminalRun:
        return self

    def __exit__(self, *problem: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._master)
        os.close(self.slave)

    def expect(self, text: str, seconds: float = 60) -> None:
        """Wait until *text* is on the screen, after what was expected before."""
        self._expected = getattr(self, "_expected", 0)
        deadline = time.monotonic() + seconds
        while (at := self.screen.find(text, self._expected)) < 0:
            assert time.monotonic() < deadline, f"no {text!r} on the screen:\n{self.screen}"
            assert self._read(0.1) or self.process.poll() is None, (
                f"it ended ({self.process.poll()}) without {text!r}:\n{self.screen}"
            )
        self._expected = at + len(text)

    def type(self, text: str | bytes) -> None:
        os.write(self._master, text if isinstance(text, bytes) else text.encode())

    def answer(self, question: str, text: str) -> None:
        """Wait for the question and the echo to be off, and type a line."""
        self.expect(question)
        self.type(text + "\n")

    def question(self, seconds: float = 60) -> bool:
        """Wait until it asks something new; False where it ends instead."""
        asked = getattr(self, "_asked", 0)
        deadline = time.monotonic() + seconds
        while True:
            if self._read(0.1):
                continue
            if len(self.screen) > asked and self.screen.endswith((": ", "? ", "] ")):
                self._asked = len(self.screen)
                return True
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < deadline, f"it neither asks nor ends:\n{self.screen}"

    def end(self, seconds: float = 60) -> int:
        """Wait for the end; the exit code, with all that was shown in `screen`."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end:\n{self.screen}"
            self._read(0.05)
        while self._read(0):
            pass
        self.screen = self.screen.replace("\r\n", "\n")
        return self.process.returncode

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        self.screen += os.read(self._master, 65536).decode("utf-8", "replace")
        return True


def assert_no_secret(*texts: str) -> None:
    for text in texts:
        for secret in SECRETS:
            assert secret not in text

"""Runs programs of 1.2.0's documentation with 1.2.0 or with this package, each by itself."""

from __future__ import annotations

import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from interpal.sandbox import Sandbox
from tests.compatibility.release import Block, accounts, compiles, cookies, numbers
from tests.sandbox.peer import peer_python

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interpal.sandbox.site import Session

GUEST = Path(__file__).with_name("guest.py")
PICTURES = ("photo.jpg", "my_photo.jpg", "path/to/image.jpg")
STUCK = "ran, and did not end when it was interrupted"
OURS, THEIRS = "this package", "interpal 1.2.0"


class Outcome(NamedTuple):
    """What became of a block: `ran`, or why not; and what it wrote."""

    name: str
    text: str
    output: str

    @property
    def ran(self) -> bool:
        """Whether it came to its end, or ran until it was interrupted."""
        return self.text in ("ran", STUCK)


def python_of(library: str) -> str:
    return peer_python() if library == THEIRS else sys.executable


def environment(folder: Path, sandbox: Sandbox) -> dict[str, str]:
    kept = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("INTERPALS_", "COVERAGE_")) and "proxy" not in name.lower()
    }
    kept |= {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "NO_PROXY": "127.0.0.1",
    }
    kept["INTERPALS_SANDBOX_TOKEN"] = sandbox.control_token
    return {**kept, "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"}


def furnish(sandbox: Sandbox, code: str, account: str) -> None:
    """Make what the program names: people, conversations, notifications of these ids; cookies."""
    site = sandbox._site
    world = site.world
    viewer = site._accounts[account.casefold()].uid
    for number in numbers(code):
        if number not in world.people:
            sandbox.add_person(f"user{number}", number)
        world.open_thread(viewer, number, number)
        notice = world.content._notices_of(viewer)[0]
        world.content._notices_of(viewer).append({**notice, "id": number})
    for cookie in cookies(code):
        hand_out_the_token(site.open_session(account, cookie))


def hand_out_the_token(session: Session) -> None:
    """Let scripts that have nothing but a cookie open a socket, each library in its way.

    1.2.0 sends the cookie in the place of the token. Here the token is asked for: the reply to
    the next call for the own profile has it.
    """
    session.token = session.cookie
    session.new_token = True


def run_program(library: str, block: Block, *, seconds: float = 4.0) -> Outcome:
    """Run one block in a folder, a process and a sandbox of its own."""
    if not compiles(block.code):
        return Outcome(block.name, "it is no program", "")
    known = {"maple_ink": "correct horse", "pedro_k": "radio", **accounts(block.code)}
    account = next(iter(accounts(block.code)), "maple_ink")
    with tempfile.TemporaryDirectory() as place, Sandbox(known) as sandbox:
        folder = Path(place)
        furnish(sandbox, block.code, account)
        for picture in PICTURES:
            (folder / picture).parent.mkdir(parents=True, exist_ok=True)
            (folder / picture).write_bytes(b"a picture")
        opened = sandbox.open_session(account)
        (folder / "session.txt").write_text(opened["session_cookie"])
        (folder / "block.py").write_text(block.code, encoding="utf-8")
        result = folder / "result.json"
        started = [python_of(library), str(GUEST), sandbox.base_url]
        names = {"INTERPALS_USERNAME": "maple_ink", "INTERPALS_PASSWORD": "correct horse"}
        try:
            done = subprocess.run(
                [*started, "block.py", str(result), "block"],
                cwd=folder,
                env={**environment(folder, sandbox), **names, "GUEST_SECONDS": str(seconds)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            output = done.stdout + done.stderr
        except subprocess.TimeoutExpired:
            return Outcome(block.name, "it did not end", "")
        if not result.exists():
            return Outcome(block.name, f"it ended by itself: {output[-300:]}", output)
        outcome = json.loads(result.read_text())["outcome"]
        if outcome == STUCK and library == OURS:
            outcome = "it does not end when it is interrupted"
        return Outcome(block.name, outcome, output)


def run_all(library: str, chosen: Iterable[Block], *, at_once: int = 10) -> list[Outcome]:
    """Run blocks, several at once: most of their time is spent waiting."""
    python_of(library)
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda block: run_program(library, block), chosen))


class Run(NamedTuple):
    """What a script printed, and how it ended."""

    lines: list[str]
    status: int
    errors: str


def run_script(library: str, name: str, code: str, *, seconds: float = 60.0) -> Run:
    """Run an example script as it is, until it ends; one that listens is interrupted.

    A script that listens says so on its way; it is interrupted a moment after its last line.
    """
    import signal
    import threading
    import time

    known = {"maple_ink": "correct horse", "pedro_k": "radio", **accounts(code)}
    account = next(iter(accounts(code)), "maple_ink")
    listens = ".run()" in code or "client.start()" in code
    with tempfile.TemporaryDirectory() as place, Sandbox(known) as sandbox:
        folder = Path(place)
        furnish(sandbox, code, account)
        opened = sandbox.open_session(account)
        cookie = opened["session_cookie"]
        hand_out_the_token(sandbox._site._sessions[cookie])
        (folder / name).write_text(code, encoding="utf-8")
        with subprocess.Popen(
            [python_of(library), "-u", str(GUEST), sandbox.base_url, name, "none", "script"],
            cwd=folder,
            env={**environment(folder, sandbox), "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            # What realtime_bot.py asks for; the others read nothing.
            process.stdin.write(opened["session_cookie"] + "\n")
            process.stdin.close()
            lines: list[str] = []
            last = [time.monotonic()]
            errors: list[str] = []

            def read() -> None:
                for line in process.stdout or ():
                    lines.append(line.rstrip("\n"))
                    last[0] = time.monotonic()

            def complain() -> None:
                errors.extend(process.stderr or ())

            readers = [threading.Thread(target=read), threading.Thread(target=complain)]
            for reader in readers:
                reader.start()
            until = time.monotonic() + seconds
            while process.poll() is None and time.monotonic() < until:
                time.sleep(0.1)
                ready = any("Logged in as" in line for line in lines)
                if listens and ready and time.monotonic() - last[0] > 2:
                    process.send_signal(signal.SIGINT)
                    listens, until = False, time.monotonic() + 30
            if process.poll() is None:
                process.kill()
            for reader in readers:
                reader.join()
            return Run(lines, process.wait(), "".join(errors))

"""Make the pictures of the command line in `docs/pictures`: `python -m docs.pictures`.

The real program is run in a pseudo-terminal of 80 columns, in a temporary folder with a vault of
invented accounts. Its clock stands still, so that the pictures change only when the program does.

`demo.svg` is a recording of `make demo`: its lines come one after the other, in the time that
they took. Whoever asks for less motion sees all of them at once. Its clock goes, so the times, the
port and the folder in it are put in the place of those of the run.
"""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import re
import secrets
import shutil
import struct
import subprocess
import sys
import termios
import time
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent / "pictures"
COLUMNS = 80
# Fewer: on a phone the letters are larger.
DEMO_COLUMNS = 66
# The longest pause of the recording, in seconds.
PAUSE = 1.5
HOME, FOLDER = "/home/you", "/home/you/bot"
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

AT_A_FIXED_TIME = """
import datetime, sys, time_machine
noon = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.timezone.utc)
time_machine.travel(noon + datetime.timedelta(hours=float(sys.argv.pop(1))), tick=False).start()
"""
MAKE_A_VAULT = """
from interpal.vault import Vault
with Vault.open(".interpals_session.json", create=True) as vault:
    vault.add_slot(passphrase="correct horse battery staple", kid="laptop")
"""
SAVE_A_SESSION = """
from interpal import SessionManager
manager = SessionManager(expiration_hours=float(sys.argv[2]), username=sys.argv[1])
manager.save_session("invented-cookie", username=sys.argv[1])
"""
RUN_THE_PROGRAM = """
from interpal.vault.cli import main
main()
"""


class Stage:
    """A folder with a vault, in a home of its own, as long as the one that the pictures show."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.folder = os.path.join(home, "bot")
        os.mkdir(self.folder, 0o700)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
        }
        self.python(-30, MAKE_A_VAULT)
        for name, hours_ago, lifetime in (
            ("inkpot_74", 26, 24),
            ("pedro_k", 21, 24),
            ("maple_ink", 1, 24),
            ("runa.s@example.org", 0, 168),
        ):
            self.python(-hours_ago, SAVE_A_SESSION, name, str(lifetime))

    def python(self, hours: float, code: str, *arguments: str) -> None:
        """Run *code* in the folder, that many hours from the fixed time."""
        command = [sys.executable, "-c", AT_A_FIXED_TIME + code, str(hours), *arguments]
        subprocess.run(command, cwd=self.folder, env=self.environment, check=True)

    def neglect(self) -> None:
        """Make of the folder something that `doctor` has a word to say about."""
        vault = os.path.join(self.folder, ".interpals_session.json")
        os.chmod(vault, 0o644)
        plain = {"session_cookie": "invented-cookie", "username": "pedro_k"}
        with open(os.path.join(self.folder, "pedro_session.json"), "w") as file:
            json.dump(plain, file)
        shutil.copy(os.path.join(self.home, ".config/interpal/vault.key"), self.folder)
        subprocess.run(["git", "init", "--quiet", self.folder], env=self.environment, check=True)

    def terminal(self, *arguments: str) -> str:
        """What the program shows in a terminal, with its colours."""
        command = [sys.executable, "-c", AT_A_FIXED_TIME + RUN_THE_PROGRAM, "0", *arguments]
        shown = in_a_terminal(command, self.folder, self.environment)
        shown = shown.replace(self.folder, FOLDER).replace(self.home, HOME)
        return re.sub(r"(Owner[^\n]* )\w+( *\n)", r"\1you\2", shown)


@contextmanager
def stage() -> Generator[Stage, None, None]:
    """A `Stage` in a temporary folder, which is gone afterwards."""
    home = f"/tmp/{secrets.token_hex(2)}"  # noqa: S108  (as many characters as /home/you)
    os.mkdir(home, 0o700)
    try:
        yield Stage(home)
    finally:
        shutil.rmtree(home)


class Piece(NamedTuple):
    """What a terminal got at once, and how many seconds after the start."""

    seconds: float
    text: str


def in_a_terminal(command: list[str], folder: str, environment: Mapping[str, str]) -> str:
    """All that *command* writes to a pseudo-terminal of `COLUMNS` columns."""
    return "".join(piece.text for piece in recorded(command, folder, environment))


def recorded(command: list[str], folder: str, environment: Mapping[str, str]) -> list[Piece]:
    """What *command* writes to a pseudo-terminal of `COLUMNS` columns, and when."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    start = time.monotonic()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    decode = codecs.getincrementaldecoder("utf-8")().decode
    pieces: list[Piece] = []
    try:
        while piece := os.read(master, 65536):
            text = decode(piece).replace("\r\n", "\n")
            pieces.append(Piece(time.monotonic() - start, text))
    except OSError:
        pass  # EIO: nobody has the other end any more
    finally:
        os.close(master)
        process.wait()
    return pieces


def svg(command: str, shown: str, columns: int = COLUMNS) -> str:
    """A terminal in which *command* was typed, as an SVG picture."""
    return terminal_svg(command, [(0, line) for line in shown.rstrip("\n").split("\n")], columns)


def terminal_svg(command: str, lines: Sequence[tuple[float, str]], columns: int) -> str:
    """The same of lines with the second at which each appears."""
    from rich.console import Console
    from rich.terminal_theme import SVG_EXPORT_THEME
    from rich.text import Text

    console = Console(record=True, width=columns, file=StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "green"), (command, "bold")))
    times = [0.0]
    for seconds, line in lines:
        text = Text.from_ansi(line)
        text.rstrip()
        # A terminal goes on with a long line where it is full, not at a word.
        for row in text.divide(range(columns, len(text), columns)):
            console.print(row)
            times.append(seconds)
    picture = console.export_svg(title=command, theme=SVG_EXPORT_THEME, unique_id="terminal")
    # Whoever looks at the picture is not to fetch a font from anywhere.
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    picture = re.sub(r"font-family: *Fira Code, *monospace", f"font-family: {FONTS}", picture)
    if times[-1]:
        picture = picture.replace("</style>", f"{_appearing(times)}</style>", 1)
    return re.sub(r"[ \t]+$", "", picture, flags=re.MULTILINE) + "\n"


def _appearing(times: Sequence[float]) -> str:
    """The style by which row after row of a terminal appears, each at its second."""
    rows: dict[float, list[str]] = {}
    for row, seconds in enumerate(times):
        if seconds:
            rows.setdefault(round(seconds, 1), []).append(f'text[clip-path$="line-{row})"]')
    rules = [
        f"      {', '.join(of)} {{ animation: appear 1ms {seconds}s backwards; }}"
        for seconds, of in rows.items()
    ]
    return "\n".join(
        [
            "",
            "    @keyframes appear { from { opacity: 0; } }",
            "    @media (prefers-reduced-motion: no-preference) {",
            *rules,
            "    }",
            "    ",
        ]
    )


def demo() -> list[tuple[float, str]]:
    """The lines of `make demo` in a run of now, and the second at which each appeared."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
    }
    # Unbuffered: each line comes when it is printed.
    command = [sys.executable, "-u", str(ROOT / "examples" / "demo.py")]
    lines: list[tuple[float, str]] = []
    clock, before, line = 0.0, 0.0, ""
    for seconds, text in recorded(command, "/", environment):
        clock, before = clock + min(seconds - before, PAUSE), seconds
        *whole, line = (line + text).split("\n")
        lines += [(clock, _steady(one)) for one in whole]
    while lines and not lines[-1][1].strip():
        lines.pop()
    return lines


def _steady(line: str) -> str:
    """A line of the demo with the port, folder, times and user that are the same in each run."""
    line = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8474", line)
    line = re.sub(r"/tmp/tmp\w+/\.config", f"{HOME}/.config", line)  # noqa: S108
    line = re.sub(r"/tmp/tmp\w+", FOLDER, line)  # noqa: S108
    line = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "2026-11-22 12:00:00", line)
    time_of_day = r"\d\d \w{3} \d\d:\d\d"
    line = re.sub(rf"{time_of_day}( +){time_of_day}", r"22 Nov 12:00\g<1>23 Nov 12:00", line)
    line = re.sub(rf"{time_of_day}(?= +-)", "22 Nov 12:00", line)
    line = re.sub(r"23:59:5\d", "23:59:59", line)
    line = re.sub(r"\b\d{4} bytes", "1998 bytes", line)
    return re.sub(r"^(Owner +)\w+ *$", r"\1you", line)


def make(folder: Path) -> None:
    """Write every picture into *folder*."""
    folder.mkdir(exist_ok=True)
    with stage() as a_stage:
        shown = {"inspect": a_stage.terminal("inspect")}
        a_stage.neglect()
        shown["doctor"] = a_stage.terminal("doctor")
    for verb, text in shown.items():
        picture = svg(f"interpal-vault {verb}", text)
        (folder / f"{verb}.svg").write_text(picture, encoding="utf-8")
    picture = terminal_svg("make demo", demo(), DEMO_COLUMNS)
    (folder / "demo.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    make(HERE)

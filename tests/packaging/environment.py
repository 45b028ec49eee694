"""Virtual environments with the versions of `requirements.lock`: `environment.py FOLDER PART...`.

The Makefile and the tests make theirs with it. It needs nothing but the standard library, since
it runs before anything is installed. It installs with uv where there is one, else with pip.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
# What installs the package itself, editable, beside what it needs.
DEVELOPMENT = "dev"
# Lines of the lock file that are comments to pip and uv.
PART = "# part "
OLDEST = "#| "

_VARIABLES = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


class Pin(NamedTuple):
    """One version of one package, and its lines in the lock file."""

    name: str
    text: str

    @property
    def is_conditional(self) -> bool:
        """Whether a marker says where it is installed."""
        return " ; " in self.text.partition("\n")[0]


class Lock(NamedTuple):
    """What the lock file holds.

    *parts* are the names of all packages that each part of the project needs. *oldest* are the
    lowest versions that are declared, with what they need.
    """

    parts: dict[str, frozenset[str]]
    pins: tuple[Pin, ...]
    oldest: tuple[Pin, ...]

    def of(self, parts: Iterable[str], *, oldest: bool = False) -> list[Pin]:
        """What these parts need. KeyError for a part that is not in it."""
        wanted = frozenset[str]().union(*(self.parts[part] for part in parts))
        # One that a marker keeps for some systems or Pythons is wanted elsewhere all the same.
        old = {pin.name for pin in self.oldest if oldest and not pin.is_conditional}
        pins = [pin for pin in self.pins if pin.name in wanted - old]
        return [*pins, *(self.oldest if oldest else ())]


def read_lock(path: Path = LOCK) -> Lock:
    """The lock file, as `make lock` writes it."""
    lines = path.read_text("utf-8").splitlines()
    parts: dict[str, frozenset[str]] = {}
    for line in lines:
        if line.startswith(PART):
            name, _, wanted = line.removeprefix(PART).partition(": ")
            parts[name] = frozenset(wanted.split())
    old = [line.removeprefix(OLDEST) for line in lines if line.startswith(OLDEST)]
    new = [line for line in lines if not line.startswith((PART, OLDEST))]
    return Lock(parts, tuple(_pins(new)), tuple(_pins(old)))


def _pins(lines: Iterable[str]) -> Iterable[Pin]:
    blocks: list[list[str]] = []
    for line in lines:
        if re.match(r"[A-Za-z0-9]", line):
            blocks.append([])
        if blocks:
            blocks[-1].append(line)
    for block in blocks:
        text = "\n".join(line for line in block if not line.strip().startswith("#"))
        yield Pin(block[0].partition("==")[0], text)


def find_uv() -> list[str] | None:
    """The command that runs uv here, or None."""
    for command in (["uv"], [sys.executable, "-m", "uv"]):
        if shutil.which(command[0]):
            done = subprocess.run([*command, "--version"], capture_output=True, check=False)
            if done.returncode == 0:
                return command
    return None


def say(text: str) -> None:
    print(text, flush=True)


class Environment:
    """A virtual environment in *folder*; made where there is none that runs."""

    def __init__(self, folder: Path, *, uv: list[str] | None = None) -> None:
        self.folder = folder
        self.python = str(folder / "bin" / "python")
        self._uv = uv
        if not self._runs():
            version = ".".join(map(str, sys.version_info[:3]))
            say(f"Making {_shown(folder)}, an environment of Python {version} ...")
            shutil.rmtree(folder, ignore_errors=True)
            without = ["--without-pip"] if uv else []
            subprocess.run([sys.executable, "-m", "venv", *without, str(folder)], check=True)

    def _runs(self) -> bool:
        try:
            return not subprocess.run([self.python, "-c", ""], check=False).returncode
        except OSError:
            return False

    def install_pins(self, pins: Sequence[Pin]) -> None:
        """Install these versions, checked against their hashes, and nothing else."""
        listed = self.folder / "requirements.txt"
        listed.write_text("\n".join(pin.text for pin in pins) + "\n", "utf-8")
        tool = "uv" if self._uv else "pip"
        say(f"Installing up to {len(pins)} packages as {LOCK.name} has them, with {tool} ...")
        self.install("--no-deps", "--require-hashes", "--requirement", str(listed))

    def install_project(self, *options: str, extras: str = "") -> None:
        """Install the package itself, editable."""
        say("Installing the package itself ...")
        self.install(*options, "--editable", f"{ROOT}{extras}")

    def install(self, *arguments: str) -> None:
        """Run `pip install`, or that of uv. Raises CalledProcessError."""
        # Compiled once: else every process that the tests start does it anew.
        if self._uv:
            command = [*self._uv, "pip", "install", "--compile-bytecode"]
            done = subprocess.run([*command, "--python", self.python, *arguments], check=False)
            if done.returncode == 0:
                return
            say("uv cannot do it here; once more, with pip ...")
            subprocess.run([self.python, "-m", "ensurepip"], check=True, capture_output=True)
            self._uv = None
        command = [self.python, "-m", "pip", "install", "--compile", "--progress-bar", "off"]
        with subprocess.Popen(
            [*command, *arguments],
            env={**os.environ, **_VARIABLES},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            output: list[str] = []
            for line in process.stdout or ():
                output.append(line)
                # Of the many lines of pip, what tells that it goes on.
                if line.startswith("Collecting "):
                    say(f"  {line.split()[1]}")
        if process.returncode:
            say("".join(output))
            raise subprocess.CalledProcessError(process.returncode, command)


def _shown(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def make(folder: Path, parts: Sequence[str], *, oldest: bool = False) -> Environment:
    """An environment with the locked versions of these parts of the project.

    *oldest* are the lowest versions that pyproject.toml declares. With the part `dev` the package
    itself is installed as well, editable.
    """
    environment = Environment(folder, uv=find_uv())
    environment.install_pins(read_lock().of(parts, oldest=oldest))
    if DEVELOPMENT in parts:
        environment.install_project("--no-deps", "--no-build-isolation")
    return environment


def make_newest(folder: Path, parts: Sequence[str]) -> Environment:
    """An environment made anew, with the newest version of everything that these parts want."""
    shutil.rmtree(folder, ignore_errors=True)
    environment = Environment(folder, uv=find_uv())
    extras = ",".join(part for part in parts if part != "run")
    environment.install_project("--upgrade", extras=f"[{extras}]" if extras else "")
    return environment


def main() -> None:
    parser = argparse.ArgumentParser(description="A virtual environment with locked versions.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("parts", nargs="+", metavar="PART")
    versions = parser.add_mutually_exclusive_group()
    versions.add_argument("--oldest", action="store_true", help="the lowest that are declared")
    versions.add_argument("--newest", action="store_true", help="the newest, not the locked ones")
    given = parser.parse_args()
    start = time.monotonic()
    try:
        if given.newest:
            make_newest(given.folder, given.parts)
        else:
            make(given.folder, given.parts, oldest=given.oldest)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(map(str, error.cmd[:6]))} ... has failed: see above")
    say(f"{_shown(given.folder)} is ready, after {time.monotonic() - start:.0f} seconds.")


if __name__ == "__main__":
    main()

"""Child processes: whole ones against the clock, and workers that do a thing when told to."""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from benchmarks.measure import Contestant

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable

# Printed by a child at its end: the most memory that it ever had. `ru_maxrss` of a child counts
# what its parent had when it was forked; this figure begins with the child's own program.
PRINT_PEAK = """
with open("/proc/self/status") as status:
    print(*(line.split()[1] for line in status if line.startswith("VmHWM:")))
"""


def compile_package() -> None:
    """Compile the package: else what is measured is the compiler."""
    compileall.compile_dir(ROOT / "interpal", quiet=1)


def environment(folder: Path) -> dict[str, str]:
    """A small environment: no `PYTHON…` of the caller's, no proxies, a home in *folder*."""
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "NO_PROXY": "127.0.0.1",
    }


class Program:
    """A Python program that is run as a whole process."""

    def __init__(
        self,
        folder: Path,
        source: str,
        *arguments: str,
        python: str = PYTHON,
        options: Sequence[str] = (),
    ) -> None:
        self._command = [python, *options, "-c", source, *arguments]
        self._folder = folder
        self._environment = environment(folder)

    def run(self) -> str:
        """Run it to its end; what it printed. Raises RuntimeError where it fails."""
        return self._done().stdout

    def run_and_hear(self) -> str:
        """The same, but what it wrote to its standard error."""
        return self._done().stderr

    def _done(self) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self._command,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"a program of the benchmark failed:\n{done.stderr}")
        return done

    def seconds(self) -> Contestant:
        """A contestant: the seconds from its start to its end."""

        def once() -> float:
            start = time.perf_counter()
            self.run()
            return time.perf_counter() - start

        return once

    def peak_memory(self) -> Contestant:
        """A contestant: the most memory that it had, in MiB. It prints that in its last line."""
        return lambda: int(self.run().split()[-1]) / 1024


class Worker:
    """A process of another environment that does named things when told to, and times them.

    Its source defines `actions`, a dict of functions without arguments.
    """

    _LOOP = """
import sys, time
for line in sys.stdin:
    name, repeat = line.split()
    action, repeat = actions[name], int(repeat)
    start = time.perf_counter()
    for _ in range(repeat):
        action()
    took = time.perf_counter() - start
    print("took", took / repeat, flush=True)
"""

    def __init__(self, folder: Path, source: str, *arguments: str, python: str) -> None:
        self._process = subprocess.Popen(
            [python, "-c", source + self._LOOP, *arguments],
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()
        if kind is None and self._process.returncode != 0:
            raise RuntimeError("a worker of the benchmark failed; its words are above")

    def contestant(self, name: str, repeat: int = 1) -> Contestant:
        """A contestant: seconds for one call of the action *name*."""

        def once() -> float:
            pipe, answers = self._process.stdin, self._process.stdout
            assert pipe is not None
            assert answers is not None
            pipe.write(f"{name} {repeat}\n")
            pipe.flush()
            for line in answers:
                words: Sequence[str] = line.split()
                if words[:1] == ["took"]:
                    return float(words[1])
            raise RuntimeError("a worker of the benchmark ended; its words are above")

        return once

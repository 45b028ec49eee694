"""Fuzzing of the reader and of `inspect`: coverage-guided by atheris, or by plain mutation."""

from __future__ import annotations

import glob
import os
import random
import re
import subprocess
import sys
import time

from tests.packaging.environment import read_lock
from tests.reliability import Row
from tests.reliability.children import scratch
from tests.reliability.fuzz_target import PLACES, one_input, seeds

SECONDS = 600
LONGEST = 1
MOST_MEMORY = 300

# The modules are instrumented as they are imported.
PROGRAM = """
import sys
import atheris
with atheris.instrument_imports(include=["interpal.vault"]):
    from tests.reliability import fuzz_target
atheris.Setup(sys.argv, fuzz_target.one_input)
atheris.Fuzz()
"""


def run(*, full: bool) -> Row:
    if full:
        return guided(int(os.environ.get("FUZZ_SECONDS", SECONDS)))
    inputs = mutated(4000)
    return Row(
        "O",
        f"plain mutation of {len(seeds())} inputs, read at {len(PLACES)} places",
        inputs,
        f"only errors of the package, none over {LONGEST} s",
    )


def mutated(wanted: int) -> int:
    """Read so many inputs made from the seeds by simple changes; the same ones every time."""
    chance = random.Random(wanted)
    corpus = seeds()
    for _ in range(wanted):
        data = _mutate(chance, chance.choice(corpus), chance.choice(corpus))
        start = time.process_time()
        one_input(data)
        took = time.process_time() - start
        assert took < LONGEST, f"{took:.1f} s for {data[:200]!r}"
    return wanted


def _mutate(chance: random.Random, data: bytes, other: bytes) -> bytes:
    made = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(made) + 1)
        end = min(at + chance.randint(0, 16), len(made))
        way = chance.randrange(6)
        if way == 0:
            made[at:end] = b""
        elif way == 1:
            made[at:at] = made[at:end] * chance.randint(1, 4)
        elif way == 2:
            made[at:end] = chance.choice(TOKENS)
        elif way == 3:
            start = chance.randrange(len(other))
            made[at:end] = other[start : start + chance.randint(0, 60)]
        elif at < len(made):
            made[at] = chance.randrange(256)
    made[:1] = data[:1]
    return bytes(made)


TOKENS = (
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\\ud800", b"\\u0000", b"null", b"true",
    b"1e999", b"-0", b"NaN", b"9" * 30, b"0.1", b"\xff", b"\xef\xbb\xbf", b'"version":2', b"[" * 70,
    b".", b"=", b"A" * 43, b"argon2id", b"4294967296",
)  # fmt: skip


def guided(seconds: int) -> Row:
    """Coverage-guided fuzzing for so many seconds. AssertionError with what was found."""
    with scratch() as place:
        libraries, corpus = os.path.join(place, "libraries"), os.path.join(place, "corpus")
        os.mkdir(corpus)
        for number, seed in enumerate(seeds()):
            with open(os.path.join(corpus, f"seed-{number}"), "wb") as file:
                file.write(seed)
        install("fuzzing", libraries)
        runs = memory = coverage = 0
        until = time.monotonic() + seconds
        while (left := round(until - time.monotonic())) > 0:
            some = _fuzz(place, libraries, corpus, left)
            runs, memory, coverage = runs + some[0], max(memory, some[1]), max(coverage, some[2])
        return Row(
            "O",
            f"coverage-guided fuzzing of the reader and of inspect, {seconds} s",
            runs,
            f"only errors of the package, none over {LONGEST} s, {memory} MB at most, "
            f"{coverage} edges",
        )


def _fuzz(place: str, libraries: str, corpus: str, seconds: int) -> tuple[int, int, int]:
    """Inputs, megabytes and edges of one run, which ends early where the machine was slow."""
    command = [sys.executable, "-c", PROGRAM, corpus, f"-max_total_time={seconds}"]
    command += [f"-timeout={LONGEST}", f"-rss_limit_mb={MOST_MEMORY}", "-max_len=65536"]
    command += [f"-artifact_prefix={place}/", "-print_final_stats=1"]
    environment = {**os.environ, "PYTHONPATH": f"{libraries}:{os.getcwd()}"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    # libFuzzer goes by the clock on the wall; what counts is the time that the input takes.
    slow = glob.glob(f"{place}/timeout-*")
    for path in slow:
        with open(path, "rb") as file:
            data = file.read()
        os.unlink(path)
        start = time.process_time()
        one_input(data)
        took = time.process_time() - start
        assert took < LONGEST, f"{took:.1f} s for {data[:500]!r}"
    assert done.returncode == 0 or slow, f"a finding: {done.stdout[-1500:]}{done.stderr[-3000:]}"
    executed = re.findall(r"^#(\d+)", done.stderr, re.MULTILINE)
    exact = re.search(r"number_of_executed_units:\s+(\d+)", done.stderr)
    peak = re.search(r"peak_rss_mb:\s+(\d+)", done.stderr)
    edges = re.findall(r"cov: (\d+)", done.stderr)
    runs = int(exact[1]) if exact else int(executed[-1]) if executed else 0
    return runs, int(peak[1]) if peak else 0, int(edges[-1]) if edges else 0


def install(part: str, folder: str) -> None:
    """Put what a part of the lock file has into *folder*. RuntimeError where it cannot be had."""
    pins = [pin.text for pin in read_lock().of([part])]
    os.makedirs(folder, exist_ok=True)
    listed = os.path.join(folder, "requirements.txt")
    with open(listed, "w", encoding="utf-8") as file:
        file.write("\n".join([*pins, ""]))
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--target", folder, "--requirement", listed]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{part}: it is needed and could not be installed: {done.stderr[-500:]}")

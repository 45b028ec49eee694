"""How many passphrases this machine can try in a second: `python -m benchmarks.guesses`.

For each profile of Argon2id, one process for each processor that may be used derives keys for some
seconds, with argon2-cffi, from passphrases and the one salt of a slot, as somebody does who has the
file. Counted is the processor time that they used, all threads together, so that other work on the
machine takes little from the result; of five rounds the best one counts. Writes
benchmarks/results/guesses.json; docs/passphrases.md is made from it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.result import machine
from interpal.vault import KdfParameters

RESULT = Path(__file__).parent / "results" / "guesses.json"
PROFILES = {
    "default": KdfParameters.DEFAULT,
    "strong": KdfParameters.STRONG,
    "low-memory": KdfParameters.LOW_MEMORY,
}
SALT = bytes(range(16))
ROUNDS = 5


def guess(parameters: KdfParameters, seconds: float, pipe: Any) -> None:
    """Guess for that long; sends how many guesses a second of processor time were made."""
    from argon2.low_level import Type, hash_secret_raw

    count, start, used = 0, time.monotonic(), time.process_time()
    while time.monotonic() - start < seconds:
        hash_secret_raw(
            b"guess %d" % count,
            SALT,
            parameters.passes,
            parameters.memory_kib,
            parameters.lanes,
            32,
            Type.ID,
        )
        count += 1
    pipe.send(count / (time.process_time() - used))


def measured(parameters: KdfParameters, seconds: float, processes: int) -> float:
    """Guesses in a second of one core, while *processes* guess at the same time: their mean."""
    context = multiprocessing.get_context("spawn")
    running = []
    for _ in range(processes):
        mine, theirs = context.Pipe()
        process = context.Process(target=guess, args=(parameters, seconds, theirs))
        process.start()
        running.append((process, mine))
    rates: list[float] = []
    for process, mine in running:
        rates.append(mine.recv())
        process.join()
    return sum(rates) / len(rates)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guesses", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3, help="of each round")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    rates = {
        name: round(max(measured(parameters, options.seconds, cores) for _ in range(ROUNDS)), 2)
        for name, parameters in PROFILES.items()
    }
    found = {
        "cores": cores,
        "machine": machine(),
        "argon2-cffi": version("argon2-cffi"),
        "seconds": options.seconds,
        "rounds": ROUNDS,
        "guesses_per_core_second": rates,
    }
    RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

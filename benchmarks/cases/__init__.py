"""The cases: each measures its rows against their floors and returns a `Result`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.result import Result


class Scale(NamedTuple):
    """How much is measured: rounds of whole processes, of calls, of key derivations, and sizes.

    `file_mib` is the size, in MiB, of a file that does not open.
    """

    processes: int
    calls: int
    derivations: int
    many: int
    accounts: tuple[int, ...]
    at_once: int
    file_mib: int


FULL = Scale(
    processes=60,
    calls=60,
    derivations=15,
    many=10_000,
    accounts=(1, 1_000, 100_000),
    at_once=200,
    file_mib=64,
)
QUICK = Scale(
    processes=2, calls=2, derivations=1, many=50, accounts=(1, 20, 50), at_once=8, file_mib=2
)

Case = Callable[[Scale, Path], Result]


def all_cases() -> dict[str, Case]:
    """Every case by its name, in the order of the table."""
    from benchmarks.cases import (
        crossing,
        file_store,
        importing,
        keyring_backend,
        live,
        logins,
        passphrase,
        peers,
        redis_store,
        resuming,
        sqlite_store,
        steps,
        unopened,
    )

    return {
        "import": importing.run,
        "resume": resuming.run,
        "passphrase": passphrase.run,
        "file": file_store.run,
        "unopened": unopened.run,
        "sqlite": sqlite_store.run,
        "redis": redis_store.run,
        "logins": logins.run,
        "live": live.run,
        "peers": peers.run,
        "keyring": keyring_backend.run,
        "crossing": crossing.run,
        "steps": steps.run,
    }

"""Where one store overtakes another: the same work in file, SQLite and Redis, by size."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.cases.redis_store import SETTINGS
from benchmarks.measure import interleave, timed
from benchmarks.records import KEY, change, fill, names
from benchmarks.result import Result, Row
from interpal.vault import Vault
from tests.redis_server import RedisServer

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.cases import Scale

SIZES = (1, 10, 30, 100, 300, 1_000, 3_000, 10_000)


def run(scale: Scale, folder: Path) -> Result:
    sizes = [size for size in SIZES if size <= scale.many]
    rows: list[Row] = []
    with RedisServer(folder / "redis", settings=SETTINGS) as server:
        for size in sizes:
            places = {
                "file": str(folder / f"vault-{size}_session.json"),
                "SQLite": f"sqlite:{folder}/vault-{size}.db",
                "Redis": server.url(prefix=f"size-{size}"),
            }
            rows += _rows(places, size, max(2, scale.calls // 3))
    return Result("crossing", rows, {"redis_settings": SETTINGS.splitlines()})


def _rows(places: dict[str, str], size: int, rounds: int) -> list[Row]:
    with ExitStack() as stack:
        vaults = {}
        for store, place in places.items():
            vault = stack.enter_context(Vault.open(place, key=KEY, create=True))
            fill(vault, size)
            vaults[store] = vault
        turn = names(size)

        def open_and_read(place: str) -> None:
            with Vault.open(place, key=KEY) as vault:
                vault[next(turn)]

        def change_one(vault: Vault) -> None:
            change(vault, next(turn))

        opened = interleave(
            {s: timed(partial(open_and_read, place)) for s, place in places.items()}, rounds
        )
        saved = interleave(
            {s: timed(partial(change_one, vault)) for s, vault in vaults.items()}, rounds
        )
    rows = []
    for what, found in (("open and read", opened), ("change", saved)):
        rows += [
            Row(f"{what} one of {size:,}: file", other, found["file"], found[other])
            for other in ("SQLite", "Redis")
        ]
    return rows

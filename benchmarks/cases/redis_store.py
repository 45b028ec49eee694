"""A vault in Redis against the bare commands that its round trips are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.measure import interleave, timed
from benchmarks.places import Place, durable
from benchmarks.records import ACCOUNT, KEY, change, fill, put, record
from benchmarks.result import Result, Row
from interpal.vault import Vault
from tests.redis_server import RedisServer

if TYPE_CHECKING:
    from pathlib import Path

    from redis import Redis

    from benchmarks.cases import Scale

SWAP = """
if redis.call('HGET', KEYS[1], 'g') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'g', ARGV[2], 'd', ARGV[3])
return 1
"""

# As an administrator of docs/scaling.md has it.
SETTINGS = "appendonly yes\nappendfsync always\nmaxmemory-policy noeviction"


def run(scale: Scale, folder: Path) -> Result:
    rows: list[Row] = []
    facts: dict[str, Any] = {}
    with durable(folder) as places:
        for place in places:
            rows += _rows(scale, place, facts)
    return Result("redis", rows, {**facts, "settings": SETTINGS.splitlines()})


def _rows(scale: Scale, place: Place, facts: dict[str, Any]) -> list[Row]:
    with RedisServer(place.folder / "redis", settings=SETTINGS) as server:
        vault = Vault.open(server.url(), key=KEY, create=True)
        fill(vault, min(1000, scale.many))
        sample = record()
        admin = server.admin()
        size = _record_bytes(admin)
        content = bytes(size)
        admin.set("{bare}:get", content)
        admin.hset("{bare}:swap", mapping={"g": "1", "d": content})
        sha = str(admin.script_load(SWAP))
        generation = 1

        def get() -> None:
            admin.get("{bare}:get")

        def swap() -> None:
            nonlocal generation
            admin.evalsha(sha, 1, "{bare}:swap", str(generation), str(generation + 1), content)
            generation += 1

        def get_and_swap() -> None:
            get()
            swap()

        read = interleave(
            {"ours": timed(lambda: vault[ACCOUNT], 10), "get": timed(get, 10)}, scale.calls
        )
        save = interleave(
            {
                "put": timed(lambda: put(vault, ACCOUNT, sample), place.repeat),
                "change": timed(lambda: change(vault, ACCOUNT), place.repeat),
                "swap": timed(swap, place.repeat),
                "both": timed(get_and_swap, place.repeat),
            },
            scale.calls,
        )
        facts.update(redis=admin.info("server")["redis_version"], record_bytes=size)
        vault.close()
        admin.close()
    script, both = "a bare compare-and-set script", "a bare GET and that script"
    saved, changed = (
        f"Redis: {what}, {place.name}" for what in ("save one", "change one in a transaction")
    )
    rows = [
        Row(saved, script, save["put"], save["swap"], 1.5),
        Row(saved, both, save["put"], save["both"]),
        Row(changed, both, save["change"], save["both"], 2.2),
    ]
    if place.name == "disk":  # A read does not touch it.
        rows.insert(
            0,
            Row("Redis: read one", "a bare GET of the same bytes", read["ours"], read["get"], 1.6),
        )
    return rows


def _record_bytes(admin: Redis) -> int:
    """The size of a record as it is kept, so that the bare commands carry as many bytes."""
    kept: Any = admin.execute_command("KEYS", "*:r:*")  # type: ignore[no-untyped-call]
    return max(len(admin.execute_command("HGET", key, "d")) for key in kept[:10])  # type: ignore[no-untyped-call]

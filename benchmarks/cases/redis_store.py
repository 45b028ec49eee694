"""A vault in Redis against the bare commands that its round trips are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.measure import interleave, timed
from benchmarks.records import ACCOUNT, KEY, change, fill, put
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

# As an administrator of docs/scaling.md has it, but for the folder, which is on this disk.
SETTINGS = "appendonly yes\nappendfsync always\nmaxmemory-policy noeviction"


def run(scale: Scale, folder: Path) -> Result:
    with RedisServer(folder / "redis", settings=SETTINGS) as server:
        vault = Vault.open(server.url(), key=KEY, create=True)
        fill(vault, min(1000, scale.many))
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
                "put": timed(lambda: put(vault, ACCOUNT)),
                "change": timed(lambda: change(vault, ACCOUNT)),
                "swap": timed(swap),
                "both": timed(get_and_swap),
            },
            scale.calls,
        )
        facts = {"redis": admin.info("server")["redis_version"], "record_bytes": size}
        vault.close()
        admin.close()
    bare, both = "a bare compare-and-set script", "a bare GET and that script"
    changed = "Redis: change one in a transaction"
    rows = [
        Row("Redis: read one", "a bare GET of the same bytes", read["ours"], read["get"], 1.3),
        Row("Redis: save one", bare, save["put"], save["swap"], 1.3),
        Row("Redis: save one", both, save["put"], save["both"]),
        Row(changed, both, save["change"], save["both"]),
    ]
    return Result("redis", rows, {**facts, "settings": SETTINGS.splitlines()})


def _record_bytes(admin: Redis) -> int:
    """The size of a record as it is kept, so that the bare commands carry as many bytes."""
    kept: Any = admin.execute_command("KEYS", "*:r:*")  # type: ignore[no-untyped-call]
    return max(len(admin.execute_command("HGET", key, "d")) for key in kept[:10])  # type: ignore[no-untyped-call]

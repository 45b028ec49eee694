"""A vault in SQLite against sqlcipher at the same settings, and whether its cost is flat."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.children import Worker
from benchmarks.measure import Contestant, interleave, timed
from benchmarks.peers import secret_stores, versions
from benchmarks.places import Place, durable
from benchmarks.records import KEY, change, fill, names, put, record, records
from benchmarks.result import Result, Row
from interpal.vault import Vault

if TYPE_CHECKING:
    from benchmarks.cases import Scale

# The settings of `stores/sqlite/connections.py`: WAL, a sync at each commit, overwriting deletes.
SQLCIPHER = f"""
import json, os, sys
from sqlcipher3 import dbapi2
path, count = sys.argv[1], int(sys.argv[2])

def connect():
    link = dbapi2.connect(path, isolation_level=None)
    link.execute('''PRAGMA key = "x'{KEY.hex()}'"''')
    for setting in ("synchronous = FULL", "secure_delete = ON", "temp_store = MEMORY"):
        link.execute("PRAGMA " + setting)
    return link

kept = connect()
assert kept.execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal"
kept.execute("CREATE TABLE records (name TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID")
with open(path + ".records") as lines:
    kept.execute("BEGIN")
    kept.executemany("INSERT INTO records VALUES (?, ?)",
                     (line.rstrip("\\n").split("\\t") for line in lines))
    kept.execute("COMMIT")

def every_name():
    number = 0
    while True:
        yield f"account_{{number:06d}}" if number else "maple_ink"
        number = (number + 7919) % count

turn = every_name()

def get(link, name):
    return json.loads(link.execute("SELECT data FROM records WHERE name = ?",
                                   (name,)).fetchone()[0])

def read():
    get(kept, next(turn))

def save():
    record = dict(sample, note=os.urandom(4).hex())
    kept.execute("UPDATE records SET data = ? WHERE name = ?", (json.dumps(record), next(turn)))

def change():
    name = next(turn)
    kept.execute("BEGIN IMMEDIATE")
    record = get(kept, name)
    record["note"] = os.urandom(4).hex()
    kept.execute("UPDATE records SET data = ? WHERE name = ?", (json.dumps(record), name))
    kept.execute("COMMIT")

def open_and_read():
    link = connect()
    get(link, next(turn))
    link.close()

sample = get(kept, "maple_ink")
actions = dict(read=read, save=save, change=change, open=open_and_read)
"""

WHAT = {
    "read": "SQLite: read one of {count}",
    "save": "SQLite: save one of {count}",
    "change": "SQLite: change one of {count} in a transaction",
    "open": "SQLite: open and read one of {count}",
}
DURABLE = ("save", "change")
# What is to be reached, for the smallest number of accounts to the largest.
AT_MOST = {
    "read": (1.0, 1.0, 0.6),
    "save": (1.2, 1.2, 1.2),
    "change": (1.3, 1.3, 1.3),
    "open": (None, None, None),
}


def run(scale: Scale, folder: Path) -> Result:
    rows: list[Row] = []
    with durable(folder) as places:
        for place in places:
            rows += _rows(scale, place)
    return Result("sqlite", rows, {"peer": versions()[-1], "accounts": scale.accounts})


def _rows(scale: Scale, place: Place) -> list[Row]:
    counts = scale.accounts
    # A read does not touch the disk.
    actions = list(WHAT) if place.name == "disk" else list(DURABLE)
    found = {}
    with ExitStack() as stack:
        contestants: dict[str, dict[str, Contestant]] = {action: {} for action in WHAT}
        for count in counts:
            _enter(stack, place, count, contestants)
        for action in actions:
            found[action] = interleave(contestants[action], scale.calls)
    what = {
        action: f"{WHAT[action]}, {place.name}" if action in DURABLE else WHAT[action]
        for action in actions
    }
    rows = [
        Row(
            what=what[action].format(count=f"{count:,}"),
            against="sqlcipher at the same settings",
            ours=found[action][f"ours {count}"],
            floor=found[action][f"sqlcipher {count}"],
            at_most=at_most,
        )
        for action in actions
        for count, at_most in zip(counts, AT_MOST[action], strict=True)
    ]
    rows += [
        Row(
            what=what[action].format(count=f"{counts[-1]:,}"),
            against="the same with 1 account",
            ours=found[action][f"ours {counts[-1]}"],
            floor=found[action][f"ours {counts[0]}"],
            # Of one account the second read finds it unchanged: that is other work, not less.
            at_most=1.5 if place.name == "disk" and action != "read" else None,
        )
        for action in actions
    ]
    return rows


def _enter(
    stack: ExitStack, place: Place, count: int, contestants: dict[str, dict[str, Contestant]]
) -> None:
    """Make a vault and a sqlcipher database of *count* accounts, and what is done with both."""
    folder = place.folder
    url = f"sqlite:{folder}/vault-{count}.db"
    vault = stack.enter_context(Vault.open(url, key=KEY, create=True))
    fill(vault, count)
    cipher = folder / f"cipher-{count}.db"
    _write_lines(Path(f"{cipher}.records"), count)
    worker = stack.enter_context(
        Worker(folder, SQLCIPHER, str(cipher), str(count), python=secret_stores())
    )
    turn, sample = names(count), record()

    def open_and_read() -> None:
        with Vault.open(url, key=KEY) as other:
            other[next(turn)]

    ours = {
        "read": timed(lambda: vault[next(turn)], 10),
        "save": timed(lambda: put(vault, next(turn), sample), place.repeat),
        "change": timed(lambda: change(vault, next(turn)), place.repeat),
        "open": timed(open_and_read),
    }
    for action, mine in ours.items():
        contestants[action][f"ours {count}"] = mine
        repeat = {"read": 10, "open": 1}.get(action, place.repeat)
        contestants[action][f"sqlcipher {count}"] = worker.contestant(action, repeat)


def _write_lines(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as lines:
        for name, content in records(count).items():
            lines.write(f"{name}\t{json.dumps(content, separators=(',', ':'))}\n")

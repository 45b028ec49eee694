"""Where the time goes: the steps of a whole process that resumes, and of reading one record."""

from __future__ import annotations

import binascii
import json
import re
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.cases.resuming import IMPORTS, OURS
from benchmarks.children import Program
from benchmarks.measure import Spread, interleave, timed
from benchmarks.records import ACCOUNT, KEY, vault_file
from benchmarks.result import Result, Row
from interpal.vault import Vault
from interpal.vault.format import envelope, jwe
from interpal.vault.format.payload import decode_payload
from interpal.vault.keys.sources import find_source
from interpal.vault.keys.unlock import SlotOpener
from interpal.vault.stores.file import FileStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.cases import Scale

_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")

# The first use of a cipher loads OpenSSL's provider, which the imports alone do not.
_FIRST_USE = (
    IMPORTS
    + """
import time
start = time.perf_counter()
AESGCM(bytes(32))
print(time.perf_counter() - start)
"""
)


def run(scale: Scale, folder: Path) -> Result:
    rows = _resume(scale, folder)
    for count in (1, scale.many):
        rows += _read(scale, folder, count)
    return Result("steps", rows)


def _resume(scale: Scale, folder: Path) -> list[Row]:
    rounds = max(1, scale.processes // 3)
    path = str(vault_file(folder, 1))
    whole = interleave({"ours": Program(folder, OURS, path).seconds()}, rounds)["ours"]
    ours, floor = (_import_times(folder, source, path, rounds=rounds) for source in (OURS, IMPORTS))
    more = {name: seconds for name, seconds in ours.items() if name not in floor}
    own = {name: seconds for name, seconds in more.items() if _package(name) == "interpal"}
    crypto = {name: seconds for name, seconds in more.items() if _package(name) == "cryptography"}
    library = more.keys() - own.keys() - crypto.keys()
    first = Program(folder, _FIRST_USE)
    steps = {
        "import what the floor imports too": _one(sum(floor.values())),
        f"import {len(own)} modules of interpal": _one(sum(own.values())),
        f"import {len(library)} more of the standard library": _one(
            sum(more[name] for name in library)
        ),
        "import HMAC and key wrap of cryptography": _one(sum(crypto.values())),
        "first use of OpenSSL": interleave({"": lambda: float(first.run())}, rounds)[""],
    }
    return [Row(f"resume: {step}", "the whole process", s, whole) for step, s in steps.items()]


def _import_times(folder: Path, source: str, *arguments: str, rounds: int) -> dict[str, float]:
    """Seconds that each module takes by itself (`-X importtime`): the median of all rounds."""
    program = Program(folder, source, *arguments, options=("-X", "importtime"))
    samples: dict[str, list[float]] = {}
    for _ in range(rounds):
        for line in program.run_and_hear().splitlines():
            found = _LINE.match(line)
            if found:
                samples.setdefault(found[2], []).append(int(found[1]) / 1e6)
    return {name: median(found) for name, found in samples.items()}


def _read(scale: Scale, folder: Path, count: int) -> list[Row]:
    path = vault_file(folder, count)
    store = FileStore(path)
    stored = store.load()
    assert stored is not None
    data = stored.reveal()
    parsed = envelope.parse(data)
    source = find_source(None, KEY)
    vault_key = SlotOpener(source).open(parsed.header)
    plaintext = jwe.text_of(jwe.unseal_content(parsed.sealed, vault_key))
    assert plaintext is not None
    encoded = binascii.b2a_base64(parsed.sealed.ciphertext)

    def open_and_read() -> None:
        with Vault.open(path, key=KEY) as vault:
            vault[ACCOUNT]

    actions: dict[str, Callable[[], object]] = {
        "": open_and_read,
        "read the file, checks included": store.load,
        "parse the envelope": lambda: envelope.parse(data),
        "(of that, base64 alone)": lambda: binascii.a2b_base64(encoded),
        "open the slot, check the key": lambda: SlotOpener(source).open(parsed.header),
        "decrypt the content": lambda: jwe.text_of(jwe.unseal_content(parsed.sealed, vault_key)),
        "parse and check the content": lambda: decode_payload(plaintext),
        "(of that, json.loads alone)": lambda: json.loads(plaintext.reveal()),
    }
    repeat, rounds = (20, scale.calls) if count == 1 else (1, max(2, scale.calls // 6))
    found = interleave({name: timed(action, repeat) for name, action in actions.items()}, rounds)
    whole = found.pop("")
    what = f"file: open and read one of {count:,}"
    return [Row(f"{what}: {step}", "the whole", took, whole) for step, took in found.items()]


def _package(module: str) -> str:
    return module.partition(".")[0]


def _one(seconds: float) -> Spread:
    return Spread(seconds, seconds, seconds, 1)

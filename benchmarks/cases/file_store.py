"""A vault in a file: open and read one account, change one durably, of one and of very many."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.children import PRINT_PEAK, Program
from benchmarks.measure import Spread, interleave, timed
from benchmarks.places import Place, durable
from benchmarks.records import ACCOUNT, KEY, change, payload, vault_file
from benchmarks.result import Result, Row
from interpal.vault import Vault

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.cases import Scale


class Floor:
    """The least that an encrypted file costs: AES-GCM and json, and the disk."""

    def __init__(self, folder: Path, count: int, file_bytes: int) -> None:
        self._folder = folder
        self._cipher_key = bytes(32)
        self._nonce = bytes(12)
        sealed = AESGCM(self._cipher_key).encrypt(self._nonce, payload(count), None)
        self._sealed = sealed
        self._path = folder / f"floor-{count}"
        self._path.write_bytes(sealed)
        # What the disk gets is the vault's own size, base64 and header included.
        self._file_bytes = bytes(file_bytes)

    def read(self) -> dict[str, dict[str, object]]:
        """Decrypt and parse what is in memory."""
        data = AESGCM(self._cipher_key).decrypt(self._nonce, self._sealed, None)
        found: dict[str, dict[str, object]] = json.loads(data)["records"]
        return found

    def read_file(self) -> None:
        """Read a file, decrypt and parse."""
        with open(self._path, "rb", buffering=0) as file:
            sealed = file.read()
        data = AESGCM(self._cipher_key).decrypt(self._nonce, sealed, None)
        json.loads(data)

    def write(self) -> None:
        """write, fsync, rename, fsync of the folder."""
        temporary = f"{self._path}.tmp"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.write(fd, self._file_bytes)
        os.fsync(fd)
        os.close(fd)
        os.replace(temporary, f"{self._path}.written")
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(folder)
        os.close(folder)

    def update(self) -> None:
        """Decrypt and parse, change one, dump and encrypt, and put it on the disk."""
        found = self.read()
        found[ACCOUNT]["note"] = "changed"
        data = json.dumps({"records": found}, ensure_ascii=False, separators=(",", ":"))
        AESGCM(self._cipher_key).encrypt(self._nonce, data.encode(), None)
        self.write()

    def read_and_write(self) -> None:
        """Decrypt and parse, and put bytes of the same number on the disk."""
        self.read()
        self.write()


# A process that opens a vault and reads one account of it.
OPENS = f"""
import sys
from interpal.vault import Vault
with Vault.open(sys.argv[1], key={KEY!r}) as vault:
    vault[{ACCOUNT!r}]
{PRINT_PEAK}
"""


def run(scale: Scale, folder: Path) -> Result:
    counts = (1, scale.many)
    rows = [row for count in counts for row in _reading(scale, folder, count)]
    rows.append(_memory(scale, folder))
    with durable(folder) as places:
        rows += [row for place in places for n in counts for row in _changing(scale, place, n)]
    return Result("file", rows, {"record_bytes": len(payload(1)), "many": scale.many})


def _reading(scale: Scale, folder: Path, count: int) -> list[Row]:
    few = count == 1
    path = vault_file(folder, count)
    floor = Floor(folder, count, path.stat().st_size)
    repeat, rounds = (20, scale.calls) if few else (1, max(2, scale.calls // 3))
    name = f"{count:,}"

    def open_and_read() -> None:
        with Vault.open(path, key=KEY) as vault:
            vault[ACCOUNT]

    # Of a file that was saved a moment ago it cannot be told whether it is unchanged.
    time.sleep(2.5)
    vault = Vault.open(path, key=KEY)
    read = interleave(
        {
            # Short samples: what else runs is to interrupt both sides alike.
            "ours": timed(open_and_read, 5 if few else 1),
            "memory": timed(floor.read, repeat),
            "file": timed(floor.read_file, repeat),
            "again": timed(lambda: vault[ACCOUNT], repeat),
        },
        rounds,
    )
    vault.close()
    what = f"file, raw key: open and read one of {name}"
    in_memory = "AES-GCM + json of the same bytes, in memory"
    return [
        Row(what, in_memory, read["ours"], read["memory"], at_most=16 if few else 2),
        Row(what, "the same, read from a file", read["ours"], read["file"]),
        Row(
            f"file: read one of {name} again, vault open", in_memory, read["again"], read["memory"]
        ),
    ]


def _memory(scale: Scale, folder: Path) -> Row:
    path = vault_file(folder, scale.many)
    time.sleep(2.5)  # As above: else it is read a second time, to see whether it is the same.
    opens = Program(folder, OPENS, str(path))
    peak = interleave({"": opens.peak_memory()}, max(1, scale.processes // 12))[""]
    size = path.stat().st_size / 2**20
    return Row(
        what=f"file: most memory of a process that opens a vault of {scale.many:,}",
        against="the size of the file",
        ours=peak,
        floor=Spread(size, size, size, 1),
        at_most=6,
        unit="MiB",
    )


def _changing(scale: Scale, place: Place, count: int) -> list[Row]:
    few = count == 1
    path = vault_file(place.folder, count)
    floor = Floor(place.folder, count, path.stat().st_size)
    with Vault.open(path, key=KEY) as vault:
        repeat = place.repeat if few else 1
        save = interleave(
            {
                "ours": timed(lambda: change(vault, ACCOUNT), repeat),
                "both": timed(floor.update, repeat),
                "read": timed(floor.read_and_write, repeat),
                "disk": timed(floor.write, repeat),
            },
            scale.calls if few else max(2, scale.calls // 3),
        )
    what = f"file: change one of {count:,}, {place.name}"
    return [
        Row(
            what=what,
            against="AES-GCM + json both ways, write + fsync + rename + fsync",
            ours=save["ours"],
            floor=save["both"],
            at_most=1.5,
        ),
        Row(what, "the same with the reading half alone", save["ours"], save["read"]),
        Row(what, "write + fsync + rename + fsync alone", save["ours"], save["disk"]),
    ]

"""K: every bit of three vaults turned, every truncation, and slots that ask for the impossible."""

from __future__ import annotations

import json
import os
import resource
from typing import TYPE_CHECKING, NamedTuple

from interpal.exceptions import (
    KeyRequiredError,
    VaultCorruptError,
    VaultError,
    VaultFormatError,
    VaultLimitError,
    WrongKeyError,
)
from interpal.vault.format.jwe import b64decode, b64encode
from interpal.vault.format.key_slots import KdfParameters
from interpal.vault.health import report
from interpal.vault.stores.file import FileStore
from interpal.vault.vault import Vault
from tests.reliability import Row, spread
from tests.reliability.children import in_child, scratch
from tests.reliability.subjects import CANARY, KEY, path_in

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSPHRASE = "maple syrup on paper"
_REFUSALS = (KeyRequiredError, VaultCorruptError, VaultFormatError, WrongKeyError)
_GIB = 1024 * 1024
"""In KiB, as Argon2id counts."""

# Beyond a bound of FORMAT.md section 6: memory in KiB, passes, lanes, and of how many slots.
EXCESSIVE = [
    (_GIB + 1, 1, 1, 1),
    (4 * _GIB, 1, 4, 1),
    (2**31, 1, 1, 1),
    (2**32 - 1, 1, 1, 1),
    (2**53, 1, 1, 1),
    (8, 17, 1, 1),
    (8, 2**32, 1, 1),
    (8 * 17, 1, 17, 1),
    (2**30, 1, 2**24, 1),
    (7, 1, 1, 1),
    (64, 1, 9, 1),
    (8, 0, 1, 1),
    (8, 1, 0, 1),
    (_GIB, 5, 1, 1),
    (_GIB // 2, 9, 1, 1),
    (300_000, 16, 4, 1),
    (_GIB, 4, 1, 3),
    (_GIB, 2, 4, 5),
    (_GIB // 2, 4, 4, 8),
]


class Sample(NamedTuple):
    """A vault on disk, and what opens it."""

    name: str
    folder: str
    passphrase: str | None
    data: bytes

    def open(self) -> Vault:
        if self.passphrase is not None:
            return Vault.open(path_in(self.folder), passphrase=self.passphrase)
        return Vault.open(path_in(self.folder), key=KEY)

    def put(self, data: bytes) -> None:
        with open(path_in(self.folder), "wb") as file:
            file.write(data)


def run(*, full: bool) -> Iterator[Row]:
    with scratch() as place:
        bits = same = cuts = 0
        samples = make_samples(place)
        for sample in samples:
            content = _content(sample)
            for bit in spread(8 * len(sample.data), None if full else 400):
                harmed = bytearray(sample.data)
                harmed[bit // 8] ^= 1 << bit % 8
                bits += 1
                same += not refused(sample, bytes(harmed), content, f"bit {bit}")
            for length in spread(len(sample.data), None if full else 60):
                cuts += 1
                whole = not refused(sample, sample.data[:length], content, f"{length} bytes")
                assert not whole or not sample.data[length:].strip(), f"{length} bytes are taken"
        yield Row(
            "K",
            f"every bit of {len(samples)} vaults turned, opened and inspected",
            bits,
            f"{bits - same:,} refused, {same} of white space with the same content",
        )
        yield Row("K", "every truncation", cuts, "refused, but for the newline at the end")
        yield Row(
            "K",
            "slots that ask for more than FORMAT.md section 6 allows",
            excessive(samples[1]),
            "refused before a derivation, in less than 32 MiB and 0.5 s",
        )


def make_samples(place: str) -> list[Sample]:
    """A vault with a key, one with a passphrase, and an indented one with a slot of each kind."""
    samples = []
    for name in ("key", "passphrase", "both, indented"):
        folder = os.path.join(place, name[:4])
        os.mkdir(folder, 0o700)
        passphrase = None if name == "key" else PASSPHRASE
        kdf = KdfParameters.INSECURE_FOR_TESTS
        with Vault.open(
            path_in(folder),
            passphrase=passphrase,
            key=KEY if passphrase is None else None,
            create=True,
            kdf=None if passphrase is None else kdf,
        ) as vault:
            vault["maple_ink"] = {"session_cookie": CANARY}
            if name.startswith("both"):
                vault.add_slot(key=KEY, kid="second")
        with open(path_in(folder), "rb") as file:
            data = file.read()
        if name.startswith("both"):
            data = json.dumps(json.loads(data), indent=2).encode() + b"\n"
        samples.append(Sample(name, folder, passphrase, data))
        samples[-1].put(data)
    return samples


def _content(sample: Sample) -> tuple[object, ...]:
    with sample.open() as vault:
        return vault.id, vault.generation, dict(vault.snapshot()), dict(vault.attempts)


def refused(sample: Sample, data: bytes, content: tuple[object, ...], where: str) -> bool:
    """Whether *data* is refused. AssertionError where it opens with other content."""
    sample.put(data)
    store = FileStore(path_in(sample.folder))
    try:
        report.describe(store, report.load(store))
    except VaultFormatError:
        pass
    try:
        found = _content(sample)
    except _REFUSALS:
        return True
    assert found == content, f"{sample.name}, {where}: other content was taken"
    return False


def excessive(sample: Sample) -> int:
    """Slots with costs that no slot may have are refused at once; how many were tried."""
    for memory, passes, lanes, slots in EXCESSIVE:
        sample.put(_with_cost(sample.data, memory, passes, lanes, slots))

        def work() -> str:
            before = resource.getrusage(resource.RUSAGE_SELF)
            try:
                sample.open()
            except VaultError as error:
                outcome = "limit" if isinstance(error, VaultLimitError) else repr(error)
            else:
                outcome = "opened"
            after = resource.getrusage(resource.RUSAGE_SELF)
            assert after.ru_maxrss - before.ru_maxrss < 32 * 1024, "it took the memory"
            assert after.ru_utime - before.ru_utime < 0.5, "it took its time"
            return outcome

        said = in_child(work).said
        assert said == "limit", f"{memory} KiB, {passes} passes, {lanes} lanes, {slots}: {said}"
    return len(EXCESSIVE)


def _with_cost(data: bytes, memory: int, passes: int, lanes: int, slots: int) -> bytes:
    """The vault with *slots* copies of its slot, each of this cost."""
    outer = json.loads(data)
    header = json.loads(b64decode(outer["protected"]))
    protected, *rest = header["vault"]["slots"][0].split(".")
    made = []
    for number in range(slots):
        slot = json.loads(b64decode(protected))
        slot["kid"] = f"slot-{number}"
        slot["kdf"].update(m=memory, t=passes, p=lanes)
        made.append(".".join([b64encode(json.dumps(slot).encode()), *rest]))
    header["vault"]["slots"] = made
    outer["protected"] = b64encode(json.dumps(header).encode())
    return json.dumps(outer).encode()

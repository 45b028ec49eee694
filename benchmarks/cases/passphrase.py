"""Opening a vault with a passphrase, against the one Argon2id that nobody can save."""

from __future__ import annotations

from typing import TYPE_CHECKING

from argon2.low_level import Type, hash_secret_raw

from benchmarks.measure import interleave, timed
from benchmarks.records import fill
from benchmarks.result import Result, Row
from interpal.vault import KdfParameters, Vault

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.cases import Scale

PASSPHRASE = "correct horse battery staple"


def run(scale: Scale, folder: Path) -> Result:
    path = folder / "passphrase_session.json"
    with Vault.open(path, passphrase=PASSPHRASE, create=True) as vault:
        fill(vault, 1)
    kdf = KdfParameters.DEFAULT

    def derive() -> None:
        hash_secret_raw(
            secret=PASSPHRASE.encode(),
            salt=bytes(16),
            time_cost=kdf.passes,
            memory_cost=kdf.memory_kib,
            parallelism=kdf.lanes,
            hash_len=32,
            type=Type.ID,
        )

    def open_vault() -> None:
        Vault.open(path, passphrase=PASSPHRASE).close()

    found = interleave({"ours": timed(open_vault), "bare": timed(derive)}, scale.derivations)
    row = Row(
        what="open with a passphrase, default cost",
        against="one Argon2id of the same numbers",
        ours=found["ours"],
        floor=found["bare"],
        at_most=1.05,
    )
    facts = {"argon2id": {"memory_kib": kdf.memory_kib, "passes": kdf.passes, "lanes": kdf.lanes}}
    return Result("passphrase", [row], facts)

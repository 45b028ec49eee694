"""The verb `benchmark`: what each profile of Argon2id takes on this machine."""

from __future__ import annotations

import os
from statistics import median
from time import perf_counter
from typing import Any

import click

from interpal._hidden import Hidden
from interpal.exceptions import VaultLimitError
from interpal.vault.cli import opening, output
from interpal.vault.cli.app import cli, json_option
from interpal.vault.cli.formatting import Cell
from interpal.vault.format.key_slots import KdfParameters, derive_key
from interpal.vault.health import guessing
from interpal.vault.keys.memory import check_memory

PROFILES = ("low-memory", "default", "strong")


@cli.command("benchmark")
@click.option(
    "--at-most",
    "seconds",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="How long opening the vault may take.",
)
@json_option
def benchmark_verb(seconds: float, as_json: bool) -> None:
    """Measure Argon2id here, and suggest a profile.

    Derives a key three times with each profile and shows the median, the memory that it takes
    while it runs, and how many random words a passphrase needs with it. The suggestion is the
    strongest profile that opens a vault within SECONDS. Needs no vault and changes nothing.

    \b
    Example:
      interpal-vault benchmark --at-most 0.5
    """
    rows = [_measured(name) for name in PROFILES]
    within = [row for row in rows if row["seconds"] is not None and row["seconds"] <= seconds]
    suggested = within[-1]["profile"] if within else None
    if as_json:
        output.put_json({"profiles": rows, "at_most_seconds": seconds, "suggested": suggested})
        return
    output.put_table(
        ("Profile", "Memory", "Passes", "Lanes", "Opens in", "Words"),
        [
            [
                Cell(row["profile"], "bold"),
                f"{row['memory_kib'] // 1024} MiB",
                str(row["passes"]),
                str(row["lanes"]),
                "too little memory" if row["seconds"] is None else _shown(row["seconds"]),
                str(row["words"]),
            ]
            for row in rows
        ],
    )
    if suggested is None:
        output.say(f"None of them opens a vault within {seconds:g} s here. Use a raw key instead.")
    else:
        output.say(
            f"Suggested: {suggested}, the strongest that takes at most {seconds:g} s here. "
            f"Use it with `interpal-vault passwd --profile {suggested}`."
        )


def _measured(name: str) -> dict[str, Any]:
    kdf = opening.profile(name) or KdfParameters.DEFAULT
    try:
        check_memory(kdf.memory_kib)
        took: float | None = median(_seconds(kdf) for _ in range(3))
    except VaultLimitError:
        took = None
    return {
        "profile": name,
        **kdf._asdict(),
        "seconds": None if took is None else round(took, 4),
        "bits": guessing.bits_needed(kdf),
        "words": guessing.words_needed(kdf),
    }


def _seconds(kdf: KdfParameters) -> float:
    start = perf_counter()
    derive_key(Hidden(b"a passphrase of no vault"), os.urandom(16), kdf)
    return perf_counter() - start


def _shown(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"

"""What it costs to guess a passphrase, and how long one has to be.

Somebody who has the file guesses at home, without a lock-out: what holds them up is Argon2id
alone. The speeds were measured by `python -m benchmarks.guesses`, the prices are assumptions;
docs/passphrases.md has both, and a test compares them. No GPU and no special hardware was
measured: `MARGIN_BITS` is a reserve for them, not a result.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from interpal.vault.format.key_slots import KdfParameters

if TYPE_CHECKING:
    from collections.abc import Mapping

MEASURED: Mapping[KdfParameters, float] = {
    KdfParameters.DEFAULT: 3.24,
    KdfParameters.STRONG: 0.84,
    KdfParameters.LOW_MEMORY: 26.84,
}
"""Guesses in a second of one core of an Intel Xeon, while all cores guess, by profile."""

ELECTRICITY_USD_PER_KWH = 0.10
WATTS_PER_CORE = 10.0
RENT_USD_PER_CORE_HOUR = 0.01
BUDGET_USD = 1_000_000
"""What a guesser would spend: a passphrase holds that makes half of its guesses cost as much."""

MARGIN_BITS = 10
"""For hardware that is faster for the same money: a factor of a thousand."""

WORDS_IN_LIST = 7776
"""Of a list for five dice, such as the EFF's."""


def guesses_per_second(kdf: KdfParameters) -> float:
    """Of one core; of settings that are no profile by what they cost beside the nearest one."""
    if kdf in MEASURED:
        return MEASURED[kdf]
    near = min(MEASURED, key=lambda known: abs(math.log(known.cost / kdf.cost)))
    return MEASURED[near] * near.cost / kdf.cost


def usd_per_core_hour(*, rented: bool) -> float:
    """The price of a core for an hour: rented, or the electricity of one that is there."""
    if rented:
        return RENT_USD_PER_CORE_HOUR
    return WATTS_PER_CORE / 1000 * ELECTRICITY_USD_PER_KWH


def bits_bought(kdf: KdfParameters, *, rented: bool) -> float:
    """How many bits `BUDGET_USD` searches on average, which is half of all the guesses."""
    hours = BUDGET_USD / usd_per_core_hour(rented=rented)
    return math.log2(hours * 3600 * guesses_per_second(kdf)) + 1


def bits_needed(kdf: KdfParameters) -> int:
    """The bits of a passphrase that holds: those at the lower price, and the margin."""
    return math.ceil(bits_bought(kdf, rented=False) + MARGIN_BITS)


def words_needed(kdf: KdfParameters) -> int:
    """How many words, drawn at random from a list, have as many bits."""
    return math.ceil(bits_needed(kdf) / math.log2(WORDS_IN_LIST))


def advice(kdf: KdfParameters) -> str:
    """The same in a sentence."""
    return (
        f"with these settings of Argon2id a passphrase should have {bits_needed(kdf)} bits: "
        f"{words_needed(kdf)} words drawn at random from a list of {WORDS_IN_LIST:,}"
    )

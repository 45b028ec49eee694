"""The verb `benchmark`, and what it, `passwd` and `doctor` say of a passphrase."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from interpal.exceptions import VaultLimitError
from interpal.vault import KdfParameters
from interpal.vault.cli import benchmark
from interpal.vault.cli import run as run_here
from interpal.vault.health import guessing
from tests.cli import WITH_KEY, Program
from tests.cli.test_matrix import LOW, WITH_OLD, locked

if TYPE_CHECKING:
    from pathlib import Path


def test_the_strongest_profile_within_the_time_is_suggested(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmark, "_seconds", lambda kdf: kdf.cost / 262144)
    assert run_here(["benchmark"]) == 0
    shown = capsys.readouterr()
    assert "750 ms" in shown.out
    assert "3.00 s" in shown.out
    assert "Suggested: default," in shown.err
    assert run_here(["benchmark", "--at-most", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["suggested"] == "strong"


def test_a_raw_key_is_suggested_where_no_profile_is_fast_enough(run: Program) -> None:
    done = run("benchmark", "--at-most", "0.000001")
    assert done.code == 0
    assert "Use a raw key instead" in done.err


def test_a_profile_that_wants_more_memory_than_there_is_is_not_tried(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(needed_kib: int) -> None:
        if needed_kib > 100_000:
            raise VaultLimitError("not so much")

    monkeypatch.setattr(benchmark, "check_memory", check)
    monkeypatch.setattr(benchmark, "_seconds", lambda kdf: 0.1)
    assert run_here(["benchmark"]) == 0
    shown = capsys.readouterr()
    assert "too little memory" in shown.out
    assert "Suggested: default," in shown.err


def test_passwd_doctor_and_benchmark_say_the_same(run: Program, tmp_path: Path) -> None:
    locked(tmp_path)
    changed = json.loads(run("passwd", *LOW.split(), "--json", env=WITH_OLD).out)
    (told,) = json.loads(run("doctor", "--json", env=WITH_OLD).out)["passphrases"]
    rows = json.loads(run("benchmark", "--json").out)["profiles"]
    low = next(row for row in rows if row["profile"] == "low-memory")
    said = {(each["bits"], each["words"]) for each in (changed, told, low)}
    assert said == {(guessing.bits_needed(KdfParameters.LOW_MEMORY), 5)}


def test_doctor_says_nothing_of_the_slots_of_a_vault_that_it_cannot_read(
    run: Program, tmp_path: Path
) -> None:
    (tmp_path / ".interpals_session.json").write_text("{")
    done = run("doctor", "--json", env=WITH_KEY)
    assert done.code == 1
    assert json.loads(done.out)["passphrases"] == []


def test_settings_that_are_no_profile_are_judged_by_what_they_cost() -> None:
    default, twice = KdfParameters.DEFAULT, KdfParameters(65536, 6, 4)
    assert guessing.guesses_per_second(twice) == guessing.guesses_per_second(default) / 2
    assert guessing.bits_needed(twice) < guessing.bits_needed(KdfParameters.LOW_MEMORY)


def test_a_bit_more_is_what_twice_the_money_searches() -> None:
    kdf = KdfParameters.DEFAULT
    cheaper = guessing.bits_bought(kdf, rented=False) - guessing.bits_bought(kdf, rented=True)
    ratio = guessing.usd_per_core_hour(rented=True) / guessing.usd_per_core_hour(rented=False)
    assert 2**cheaper == pytest.approx(ratio)

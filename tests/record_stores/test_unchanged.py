"""A record is opened once while nobody writes; what another writes is always seen."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from interpal.exceptions import VaultError
from interpal.vault.core import records_apart
from tests.vault import KEY

if TYPE_CHECKING:
    from tests.vault.places import Place


def test_a_record_is_opened_once_while_it_is_the_same(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.new({"a": {"n": 1}, "b": {"n": 2}})
    vault = place.open()
    assert dict(vault["a"]) == {"n": 1}
    place.open()["b"] = {"n": 3}
    monkeypatch.setattr(records_apart.RecordsApart, "_open", None)
    assert [dict(vault["a"]) for _ in range(3)] == [{"n": 1}] * 3


def test_what_another_handle_writes_is_seen_at_once(place: Place) -> None:
    one, other = place.new({"a": {"n": 0}}), place.open()
    for number in range(1, 30):
        writer, reader = (one, other) if number % 2 else (other, one)
        writer["a"] = {"n": number}
        assert dict(reader["a"]) == {"n": number}
        with reader.transaction() as records:
            assert records["a"] == {"n": number}
            records["a"]["seen"] = True
        assert dict(writer["a"]) == {"n": number, "seen": True}


def test_what_another_process_writes_is_seen_at_once(place: Place) -> None:
    vault = place.new({"a": {"n": 0}})
    program = (
        "import sys; from interpal.vault import Vault\n"
        f"vault = Vault.open(sys.argv[1], key={KEY!r})\n"
        "for line in sys.stdin:\n"
        "    vault['a'] = {'n': int(line)}; print('done', flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, place.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(1, 10):
            print(number, file=process.stdin, flush=True)
            assert process.stdout.readline() == "done\n"
            assert dict(vault["a"]) == {"n": number}
        process.stdin.close()


def test_a_save_over_one_that_another_made_meanwhile_is_not_lost(place: Place) -> None:
    one, other = place.new({"a": {"n": 0}}), place.open()
    assert dict(one["a"]) == {"n": 0}
    other["a"] = {"n": 1}
    one["a"] = {"n": 0}  # the same as it knows, and another than there is
    assert dict(other["a"]) == {"n": 0}
    del other["a"]
    with pytest.raises(KeyError):
        del one["a"]
    one["a"] = {"n": 2}
    assert dict(other["a"]) == {"n": 2}


def test_what_is_known_is_bounded_and_gone_when_the_vault_is_closed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_apart, "_MOST_KNOWN", 3)
    vault = place.new({f"n{number}": {"n": number} for number in range(9)})
    assert all(dict(vault[f"n{number}"]) == {"n": number} for number in range(9))
    assert vault._records_apart is not None
    memory = vault._records_apart._memory
    assert 0 < len(memory._known) <= 3
    vault.close()
    assert len(memory._known) == 0
    with pytest.raises(VaultError, match="closed"):
        vault["n1"]

"""What this package wrote is read by comparing; the parser says the same of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from interpal._hidden import Hidden
from interpal.exceptions import VaultError
from interpal.vault.format import envelope, header, key_slots
from interpal.vault.format.key_slots import KdfParameters
from tests.format.small import SmallVault, make_slot

if TYPE_CHECKING:
    import pytest

VAULT = SmallVault.make()
DATA = VAULT.seal()


def parsed(data: bytes) -> envelope.Envelope | str:
    try:
        return envelope.parse(data)
    except VaultError as error:
        return f"{type(error).__name__}: {error}"


def by_the_parser(data: bytes, monkeypatch: pytest.MonkeyPatch) -> envelope.Envelope | str:
    with monkeypatch.context() as patch:
        patch.setattr(envelope, "_own_parts", lambda _text: None)
        patch.setattr(envelope, "_own_header", lambda _protected: None)
        patch.setattr(key_slots, "_own_slot", lambda _text, _sealed: None)
        return parsed(data)


def test_what_was_written_is_taken_without_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    kdf = KdfParameters.INSECURE_FOR_TESTS
    slot = make_slot(
        VAULT.vault_key, VAULT.header.id, VAULT.key, kid="two", kdf=kdf, salt=bytes(16)
    )
    two = VAULT._replace(header=VAULT.header._replace(slots=(*VAULT.header.slots, slot)))
    for data in (DATA, two.seal()):
        expected = by_the_parser(data, monkeypatch)
        monkeypatch.setattr(header, "json_object", None)
        assert parsed(data) == expected
        monkeypatch.undo()


@given(st.integers(0, len(DATA) - 1), st.binary(min_size=0, max_size=3))
@settings(max_examples=300, deadline=None)
def test_whatever_is_changed_both_say_the_same(at: int, other: bytes) -> None:
    from _pytest.monkeypatch import MonkeyPatch

    changed = DATA[:at] + other + DATA[at + 1 :]
    assert parsed(changed) == by_the_parser(changed, MonkeyPatch())


def test_a_file_with_spaces_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    spaced = json.dumps(json.loads(DATA), indent=2).encode()
    assert envelope._own_parts(Hidden(spaced)) is None
    assert parsed(spaced) == parsed(DATA)

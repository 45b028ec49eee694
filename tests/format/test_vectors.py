"""Every vector, by open, by a look without the key, and by round trip."""

from __future__ import annotations

import json
from typing import Any

import pytest

from interpal._hidden import Hidden
from interpal.exceptions import InterpalException, VaultFormatError
from interpal.vault.format import envelope, jwe
from tests.format import make_vectors
from tests.format.opening import error_name, load_vectors, open_vault, open_vector

ALL = load_vectors()
SOUND = {name: vector for name, vector in ALL.items() if "records" in vector["expect"]}
FAULTY = {name: vector for name, vector in ALL.items() if "error" in vector["expect"]}

Vector = dict[str, Any]


def each(vectors: dict[str, Vector]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors.values(), ids=vectors.keys())


@each(SOUND)
def test_a_sound_vault_opens_to_its_records(vector: Vector) -> None:
    payload, expected = open_vector(vector).payload, vector["expect"]
    assert payload.records == expected["records"]
    if "attempts" in expected:
        assert payload.attempts == expected["attempts"]
    if "salt" in expected:
        assert payload.salt == jwe.b64decode(expected["salt"])


@each(FAULTY)
def test_a_faulty_vault_is_refused_with_its_error(vector: Vector) -> None:
    with pytest.raises(InterpalException) as caught:
        open_vector(vector)
    assert error_name(caught.value) == vector["expect"]["error"]
    assert caught.value.__cause__ is None


@each(ALL)
def test_a_look_without_the_key_tells_what_needs_none(vector: Vector) -> None:
    data = vector["file"].encode()
    # The sum over slots is a bound on trying them, so a look alone does not meet it.
    if vector["expect"].get("error") in {"format", "version", "limit"} and (
        "to try them all" not in vector["comment"]
    ):
        with pytest.raises(VaultFormatError):
            envelope.parse(data)
    else:
        header = envelope.parse(data).header
        assert header.generation == 1
        assert header.slots


@each(SOUND)
def test_a_vault_written_back_unchanged_keeps_its_members_to_the_letter(vector: Vector) -> None:
    data = vector["file"].encode()
    again = envelope.to_bytes(envelope.parse(data))
    assert json.loads(again) == json.loads(data)
    assert again.endswith(b"}\n")
    assert envelope.parse(again) == envelope.parse(data)


@each(SOUND)
def test_a_vault_sealed_again_holds_the_same(vector: Vector) -> None:
    opened = open_vector(vector)
    data = envelope.seal(
        opened.envelope.header._replace(generation=2),
        opened.payload,
        opened.vault_key,
        content_key=Hidden(bytes(32)),
        iv=bytes(12),
    )
    again = open_vault(data, key=vector.get("key"), passphrase=vector.get("passphrase"))
    assert again.payload == opened.payload
    assert again.envelope.header == opened.envelope.header._replace(generation=2)


def test_the_vectors_are_what_their_maker_makes() -> None:
    made = dict(make_vectors.vectors())
    assert len(made) > 100
    assert {name: ALL[name] for name in made} == made


def test_every_vector_has_a_comment_and_one_secret() -> None:
    for vector in ALL.values():
        assert vector["comment"]
        assert ("key" in vector) != ("passphrase" in vector)

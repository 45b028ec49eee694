"""Key slots and the numbers of Argon2id."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpal._hidden import Hidden
from interpal.exceptions import ValidationError, VaultCorruptError, VaultFormatError
from interpal.vault.format import envelope, jwe, key_slots
from interpal.vault.format.key_slots import KdfParameters
from tests.format.opening import load_vectors, open_vault
from tests.format.small import SmallVault, make_slot

LOW = KdfParameters.LOW_MEMORY
VAULT_ID = bytes(16)


def test_a_slot_gives_the_vault_key_to_its_owner_and_to_nobody_else() -> None:
    vault_key, key = os.urandom(32), os.urandom(32)
    slot = key_slots.parse_slot(make_slot(vault_key, VAULT_ID, key).text)
    opened = key_slots.open_slot(slot, Hidden(key))
    assert opened is not None
    assert opened.reveal() == vault_key
    assert isinstance(opened, Hidden)
    assert key_slots.open_slot(slot, Hidden(os.urandom(32))) is None
    assert slot.kind == "key"


def test_a_passphrase_slot_keeps_its_numbers_and_salt() -> None:
    salt, vault_key = os.urandom(16), os.urandom(32)
    kdf = KdfParameters.INSECURE_FOR_TESTS
    key = key_slots.derive_key(key_slots.normalise_passphrase("x"), salt, kdf)
    made = make_slot(vault_key, VAULT_ID, key.reveal(), kid="laptop.2026_a-b", kdf=kdf, salt=salt)
    slot = key_slots.parse_slot(made.text)
    assert slot == made
    assert (slot.kid, slot.kdf, slot.salt, slot.kind) == (made.kid, kdf, salt, "passphrase")
    assert key_slots.open_slot(slot, key) == Hidden(vault_key)


def test_the_key_of_a_passphrase_is_that_of_rfc_9106_argon2id() -> None:
    """From the reference implementation: `argon2 somesalt16bytes! -id -t 2 -k 64 -p 1 -r`."""
    from argon2.low_level import Type, hash_secret_raw

    key = key_slots.derive_key(Hidden(b"password"), b"somesalt16bytes!", KdfParameters(64, 2, 1))
    assert key.reveal() == hash_secret_raw(
        b"password", b"somesalt16bytes!", 2, 64, 1, 32, Type.ID, 0x13
    )
    assert isinstance(key, Hidden)


@pytest.mark.parametrize(
    "kdf",
    [
        KdfParameters(19455, 2, 1),
        KdfParameters(19456, 1, 1),
        KdfParameters(9, 1, 1),
        KdfParameters(8, 2, 1),
        KdfParameters(2**20 + 1, 2, 1),
        KdfParameters(65536, 17, 1),
        KdfParameters(65536, 3, 17),
        KdfParameters(2**20, 5, 1),
        KdfParameters(65536, 3, 0),
        KdfParameters(65536, True, 1),
    ],
)
def test_no_slot_is_made_that_is_weak_or_that_no_reader_takes(kdf: KdfParameters) -> None:
    with pytest.raises(ValidationError, match="kdf"):
        kdf.check_strong_enough()
    with pytest.raises(ValidationError, match="kdf"):
        make_slot(bytes(32), VAULT_ID, bytes(32), kdf=kdf, salt=bytes(16))


@pytest.mark.parametrize(
    "kdf",
    [
        KdfParameters.DEFAULT,
        KdfParameters.STRONG,
        LOW,
        KdfParameters.INSECURE_FOR_TESTS,
        KdfParameters(2**20, 4, 16),
        KdfParameters(2**18, 16, 1),
    ],
)
def test_the_profiles_and_the_largest_numbers_can_be_made_and_read(kdf: KdfParameters) -> None:
    made = make_slot(bytes(32), VAULT_ID, bytes(32), kdf=kdf, salt=bytes(16))
    assert key_slots.parse_slot(made.text).kdf == kdf


def test_the_profiles_are_the_published_ones() -> None:
    assert KdfParameters.DEFAULT == (65536, 3, 4)
    assert KdfParameters.STRONG == (262144, 3, 4)
    assert LOW == (19456, 2, 1)
    assert KdfParameters.INSECURE_FOR_TESTS == (8, 1, 1)
    assert not LOW.is_weak
    assert KdfParameters.INSECURE_FOR_TESTS.is_weak


@pytest.mark.parametrize(
    "change",
    [
        {"kid": ""},
        {"kid": "a b"},
        {"kid": "k" * 65},
        {"kid": "a\n"},
        {"iat": -1},
        {"iat": 253402300800},
        {"key": Hidden(bytes(16))},
        {"vault_key": Hidden(bytes(31))},
        {"vid": bytes(15)},
        {"salt": bytes(16)},
        {"kdf": LOW},
        {"kdf": LOW, "salt": bytes(15)},
    ],
)
def test_a_slot_that_no_reader_would_take_is_not_made(change: dict[str, Any]) -> None:
    good: dict[str, Any] = {"key": Hidden(bytes(32)), "kid": "a", "vid": VAULT_ID, "iat": 0}
    more: dict[str, Any] = {"kdf": None, "salt": None, "iv": bytes(12)}
    arguments = good | more | change
    arguments.setdefault("content_key", Hidden(bytes(32)))
    vault_key = arguments.pop("vault_key", Hidden(bytes(32)))
    with pytest.raises(ValidationError):
        key_slots.make_slot(vault_key, **arguments)


@pytest.mark.parametrize("text", ["", "\ud800", "x" * 4097, "\u00e9" * 2049])
def test_a_passphrase_that_is_none_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        key_slots.normalise_passphrase(text)
    assert caught.value.__context__ is None
    assert "x" * 10 not in str(caught.value)


def test_a_passphrase_is_the_same_however_it_is_typed() -> None:
    assert key_slots.normalise_passphrase("e\u0301").reveal() == "\u00e9".encode()
    assert key_slots.normalise_passphrase("x" * 4096).reveal() == b"x" * 4096
    assert key_slots.normalise_passphrase(" x\n").reveal() == b" x\n"
    assert repr(key_slots.normalise_passphrase("x")) == "<hidden>"


@given(st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()))
def test_any_passphrase_of_printable_text_is_taken(text: str) -> None:
    assert key_slots.normalise_passphrase(text).reveal()


def test_too_little_memory_is_told_with_what_is_needed() -> None:
    program = (
        "import argon2.low_level, resource\n"
        "from interpal.vault.format.key_slots import *\n"
        "resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))\n"
        "try: derive_key(Hidden(b'p'), bytes(16), KdfParameters(1 << 20, 1, 1))\n"
        "except VaultLimitError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert "1024 MiB of memory" in done.stdout
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY


def test_nothing_is_derived_where_anything_is_beyond_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    derived: list[object] = []
    monkeypatch.setattr(key_slots, "derive_key", lambda *numbers: derived.append(numbers))
    monkeypatch.setattr(key_slots, "open_slot", lambda *numbers: derived.append(numbers))
    limits = [v for v in load_vectors().values() if v["expect"].get("error") == "limit"]
    assert len(limits) > 10
    for vector in limits:
        secrets: list[dict[str, Any]] = [{"passphrase": "x"}, {"key": bytes(32)}]
        for secret in secrets:
            if "to try them all" in vector["comment"] and "key" in secret:
                continue
            with pytest.raises(VaultFormatError):
                open_vault(vector["file"].encode(), **secret)
    assert not derived


@pytest.mark.parametrize(
    ("vector", "field"),
    [
        ("slot-kdf-m-high", "slots[0].kdf.m"),
        ("slot-kdf-t-high", "slots[0].kdf.t"),
        ("slot-kdf-p-low", "slots[0].kdf.p"),
        ("slot-kdf-cost", "slots[0].kdf.m"),
        ("slot-kdf-salt-short", "slots[0].kdf.salt"),
        ("slot-kdf-name", "slots[0].kdf.name"),
        ("slot-kdf-null", "slots[0].kdf"),
        ("slot-kid-slash", "slots[0].kid"),
        ("slots-kid-twice", "slots[1].kid"),
        ("slot-unknown", "slots[0].'note'"),
        ("slot-no-iat", "slots[0].iat"),
        ("slot-four-parts", "slots[0]"),
        ("slots-nine", "vault.slots"),
        ("vault-generation-0", "vault.generation"),
        ("vault-created_at-minus-1", "vault.created_at"),
        ("vault-commitment-missing", "vault.commitment"),
        ("vault-id-short", "vault.id"),
        ("vault-version-true", "vault.version"),
        ("header-typ-jose", "typ"),
        ("header-enc-a128gcm", "enc"),
        ("header-too-large", "protected"),
        ("file-iv-short", "iv"),
        ("file-ciphertext-padded", "ciphertext"),
        ("file-no-tag", "tag"),
        ("unknown-member", "'header'"),
    ],
)
def test_the_error_names_the_member(vector: str, field: str) -> None:
    with pytest.raises(VaultFormatError) as caught:
        envelope.parse(load_vectors()[vector]["file"].encode())
    assert f" {field} " in f"{caught.value} "


def test_every_slot_is_judged_whatever_the_secret(small: SmallVault) -> None:
    # A slot that the raw key would never try.
    costly = load_vectors()["slot-kdf-m-high"]["file"].encode()
    with pytest.raises(VaultFormatError, match=r"slots\[0\]\.kdf\.m"):
        small.open(costly)


def test_a_slot_from_another_vault_is_refused_though_its_key_is_right(small: SmallVault) -> None:
    moved = make_slot(small.vault_key, os.urandom(16), small.key)
    with pytest.raises(VaultCorruptError, match="vid"):
        envelope.check_key(small.header, moved, Hidden(small.vault_key))


def test_a_slot_that_holds_another_key_than_the_committed_one_is_refused(
    small: SmallVault,
) -> None:
    with pytest.raises(VaultCorruptError, match="commitment"):
        envelope.check_key(small.header, small.header.slots[0], Hidden(os.urandom(32)))


def test_no_further_slot_is_tried_after_one_that_opened_wrongly(small: SmallVault) -> None:
    bad = make_slot(os.urandom(32), small.header.id, small.key, kid="bad")
    header = small.header._replace(slots=(bad, *small.header.slots))
    with pytest.raises(VaultCorruptError):
        small.open(small._replace(header=header).seal())


def test_a_slot_around_anything_but_a_key_is_corrupt() -> None:
    for plaintext in (b"", b"{}", b"[1]", b'{"kty":"oct","alg":"A256KW","k":7}', b"\xff"):
        good = make_slot(bytes(32), VAULT_ID, bytes(32))
        protected = good.text.split(".")[0]
        sealed = jwe.seal(
            protected,
            Hidden(plaintext),
            Hidden(bytes(32)),
            content_key=Hidden(bytes(32)),
            iv=bytes(12),
        )
        with pytest.raises(VaultCorruptError, match="slot-1"):
            key_slots.open_slot(key_slots.parse_slot(jwe.to_compact(sealed)), Hidden(bytes(32)))

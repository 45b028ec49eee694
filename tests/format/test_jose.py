"""jwcrypto, an independent JOSE library, opens what we write, and we what it writes."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jwcrypto import jwe as jose
from jwcrypto import jwk

from interpal._hidden import Hidden
from interpal.vault.format import envelope, jwe, key_slots, record_envelope
from interpal.vault.format.key_slots import KdfParameters
from tests.format.opening import open_vault
from tests.format.small import RECORDS, SmallVault, make_slot

if TYPE_CHECKING:
    from collections.abc import Callable

PASSPHRASE = "correct horse battery staple"


def oct_key(key: bytes) -> jwk.JWK:
    return jwk.JWK(kty="oct", k=jwe.b64encode(key))


def open_with_jose(text: str, key: jwk.JWK) -> bytes:
    token = jose.JWE(algs=["A256KW", "A256GCM"])
    token.deserialize(text, key)
    payload: bytes = token.payload
    return payload


def seal_with_jose(header: object, plaintext: bytes, key: jwk.JWK, **layout: object) -> jose.JWE:
    return jose.JWE(plaintext, protected=json.dumps(header, **layout), recipient=key)  # type: ignore[arg-type]


def test_jwcrypto_opens_our_vault_with_a_raw_key(small: SmallVault) -> None:
    text = small.seal().decode()
    header = json.loads(jwe.b64decode(json.loads(text)["protected"]))
    vault_key = jwk.JWK.from_json(
        open_with_jose(header["vault"]["slots"][0], oct_key(small.key)).decode()
    )
    assert json.loads(open_with_jose(text, vault_key)) == {"records": RECORDS}


def test_jwcrypto_opens_our_vault_with_a_passphrase(small: SmallVault) -> None:
    from argon2.low_level import Type, hash_secret_raw

    salt, kdf = os.urandom(16), KdfParameters.INSECURE_FOR_TESTS
    key = key_slots.derive_key(key_slots.normalise_passphrase(PASSPHRASE), salt, kdf)
    slot = make_slot(small.vault_key, small.header.id, key.reveal(), kid="p", kdf=kdf, salt=salt)
    data = small._replace(header=small.header._replace(slots=(slot,))).seal()
    header = json.loads(jwe.b64decode(slot.text.split(".")[0]))
    raw = hash_secret_raw(
        PASSPHRASE.encode(), jwe.b64decode(header["kdf"]["salt"]), 1, 8, 1, 32, Type.ID, 19
    )
    vault_key = jwk.JWK.from_json(open_with_jose(slot.text, oct_key(raw)).decode())
    assert json.loads(open_with_jose(data.decode(), vault_key)) == {"records": RECORDS}


def test_jwcrypto_opens_a_record_kept_apart(small: SmallVault) -> None:
    data = record_envelope.seal_record(
        "maple_ink",
        {"a": "\u00e9"},
        Hidden(small.vault_key),
        vault_id=small.header.id,
        tag=envelope.name_tag(Hidden(small.vault_key), "a"),
        generation=1,
        content_key=Hidden(os.urandom(32)),
        iv=os.urandom(12),
    )
    assert json.loads(open_with_jose(data.decode(), oct_key(small.vault_key))) == {
        "records": {"maple_ink": {"a": "\u00e9"}}
    }


def sealed_by_jose(
    records: object, arrange: Callable[[dict[str, object]], dict[str, object]], indent: int | None
) -> tuple[bytes, bytes]:
    key, vault_key, vault_id = os.urandom(32), os.urandom(32), os.urandom(16)
    algs: dict[str, object] = {"alg": "A256KW", "enc": "A256GCM"}
    header: dict[str, object] = {
        **algs,
        "cty": "jwk+json",
        "kid": "a",
        "vid": jwe.b64encode(vault_id),
        "iat": 1,
    }
    inner = json.dumps(arrange({"kty": "oct", "alg": "A256KW", "k": jwe.b64encode(vault_key)}))
    slot = seal_with_jose(arrange(header), inner.encode(), oct_key(key), indent=indent)
    vault: dict[str, object] = {
        "version": 1,
        "id": jwe.b64encode(vault_id),
        "generation": 7,
        "created_at": 0,
        "updated_at": 253402300799,
        "commitment": jwe.b64encode(envelope.commitment(Hidden(vault_key), vault_id)),
        "slots": [slot.serialize(compact=True)],
    }
    outer: dict[str, object] = {
        "typ": "interpal-vault",
        **algs,
        "cty": "json",
        "vault": arrange(vault),
    }
    content = json.dumps({"records": records}, indent=indent).encode()
    sealed = seal_with_jose(arrange(outer), content, oct_key(vault_key), indent=indent)
    written = arrange(json.loads(sealed.serialize(compact=False)))
    return json.dumps(written, indent=indent).encode(), key


@pytest.mark.parametrize("indent", [None, 0, 3])
@pytest.mark.parametrize("order", [1, -1])
def test_we_open_what_jwcrypto_writes_in_any_order_and_layout(
    order: int, indent: int | None
) -> None:
    data, key = sealed_by_jose(RECORDS, lambda members: dict([*members.items()][::order]), indent)
    opened = open_vault(data, key=key)
    assert opened.payload.records == RECORDS
    assert opened.envelope.header.generation == 7


@given(st.dictionaries(st.text("ab\u00e9\U0001f41f", min_size=1), st.just({"a": "\u00e9"})))
@settings(max_examples=20, deadline=None)
def test_names_of_any_script_cross_over(records: dict[str, dict[str, str]]) -> None:
    data, key = sealed_by_jose(records, dict, None)
    assert open_vault(data, key=key).payload.records == records

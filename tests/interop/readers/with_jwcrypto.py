"""jwcrypto."""

from __future__ import annotations

import base64
import json
from typing import Any

# begin: shown
from jwcrypto import jwe, jwk


def oct_key(key: bytes) -> jwk.JWK:
    return jwk.JWK(kty="oct", k=base64.urlsafe_b64encode(key).decode().rstrip("="))


def open_jwe(text: str, key: bytes) -> bytes:
    token = jwe.JWE(algs=["A256KW", "A256GCM"])
    token.deserialize(text, oct_key(key))
    return token.payload


# end: shown
as_it_is = open_jwe


def _seal(header: dict[str, Any], plaintext: bytes, key: bytes) -> jwe.JWE:
    return jwe.JWE(plaintext, protected=json.dumps(header), recipient=oct_key(key))


def seal_as_it_is(header: dict[str, Any], plaintext: bytes, key: bytes) -> str:
    return _seal(header, plaintext, key).serialize(compact=True)


def seal_flattened(header: dict[str, Any], plaintext: bytes, key: bytes) -> str:
    return _seal(header, plaintext, key).serialize()

"""joserfc."""

from __future__ import annotations

import json
from typing import Any

# begin: shown
from joserfc import jwe
from joserfc.jwk import OctKey

ALGORITHMS = ["A256KW", "A256GCM"]
# Header members that it does not know, and the sizes that the format allows.
registry = jwe.JWERegistry(algorithms=ALGORITHMS, strict_check_header=False)
registry.max_protected_header_length = 2**17
registry.max_ciphertext_length = 2**28


def open_jwe(text: str, key: bytes) -> bytes:
    return jwe.decrypt_compact(text, OctKey.import_key(key), registry=registry).plaintext


# end: shown
def as_it_is(text: str, key: bytes) -> bytes | None:
    if text.startswith("{"):
        return jwe.decrypt_json(json.loads(text), OctKey.import_key(key), ALGORITHMS).plaintext
    return jwe.decrypt_compact(text, OctKey.import_key(key), ALGORITHMS).plaintext


def open_json(text: str, key: bytes) -> bytes | None:
    return jwe.decrypt_json(json.loads(text), OctKey.import_key(key), registry=registry).plaintext


def seal_as_it_is(header: dict[str, Any], plaintext: bytes, key: bytes) -> str:
    return jwe.encrypt_compact(header, plaintext, OctKey.import_key(key), ALGORITHMS)


def seal_jwe(header: dict[str, Any], plaintext: bytes, key: bytes) -> str:
    return jwe.encrypt_compact(header, plaintext, OctKey.import_key(key), registry=registry)


def seal_flattened(header: dict[str, Any], plaintext: bytes, key: bytes) -> str:
    sealing = jwe.FlattenedJSONEncryption(header, plaintext)
    sealing.add_recipient(None, OctKey.import_key(key))
    return json.dumps(jwe.encrypt_json(sealing, None, registry=registry))

"""JWEs by the primitives alone: what a library under test does not make, this does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

MEMBERS = ("protected", "encrypted_key", "iv", "ciphertext", "tag")
ALGORITHMS = {"alg": "A256KW", "enc": "A256GCM"}


def encode(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode(text: str) -> bytes:
    """The bytes of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def header_of(jwe: str) -> dict[str, Any]:
    """The protected header of a compact JWE."""
    header: dict[str, Any] = json.loads(decode(jwe.split(".")[0]))
    return header


def seal(header: dict[str, Any], plaintext: str, key: bytes) -> str:
    """A compact JWE (RFC 7516 section 5.1)."""
    protected, content_key, iv = encode(json.dumps(header).encode()), os.urandom(32), os.urandom(12)
    sealed = AESGCM(content_key).encrypt(iv, plaintext.encode(), protected.encode())
    parts = (aes_key_wrap(key, content_key), iv, sealed[:-16], sealed[-16:])
    return ".".join((protected, *map(encode, parts)))


def joined(file: str) -> str:
    """The five members of a flattened JWE as a compact one."""
    members = json.loads(file)
    return ".".join(members[name] for name in MEMBERS)


def split(compact: str) -> str:
    """A compact JWE as a flattened one."""
    return json.dumps(dict(zip(MEMBERS, compact.split("."), strict=True)))


def tag_of(vault_key: bytes, text: str, data: bytes) -> bytes:
    """The HMAC under the vault key that begins with `interpal-vault/1 ` and *text*."""
    return hmac.new(vault_key, f"interpal-vault/1 {text} ".encode() + data, hashlib.sha256).digest()

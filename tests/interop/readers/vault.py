"""Opens a vault with any JOSE library: `open_jwe` is the library's (docs/interop.md)."""

# begin: shown
import base64
import hashlib
import hmac
import json
import unicodedata
from collections.abc import Callable
from typing import Any

from argon2.low_level import Type, hash_secret_raw

MEMBERS = ("protected", "encrypted_key", "iv", "ciphertext", "tag")


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(file: str) -> str:
    """The text of a vault as a compact JWE."""
    return ".".join(json.loads(file)[name] for name in MEMBERS)


def derive(passphrase: str, kdf: dict[str, Any]) -> bytes:
    """The key behind a passphrase, by the numbers of its slot."""
    text = unicodedata.normalize("NFC", passphrase).encode()
    cost = {"time_cost": kdf["t"], "memory_cost": kdf["m"], "parallelism": kdf["p"]}
    return hash_secret_raw(text, decode(kdf["salt"]), **cost, hash_len=32, type=Type.ID)


def open_vault(
    file: str, secret: bytes | str, open_jwe: Callable[[str, bytes], bytes], slot: int = 0
) -> tuple[bytes, dict[str, Any]]:
    """The vault key and the payload, by the key (bytes) or the passphrase (str) of a slot."""
    vault = json.loads(decode(compact(file).split(".")[0]))["vault"]
    jwe = vault["slots"][slot]
    if isinstance(secret, str):
        secret = derive(secret, json.loads(decode(jwe.split(".")[0]))["kdf"])
    vault_key = decode(json.loads(open_jwe(jwe, secret))["k"])
    text = b"interpal-vault/1 commitment " + decode(vault["id"])
    expected = hmac.new(vault_key, text, hashlib.sha256).digest()
    if not hmac.compare_digest(expected, decode(vault["commitment"])):
        raise ValueError("the slot holds the key of another vault")
    return vault_key, json.loads(open_jwe(compact(file), vault_key))


# end: shown

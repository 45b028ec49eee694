"""Authlib."""

from __future__ import annotations

import json
from typing import Any

# begin: shown
from authlib.jose import JsonWebEncryption, OctKey


def open_jwe(text: str, key: bytes) -> bytes:
    return JsonWebEncryption().deserialize_compact(text, OctKey.import_key(key))["payload"]


# end: shown
def as_it_is(text: str, key: bytes) -> bytes:
    if text.startswith("{"):
        object_ = json.loads(text)
        return JsonWebEncryption().deserialize_json(object_, OctKey.import_key(key))["payload"]
    return open_jwe(text, key)


def seal_as_it_is(header: dict[str, Any], plaintext: bytes, key: bytes) -> str:
    text = JsonWebEncryption().serialize_compact(header, plaintext, OctKey.import_key(key))
    return text.decode("ascii")


# Of the JSON serializations it writes the general one only.

"""python-jose."""

from __future__ import annotations

# begin: shown
from jose import jwe

# 250 KiB without this line, which changes the library for the whole program.
jwe.JWE_SIZE_LIMIT = 2**28


def open_jwe(text: str, key: bytes) -> bytes:
    return jwe.decrypt(text, key)


# end: shown
DEFAULT_LIMIT = 250 * 1024


def as_it_is(text: str, key: bytes) -> bytes:
    jwe.JWE_SIZE_LIMIT = DEFAULT_LIMIT
    try:
        return jwe.decrypt(text, key)
    finally:
        jwe.JWE_SIZE_LIMIT = 2**28


# It writes the header members alg, enc, zip, cty and kid, and takes no others.

"""Puts vaults together from text, sound or not, the same ones every time.

Not by `envelope.seal`, which refuses to write most of them. Keys, ids and nonces come from a
vault's name.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from interpal._hidden import Hidden
from interpal.vault.format import envelope, jwe, key_slots

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = bytes(range(32))
PASSPHRASE = "correct horse battery staple"
RECORD = {"session_cookie": "q7q7q7q7q7q7q7q7q7q7q7q7q7", "username": "maple_ink"}
RECORDS = {"maple_ink": RECORD}
PAYLOAD = json.dumps({"records": RECORDS})

Change = dict[str, Any]
GIB = 2**20


class Maker:
    """One vault: the parts can be changed on the way, `...` takes a member out."""

    def __init__(self, name: str) -> None:
        self._seed = name
        self._drawn = 0
        self.id = self.random(16)
        self.vault_key = self.random(32)

    def random(self, count: int) -> bytes:
        self._drawn += 1
        return hashlib.sha256(f"{self._seed} {self._drawn}".encode()).digest()[:count]

    def seal(self, header: str, plaintext: bytes, key: bytes) -> jwe.JweParts:
        protected = jwe.b64encode(header.encode())
        return jwe.seal(
            protected,
            Hidden(plaintext),
            Hidden(key),
            content_key=Hidden(self.random(32)),
            iv=self.random(12),
        )

    def slot(
        self,
        change: Change | None = None,
        *,
        kdf: Change | None = None,
        jwk: Change | None = None,
        secret: bytes = KEY,
        header_text: Callable[[str], str] = lambda text: text,
        jwk_text: Callable[[str], str] = lambda text: text,
        text: Callable[[str], str] = lambda text: text,
    ) -> str:
        header: dict[str, Any] = {
            "alg": "A256KW",
            "enc": "A256GCM",
            "cty": "jwk+json",
            "kid": "slot-1",
            "vid": jwe.b64encode(self.id),
            "iat": 1795332844,
        }
        if kdf is not None:
            salt = jwe.b64encode(self.random(16))
            numbers = {"name": "argon2id", "v": 19, "m": 8, "t": 1, "p": 1, "salt": salt}
            header["kdf"] = edited(numbers, kdf)
        key = edited({"kty": "oct", "alg": "A256KW", "k": jwe.b64encode(self.vault_key)}, jwk or {})
        sealed = self.seal(
            header_text(json.dumps(edited(header, change or {}))),
            jwk_text(json.dumps(key)).encode(),
            secret,
        )
        return text(jwe.to_compact(sealed))

    def passphrase_slot(self, kid: str, passphrase: str = PASSPHRASE) -> str:
        """A slot of the smallest cost that the passphrase does open."""
        salt = self.random(16)
        secret = key_slots.derive_key(
            key_slots.normalise_passphrase(passphrase), salt, key_slots.KdfParameters(8, 1, 1)
        )
        return self.slot({"kid": kid}, kdf={"salt": jwe.b64encode(salt)}, secret=secret.reveal())

    def file(
        self,
        *,
        slots: Any = None,
        vault: Change | None = None,
        header: Change | None = None,
        header_text: Callable[[str], str] = lambda text: text,
        payload: str | bytes = PAYLOAD,
        members: Change | None = None,
        text: Callable[[str], str] = lambda text: text,
    ) -> str:
        inner = {
            "version": 1,
            "id": jwe.b64encode(self.id),
            "generation": 1,
            "created_at": 1795332844,
            "updated_at": 1795332901,
            "commitment": jwe.b64encode(envelope.commitment(Hidden(self.vault_key), self.id)),
            "slots": [self.slot()] if slots is None else slots,
        }
        outer = {"typ": "interpal-vault", "alg": "A256KW", "enc": "A256GCM", "cty": "json"}
        outer["vault"] = edited(inner, vault or {})  # type: ignore[assignment]
        plaintext = payload.encode() if isinstance(payload, str) else payload
        sealed = self.seal(
            header_text(json.dumps(edited(outer, header or {}))), plaintext, self.vault_key
        )
        written = {"protected": sealed.protected}
        for name, part in zip(sealed._fields[1:], sealed[1:], strict=True):
            written[name] = jwe.b64encode(part)
        return text(json.dumps(edited(written, members or {}))) + "\n"


def edited(members: dict[str, Any], change: Change) -> dict[str, Any]:
    made = {**members, **change}
    return {
        name: value(members[name]) if callable(value) else value
        for name, value in made.items()
        if value is not ...
    }


def flipped(text: str) -> str:
    data = bytearray(jwe.b64decode(text))
    data[0] ^= 1
    return jwe.b64encode(bytes(data))


def nested(depth: int) -> dict[str, Any]:
    return {"in": nested(depth - 1)} if depth > 1 else {}


def sized(count: int) -> dict[str, Any]:
    """A record of that many bytes as compact JSON."""
    return {"note": "x" * (count - len('{"note":""}'))}


def payload(record: Any = None, /, **members: Any) -> str:
    return json.dumps({"records": RECORDS if record is None else {"maple_ink": record}} | members)


def named(name: str) -> str:
    return json.dumps({"records": {name: RECORD}})


def replaced(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert text.count(old) == 1, text
        return text.replace(old, new)

    return change


def cut(count: int) -> Callable[[str], str]:
    return lambda text: jwe.b64encode(jwe.b64decode(text)[:-count])


def loose_end(text: str) -> str:
    """The same bytes by another text: the last character's unused bits are set."""
    return text[:-1] + chr(ord(text[-1]) + 1)

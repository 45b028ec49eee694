"""A small vault made by the package itself, in memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from interpal._hidden import Hidden
from interpal.vault.format import envelope, key_slots
from tests.format.opening import Opened, open_vault

if TYPE_CHECKING:
    from interpal.vault.format.key_slots import KdfParameters

RECORDS: dict[str, dict[str, Any]] = {
    "maple_ink": {"session_cookie": "q7q7q7q7q7q7q7q7q7q7q7q7q7", "auth_token": None}
}


def make_slot(
    vault_key: bytes,
    vault_id: bytes,
    key: bytes,
    *,
    kid: str = "slot-1",
    kdf: KdfParameters | None = None,
    salt: bytes | None = None,
) -> key_slots.Slot:
    return key_slots.make_slot(
        Hidden(vault_key),
        key=Hidden(key),
        kid=kid,
        vid=vault_id,
        iat=1795332844,
        kdf=kdf,
        salt=salt,
        content_key=Hidden(os.urandom(32)),
        iv=os.urandom(12),
    )


class SmallVault(NamedTuple):
    key: bytes
    vault_key: bytes
    header: envelope.Header

    @classmethod
    def make(cls) -> SmallVault:
        key, vault_key, vault_id = os.urandom(32), os.urandom(32), os.urandom(16)
        header = envelope.Header(
            id=vault_id,
            generation=1,
            created_at=1795332844,
            updated_at=1795332901,
            commitment=envelope.commitment(Hidden(vault_key), vault_id),
            slots=(make_slot(vault_key, vault_id, key),),
        )
        return cls(key, vault_key, header)

    def seal(
        self,
        records: dict[str, dict[str, Any]] | None = None,
        attempts: dict[str, dict[str, Any]] | None = None,
    ) -> bytes:
        payload = envelope.Payload(RECORDS if records is None else records, attempts)
        return envelope.seal(
            self.header,
            payload,
            Hidden(self.vault_key),
            content_key=Hidden(os.urandom(32)),
            iv=os.urandom(12),
        )

    def open(self, data: bytes) -> Opened:
        return open_vault(data, key=self.key)

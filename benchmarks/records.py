"""Vaults to measure with: records of the real shape, keys, and the files that hold them."""

from __future__ import annotations

import base64
import json
import os
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from interpal.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = bytes(range(32))
ACCOUNT = "maple_ink"
ORIGIN = "https://api.interpals.net"


def record(number: int = 0, *, username: str = ACCOUNT) -> dict[str, Any]:
    """The record of one login session, some 700 bytes, as the client saves it."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    claims = base64.urlsafe_b64encode(json.dumps({"sub": number, "n": "x" * 120}).encode())
    return {
        "session_cookie": f"{number:026d}",
        "auth_token": f"eyJhbGciOiJIUzI1NiJ9.{claims.decode()}.{'s' * 43}",
        "username": username,
        "user_id": f"{10**18 + number}",
        "origin": ORIGIN,
        "cookies": {},
        "created_at": _text(now),
        "expires_at": _text(now + timedelta(days=30)),
        "last_validated_at": _text(now),
    }


def name_of(number: int) -> str:
    """The name of an account; the first is `ACCOUNT`."""
    return f"account_{number:06d}" if number else ACCOUNT


def names(count: int) -> Iterator[str]:
    """The names of *count* accounts again and again, never two neighbours after each other."""
    number = 0
    while True:
        yield name_of(number)
        number = (number + 7919) % count


def records(count: int) -> dict[str, dict[str, Any]]:
    """*count* accounts by their names."""
    return {name_of(n): record(n, username=name_of(n)) for n in range(count)}


def fill(vault: Vault, count: int) -> None:
    """Put *count* accounts into a vault, in one save."""
    with vault.transaction() as draft:
        for name, content in records(count).items():
            draft[name] = content


def change(vault: Vault, name: str) -> None:
    """Change one record in a transaction: lock, read, change, save."""
    with vault.transaction() as draft:
        draft[name]["note"] = os.urandom(4).hex()


def put(vault: Vault, name: str, sample: dict[str, Any]) -> None:
    """Save *sample* with one member changed as the record *name*, whatever was there."""
    vault[name] = {**sample, "note": os.urandom(4).hex()}


def vault_file(folder: Path, count: int) -> Path:
    """A vault in a file, opened by `KEY`, that holds *count* accounts."""
    path = folder / f"vault-{count}_session.json"
    with Vault.open(path, key=KEY, create=True) as vault:
        fill(vault, count)
    return path


def payload(count: int) -> bytes:
    """The bytes that are encrypted in such a vault: compact JSON."""
    return json.dumps({"records": records(count)}, separators=(",", ":")).encode()


def _text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")

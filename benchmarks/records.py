"""Vaults to measure with: records of the real shape, keys, and the files that hold them."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from interpal.vault import Vault

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


def records(count: int) -> dict[str, dict[str, Any]]:
    """*count* accounts; the first is `ACCOUNT`."""
    found = {ACCOUNT: record()}
    for number in range(1, count):
        username = f"account_{number:06d}"
        found[username] = record(number, username=username)
    return found


def fill(vault: Vault, count: int) -> None:
    """Put *count* accounts into a vault, in one save."""
    with vault.transaction() as draft:
        for name, content in records(count).items():
            draft[name] = content


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

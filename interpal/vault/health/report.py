"""What can be said of a vault: its header without a key, its accounts once it is open.

Nothing here is written, and nothing is printed. A report without a key is what the file claims
of itself; it counts as true only where the content was authenticated.
"""

from __future__ import annotations

import os
import stat
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from interpal.exceptions import VaultError, VaultFormatError, VaultNotFoundError
from interpal.vault.format import envelope, legacy_file
from interpal.vault.format.session_record import from_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interpal._hidden import Hidden
    from interpal.vault.format.key_slots import KdfParameters, Slot
    from interpal.vault.stores.base import Stored
    from interpal.vault.stores.file import FileStore

FORMAT = "interpal-vault"
VERSION = 1

SOON = timedelta(hours=1)
"""A session with less than this left `ends soon`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class SlotReport(NamedTuple):
    """One key slot: `kind` is `passphrase` or `key`, `kdf` its Argon2id settings."""

    kid: str
    kind: str
    made_at: datetime
    kdf: KdfParameters | None


class Report(NamedTuple):
    """What the header and the file system say. Times are aware UTC, `size` is in bytes."""

    path: str
    id: str
    generation: int
    created_at: datetime
    updated_at: datetime
    slots: tuple[SlotReport, ...]
    size: int
    mode: int
    uid: int

    @property
    def foreign(self) -> bool:
        """Whether another user than the one that runs this owns the file."""
        return self.uid != os.geteuid()


class Account(NamedTuple):
    """One record, as far as it can be shown: no member of it that is secret.

    `created_at` and `expires_at` are aware UTC, None where the record does not say.
    """

    name: str
    username: str | None
    created_at: datetime | None
    expires_at: datetime | None

    def time_left(self, now: datetime) -> timedelta | None:
        """Until the expiry, never below zero; None where there is none."""
        if self.expires_at is None:
            return None
        return max(timedelta(0), self.expires_at - now)

    def share_left(self, now: datetime) -> float | None:
        """What is left of the lifetime, from 0 to 1; None where it is not known."""
        left = self.time_left(now)
        if left is None or self.expires_at is None or self.created_at is None:
            return None
        lifetime = self.expires_at - self.created_at
        return min(1.0, left / lifetime) if lifetime > timedelta(0) else 0.0

    def state(self, now: datetime) -> str:
        """`valid`, `ends soon`, `expired`, or `no expiry` where the record names none."""
        left = self.time_left(now)
        if left is None:
            return "no expiry"
        if not left:
            return "expired"
        return "ends soon" if left < SOON else "not expired"


def load(store: FileStore) -> Stored:
    """The bytes at the path, whoever owns them; nothing is changed.

    Raises `VaultNotFoundError`, `VaultPermissionError`, `VaultLimitError`, `VaultIOError`.
    """
    stored = store.load(foreign=True)
    if stored is None:
        raise VaultNotFoundError(f"{store.location}: no vault found", path=store.location)
    return stored


def describe(store: FileStore, stored: Stored) -> Report:
    """What the header of these bytes says (FORMAT.md section 5, steps 1 to 3).

    Raises `VaultFormatError` and its kind, `VaultNotFoundError` where the file has gone.
    """
    header = parsed(store.location, stored).header
    details = store.details()
    if details is None:
        raise VaultNotFoundError(f"{store.location}: the vault is gone", path=store.location)
    return Report(
        path=store.location,
        id=header.id.hex(),
        generation=header.generation,
        created_at=from_epoch(header.created_at),
        updated_at=from_epoch(header.updated_at),
        slots=tuple(slot_report(slot) for slot in header.slots),
        size=len(stored.reveal()),
        mode=stat.S_IMODE(details.mode),
        uid=details.uid,
    )


def parsed(path: str, data: Hidden[bytes]) -> envelope.Envelope:
    """The envelope of *data*; what is no vault is named by what it is instead.

    Raises `VaultFormatError`, `VaultVersionError`, `VaultLimitError`, with the path.
    """
    try:
        return envelope.parse(data.reveal())
    except VaultError as error:
        error.path = path
        what = what_instead(data.reveal()) if type(error) is VaultFormatError else None
        error.args = (f"{path}: {what or error}",)
        raise


def what_instead(data: bytes) -> str | None:
    """What lies where a vault was expected, with what to do; None where it looks like a vault."""
    return {
        "plain": "this is a plain session file of interpal 1.x, not a vault: encrypt it with "
        "`interpal-vault import`",
        "empty": "the file is empty: restore a copy, or remove it",
        "truncated": "the file is truncated: restore a copy, or move it away",
        "foreign": "not a vault; check the path",
    }.get(legacy_file.classify(data))


def slot_report(slot: Slot) -> SlotReport:
    """What a slot says of itself."""
    return SlotReport(slot.kid, slot.kind, from_epoch(slot.iat), slot.kdf)


def account(name: str, record: Mapping[str, Any]) -> Account:
    """What may be shown of a record.

    An expiry that no client can read counts as over, as it does to them.
    """
    username = record.get("username")
    ends = record.get("expires_at")
    return Account(
        name=name,
        username=username if isinstance(username, str) and username else None,
        created_at=to_time(record.get("created_at")),
        expires_at=None if ends is None else to_time(ends) or _EPOCH,
    )


def to_time(value: object) -> datetime | None:
    """A time of a record, as all who use one read it (`session_record.from_text`)."""
    return from_text(value)


def from_epoch(seconds: int) -> datetime:
    """Epoch seconds as an aware time; without the platform, whose range is narrower."""
    return _EPOCH + timedelta(seconds=seconds)

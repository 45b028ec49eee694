"""What lies where a vault is expected and is none, or is damaged.

A plain session file of interpal 1.x is encrypted in place. What is empty, cut off or damaged
is set aside under another name. Anything else is somebody's, and is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interpal._log import Logger
from interpal.exceptions import VaultCorruptError
from interpal.vault.core.versions import located
from interpal.vault.format.legacy_file import classify, parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from interpal.exceptions import VaultFormatError
    from interpal.vault.format.legacy_file import LegacyRecord
    from interpal.vault.stores.base import Store, Stored
    from interpal.vault.vault import Vault

_log = Logger("interpal.sessions.damaged_files")

_DAMAGE = {"empty": "the file is empty", "truncated": "the file is cut off"}


class Recovery:
    """What one session manager does about such a file.

    *username*, *origin* and *lifetime* go into what a plain file leaves open; *patience* is the
    seconds to wait for the write lock; *notify* is called for `migrated` and `quarantined`.
    """

    def __init__(
        self,
        store: Store,
        *,
        username: str | None,
        origin: str,
        lifetime: timedelta,
        patience: float,
        notify: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self._store = store
        self._username = username
        self._origin = origin
        self._lifetime = lifetime
        self._patience = patience
        self._notify = notify

    def plain_record(self, stored: Stored, now: datetime) -> LegacyRecord | None:
        """The record of a plain file of interpal 1.x; None for anything else."""
        return self._parsed(stored, now) if classify(stored.reveal()) == "plain" else None

    def take_in(
        self, vault: Vault, error: VaultFormatError, now: datetime
    ) -> VaultCorruptError | None:
        """Make what lies there usable: by *vault*, which is not yet read, or by nobody.

        Returns what was wrong with a file that was set aside. Raises *error* for a file that is
        not to be touched.
        """
        stored = self._store.load()
        if stored is None:
            return None
        kind = classify(stored.reveal())
        if kind == "plain":
            self._migrate(vault, stored, now)
            return None
        if kind not in _DAMAGE:
            try:
                raise error
            finally:
                # Its traceback has this frame, which is not to keep it alive, and the file with it.
                del error, stored
        with self._store.write_lock(self._patience) as writer:
            moved = writer.set_aside(stored)
        if moved is None:
            return None
        path = self._store.location
        return self._set_aside(VaultCorruptError(f"{path}: {_DAMAGE[kind]}", path=path), moved)

    def set_aside(self, vault: Vault, error: VaultCorruptError) -> VaultCorruptError | None:
        """Rename a vault that was found corrupt, if it still is. Returns what was wrong."""
        moved = vault.set_aside_if_corrupt()
        return None if moved is None else self._set_aside(error, moved)

    def _set_aside(self, error: VaultCorruptError, moved: str) -> VaultCorruptError:
        _log.warning("%s; it was set aside as %s and nothing of it was deleted", error, moved)
        self._notify("quarantined", {"moved_to": moved, "reason": str(error)})
        return VaultCorruptError(f"{error}; it was set aside as {moved}", path=error.path)

    def _parsed(self, stored: Stored, now: datetime) -> LegacyRecord:
        with located(self._store.location):
            plain = parse(
                stored.reveal(),
                default_name=self._username,
                local=None,
                now=now,
                lifetime=self._lifetime,
            )
        # interpal 1.x knew one site, and did not say which.
        if not isinstance(plain.record.reveal().get("origin"), str):
            plain.record.reveal()["origin"] = self._origin
        return plain

    def _migrate(self, vault: Vault, stored: Stored, now: datetime) -> None:
        """Encrypt a plain file in place: one atomic save, and nothing plain is left."""
        plain = self._parsed(stored, now)
        if vault.start(create=True, records={plain.name: plain.record.reveal()}, replacing=stored):
            _log.info(
                "%s: the plain session file of interpal 1.x is encrypted now; old copies of it "
                "may remain in backups and git, so a new login is advised",
                self._store.location,
            )
            self._notify("migrated", {"username": plain.record.reveal().get("username")})

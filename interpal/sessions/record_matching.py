"""Which record of a vault holds the session of an account: by name, by origin, by credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interpal.exceptions import AmbiguousAccountError
from interpal.session import DEFAULT_NAME, Session, record_name
from interpal.transport.sendable import is_sendable, is_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interpal.vault.vault import Vault


class RecordMatching:
    """How the sessions of one *origin* (None: of any) are found among the records of a vault.

    A record that says nothing of its origin is one of *unmarked*.
    """

    def __init__(self, origin: str | None, unmarked: str) -> None:
        self._origin = origin
        self._unmarked = unmarked

    def is_ours(self, record: Mapping[str, Any]) -> bool:
        """Whether a record belongs to this origin."""
        return self._origin is None or (record.get("origin") or self._unmarked) == self._origin

    def session_of(self, name: str, record: Mapping[str, Any]) -> Session | None:
        """The session of the record *name*, if it is one of this origin.

        None as well for one that no request could carry. One whose own username is not the name
        that it is kept under counts as never validated.
        """
        session = self._session_in(record)
        if session is None or not _can_be_sent(session):
            return None
        own = session.username
        if own is not None and name not in (record_name(own), DEFAULT_NAME):
            return session.replace(last_validated_at=None)
        return session

    def _session_in(self, record: Mapping[str, Any]) -> Session | None:
        session = Session.from_record(record)
        if session is None or not self.is_ours(record):
            return None
        return session if session.origin is not None else session.replace(origin=self._origin)

    def holds(self, record: Mapping[str, Any], session: Session) -> bool:
        """Whether a record holds this very session."""
        found = self._session_in(record)
        return found is not None and _can_be_sent(found) and session.same_credentials(found)

    def find(self, vault: Vault, username: str | None) -> Session | None:
        """The session of an account, expired or not."""
        name = self.find_name(vault, username)
        record = None if name is None else vault.get(name)
        return None if name is None or record is None else self.session_of(name, record)

    def find_name(self, vault: Vault, username: str | None) -> str | None:
        """The name of an account's record; without a username the only one there is.

        Raises `AmbiguousAccountError` where there are several.
        """
        if username is not None:
            return record_name(username)
        names = [name for name, record in vault.snapshot().items() if self._session_in(record)]
        if len(names) > 1:
            accounts = sorted(names)
            raise AmbiguousAccountError(
                f"{vault.path} holds several accounts and no username says which: "
                f"{', '.join(accounts)}; give username=",
                accounts=accounts,
            )
        return names[0] if names else None

    def name_of(self, vault: Vault, username: str | None, session: Session) -> str | None:
        """The name of the record that holds a session, None where none does (any more)."""
        # A record that was made before its username was known has the default name.
        own = username or session.username
        names = [DEFAULT_NAME] if own is None else [record_name(own), DEFAULT_NAME]
        for name in names:
            record = vault.get(name)
            if record is not None and self.holds(record, session):
                return name
        if username is not None:
            return None  # The sessions of one who is named are under no other name.
        records = vault.snapshot().items()
        return next((name for name, record in records if self.holds(record, session)), None)


def _can_be_sent(session: Session) -> bool:
    token = session.auth_token
    return is_sendable(session.session_cookie) and (token is None or is_token(token))

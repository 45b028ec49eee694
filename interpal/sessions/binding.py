"""Which record of a vault is whose: by account name, by origin, by what the server knows it by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interpal.exceptions import AmbiguousAccountError
from interpal.session import Session, record_name
from interpal.transport.protocol import is_sendable, is_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interpal.vault.vault import Vault


class Binding:
    """How the sessions of one *origin* (None: of any) are found among the records of a vault."""

    def __init__(self, origin: str | None) -> None:
        self._origin = origin

    def is_ours(self, record: Mapping[str, Any]) -> bool:
        """Whether a record belongs to this origin, or says nothing of one."""
        return self._origin is None or record.get("origin") in (None, "", self._origin)

    def session_of(self, record: Mapping[str, Any]) -> Session | None:
        """The session of a record, if it is one of this origin. One without takes the client's.

        None as well for one that no request could carry.
        """
        session = self._session_in(record)
        return session if session is not None and _can_be_sent(session) else None

    def _session_in(self, record: Mapping[str, Any]) -> Session | None:
        session = Session.from_record(record)
        if session is None or not self.is_ours(record):
            return None
        return session if session.origin is not None else session.replace(origin=self._origin)

    def holds(self, record: Mapping[str, Any], session: Session) -> bool:
        """Whether a record holds this very session."""
        return session.same_credentials(self.session_of(record))

    def find(self, vault: Vault, username: str | None) -> Session | None:
        """The session of an account, expired or not."""
        name = self.find_name(vault, username)
        record = None if name is None else vault.get(name)
        return None if record is None else self.session_of(record)

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
        username = username or session.username
        if username is not None:
            name = record_name(username)
            record = vault.get(name)
            if record is not None and self.holds(record, session):
                return name
        # A record that was made before its username was known has another name.
        records = vault.snapshot().items()
        return next((name for name, record in records if self.holds(record, session)), None)


def _can_be_sent(session: Session) -> bool:
    token = session.auth_token
    return is_sendable(session.session_cookie) and (token is None or is_token(token))

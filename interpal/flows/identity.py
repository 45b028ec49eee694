"""Whose session it is: one rule, for every session, wherever it turns up.

Three things are compared: the account that was *asked for* (the client's username, and the id
that the server has given for it), what a record *claims* of itself, and what the *server says*
of the session. The server's word decides. A claim counts as its word once the session has been
validated (`last_validated_at`), as a login is.

1. A session that was never validated, from a file of interpal 1.x, an import or an export, is
   asked about before anything else is sent with it. So is one whose own username is not the name
   that its record is kept under (`RecordMatching`).
2. The id decides where it is known: the ids of account, record and server have to be the same.
3. Else the username: the server's has to be the one asked for, or where none was, the one that
   the record claims. What was never validated needs the right username beside the right id.
   Names are equal in lower case and NFC, as `record_name` says.
4. An e-mail address says nothing of the username. Such an account is bound by the id, which its
   login or its first profile has given. A file under an e-mail address proves nothing: what was
   never validated is not used for it, unless the caller hands it over by himself.
5. A client without a username takes the only account there is, and stays with it.

What is another account's raises `AccountMismatchError`, and is not used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal.exceptions import AccountMismatchError
from interpal.session import record_name
from interpal.sessions.state import Phase

if TYPE_CHECKING:
    from interpal.session import Session
    from interpal.sessions.state import ClientState


def is_validated(session: Session) -> bool:
    """Whether the server has ever said whose it is: to a login, or to a validation."""
    return session.last_validated_at is not None


def has_to_be_asked_about(state: ClientState, session: Session) -> bool:
    """Whether the server has to say whose a session is before it is used.

    Not where there is nothing that it could contradict: a bare cookie, for no account.
    """
    doubted = state.phase is Phase.MISMATCHED and session.same_credentials(state.session)
    return doubted or not is_validated(session)


def claims_nothing(state: ClientState, session: Session) -> bool:
    """Whether neither the client nor the session says whose it is."""
    return not (state.name or state.user_id or session.username or session.user_id)


def may_be_used(state: ClientState, session: Session) -> bool:
    """Whether a saved session may be the account's, before the server is asked.

    False is as if there were none. Raises `AccountMismatchError` where it is known to be another
    account's.
    """
    if state.name is None:
        # The only record of the vault; it may be anybody's by now.
        before = state.session
        return before is None or session.same_credentials(before) or session.same_account(before)
    known = session.user_id if is_validated(session) else None
    if state.user_id and known and state.user_id != known:
        raise mismatch(state.user_id, known, of=state.name)
    return not _is_email(state.name) or bool(state.user_id) or is_validated(session)


def check_saved(state: ClientState, session: Session) -> bool | None:
    """Whether a start has to ask the server whose a saved session is; None where it uses none.

    Raises `AccountMismatchError` where it is another account's, or where nobody can tell whose.
    """
    if may_be_used(state, session):
        return has_to_be_asked_about(state, session)
    _check_it_can_be_replaced(state, session)
    return None


def _check_it_can_be_replaced(state: ClientState, session: Session) -> None:
    """Refuse to go on without a saved session that cannot be proven, where no login replaces it.

    Raises `AccountMismatchError`: nobody can tell whose it is.
    """
    if state.name is None or state.has_credentials:
        return
    raise AccountMismatchError(
        f"the saved session of {state.name} was never validated, and an e-mail address does not "
        "tell whose it is; the session is not used, and nothing was changed: log in once with "
        "password=, or leave username= out",
        expected=state.name,
        found=session.user_id,
    )


def check_claim(state: ClientState, username: str | None) -> None:
    """Refuse a session that is handed over and says itself that it is another account's."""
    _check_name(state.name, username)


def check(state: ClientState, session: Session, user_id: str | None, username: str | None) -> None:
    """Compare what the server says of a session with the account and with the claims.

    *user_id* and *username* are those of the profile, None where it has none. Raises
    `AccountMismatchError`.
    """
    expected = state.name if state.name and not _is_email(state.name) else session.username
    bound = is_validated(session) or state.user_id is not None
    for known in (state.user_id, session.user_id):
        if known and user_id and known != user_id:
            raise mismatch(known, user_id, of=expected, found_name=username, by_name=not bound)
    if bound and user_id and (state.user_id or session.user_id):
        return
    _check_name(expected, username)


def mismatch(
    expected: str,
    found: str,
    *,
    of: str | None,
    found_name: str | None = None,
    by_name: bool = False,
) -> AccountMismatchError:
    """The error for a session of another account; *expected* and *found* are names or ids."""
    if by_name and of and found_name and record_name(of) != record_name(found_name):
        expected, found = of, found_name
    return AccountMismatchError(
        f"this session belongs to {found_name or found}, not to {of or expected}; it is not used, "
        "and nothing was changed: give the right username, or another session_file",
        expected=expected,
        found=found,
    )


def _check_name(expected: str | None, found: str | None) -> None:
    if not expected or not found or _is_email(expected) or _is_email(found):
        return
    if record_name(expected) != record_name(found):
        raise mismatch(expected, found, of=expected)


def _is_email(name: str) -> bool:
    return "@" in name

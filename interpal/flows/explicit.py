"""The saved session at the caller's own word: log in, import, log out, clear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from interpal._clock import monotonic, utc_now
from interpal._dictlike import is_mapping
from interpal._hidden import Hidden
from interpal.exceptions import ValidationError, VaultIOError
from interpal.flows import identity, saving, set_up
from interpal.flows.request import ready
from interpal.flows.resume import start
from interpal.session import Session, SessionInfo, local_time
from interpal.sessions.singleflight import Flight
from interpal.sessions.wait import Flow, patiently, wait_for
from interpal.transport import protocol, sendable
from interpal.vault.files.permissions import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interpal.flows.context import ClientContext


def login(
    context: ClientContext,
    username: str | None,
    password: Hidden[bytes] | None,
    *,
    force: bool = False,
) -> Flow[Session]:
    """Make sure of a session: resume the saved one of the account, else log in.

    *force* always logs in. From here on an ended session is renewed without being asked.
    """
    yield from _after_removals(context, username)
    state = context.change(lambda now: now.use(username, password))
    if force:
        from interpal.flows.login import renew

        return (yield from renew(context, state.live, state.epoch, force=True))
    if state.live is None:
        yield from start(context, state.epoch)
    return (yield from ready(context, state.epoch))


def read_file(path: str) -> str:
    """The text of a file with a session. Raises `VaultIOError`."""
    from interpal.sessions.browser_cookies import LARGEST_FILE

    try:
        with open(path, "rb") as file:
            content = Hidden(file.read(LARGEST_FILE + 1))
    except OSError as error:
        raise VaultIOError(f"{shown(path)}: cannot be read: {error.strerror}", path=path) from None
    if len(content.reveal()) > LARGEST_FILE:
        raise ValidationError(f"{shown(path)}: larger than {LARGEST_FILE} bytes")
    return content.reveal().decode("utf-8", "replace")


class ImportedSession:
    """A session from the caller, not yet looked at. Its repr shows nothing of it."""

    __slots__ = ("_auth_token", "_session", "user_id")

    def __init__(self, session: object, auth_token: object = None, user_id: object = None) -> None:
        self._session = Hidden(session)
        self._auth_token = Hidden(auth_token)
        self.user_id = user_id

    def __repr__(self) -> str:
        return "<a session to import>"

    def read(self, context: ClientContext) -> Session:
        """The session in it: a cookie, a `Cookie` header, an export, or what a browser writes.

        Raises `ValidationError`, and `AccountMismatchError` where an export names another
        account than the client's.
        """
        if self._is_of_browser():
            return self._of_browser(context)
        is_export = is_mapping(self._session.reveal())
        given: Mapping[str, Any] = cast("Any", self._session.reveal()) if is_export else {}
        text = given.get("session_cookie") if given else self._session.reveal()
        token = self._auth_token.reveal() or given.get("auth_token") or None
        known_id = self.user_id or given.get("user_id") or given.get("bot_id")
        username = given.get("username")
        username = username if isinstance(username, str) and username else None
        created_at, expires_at = given.get("created_at"), given.get("expires_at")
        found = protocol.cookie_in(text, exported=bool(given))
        del given
        del text
        if found is None:
            del token
            raise ValidationError(
                f"session_cookie: expected the value of {protocol.SESSION_COOKIE}, a Cookie header "
                "with it, or what export_session() gives"
            )
        if token is not None and not sendable.is_token(token):
            del token, found
            raise ValidationError("auth_token: expected printable ASCII text")
        now, state = utc_now(), context.state
        session = Session(
            session_cookie=found[0],
            auth_token=token,
            cookies=found[1],
            username=state.name or username,
            user_id=None if known_id is None else str(known_id),
            origin=context.origin,
            created_at=min(local_time(created_at) or now, now),
            expires_at=local_time(expires_at) or now + context.settings.lifetime,
        )
        del token, found
        identity.check_claim(state, username)
        return session.no_longer_than(protocol.token_expiry(session.auth_token))

    def _is_of_browser(self) -> bool:
        """Whether it has the looks of a file: no cookie and no header has its line ends."""
        given = self._session.reveal()
        if isinstance(given, str):
            text = given.lstrip("\ufeff \t\r\n")
            return text.startswith(("{", "[")) or any(mark in text.strip() for mark in "\n\t")
        return isinstance(given, (list, tuple)) or (
            is_mapping(given) and bool(given) and "session_cookie" not in cast("Any", given)
        )

    def _of_browser(self, context: ClientContext) -> Session:
        from interpal.sessions.browser_cookies import session_in

        now = utc_now()
        content = self._session
        if isinstance(content.reveal(), tuple):
            content = Hidden(list(cast("Any", content.reveal())))
        found = session_in(content.reveal(), context.origin, now)
        if found is None or found.fault:
            fault = "" if found is None else found.fault
            raise ValidationError(
                f"session: {fault}"
                if fault
                else f"session: expected a session_cookie, a cookie {protocol.SESSION_COOKIE}, a "
                "Cookie header, what export_session() gives, cookies.txt, the JSON of an "
                "extension, or HAR"
            )
        token = self._auth_token.reveal() or found.token
        if token is not None and not sendable.is_token(token):
            del token, found
            raise ValidationError("auth_token: expected printable ASCII text")
        return found._replace(token=token).to_session(
            context.origin,
            now,
            context.settings.lifetime,
            username=context.state.name,
            user_id=None if self.user_id is None else str(self.user_id),
        )


def import_session(context: ClientContext, session: Session) -> Flow[None]:
    """Use a session, and save it where the client saves sessions.

    Raises what is wrong with how that place is set up, and with its key (`set_up.ready_place`).
    """
    yield from _after_removals(context, None)
    yield from set_up.ready_place(context, session)
    due = context.manager is not None
    state = context.change(lambda now: now.hand_over(session, due=due))
    yield from saving.save(context, state.epoch, imports=True)


def logout(context: ClientContext) -> Flow[None]:
    """Forget the session here and in the vault. The site has no known call for it."""
    state = context.change(lambda now: now.log_out())
    yield from _remove(context, state.name)


def clear(context: ClientContext) -> Flow[None]:
    """Remove the account's record; where nothing else would be lost, the file too."""
    state = context.change(lambda now: now.note_unsaved())
    yield from _remove(context, state.name)


def _remove(context: ClientContext, username: str | None) -> Flow[None]:
    """Remove what is saved of an account: of the one that the client had when it was asked."""
    manager = context.manager
    if manager is None:
        return
    flight = Flight((context, "removal"))
    seconds = context.settings.lock_timeout
    try:
        yield from wait_for(flight, monotonic() + seconds, "another removal")
        yield from patiently(lambda: manager.clear(username), seconds)
    finally:
        flight.release()


def _after_removals(context: ClientContext, username: str | None) -> Flow[None]:
    """Wait for what was asked to be removed before now: it is not to take what comes next.

    Raises `AuthenticationError` where the client is logged out while it waits, or goes over to
    an account that is not *username*: that was not meant.
    """
    before, flight = context.state, Flight((context, "removal"))
    try:
        deadline = monotonic() + context.settings.lock_timeout
        yield from wait_for(flight, deadline, "the removal of a saved session")
    finally:
        flight.release()
    now = context.state
    has_gone_over = username is None and now.record_name != before.record_name
    if has_gone_over or now.logouts != before.logouts:
        now.check_epoch(before.epoch)


def info(context: ClientContext) -> Flow[SessionInfo | None]:
    """What is known of the saved session. Takes no lock and changes nothing."""
    manager, username = context.manager, context.state.name
    if manager is None:
        return None
    return (yield from patiently(lambda: manager.info(username), context.settings.lock_timeout))

"""What a reply changes: whether the session lives, whose it is, and what of it was renewed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal._clock import utc_now
from interpal._tuples import NamedTuple
from interpal.exceptions import AccountMismatchError
from interpal.flows import identity
from interpal.flows.saving import save, save_change
from interpal.sessions import cookies
from interpal.transport import protocol

if TYPE_CHECKING:
    from interpal.flows.context import ClientContext
    from interpal.session import Session
    from interpal.sessions.wait import Flow
    from interpal.transport.messages import Request, Response


class Validation(NamedTuple):
    """What the server says of a session: True it lives, False it ended, None it did not say."""

    valid: bool | None
    reason: str = ""
    user_id: str | None = None
    username: str | None = None


def check_reply(
    context: ClientContext, epoch: int, session: Session, response: Response
) -> Validation:
    """What a reply to `GET /v1/account/self` says of the session that asked in *epoch*.

    A session that is another account's is dropped from the client. Raises
    `AccountMismatchError` for it.
    """
    validation = _read(session, response)
    state = context.state
    if validation.valid and state.epoch == epoch:
        try:
            identity.check(state, session, validation.user_id, validation.username)
        except AccountMismatchError:
            context.change(lambda now: now.mismatch(session) if now.epoch == epoch else now)
            raise
    return validation


def _read(session: Session, response: Response) -> Validation:
    if response.status == 401:
        return Validation(False, "the server answered 401")
    profile = response.json_object() if response.status == 200 else None
    if profile is None:
        what = " without a profile" if response.status == 200 else ""
        if response.status in (200, 403) or 300 <= response.status < 400:
            what += protocol.PERHAPS_ENDED
        return Validation(None, f"the server answered {response.status}{what}")
    user_id, username = protocol.user_id_of(profile), profile.get("username")
    return Validation(True, "", _printable(user_id, session), _printable(username, session))


def _printable(name: object, session: Session) -> str | None:
    """A name or id that a message may show: none that echoes the session."""
    secrets = filter(None, (session.session_cookie, session.auth_token))
    return name if protocol.is_name(name) and not any(map(name.__contains__, secrets)) else None


def apply_reply(
    context: ClientContext,
    epoch: int,
    seen: Session,
    request: Request,
    response: Response,
    validation: Validation | None = None,
) -> Flow[Session]:
    """Keep what a reply to a request with *seen* changes, here and in the vault.

    A rotated cookie or token, other cookies, where the reply is one of the API; of a
    *validation* that the session lives its time, the user's id and name. Returns the session as
    it is then. Nothing changes where *epoch*, in which the request was sent, is over.
    """
    state = context.state
    if state.epoch != epoch:
        return seen
    live = state.live
    if live is not None and seen.same_credentials(live):
        seen = live
    # A page may be of something in front of the site, with cookies of its own.
    session = _renewed(context, seen, request, response) if _is_of_api(response) else seen
    if validation is not None and validation.valid:
        session = session.replace(
            last_validated_at=utc_now(),
            user_id=session.user_id or validation.user_id,
            username=session.username or validation.username,
        )
        context.tell("validated", session.username)
    if response.status < 500:
        context.count_answer()
        state = context.change(lambda now: now.answer(seen, session) if now.epoch == epoch else now)
    if state.epoch == epoch and state.uses(session) and state.is_unsaved:
        yield from save(context, epoch, wait=session is not seen)
        state = context.state
    if session.same_credentials(seen) or state.epoch != epoch or session.same_login(state.live):
        return session
    # Another is in use since, or none; the vault may still hold this one.
    yield from save_change(context, epoch, seen, session)
    return session


def _is_of_api(response: Response) -> bool:
    """Whether a reply may change the session: a 2xx one that is JSON, or empty.

    One that has nothing to change it with is not looked into.
    """
    if not 200 <= response.status < 300:
        return False
    if response.header("set-cookie") is None and not protocol.new_token(response):
        return False
    try:
        response.json()
    except (ValueError, RecursionError):
        return False
    return True


def _renewed(
    context: ClientContext, session: Session, request: Request, response: Response
) -> Session:
    """The session as the reply leaves it; the same object where it changes nothing."""
    received = cookies.after_reply(session, response, context.exchange(request))
    token = protocol.new_token(response) or session.auth_token
    renewed = session.replace(auth_token=token)
    if received is not None:
        renewed = renewed.replace(
            session_cookie=received.own,
            cookies=received.others,
            cookie_attributes=received.attributes,
        )
    if renewed == session:
        return session
    if token != session.auth_token:
        renewed = renewed.no_longer_than(protocol.fresh_token_expiry(token, utc_now()))
    if received is None:
        return renewed
    if received.expired is not None and received.expired == session.expires_at:
        # It was to end with its cookie, which the server has prolonged.
        renewed = renewed.replace(expires_at=session.created_at + context.settings.lifetime)
        renewed = renewed.no_longer_than(protocol.fresh_token_expiry(token, utc_now()))
    return renewed.no_longer_than(received.expires)

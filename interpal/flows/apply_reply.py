"""Ask the server about a session; what a reply changes of it: its life, its account, its cookie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal._clock import utc_now
from interpal._tuples import NamedTuple
from interpal.exceptions import AccountMismatchError, NetworkError
from interpal.flows import identity, pending_requests
from interpal.flows.saving import save, save_change
from interpal.sessions import cookies
from interpal.transport import protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from interpal.flows.context import ClientContext
    from interpal.session import Session
    from interpal.sessions.state import ClientState
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


def mark_ended(context: ClientContext, epoch: int, session: Session) -> None:
    """Note that the server has ended a session, and report it once.

    Raises `AuthenticationError` where *epoch* is over.
    """
    news = False

    def end(state: ClientState) -> ClientState:
        nonlocal news
        ended = state.end(session, 401)
        news = ended.was_refused(session) and not state.was_refused(session)
        return ended

    context.change(end, epoch=epoch)
    if news:
        context.contest.ended(*context.whose_login)
        context.tell("invalidated", session.username)


def ask(
    context: ClientContext,
    epoch: int,
    session: Session,
    use: Callable[[Validation], bool] | None = None,
) -> Flow[tuple[Validation, Session]]:
    """Ask the server once whose a session is, and whether it lives; and the session after that.

    *use* puts a session into use that is not yet, where it is not over, and returns whether it did.
    Never repeated: whatever the server says but 401, the session is kept. After a 401 the replies
    to what was sent with it before have been applied, as they may have brought a new cookie.
    Raises `AccountMismatchError`.
    """
    request = context.self_request()
    with pending_requests.Sending(context, session):
        context.check_epoch(epoch)
        try:
            response: Response = yield context.authenticated(session, request)
        except NetworkError as fault:
            validation = Validation(None, str(fault))
            if use is not None:
                use(validation)
            return validation, session
        validation = check_reply(context, epoch, session, response)
        if validation.valid is not False:
            if bool(validation.valid) if use is None else use(validation):
                session = yield from apply_reply(
                    context, epoch, session, request, response, validation
                )
            return validation, session
    yield from pending_requests.replies_to(context, session)
    return validation, session


def unknown_whose(context: ClientContext, session: Session, validation: Validation) -> NetworkError:
    """The error for a session of which nobody has ever said whose it is, while nobody can."""
    who = context.state.name or session.username or "this account"
    where = "" if context.path is None else f" in {context.path}"
    return NetworkError(
        f"the session of {who}{where} was never validated, and the server could not be asked "
        f"whose it is ({validation.reason}); it was kept and not used: try again later"
    )

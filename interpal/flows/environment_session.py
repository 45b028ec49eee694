"""The session in the environment: what `interpal-vault exec` and `export --ci` put there.

| variable | holds |
| --- | --- |
| `INTERPALS_SESSION_COOKIE` | the cookie, in clear, as `exec` sets it |
| `INTERPALS_AUTH_TOKEN` | its token |
| `INTERPALS_USERNAME` | the account |
| `INTERPALS_SESSION_ORIGIN` | the site that it is for |
| `INTERPALS_SESSION` | one encrypted line of `export --ci`, which opens with the vault's key |
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from interpal._hidden import Hidden
from interpal.exceptions import ValidationError
from interpal.flows.arguments import SESSION_COOKIE as COOKIE
from interpal.flows.arguments import SESSION_LINE as LINE
from interpal.flows.explicit import ImportedSession
from interpal.session import record_name
from interpal.sessions.record_matching import RecordMatching
from interpal.transport import origin, protocol

if TYPE_CHECKING:
    from interpal.flows.context import ClientContext
    from interpal.session import Session

TOKEN = "INTERPALS_AUTH_TOKEN"  # noqa: S105  (the name of a variable)
USERNAME = "INTERPALS_USERNAME"
ORIGIN = "INTERPALS_SESSION_ORIGIN"


def session_of_environment(context: ClientContext) -> Session | None:
    """The session in the environment; None where it is another account's or another site's.

    Raises `ValidationError` for what is no session, and for two; for an encrypted line also
    `KeyRequiredError`, `WrongKeyError` and the other errors of a vault.
    """
    if COOKIE in os.environ and LINE in os.environ:
        raise ValidationError(f"{COOKIE} and {LINE} are both set: unset one of them")
    return _plain(context) if COOKIE in os.environ else _encrypted(context)


def _plain(context: ClientContext) -> Session | None:
    username = os.environ.get(USERNAME) or None
    if not _is_for(context, username, os.environ.get(ORIGIN)):
        return None
    given = Hidden((os.environ[COOKIE], os.environ.get(TOKEN) or None))
    try:
        session = ImportedSession(*given.reveal()).read(context)
    except ValidationError as error:
        raise ValidationError(f"{COOKIE}, {TOKEN}: {error}") from None
    # A session from outside has no known end of its own.
    return session.replace(
        username=context.state.name or username,
        expires_at=protocol.token_expiry(session.auth_token),
    )


def _encrypted(context: ClientContext) -> Session | None:
    from interpal.vault import one_line
    from interpal.vault.keys.sources import find_source

    line = Hidden(os.environ[LINE].encode("utf-8", "surrogatepass"))
    matching = RecordMatching(context.origin, origin.DEFAULT_BASE_URL)
    wanted = context.state.name
    records = Hidden(one_line.opened(line, find_source(), LINE))
    for name, record in records.reveal().items():
        if wanted is None or record_name(wanted) == name:
            return matching.session_of(name, record)
    return None


def _is_for(context: ClientContext, username: str | None, site: str | None) -> bool:
    wanted = context.state.name
    if wanted is not None and username is not None and record_name(wanted) != record_name(username):
        return False
    return (site or origin.DEFAULT_BASE_URL) == context.origin or site is None

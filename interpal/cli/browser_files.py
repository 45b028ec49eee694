"""What `import` takes besides vaults and files of interpal 1.x: cookies of a browser."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from interpal._clock import utc_now
from interpal._hidden import Hidden
from interpal.exceptions import VaultFormatError
from interpal.session import DEFAULT_LIFETIME_HOURS, DEFAULT_NAME, record_name
from interpal.sessions.browser_cookies import session_in
from interpal.transport import origin
from interpal.vault.cli import import_export

if TYPE_CHECKING:
    from interpal.vault.cli.import_export import Record

# As `import_session` of a client: the server ends it sooner, or a later login replaces it.
_LIFETIME = timedelta(hours=DEFAULT_LIFETIME_HOURS)


def read_browser_file(content: Hidden[bytes], user: str | None) -> Hidden[dict[str, Any]] | None:
    """The record in a cookies.txt, the JSON of an extension, or a HAR; None for anything else.

    It is for the site of `INTERPALS_BASE_URL`. Raises `VaultFormatError` where it has cookies and
    no session among them.
    """
    site, now = origin.origin_of(origin.configured_base_url()), utc_now()
    found = Hidden(session_in(content.reveal().decode("utf-8", "replace"), site, now))
    session = found.reveal()
    if session is None:
        return None
    if session.fault:
        raise VaultFormatError(session.fault)
    record: Record = session.to_session(site, now, _LIFETIME, username=user).to_record()
    return Hidden({record_name(user) if user else DEFAULT_NAME: record})


import_export.READERS.append(read_browser_file)

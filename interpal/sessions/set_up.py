"""Whether a session could be saved: found out before one is asked about, or a login is sent.

A mistake in how a vault is set up would cost a login at each start. What comes over a place that
was right, such as a full disk, costs the save only.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import TYPE_CHECKING

from interpal._clock import utc_now
from interpal.exceptions import ValidationError, VaultError, VaultIOError
from interpal.sessions.refused_logins import LONGEST_PAUSE, REMEMBERED
from interpal.vault.files.writable import is_set_up_wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from interpal.vault.vault import Vault

# As large as a session is, with its token and a few cookies.
_SESSION = {"session": "x" * 1024}


def check_before_asking(check_writable: Callable[[], None]) -> None:
    """Refuse a place that is set up wrong before a session is asked about that may have ended.

    What can only be read is left to the login that would follow: a session that lives is used
    there. Raises what *check_writable* raises.
    """
    try:
        check_writable()
    except VaultError as error:
        read_only = isinstance(error, VaultIOError) and error.errno == errno.EROFS
        if is_set_up_wrong(error) and not read_only:
            raise


def check_room(vault: Vault, name: str, session: Mapping[str, Any] | None = None) -> None:
    """Refuse a vault without room for *session*, or for that of a login: `VaultLimitError`.

    One that is too large for any vault is no fault of this one, and costs the save only.
    """
    now = int(utc_now().timestamp())
    attempt = {
        "kind": "no-session",
        "tag": "0" * 5,
        "count": 1,
        "until": int(now + LONGEST_PAUSE),
        "forget_at": int(now + LONGEST_PAUSE + REMEMBERED),
    }
    with suppress(ValidationError):
        vault.check_room(name, dict(session or _SESSION), attempt)

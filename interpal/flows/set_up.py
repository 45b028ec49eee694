"""What is wrong with the set-up of the vault's place, before it costs a session or a login.

What comes over a place that was right, such as a full disk, costs the save only.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from interpal.exceptions import (
    LockTimeoutError,
    NotDurableError,
    VaultIOError,
    VaultNotFoundError,
    VaultPermissionError,
)
from interpal.sessions.wait import Flow, patiently
from interpal.vault.files.writable import is_set_up_wrong

if TYPE_CHECKING:
    from interpal.flows.context import ClientContext


def check_place(context: ClientContext) -> None:
    """Refuse a place that is set up wrong, before a session is asked about that may have ended.

    The login that would follow could not be saved, at each start. A file system that is read-only
    is left to that login: a session that lives is used there. Raises `VaultPermissionError`,
    `VaultIOError`.
    """
    manager = context.manager
    if manager is None or context.could_save or not context.state.can_log_in:
        return
    try:
        manager.check_writable()
    except VaultIOError as error:
        if error.errno != errno.EROFS:
            raise


def ready_place(context: ClientContext, username: str | None) -> Flow[None]:
    """Make the vault where it is missing, for a session that is given; it is saved next.

    Raises what is wrong with the place or the key. What may come over any place, such as a full
    disk, is for the save to report.
    """
    manager = context.manager
    if manager is None:
        return

    def make() -> None:
        manager.check_writable()
        manager.ensure_vault(username)

    try:
        yield from patiently(make, context.settings.lock_timeout)
        context.could_save = True
    except (VaultNotFoundError, NotDurableError, LockTimeoutError):
        pass
    except (VaultIOError, VaultPermissionError) as error:
        if is_set_up_wrong(error, was_right=context.could_save):
            raise

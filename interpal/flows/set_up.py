"""What is wrong with the set-up of a client's vault, before it costs a session or a login."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal.exceptions import (
    LockTimeoutError,
    NotDurableError,
    VaultIOError,
    VaultNotFoundError,
    VaultPermissionError,
)
from interpal.sessions import set_up
from interpal.sessions.wait import Flow, patiently
from interpal.vault.files.writable import is_set_up_wrong

if TYPE_CHECKING:
    from interpal.flows.context import ClientContext
    from interpal.session import Session


def check_place(context: ClientContext) -> None:
    """Refuse a place that is set up wrong before a session is asked about: `check_before_asking`.

    Where no login may follow, it is not looked at. Raises `VaultPermissionError`, `VaultIOError`.
    """
    manager = context.manager
    if manager is not None and not context.could_save and context.state.can_log_in:
        set_up.check_before_asking(manager.check_writable)


def ready_place(context: ClientContext, session: Session) -> Flow[None]:
    """Make the vault where it is missing, for a *session* that is given; it is saved next.

    Raises what is wrong with the place or the key, and `VaultLimitError` where the vault has no
    room for it. What may come over any place, such as a full disk, is for the save to report.
    """
    manager = context.manager
    if manager is None:
        return

    def make() -> None:
        manager.check_writable()
        manager.ensure_vault(username)
        manager.check_room(username, session)

    username = context.state.name or session.username
    try:
        yield from patiently(make, context.settings.lock_timeout)
        context.could_save = True
    except (VaultNotFoundError, NotDurableError, LockTimeoutError):
        pass
    except (VaultIOError, VaultPermissionError) as error:
        if is_set_up_wrong(error, was_right=context.could_save):
            raise

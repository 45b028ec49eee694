"""Steps 1 and 7 of the resume table: a disk that takes nothing costs the save, not the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal._log import Logger
from interpal.exceptions import (
    NotDurableError,
    ValidationError,
    VaultCorruptError,
    VaultError,
    VaultFormatError,
    VaultIOError,
)
from interpal.sessions.wait import Flow, patiently

if TYPE_CHECKING:
    from collections.abc import Callable

    from interpal.flows.context import ClientContext
    from interpal.session import Session

_log = Logger("interpal.flows")


def find_saved(
    context: ClientContext, username: str | None, *, damage_is_an_error: bool = False
) -> Flow[tuple[Session | None, bool]]:
    """The saved session of an account (None: of the only one), and whether it is in the vault.

    It is not where a plain file of interpal 1.x could not be encrypted in place, or a damaged
    vault not be set aside, for a disk that is full or read-only.
    """
    manager = context.manager
    if manager is None:
        return None, False
    try:
        found = yield from patiently(
            lambda: manager.find(username, damage_is_an_error=damage_is_an_error),
            context.settings.lock_timeout,
        )
        return found, found is not None
    except VaultCorruptError as error:
        if damage_is_an_error:
            raise
        # One record of a store that keeps them apart: the login that follows replaces it.
        _log.warning("%s; a login replaces it", error)
        return None, False
    except VaultIOError as error:
        try:
            found = manager.peek(username)
        except (VaultCorruptError, VaultFormatError):
            # What is not to be touched was raised before: this is damaged, empty or cut off.
            found = None
        if found is None and not context.state.has_credentials:
            raise
        context.tell("save_failed", reason=str(error))
        return found, False


def save_quietly(context: ClientContext, save: Callable[[], bool | None]) -> Flow[bool | None]:
    """Save. False where the save says so, None where it could not be done, which is reported.

    What *save* itself raises of the client's epoch is passed on.
    """
    try:
        return (yield from patiently(save, context.settings.lock_timeout)) is not False
    except NotDurableError as error:
        context.tell("save_failed", reason=str(error))
        return True
    except (VaultError, ValidationError) as error:
        # Also a session of more than a record can hold: it serves as long as this client does.
        context.tell("save_failed", reason=str(error))
        return None

"""Step 7 of the resume table: a fault of the disk costs the save, not the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal.exceptions import NotDurableError, VaultError
from interpal.flows.wait import Flow, patiently

if TYPE_CHECKING:
    from collections.abc import Callable

    from interpal.flows.account import Account


def save_quietly(account: Account, save: Callable[[], bool | None]) -> Flow[bool | None]:
    """Save. False where the save says so, None where it could not be done, which is told."""
    try:
        return (yield from patiently(save, account.settings.lock_timeout)) is not False
    except NotDurableError as error:
        account.tell("save_failed", reason=str(error))
        return True
    except VaultError as error:
        account.tell("save_failed", reason=str(error))
        return None

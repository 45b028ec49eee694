"""Whether anybody still waits for the flow that runs here: a task that was cancelled does not."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _nobody_left() -> bool:
    return False


# Set by a driver for the steps of one flow.
is_abandoned: ContextVar[Callable[[], bool]] = ContextVar("is_abandoned", default=_nobody_left)


class AbandonedError(Exception):
    """The task that wanted this step was cancelled. Its driver drops it."""


def check() -> None:
    """Raise `AbandonedError` where nobody waits for the flow any more: nothing is to come of it."""
    if is_abandoned.get()():
        raise AbandonedError

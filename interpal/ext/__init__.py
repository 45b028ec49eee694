"""Extensions of the clients: `interpal.ext.commands`, bots that answer to commands."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interpal.ext.commands import Bot, Cog, Command, Context, command

__all__ = ["Bot", "Cog", "Command", "Context", "command"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("interpal.ext.commands"), name)

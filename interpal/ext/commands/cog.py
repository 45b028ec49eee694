"""A cog: commands and listeners that belong together, with what they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from interpal.ext.commands.command import Command

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

LISTENS_TO = "__interpal_listens_to__"


class Cog:
    """Subclass it, decorate methods with `@command()` and `@listener()`, and `bot.add_cog` it.

    `cog_check(ctx)`, where a subclass has one, is asked before each of its commands.
    """

    def __init__(self, bot: Any = None) -> None:
        self.bot = bot

    @property
    def qualified_name(self) -> str:
        """What the bot knows it by: the name of the class."""
        return type(self).__name__

    def get_commands(self) -> list[Command]:
        """Its commands, bound to it, in the order of the class body; the same ones each time."""
        bound: list[Command] | None = vars(self).get("_bound_commands")
        if bound is None:
            bound = [value.bound_to(self) for _, value in _members(type(self), Command)]
            vars(self)["_bound_commands"] = bound
        return bound

    def get_listeners(self) -> list[tuple[str, Callable[..., Any]]]:
        """The names of events, each with the method that hears of it."""
        return [
            (event, getattr(self, name))
            for name, function in _members(type(self), object)
            for event in getattr(function, LISTENS_TO, ())
        ]


def _members(kind: type, wanted: type) -> list[tuple[str, Any]]:
    """The members of a class and of those it derives from; an overridden one counts once."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        for name, value in vars(base).items():
            found.pop(name, None)
            found[name] = value
    return [(name, value) for name, value in found.items() if isinstance(value, wanted)]


def listener(name: str | None = None) -> Callable[[F], F]:
    """Have a method of a `Cog` hear of an event; without a name, of the one it is called like."""

    def decorate(function: F) -> F:
        events = [*getattr(function, LISTENS_TO, ()), name or function.__name__]
        setattr(function, LISTENS_TO, events)
        return function

    return decorate

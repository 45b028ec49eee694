"""A command: a function, its names, its help, and who may use it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, overload

from interpal._clock import monotonic
from interpal.ext.commands.arguments import bind, parameters_of
from interpal.ext.commands.errors import CheckFailure, CommandOnCooldown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from interpal.ext.commands.arguments import Bound
    from interpal.ext.commands.cog import Cog

Predicate = Any
"""A function of the context; it returns whether the command may be used, or raises."""

CHECKS = "__interpal_checks__"


class Command:
    """A command of a bot. Made by `@bot.command()`, or by `@command()` in a `Cog`.

    `name` and `aliases` are what it is called, `help` is the docstring unless given, `brief` its
    first line, `hidden` leaves it out of the list of commands, `enabled` may be set to False.
    """

    def __init__(
        self,
        callback: Callable[..., Any],
        name: str | None = None,
        aliases: Iterable[str] | None = None,
        help: str | None = None,  # noqa: A002  (its name in interpal 1.x)
        brief: str | None = None,
        enabled: bool = True,
        hidden: bool = False,
        **extras: Any,
    ) -> None:
        """Raises TypeError for a function without a parameter for the context."""
        self.callback = callback
        self.name = name or callback.__name__
        self.aliases = list(aliases or ())
        self.help = inspect.getdoc(callback) or "" if help is None else help
        self.brief = brief or self.help.partition("\n")[0]
        self.enabled = enabled
        self.hidden = hidden
        self.extras = extras
        self.cog: Cog | None = None
        self.checks: list[Predicate] = list(getattr(callback, CHECKS, ()))
        self._first = 1
        self.parameters = parameters_of(callback, 1) if not _is_method(callback) else []

    def __repr__(self) -> str:
        return f"<Command {self.name}>"

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return inspect.iscoroutinefunction(self.callback)

    @property
    def names(self) -> list[str]:
        """The name and the aliases."""
        return [self.name, *self.aliases]

    @property
    def usage(self) -> str:
        """The name and the parameters, as help shows them."""
        return " ".join([self.name, *map(str, self.parameters)])

    def bound_to(self, cog: Cog) -> Command:
        """The same command as one of *cog*."""
        command = Command(
            self.callback,
            self.name,
            self.aliases,
            self.help,
            self.brief,
            self.enabled,
            self.hidden,
            **self.extras,
        )
        command.cog = cog
        command.checks = list(self.checks)
        command.parameters = parameters_of(self.callback, 2)
        return command

    def bind(self, text: str) -> Bound:
        """The words of each parameter. Raises a `UserInputError`."""
        return bind(self.parameters, text, self.usage)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself, with the context as the first argument."""
        if self.cog is not None:
            return self.callback(self.cog, *args, **kwargs)
        return self.callback(*args, **kwargs)

    def invoke(self, ctx: Any, *args: Any, **kwargs: Any) -> Any:
        """Call the function with these arguments, unchecked; to be awaited where it is async."""
        return self(ctx, *args, **kwargs)


def _is_method(callback: Callable[..., Any]) -> bool:
    """Whether the first parameter is the cog: those of a class body, before it is made."""
    parameters = list(inspect.signature(callback).parameters)
    return bool(parameters) and parameters[0] == "self"


@overload
def command(name: Callable[..., Any]) -> Command: ...
@overload
def command(
    name: str | None = None, **settings: Any
) -> Callable[[Callable[..., Any]], Command]: ...
def command(name: Any = None, **settings: Any) -> Any:
    """Make a method of a `Cog` a command; the keyword arguments are those of `Command`."""
    if callable(name):
        return Command(name)

    def decorate(function: Callable[..., Any]) -> Command:
        return Command(function, name, **settings)

    return decorate


def check(predicate: Predicate) -> Callable[[Any], Any]:
    """Have *predicate* asked before the command: below or above `@bot.command()`.

    It is given the context. False becomes a `CheckFailure`; for `Bot` it may be a coroutine
    function.
    """

    def decorate(target: Any) -> Any:
        if isinstance(target, Command):
            target.checks.append(predicate)
        else:
            setattr(target, CHECKS, [*getattr(target, CHECKS, ()), predicate])
        return target

    return decorate


def only_for(*people: str) -> Callable[[Any], Any]:
    """A check: only these people, by their id or their username."""
    known = {person.casefold() for person in people}

    def is_one_of_them(ctx: Any) -> bool:
        username = ctx.event.sender.get("username") if ctx.event.get("sender") else None
        return str(ctx.sender_id) in known or str(username).casefold() in known

    return check(is_one_of_them)


def cooldown(times: int, seconds: float) -> Callable[[Any], Any]:
    """A check: each person at most so many *times* within so many *seconds*."""
    from collections import deque

    used: dict[str, deque[float]] = {}

    def has_cooled_down(ctx: Any) -> bool:
        now = monotonic()
        for person in [person for person, uses in used.items() if uses[-1] <= now - seconds]:
            del used[person]
        mine = used.setdefault(str(ctx.sender_id), deque())
        while mine and mine[0] <= now - seconds:
            mine.popleft()
        if len(mine) >= times:
            raise CommandOnCooldown(mine[0] + seconds - now)
        mine.append(now)
        return True

    return check(has_cooled_down)


def refusal(answer: object) -> None:
    """Raise the `CheckFailure` of a check that said no."""
    if not answer:
        raise CheckFailure

"""From the words behind a command to the arguments of its function."""

from __future__ import annotations

import enum
import inspect
import types
import typing
from typing import TYPE_CHECKING, Any, NamedTuple

from interpal.ext.commands.errors import (
    BadArgument,
    CommandError,
    MissingRequiredArgument,
    TooManyArguments,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TRUE = frozenset({"true", "yes", "y", "on", "1", "enable"})
FALSE = frozenset({"false", "no", "n", "off", "0", "disable"})


class Converter:
    """A conversion of one's own: annotate a parameter with a subclass, or with an object of it."""

    def convert(self, ctx: Any, argument: str) -> Any:
        """The value of one word; for `Bot` it may be a coroutine function.

        A `ValueError` becomes a `BadArgument` with its text.
        """
        raise NotImplementedError


class Parameter(NamedTuple):
    """One parameter of a command's function."""

    name: str
    kind: Any
    default: Any
    annotation: Any

    @property
    def is_required(self) -> bool:
        """Whether there is no default."""
        variable = self.kind is inspect.Parameter.VAR_POSITIONAL
        return self.default is inspect.Parameter.empty and not variable

    @property
    def takes_text(self) -> bool:
        """Whether it is a `str`, by annotation or for want of one."""
        return str in _kinds(self.annotation) or self.annotation is inspect.Parameter.empty

    def __str__(self) -> str:
        if self.kind is inspect.Parameter.VAR_POSITIONAL:
            return f"[{self.name}...]"
        return f"<{self.name}>" if self.is_required else f"[{self.name}]"


def parameters_of(function: Callable[..., Any], skip: int) -> list[Parameter]:
    """The parameters behind the first *skip*, which are the cog's self and the context.

    Raises TypeError where there is no place for the context, and for `**`.
    """
    signature = list(inspect.signature(function).parameters.values())
    if len(signature) < skip:
        raise TypeError(f"{function.__qualname__}: a command's first parameter is the context")
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError):
        # Of names that only a type checker knows.
        hints = {}
    found = []
    for parameter in signature[skip:]:
        if parameter.kind is parameter.VAR_KEYWORD:
            raise TypeError(f"{function.__qualname__}: a command has no **{parameter.name}")
        annotation = hints.get(parameter.name, parameter.annotation)
        if isinstance(annotation, str):
            annotation = inspect.Parameter.empty
        found.append(Parameter(parameter.name, parameter.kind, parameter.default, annotation))
    return found


class Bound(NamedTuple):
    """The words of each parameter, before conversion: name, text, annotation."""

    positional: list[tuple[Parameter, str]]
    keyword: tuple[Parameter, str] | None


def bind(parameters: Sequence[Parameter], text: str, usage: str) -> Bound:
    """Give each parameter its words.

    The last one takes all that are left, joined with blanks, where it takes text; one behind `*`
    takes the rest as it was written. Raises `MissingRequiredArgument`, `TooManyArguments`.
    """
    rest = text.strip()
    found: list[tuple[Parameter, str]] = []
    for number, parameter in enumerate(parameters):
        is_last = number == len(parameters) - 1
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            found += [(parameter, word) for word in rest.split()]
            rest = ""
            continue
        if not rest:
            if parameter.is_required:
                raise MissingRequiredArgument(parameter.name, usage)
            continue
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            return Bound(found, (parameter, rest))
        if is_last and parameter.takes_text:
            found.append((parameter, " ".join(rest.split())))
            rest = ""
        else:
            word, _, rest = _first_word(rest)
            found.append((parameter, word))
    if rest:
        raise TooManyArguments(usage)
    return Bound(found, None)


def _first_word(text: str) -> tuple[str, str, str]:
    words = text.split(None, 1)
    return words[0], "", words[1] if len(words) > 1 else ""


def convert(ctx: Any, parameter: Parameter, text: str) -> Any:
    """The value of a parameter, or an awaitable of it. Raises `BadArgument`."""
    reasons = []
    for kind in _kinds(parameter.annotation) or (str,):
        if kind is type(None):
            continue
        try:
            return _converted(ctx, kind, text)
        except CommandError:
            raise
        except (ValueError, TypeError, ArithmeticError, LookupError) as error:
            reasons.append(str(error) or type(error).__name__)
    raise BadArgument(parameter.name, "; ".join(reasons))


def _kinds(annotation: Any) -> tuple[Any, ...]:
    if annotation is inspect.Parameter.empty:
        return ()
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def _converted(ctx: Any, kind: Any, text: str) -> Any:
    if kind is str or kind is Any:
        return text
    if kind is bool:
        return _bool(text)
    if typing.get_origin(kind) is typing.Literal:
        return _choice(typing.get_args(kind), text)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _member(kind, text)
    if isinstance(kind, type) and issubclass(kind, Converter):
        kind = kind()
    if isinstance(kind, Converter):
        return kind.convert(ctx, text)
    if callable(kind):
        return kind(text)
    return text


def _bool(text: str) -> bool:
    word = text.casefold()
    if word not in TRUE | FALSE:
        raise ValueError(f"expected yes or no, not {text}")
    return word in TRUE


def _choice(choices: tuple[Any, ...], text: str) -> Any:
    for choice in choices:
        if str(choice).casefold() == text.casefold():
            return choice
    raise ValueError(f"expected one of {', '.join(map(str, choices))}")


def _member(kind: type[enum.Enum], text: str) -> enum.Enum:
    for member in kind:
        if text.casefold() in (member.name.casefold(), str(member.value).casefold()):
            return member
    raise ValueError(f"expected one of {', '.join(member.name.lower() for member in kind)}")

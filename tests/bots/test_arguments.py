"""From the words behind a command to the arguments of its function."""

from __future__ import annotations

import contextlib
import enum
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Optional, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpal.ext.commands import (
    BadArgument,
    Command,
    Converter,
    MissingRequiredArgument,
    TooManyArguments,
)
from interpal.ext.commands.arguments import convert

if TYPE_CHECKING:
    from collections.abc import Callable


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


class Reversed(Converter):
    def convert(self, ctx: Any, argument: str) -> str:
        if argument == "no":
            raise ValueError("not this one")
        return argument[::-1]


def called(function: Callable[..., Any], text: str) -> tuple[list[Any], dict[str, Any]]:
    bound = Command(function).bind(text)
    keyword = bound.keyword
    return [convert(None, *pair) for pair in bound.positional], (
        {} if keyword is None else {keyword[0].name: convert(None, *keyword)}
    )


def two(ctx: Any, first: int, second: float) -> None: ...
def plain(ctx: Any, name) -> None: ...  # type: ignore[no-untyped-def]
def optional(ctx: Any, name=None) -> None: ...  # type: ignore[no-untyped-def]
def last_text(ctx: Any, minutes: int, text: str) -> None: ...
def last_optional_text(ctx: Any, text: Optional[str] = None) -> None: ...  # noqa: UP045
def variable(ctx: Any, *words: int) -> None: ...
def rest(ctx: Any, first: str, *, text: str) -> None: ...
def flag(ctx: Any, enabled: bool) -> None: ...
def maybe(ctx: Any, number: int | None = None) -> None: ...
def either(ctx: Any, thing: Union[int, Size]) -> None: ...  # noqa: UP007
def choice(ctx: Any, size: Literal["small", "large", 3]) -> None: ...
def member(ctx: Any, size: Size) -> None: ...
def amount(ctx: Any, price: Decimal) -> None: ...
def backwards(ctx: Any, text: Reversed) -> None: ...
def several(ctx: Any, country=None, least: int = 0, most: int = 99) -> None: ...  # type: ignore[no-untyped-def]


CASES: list[tuple[Callable[..., Any], str, list[Any], dict[str, Any]]] = [
    (two, "3 4.5", [3, 4.5], {}),
    (two, "  3   4  ", [3, 4.0], {}),
    (plain, "Alice", ["Alice"], {}),
    (plain, "Alice  and Bob", ["Alice and Bob"], {}),
    (optional, "", [], {}),
    (last_text, "30 mind the\noven", [30, "mind the oven"], {}),
    (last_optional_text, "Hello world, how are you?", ["Hello world, how are you?"], {}),
    (variable, "1 2 3", [1, 2, 3], {}),
    (variable, "", [], {}),
    (rest, "one two\n  three ", ["one"], {"text": "two\n  three"}),
    (flag, "yes", [True], {}),
    (flag, "Off", [False], {}),
    (maybe, "7", [7], {}),
    (maybe, "", [], {}),
    (either, "7", [7], {}),
    (either, "large", [Size.LARGE], {}),
    (choice, "LARGE", ["large"], {}),
    (choice, "3", [3], {}),
    (member, "S", [Size.SMALL], {}),
    (amount, "1.50", [Decimal("1.50")], {}),
    (backwards, "abc", ["cba"], {}),
    (several, "USA 18", ["USA", 18], {}),
    (several, "USA 18 30", ["USA", 18, 30], {}),
]


@pytest.mark.parametrize(("function", "text", "positional", "keyword"), CASES)
def test_arguments(
    function: Callable[..., Any], text: str, positional: list[Any], keyword: dict[str, Any]
) -> None:
    assert called(function, text) == (positional, keyword)


@pytest.mark.parametrize(
    ("function", "text", "error", "said"),
    [
        (two, "3", MissingRequiredArgument, "Missing required argument: second"),
        (rest, "one", MissingRequiredArgument, "Missing required argument: text"),
        (two, "3 4 5", TooManyArguments, "Usage: two <first> <second>"),
        (two, "three 4", BadArgument, "invalid literal for int"),
        (flag, "perhaps", BadArgument, "expected yes or no"),
        (choice, "huge", BadArgument, "expected one of small, large, 3"),
        (member, "huge", BadArgument, "expected one of small, large"),
        (amount, "much", BadArgument, "Bad argument price"),
        (backwards, "no", BadArgument, "not this one"),
        (either, "huge", BadArgument, "invalid literal.*; expected one of"),
        (several, "USA 18 30 4", TooManyArguments, r"several \[country\] \[least\] \[most\]"),
    ],
)
def test_what_is_wrong_is_said(
    function: Callable[..., Any], text: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        called(function, text)


@given(st.text(), st.sampled_from([plain, optional, variable, rest, two, several]))
def test_any_text_is_bound_or_refused(text: str, function: Callable[..., Any]) -> None:
    with contextlib.suppress(MissingRequiredArgument, TooManyArguments, BadArgument):
        called(function, text)


def test_a_command_needs_a_place_for_the_context() -> None:
    def nothing() -> None: ...
    def anything(ctx: Any, **others: Any) -> None: ...

    with pytest.raises(TypeError, match="first parameter is the context"):
        Command(nothing)
    with pytest.raises(TypeError, match=r"\*\*others"):
        Command(anything)

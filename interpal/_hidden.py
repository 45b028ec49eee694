"""A value that does not show itself: a key, a passphrase, a password, decrypted text."""

from __future__ import annotations

from typing import Generic, NoReturn, SupportsIndex, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Hidden(Generic[T_co]):
    """Holds a value whose repr, str and format are redacted, and refuses to be pickled.

    A traceback with local variables, a log line, a debugger or an error reporter gets `<hidden>`:
    the object is no `bytes`, `str`, tuple or mapping that could be cut, decoded or walked. Code
    calls `reveal` in the expression that needs the value and binds it to no name, so that no
    frame has it. Python cannot wipe it from memory, and this class does not pretend to.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T_co) -> None:
        self._value = value

    def reveal(self) -> T_co:
        """The value. A method, since tools that evaluate attributes call no methods."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hidden) and bool(self._value == other._value)

    __hash__ = None  # type: ignore[assignment]  # Most of what is hidden has none either.

    def __repr__(self) -> str:
        return "<hidden>"

    def __format__(self, spec: str) -> str:
        return "<hidden>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a hidden value cannot be pickled or copied")


class Opaque:
    """A frozen value with named fields that hold secrets: what a NamedTuple is, but no tuple.

    A subclass names its fields in `__slots__`, sets them with `_fill`, and has a repr that shows
    none of them. Two are equal where all their fields are. It refuses to be pickled or copied.
    """

    __slots__: tuple[str, ...] = ()

    def _fill(self, *values: object) -> None:
        for name, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be changed")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]  # What they hold often has none.

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} holds secrets and cannot be pickled")

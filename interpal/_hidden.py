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

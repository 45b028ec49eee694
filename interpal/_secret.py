"""Bytes that do not show themselves: keys, passphrases, passwords, decrypted text."""

from __future__ import annotations

from typing import NoReturn, SupportsIndex


class Secret(bytes):
    """Bytes whose repr, str and format are redacted, and that refuse to be pickled.

    A traceback that shows local variables, a log line or a debugger prints `<secret>`. It
    remains a `bytes` wherever a library asks for one. Python cannot wipe it from memory, and
    this class does not pretend to.
    """

    __slots__ = ()

    @classmethod
    def from_text(cls, text: str) -> Secret:
        """The UTF-8 form of *text*. Raises `UnicodeEncodeError` for lone surrogates."""
        return cls(text.encode("utf-8"))

    @property
    def text(self) -> str:
        """The plain text, for the one moment that it is needed."""
        return self.decode("utf-8")

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "<secret>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied")

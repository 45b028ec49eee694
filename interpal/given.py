"""What a caller gave, not yet looked at: secrets that no traceback shows, a place not opened."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from interpal._secret import Secret
from interpal.exceptions import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from interpal.vault.stores.base import Store


class GivenPassword:
    """A password."""

    __slots__ = ("_text",)

    def __init__(self, text: object) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "<a password that was given>"

    def read(self) -> Secret | None:
        """The password as bytes that do not show themselves, None where none was given.

        Raises `ValidationError`.
        """
        if self._text is None:
            return None
        fault = "expected text, not an empty one"
        if isinstance(self._text, str) and self._text:
            try:
                return Secret.from_text(self._text)
            except UnicodeEncodeError:
                fault = "this text cannot be written as UTF-8"
        raise ValidationError(f"password: {fault}")


class GivenKey(NamedTuple):
    """The secret of a vault."""

    passphrase: str | Callable[[], str] | None
    key: bytes | str | None

    def __repr__(self) -> str:
        return "<the secret of a vault>"


class GivenStore(NamedTuple):
    """A store; its URL may hold a password."""

    store: Store | str | None

    def __repr__(self) -> str:
        return "<a store that was given>"


class GivenPlace:
    """Where sessions are kept: a path, the URL of a store, or a store.

    A path is made absolute at once, and nothing is read before `open`: making a client inside
    of an event loop is no time to wait for a disk. Raises `ValidationError`.
    """

    __slots__ = ("_place",)

    def __init__(self, place: str | os.PathLike[str] | Store) -> None:
        if not isinstance(place, (str, os.PathLike)) and not _is_store(place):
            raise ValidationError("session_file, store: expected a path, a URL, or a Store")
        self._place = place
        if isinstance(place, os.PathLike) or (isinstance(place, str) and not _is_url(place)):
            path: object = os.fspath(place)
            if not isinstance(path, str) or not path or "\0" in path:
                raise ValidationError("session_file: must not be empty and must not hold a NUL")
            self._place = os.path.abspath(path)

    def open(self) -> Store:
        """The store. Raises `ValidationError`, `StoreUnavailableError`."""
        from interpal.vault.vault import open_store

        return open_store(self._place)


def _is_store(place: object) -> bool:
    return isinstance(getattr(place, "location", None), str)


def _is_url(text: str) -> bool:
    return text.partition(":")[0] in ("file", "sqlite", "redis", "rediss")

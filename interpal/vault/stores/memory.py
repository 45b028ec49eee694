"""A store in memory: for a vault whose bytes came from elsewhere, or are to go elsewhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from interpal.vault.stores.base import Stored
from interpal.vault.stores.values import check_max_size

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from interpal.vault.stores.base import LoginLock, Writer


class Memory:
    """A vault in memory, as a `Store`: for bytes that were read, or are to be written elsewhere."""

    def __init__(
        self, location: str, stored: Stored | None = None, *, max_size: int | None = None
    ) -> None:
        self.max_size = check_max_size(max_size)
        self._location = location
        self.stored = stored

    @property
    def location(self) -> str:
        """The path that messages name."""
        return self._location

    @property
    def data(self) -> bytes:
        """The bytes; empty where there are none yet."""
        return b"" if self.stored is None else self.stored.reveal()

    def load(self) -> Stored | None:
        """The bytes, None where there are none yet."""
        return self.stored

    @contextmanager
    def write_lock(self, timeout: float) -> Generator[Writer, None, None]:  # noqa: ARG002
        """Nobody else is there."""
        yield self

    def login_lock(self, tag: bytes) -> LoginLock:
        """Nobody logs in to a copy."""
        raise NotImplementedError

    def save(self, data: bytes, *, verify: Callable[[bytes], None] | None = None) -> Stored:
        """Keep *data*, once *verify* has passed it."""
        if verify is not None:
            verify(data)
        self.stored = Stored(data, None)
        return self.stored

    def remove(self) -> None:
        """Forget the bytes."""
        self.stored = None

    def set_aside(self, seen: Stored) -> str | None:  # noqa: ARG002
        """There is no place to put them."""
        return None

    def close(self) -> None:
        """Nothing is open."""

"""A fault at every call to the operating system, one after the other, in one process."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import NotDurableError, VaultIOError, VaultPermissionError
from interpal.vault.stores.file import FileStore
from tests.files import descriptors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CALLS = [
    *((os, call) for call in ("open", "close", "stat", "fstat", "lstat", "read", "write")),
    *((os, call) for call in ("fchmod", "fsync", "replace", "unlink", "mkdir", "listdir")),
    *((os, call) for call in ("pwrite", "ftruncate", "lseek")),
    (fcntl, "flock"),
]


class Faults:
    """Counts the calls and raises at number *at* (from 1; 0 for none)."""

    def __init__(self, at: int, error: Callable[[], BaseException]) -> None:
        self.count = 0
        self.at = at
        self.error = error
        self.hit = ""

    def wrap(self, name: str, real: Any) -> Any:
        def wrapper(*arguments: Any, **others: Any) -> Any:
            self.count += 1
            if self.count == self.at:
                self.hit = name
                if name == "close":  # Linux gives the descriptor back whatever it says
                    real(*arguments, **others)
                raise self.error()
            return real(*arguments, **others)

        return wrapper


def checked(data: bytes) -> None:
    assert data == b"new"


def save(store: FileStore) -> None:
    with store.write_lock(0.05) as writer:
        writer.load()
        writer.save(b"new", verify=checked)


def set_aside(store: FileStore) -> None:
    with store.write_lock(0.05) as writer:
        seen = writer.load()
        assert seen is not None
        writer.set_aside(seen)


def remove(store: FileStore) -> None:
    with store.write_lock(0.05) as writer:
        writer.remove()


@pytest.mark.parametrize("use", [save, set_aside, remove])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.ESTALE, errno.EACCES, None])
def test_after_a_fault_at_any_call_there_is_the_old_or_the_new_and_nothing_is_left_open(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    use: Callable[[FileStore], None],
    number: int | None,
) -> None:
    def error() -> BaseException:
        return KeyboardInterrupt() if number is None else OSError(number, os.strerror(number))

    at, points, told = 0, 0, 0
    while True:
        at += 1
        folder = tmp_path / str(at)
        folder.mkdir(mode=0o700)
        store = FileStore(folder / "vault")
        with store.write_lock(1) as writer:
            writer.save(b"old")
        faults = Faults(at, error)
        before = descriptors()
        outcome: BaseException | None = None
        with monkeypatch.context() as patch:
            for module, call in CALLS:
                patch.setattr(module, call, faults.wrap(call, getattr(module, call)))
            try:
                use(store)
            except (VaultIOError, VaultPermissionError, KeyboardInterrupt) as caught:
                outcome = caught
        if not faults.hit:
            break
        points += 1
        told += outcome is not None
        where = f"{faults.hit}, call {at}: {outcome!r}"
        if number is not None or faults.hit != "close":
            assert descriptors() == before, where
        loaded = store.load()
        content = loaded.reveal() if loaded else None
        after = b"new" if use is save else None
        assert content in (b"old", after), where
        if outcome is None or isinstance(outcome, NotDurableError):
            assert content == after, where
        elif number is not None:
            assert content == b"old", where
        with store.write_lock(0) as writer:
            writer.save(b"next")
        assert [name for name in os.listdir(folder) if name.endswith(".tmp")] == [], where
    print(f"{use.__name__}: {points} points, {told} errors")
    assert points > 20

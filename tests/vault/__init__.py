"""The Vault, its keys and its slots, with real files, threads and processes."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING, Any

import interpal
from interpal.vault import KdfParameters, Vault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from interpal._hidden import Hidden

# The folder of the package, with a separator at its end: a clone's own folder may have its name.
PACKAGE = os.path.join(os.path.dirname(interpal.__file__), "")
CHEAP = KdfParameters.INSECURE_FOR_TESTS
KEY = bytes(range(32))
OTHER_KEY = bytes(range(32, 64))


def new_vault(path: Path, records: dict[str, Any] | None = None) -> Vault:
    """A new vault at *path* for the passphrase `correct horse`, cheap to open."""
    vault = Vault.open(path, passphrase="correct horse", create=True, kdf=CHEAP)
    if records:
        vault.update(records)
    return vault


def reopened(path: Path) -> Vault:
    """The vault at *path*, opened as another process would."""
    return Vault.open(path, passphrase="correct horse")


def told(error: BaseException) -> str:
    """The traceback of an error with every local variable, as an error reporter shows it."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    # The frames of the tests hold the secrets, on purpose.
    text: list[str] = []
    seen: set[int] = set()
    waiting: list[traceback.TracebackException | None] = [shown]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        text.extend(one.format_exception_only())
        text.extend(
            f"{frame.name}: {frame.locals}"
            for frame in one.stack
            if frame.filename.startswith(PACKAGE)
        )
        waiting += [one.__cause__, one.__context__]
    return "\n".join(text)


class Counted:
    """Argon2id, counted."""

    def __init__(self, derive: Callable[..., Hidden[bytes]]) -> None:
        self._derive = derive
        self.calls = 0

    def __call__(self, *arguments: Any) -> Hidden[bytes]:
        self.calls += 1
        return self._derive(*arguments)

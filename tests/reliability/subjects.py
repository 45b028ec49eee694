"""The saves that the faults are aimed at, and the judgement of what they leave.

Each subject is a save of a vault with a raw key: made, changed, re-keyed, deleted, at a
kilobyte and at a megabyte.
"""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

from interpal.exceptions import VaultNotFoundError
from interpal.vault.keys.sources import find_source
from interpal.vault.stores.file import FileStore
from interpal.vault.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = bytes(range(32))
CANARY = "canary-3f9c"
KB = 1024
MB = 1024 * 1024

Records = dict[str, dict[str, Any]]
State = str
"""What a vault holds, as text; `ABSENT` where there is none."""

ABSENT = "absent"


class Subject(NamedTuple):
    """One kind of save: `act` in a folder that is like `template`.

    `states` are what the vault may hold on the way, in their order: the first is the old one,
    the last the new one, which holds as soon as `act` has returned.
    """

    name: str
    records: Records | None
    act: Callable[[str], None]
    states: tuple[State, ...]

    def prepare(self, folder: str) -> None:
        """Put the vault as it is before into *folder*, which is emptied first."""
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder, 0o700)
        if self.records is not None:
            with open_vault(folder, create=True) as vault, vault.transaction() as records:
                records.update(self.records)

    def reset(self, folder: str, template: str) -> None:
        """Make *folder* a copy of *template*, which is faster than to prepare it."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)


def path_in(folder: str) -> str:
    return os.path.join(folder, "vault")


def open_vault(folder: str, *, create: bool = False) -> Vault:
    return Vault.open(path_in(folder), key=KEY, create=create, lock_timeout=5)


def state_of(folder: str) -> State:
    """What the vault in *folder* holds. Raises the package's errors where it is neither."""
    try:
        with open_vault(folder) as vault:
            return _text(vault.generation, vault.snapshot())
    except VaultNotFoundError:
        return ABSENT


def _text(generation: int, records: Any) -> State:
    plain = {name: dict(record) for name, record in records.items()}
    return f"generation {generation}: {json.dumps(plain, sort_keys=True)}"


def records_of(size: int, mark: str) -> Records:
    """Records of about *size* bytes altogether, with a canary in each."""
    each = min(size, 60_000)
    return {
        "maple_ink" if number == 0 else f"user_{number}": {
            "session_cookie": f"{CANARY}-{mark}",
            "pad": "x" * (each - 100),
        }
        for number in range(max(size // each, 1))
    }


def subjects(*sizes: int) -> list[Subject]:
    """Every kind of save at each of the *sizes*, in bytes."""
    return [make(size) for size in sizes for make in (creation, update, rekeying, deletion)]


def creation(size: int) -> Subject:
    new = records_of(size, "new")

    def act(folder: str) -> None:
        vault = Vault(FileStore(path_in(folder)), find_source(None, KEY), lock_timeout=5)
        vault.start(create=True, records=new)

    return Subject(f"create, {size} bytes", None, act, (ABSENT, _text(1, new)))


def update(size: int) -> Subject:
    old = records_of(size, "old")
    new = {**old, "maple_ink": {**old["maple_ink"], "session_cookie": f"{CANARY}-new"}}

    def act(folder: str) -> None:
        with open_vault(folder) as vault, vault.transaction() as records:
            records["maple_ink"]["session_cookie"] = f"{CANARY}-new"

    return Subject(f"update, {size} bytes", old, act, (_text(2, old), _text(3, new)))


def rekeying(size: int) -> Subject:
    """A new vault key and a new id, read back before they replace the old."""
    old = records_of(size, "old")

    def act(folder: str) -> None:
        with open_vault(folder) as vault:
            vault.rotate()

    return Subject(f"re-key, {size} bytes", old, act, (_text(2, old), _text(3, old)))


def deletion(size: int) -> Subject:
    old = records_of(size, "old")
    less = {name: record for name, record in old.items() if name != "maple_ink"}

    def act(folder: str) -> None:
        with open_vault(folder) as vault:
            del vault["maple_ink"]
            if not less:
                vault.remove_file()

    end = () if less else (ABSENT,)
    return Subject(f"delete, {size} bytes", old, act, (_text(2, old), _text(3, less), *end))

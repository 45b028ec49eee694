"""A vault as a mapping: reads see the newest version, every change is a transaction of its own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import (  # noqa: TC003  (typing.get_type_hints reads them)
    ItemsView,
    Iterator,
    KeysView,
    Mapping,
    ValuesView,
)
from typing import TYPE_CHECKING, Any

from interpal._dictlike import ChangeMethods
from interpal._hidden import Hidden
from interpal.vault.core.transaction import ReadOnlyRecord, Record, Transaction, freeze

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class Records(ChangeMethods[str, Record]):
    """Named records that are read-only, but in a transaction.

    Each method of a dict is one read or one transaction: also `update`, `pop` and `items`,
    which would take many of each otherwise. It is no mapping to `isinstance`: whoever shows the
    variables of a program would show every record.
    """

    __slots__ = ()

    @abstractmethod
    def stored_records(self) -> Mapping[str, Record]:
        """The newest records as they were decrypted: to be read, never to be changed."""

    @abstractmethod
    def transaction(
        self, *, lock_timeout: float | None = None
    ) -> AbstractContextManager[Transaction]:
        """Read, change and save, whole or not at all."""

    def __getitem__(self, name: str) -> ReadOnlyRecord:
        return freeze(self.stored_records()[name])

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self.stored_records()))

    def __len__(self) -> int:
        return len(self.stored_records())

    def __contains__(self, name: object) -> bool:
        return name in self.stored_records()

    def snapshot(self) -> dict[str, ReadOnlyRecord]:
        """All records of one version of the vault, in one read."""
        return {name: freeze(record) for name, record in self.stored_records().items()}

    def keys(self) -> KeysView[str]:
        """The names of one version of the vault."""
        return dict.fromkeys(self.stored_records()).keys()

    def values(self) -> ValuesView[Record]:
        """The records of one version of the vault."""
        return self.snapshot().values()

    def items(self) -> ItemsView[str, Record]:
        """Names and records of one version of the vault."""
        return self.snapshot().items()

    def __delitem__(self, name: str) -> None:
        with self.transaction() as records:
            del records[name]

    def pop(self, name: str, *default: Any) -> Any:
        """Remove a record and return it, in one transaction; *default* as for a dict."""
        with self.transaction() as records:
            return records.pop(name, *default)

    def popitem(self) -> tuple[str, Record]:
        """Remove some record and return its name and content, in one transaction."""
        with self.transaction() as records:
            return records.popitem()

    def setdefault(self, name: str, default: Any = None) -> Any:
        """The record *name*, or *default* saved as it, in one transaction."""
        wanted = Hidden(default)
        del default
        with self.transaction() as records:
            return freeze(records.setdefault(name, wanted.reveal()))

    def update(self, *others: Any, **more: Record) -> None:
        """Put many records, in one transaction; arguments as for a dict."""
        # A traceback may show the values of variables; this one shows names only.
        wanted = Hidden(dict(*others, **more))
        del others, more
        with self.transaction() as records:
            records.update(wanted.reveal())

    def clear(self) -> None:
        """Remove every record, in one transaction."""
        with self.transaction() as records:
            records.clear()

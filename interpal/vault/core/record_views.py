"""Records as a caller reads them: read-only. And a vault as a mapping of them.

Reads see the newest version, every change is a transaction of its own.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import (  # noqa: TC003  (typing.get_type_hints reads them)
    ItemsView,
    Iterator,
    KeysView,
    Mapping,
    ValuesView,
)
from operator import eq
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex

from interpal._dictlike import ChangeMethods, ReadMethods, is_mapping
from interpal._hidden import Hidden

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from interpal.vault.core.transaction import Transaction

Record = dict[str, Any]


def _refuse(*_args: object, **_kwargs: object) -> NoReturn:
    raise TypeError(
        "this record was read outside a transaction, so a change to it would not be saved: "
        "use `with vault.transaction() as records`, or assign a new record to vault[name]"
    )


if TYPE_CHECKING:
    _RecordMethods = dict[str, Any]
else:
    _RecordMethods = ReadMethods


class ReadOnlyRecord(_RecordMethods):
    """A record as it was read. It answers and compares like a dict; changing it is an error.

    It is no dict to `isinstance`, since error reporters and pretty printers would look into it.
    `copy` gives a plain dict, all the way down. Its repr shows the names of its members only, and
    it refuses to be pickled: what it holds is secret.
    """

    __slots__ = ("_record",)

    def __init__(self, record: Mapping[str, Any]) -> None:
        """*record* is plain, and nobody changes it any more."""
        self._record: Hidden[Mapping[str, Any]] = Hidden(record)

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __getitem__(self, name: str) -> Any:
        return _shown_value(self._record.reveal()[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._record.reveal())

    def __len__(self) -> int:
        return len(self._record.reveal())

    def __contains__(self, name: object) -> bool:
        return name in self._record.reveal()

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(self))

    def __or__(self, other: Any) -> Any:
        return {**self, **other} if is_mapping(other) else NotImplemented

    def __ror__(self, other: Any) -> Any:
        return {**other, **self} if is_mapping(other) else NotImplemented

    def __repr__(self) -> str:
        return f"<record: {', '.join(map(ascii, sorted(self)))}>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a record of a vault cannot be pickled; record.copy() is a plain dict")

    def copy(self) -> Record:
        """A plain dict, whose dicts and lists are plain too."""
        return thaw(self._record.reveal())

    def __copy__(self) -> Record:
        return self.copy()

    def __deepcopy__(self, memo: object) -> Record:
        return self.copy()


class ReadOnlyList:
    """A list inside a record that was read: likewise, and no list to `isinstance`."""

    __slots__ = ("_list",)

    def __init__(self, items: list[Any]) -> None:
        self._list = Hidden(items)

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __getitem__(self, index: Any) -> Any:
        return _shown_value(self._list.reveal()[index])

    def __len__(self) -> int:
        return len(self._list.reveal())

    def __iter__(self) -> Iterator[Any]:
        return map(_shown_value, self._list.reveal())

    def __contains__(self, item: object) -> bool:
        return any(one == item for one in self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (list, ReadOnlyList)):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # As of a list.

    def __repr__(self) -> str:
        return f"<list of {len(self)}>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a list of a vault's record cannot be pickled; it.copy() is a plain list")

    def count(self, item: object) -> int:
        """How many are equal to *item*."""
        return sum(1 for one in self if one == item)

    def index(self, item: object) -> int:
        """Where the first is that is equal to *item*; ValueError for none."""
        return list(self).index(item)

    def copy(self) -> list[Any]:
        """A plain list, whose dicts and lists are plain too."""
        copied: list[Any] = thaw_value(self._list.reveal())
        return copied

    def __copy__(self) -> list[Any]:
        return self.copy()

    def __deepcopy__(self, memo: object) -> list[Any]:
        return self.copy()


def _shown_value(value: Any) -> Any:
    if isinstance(value, dict):
        return ReadOnlyRecord(value)
    return ReadOnlyList(value) if isinstance(value, list) else value


# What needs no copy.
_FLAT = frozenset((str, int, float, bool, type(None)))


def freeze(record: Mapping[str, Any]) -> ReadOnlyRecord:
    """A deep, read-only copy of a record; itself where it is one."""
    return record if isinstance(record, ReadOnlyRecord) else ReadOnlyRecord(thaw(record))


def thaw(record: Mapping[str, Any]) -> Record:
    """A deep, plain copy of a record."""
    if isinstance(record, ReadOnlyRecord):
        return record.copy()
    if _FLAT.issuperset(map(type, record.values())):
        return dict(record)
    return {name: thaw_value(value) for name, value in record.items()}


def thaw_value(value: Any) -> Any:
    """A deep, plain copy of what stands in a record."""
    if isinstance(value, (dict, ReadOnlyRecord)):
        return thaw(value)
    if isinstance(value, list):
        return [thaw_value(item) for item in value]
    return value.copy() if isinstance(value, ReadOnlyList) else value


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

    if not TYPE_CHECKING:

        def get(self, name: str, default: Any = None) -> Any:
            """The record *name*, or *default*; a KeyError of a store of one's own is raised."""
            found = self.stored_records().get(name)
            return default if found is None else freeze(found)

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

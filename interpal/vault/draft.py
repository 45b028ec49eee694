"""Records as a caller sees them: read-only outside a transaction, a draft inside one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, NoReturn, SupportsIndex

from interpal.vault.envelope import check_name, check_record

Record = dict[str, Any]


class ReadOnlyRecord(dict[str, Any]):
    """A record as it was read. It compares and iterates like a dict; changing it is an error.

    Its repr shows the names of its members only, and it refuses to be pickled: what it holds
    is secret.
    """

    __slots__ = ()

    def _refuse(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise TypeError(
            "this record was read outside a transaction, so a change to it would not be saved: "
            "use `with vault.transaction() as records`, or assign a new record to vault[name]"
        )

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __repr__(self) -> str:
        return f"<record: {', '.join(sorted(self))}>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a record of a vault cannot be pickled; dict(record) is a plain copy")

    def __copy__(self) -> Record:
        return dict(self)

    def __deepcopy__(self, memo: object) -> Record:
        return thaw(self)


class _ReadOnlyList(list[Any]):
    """A list inside a record that was read."""

    __slots__ = ()

    _refuse = ReadOnlyRecord._refuse

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __repr__(self) -> str:
        return f"<list of {len(self)}>"


def freeze(record: Mapping[str, Any]) -> ReadOnlyRecord:
    """A deep, read-only copy of a record."""
    return ReadOnlyRecord({name: _freeze_value(value) for name, value in record.items()})


def _freeze_value(value: Any) -> Any:
    if isinstance(value, dict):
        return freeze(value)
    if isinstance(value, list):
        return _ReadOnlyList(_freeze_value(item) for item in value)
    return value


def thaw(record: Mapping[str, Any]) -> Record:
    """A deep, plain copy of a record."""
    return {name: _thaw_value(value) for name, value in record.items()}


def _thaw_value(value: Any) -> Any:
    if isinstance(value, dict):
        return thaw(value)
    if isinstance(value, list):
        return [_thaw_value(item) for item in value]
    return value


class Draft(MutableMapping[str, Record]):
    """The records inside a transaction: copies, written back together or not at all.

    `attempts` are the refused logins (FORMAT.md section 4), likewise to be changed in place.
    """

    def __init__(
        self,
        names: Callable[[], Iterator[str]],
        lookup: Callable[[str], Mapping[str, Any] | None],
        attempts: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._names = names
        self._lookup = lookup
        self._attempts = attempts
        self.attempts: dict[str, Record] = {name: dict(value) for name, value in attempts.items()}
        # What was touched: the record as it is to be, None where it is to go.
        self._touched: dict[str, Record | None] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} records>"

    def __getitem__(self, name: str) -> Record:
        if name not in self._touched:
            stored = self._lookup(name)
            if stored is None:
                raise KeyError(name)
            self._touched[name] = thaw(stored)
        record = self._touched[name]
        if record is None:
            raise KeyError(name)
        return record

    def __setitem__(self, name: str, record: Record) -> None:
        check_name(name)
        check_record(name, record)
        self._touched[name] = record

    def __delitem__(self, name: str) -> None:
        self[name]
        self._touched[name] = None

    def __iter__(self) -> Iterator[str]:
        for name in self._names():
            if self._touched.get(name, self) is not None:
                yield name
        for name, record in list(self._touched.items()):
            if record is not None and self._lookup(name) is None:
                yield name

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def changes(self) -> dict[str, Record | None]:
        """What differs from what was read: new content, None for a record that is to go.

        Raises `ValidationError` where a record was changed into something that is none.
        """
        changed: dict[str, Record | None] = {}
        for name, record in self._touched.items():
            stored = self._lookup(name)
            if record is None:
                if stored is not None:
                    changed[name] = None
            else:
                check_record(name, record)
                # As text: to a dict, True and 1 and 1.0 are the same.
                if stored is None or json.dumps(record) != json.dumps(stored):
                    changed[name] = record
        return changed

    @property
    def attempts_changed(self) -> bool:
        return self.attempts != self._attempts

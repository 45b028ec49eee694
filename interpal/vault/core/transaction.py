"""The records inside a transaction: copies of what was read, written back whole or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from interpal._dictlike import ChangeMethods
from interpal._hidden import Hidden
from interpal.exceptions import ValidationError
from interpal.vault.core.record_views import Record, thaw, thaw_value
from interpal.vault.format.payload import check_name, record_fault, record_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


def as_saved(name: str, record: object) -> Record:
    """A copy of *record* as it will be read again. Raises `ValidationError` for what is none.

    By way of JSON: nothing that the caller still holds and may change is part of it.
    """
    check_name(name)
    text, fault = record_text(record)
    if text is None:
        text, fault = _plain_text(record, fault)
    if text is None:
        # A traceback may show the values of variables.
        del record
        raise ValidationError(f"the record of {name!r} {fault}")
    copy: Record = json.loads(text)
    return copy


def _plain_text(record: object, fault: str | None) -> tuple[str | None, str | None]:
    """The text of a record in which there is something of one that was read; else the *fault*."""
    try:
        plain = Hidden(thaw_value(record))
    except RecursionError:
        return None, fault
    del record
    return record_text(plain.reveal())


def same_record(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two records are the same to the letter."""
    # As text: to a dict, True and 1 and 1.0 are the same.
    return one == other and as_text(one) == as_text(other)


def as_text(record: Mapping[str, Any] | None) -> str:
    """A record as JSON, the same text for the same record."""
    return json.dumps(record, sort_keys=True, default=thaw_value)


class Transaction(ChangeMethods[str, Record]):
    """The records inside a transaction: copies, written back together or not at all.

    `attempts` are the refused logins (FORMAT.md section 4), likewise to be changed in place.
    After the transaction a change is a RuntimeError, since it would not be saved.
    """

    __slots__ = ("_attempts", "_ended", "_lookup", "_names", "_touched", "attempts", "ends")

    def __init__(
        self,
        names: Callable[[], Iterator[str]],
        lookup: Callable[[str], Mapping[str, Any] | None],
        attempts: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._names = names
        self._lookup = lookup
        self._attempts = attempts
        self.attempts: dict[str, Record] = thaw(attempts)
        # What was touched: the record as it is to be, None where it is to go.
        self._touched: dict[str, Hidden[Record] | None] = {}
        # Epoch seconds by name, of those that were put with an expiry.
        self.ends: dict[str, float] = {}
        self._ended = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} records>"

    def __getitem__(self, name: str) -> Record:
        if name not in self._touched:
            stored = self._lookup(name)
            if stored is None:
                raise KeyError(name)
            self._touched[name] = Hidden(thaw(stored))
        record = self._touched[name]
        if record is None:
            raise KeyError(name)
        return record.reveal()

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        if name in self._touched:
            return self._touched[name] is not None
        return self._lookup(name) is not None

    def __setitem__(self, name: str, record: Record) -> None:
        self._check_open()
        check_name(name)
        fault = record_fault(record)
        if fault is not None and _plain_text(record, fault)[0] is not None:
            # It is, or has in it, what was read outside of a transaction.
            record, fault = thaw_value(record), None
        if fault is None:
            self._touched[name] = Hidden(record)
            return
        # A traceback may show the values of variables.
        del record
        raise ValidationError(f"the record of {name!r} {fault}")

    def put(self, name: str, record: Record, *, ends: float | None) -> None:
        """Put a record that a store may drop seven days after *ends* (epoch seconds)."""
        self[name] = record
        if ends is not None:
            self.ends[name] = ends

    def __delitem__(self, name: str) -> None:
        self._check_open()
        if name not in self:
            raise KeyError(name)
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

    def clear(self) -> None:
        """Remove every record."""
        for name in list(self):
            del self[name]

    def end(self) -> None:
        """The transaction is over."""
        self._ended = True

    def changes(self) -> dict[str, Hidden[Record] | None]:
        """What differs from what was read: new content, None for a record that is to go.

        Raises `ValidationError` where a record was changed into something that is none.
        """
        changed: dict[str, Hidden[Record] | None] = {}
        # No variable here holds a record: a traceback may show it.
        for name in self._touched:
            touched = self._touched[name]
            if touched is not None:
                wanted = Hidden(as_saved(name, touched.reveal()))
                if not same_record(wanted.reveal(), self._lookup(name)):
                    changed[name] = wanted
            elif self._lookup(name) is not None:
                changed[name] = None
        return changed

    def changed_attempts(self) -> dict[str, Record] | None:
        """A copy of the refused logins as they are to be; None where they are as they were."""
        return None if self.attempts == self._attempts else thaw(self.attempts)

    def _check_open(self) -> None:
        if self._ended:
            raise RuntimeError(
                "the transaction of these records is over, so a change to them would not be saved"
            )

"""Copies the records of one vault into another, whatever stores keep the two.

Each record is opened and sealed anew: the copy has a vault key and an id of its own. A copy
that was cut off is continued by the next one, and every record is read back at the end.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from interpal._hidden import Hidden
from interpal.exceptions import ValidationError, VaultIOError
from interpal.vault.core.record_views import thaw
from interpal.vault.core.transaction import as_text
from interpal.vault.health import report
from interpal.vault.stores.base import keeps_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from interpal.vault.core.record_views import Record
    from interpal.vault.stores.base import Store
    from interpal.vault.vault import Vault

BATCH = 200
"""Records that are saved in one step, where the store keeps each apart."""


class Copied(NamedTuple):
    """What became of the records of the source, by number.

    `kept` names those that the target has in a version that was not to be overwritten.
    `verified` is how many were read back and found to be what was copied.
    """

    total: int
    copied: int
    same: int
    kept: tuple[str, ...]
    verified: int


def copy(
    source: Vault,
    target: Vault,
    target_store: Store,
    *,
    replace: bool = False,
    step: Callable[[], None] = lambda: None,
    make: Callable[[Mapping[str, Record]], bool] | None = None,
) -> Copied:
    """Put every record of *source* into *target*, which `target_store` keeps.

    A record that the target has already is left as it is where it is the same, overwritten
    where the source's is the same session or one that was made later, and else kept, unless
    *replace*. Other records of the target stay. Refused logins and key slots are not copied.
    *step* is called twice for each record: when it is saved, and when it was read back. *make* is
    for a *target* that is not there yet: it is made with the first records, as `Vault.start` does
    and answers, so that nothing is where they were refused.

    A source that changes meanwhile is copied as it is read. Raises `ValidationError` where the
    two are one vault, `StaleWriteError` where the source was rotated meanwhile, `VaultIOError`
    where something else is read back than was copied, and what reading and saving raise.
    """
    if make is None and source.id == target.id:
        raise ValidationError(f"{source.path} and {target.path} are the same vault")
    work = _Copying(source, target, replace=replace, step=step)
    work.save(BATCH if keeps_records(target_store) else None, make)
    return work.verify()


class _Copying:
    """The state of one copy: by name what each record has to be when it is read back."""

    def __init__(
        self,
        source: Vault,
        target: Vault,
        *,
        replace: bool,
        step: Callable[[], None],
    ) -> None:
        self._source = source
        self._target = target
        self._replace = replace
        self._step = step
        self._prints: dict[str, _Print] = {}
        self._kept: list[str] = []
        self._copied = 0
        self._same = 0

    def __repr__(self) -> str:
        return f"<copy of {self._source.path} to {self._target.path}>"

    def save(self, size: int | None, make: Callable[[Mapping[str, Record]], bool] | None) -> None:
        """Save all records, *size* at a time; None for all in one step, as a file is saved."""
        batches = _batches(self._source, size)
        if make is not None:
            batch = next(batches, _Batch())
            if make(_Batch((name, thaw(batch[name])) for name in batch)):
                prints = {name: _Print.of(batch[name]) for name in batch}
                self._note(batch, prints, [], len(batch))
            else:
                batches = chain([batch], batches)
        for batch in batches:
            prints, kept, copied = {}, [], 0
            with self._target.transaction() as transaction:
                for name in batch:
                    there = transaction.get(name)
                    wanted = _Print.of(batch[name])
                    if there is not None and _Print.of(there).digest == wanted.digest:
                        prints[name] = wanted
                    elif there is None or self._replace or _may_replace(batch[name], there):
                        transaction[name] = thaw(batch[name])
                        prints[name] = wanted
                        copied += 1
                    else:
                        kept.append(name)
                    del there
            self._note(batch, prints, kept, copied)

    def _note(self, batch: _Batch, prints: dict[str, _Print], kept: list[str], copied: int) -> None:
        """What has become of the records of a *batch*."""
        self._prints.update(prints)
        self._kept += kept
        self._copied += copied
        self._same += len(prints) - copied
        for _ in batch:
            self._step()

    def verify(self) -> Copied:
        """Read every record back. Raises `VaultIOError` where one is not what was copied."""
        missing = dict(self._prints)
        wrong = 0
        for name, record in self._target.walk():
            expected = missing.pop(name, None)
            if expected is not None:
                wrong += expected.digest != _Print.of(record).digest
                self._step()
        wrong += len(missing)
        if wrong:
            raise VaultIOError(
                f"{self._target.path}: {wrong} of {len(self._prints)} records are not what was "
                "copied: another process has changed them, or the store has lost them. "
                "Copy again.",
                path=self._target.path,
            )
        return Copied(
            total=len(self._prints) + len(self._kept),
            copied=self._copied,
            same=self._same,
            kept=tuple(self._kept),
            verified=len(self._prints),
        )


class _Print(NamedTuple):
    """What tells one record from another; nothing of its content."""

    digest: Hidden[bytes]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> _Print:
        from hashlib import sha256

        text = as_text(record).encode("ascii")
        return cls(Hidden(sha256(text).digest()))


class _Batch(dict[str, Any]):
    """Records by name, which do not show themselves."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} records>"


def _batches(source: Vault, size: int | None) -> Iterator[_Batch]:
    batch = _Batch()
    for name, record in source.walk():
        batch[name] = record
        if len(batch) == size:
            yield batch
            batch = _Batch()
    if batch:
        yield batch


def _may_replace(record: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    """Whether *there* is an older session than *record*, or the same at an earlier time."""
    made, made_there = (report.to_time(one.get("created_at")) for one in (record, there))
    if made is None or made_there is None:
        return False
    if made != made_there:
        return made > made_there
    used, used_there = (
        report.to_time(one.get("last_validated_at")) or made for one in (record, there)
    )
    return used >= used_there

"""The store that a verb was given by a path or a URL, and what can be seen there without a key."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple, cast

import click

from interpal.exceptions import ValidationError, VaultNotFoundError
from interpal.vault.cli import errors
from interpal.vault.files.permissions import shown, without_repairs
from interpal.vault.files.private_files import Folder, read_secret_file
from interpal.vault.health import report
from interpal.vault.stores.file import DEFAULT_FILE, GENERAL_FILE, FileStore
from interpal.vault.stores.opening import open_store
from interpal.vault.stores.values import check_size

if TYPE_CHECKING:
    from interpal._hidden import Hidden
    from interpal.vault.stores.base import RecordStore, Store, Stored

DEFAULT_PLACE = f"{DEFAULT_FILE} or, if it is here, {GENERAL_FILE}"
"""Which vault is meant where none is named, as the help says it."""

_URL_LIMIT = 4096
_MAX_SIZE = "interpal.vault.cli.max_size"


class Records(NamedTuple):
    """What anybody sees of records that are kept apart: their number and sizes in bytes."""

    number: int
    smallest: int
    largest: int
    total: int


class Overview(NamedTuple):
    """What needs no key. `kind` is `file`, `sqlite` or `redis`; a file has no `records` apart.

    Mode, owner and size of the report are those of the file; in Redis, where there is none,
    the size is that of all that is stored.
    """

    kind: str
    report: report.Report
    records: Records | None


def default_place() -> str:
    """The vault where none is named. Raises `click.UsageError` where both files are here."""
    if not os.path.lexists(GENERAL_FILE):
        return DEFAULT_FILE
    if os.path.lexists(DEFAULT_FILE):
        raise click.UsageError(
            f"both {DEFAULT_FILE} and {GENERAL_FILE} are here; name one of them with -f FILE"
        )
    return GENERAL_FILE


def set_max_size(context: click.Context, size: int | None) -> None:
    """Let the verb of *context* read and write vaults of this size; None for the default."""
    context.meta[_MAX_SIZE] = size


def max_size() -> int | None:
    """The largest vault, in bytes, that this verb was told to read and write."""
    context = click.get_current_context(silent=True)
    return None if context is None else context.meta.get(_MAX_SIZE)


def store_of(text: str) -> Store:
    """The store at a path or a URL; with `@FILE` the URL is in that private file.

    Raises `InsecureRequest` for a URL with a password in it, which other users see in the list of
    processes, and `ValidationError` for what is neither.
    """
    if _has_password(text):
        raise errors.InsecureRequest(
            "other users can see the password of this URL in the process list: put the URL into a "
            "file of mode 0600, and give @FILE instead"
        )
    place = _url_in(text[1:]) if text.startswith("@") else text
    store = open_store(place, max_size=max_size())
    errors.note_name(store.location, text)
    return store


def _url_in(path: str) -> str:
    try:
        return read_secret_file(path, _URL_LIMIT).reveal().decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValidationError(f"{shown(path)}: not the URL of a store") from None


def _has_password(text: str) -> bool:
    if not text.lower().startswith(("redis:", "rediss:", "redis+", "rediss+")):
        return False
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        return bool(parts.password) or "sentinel_password" in parts.query
    except ValueError:
        return False


def file_of(store: Store) -> FileStore | None:
    """The file that the store is in; None where it is in none."""
    if isinstance(store, FileStore):
        return store
    path = getattr(store, "path", None)
    return FileStore(path) if isinstance(path, str) else None


def same_place(one: Store, other: Store) -> bool:
    """Whether two stores are one place, as far as their names tell."""
    files = file_of(one), file_of(other)
    if files[0] is not None and files[1] is not None:
        return os.path.realpath(files[0].path) == os.path.realpath(files[1].path)
    return one.location == other.location


def exists(store: Store) -> bool:
    """Whether something is there: in a store of records, a root."""
    if isinstance(store, FileStore):
        return store.details() is not None
    with without_repairs():
        return store.load() is not None


def load(store: Store) -> Stored:
    """The bytes of the file or of the root. Raises `VaultNotFoundError`."""
    if isinstance(store, FileStore):
        return report.load(store)
    with without_repairs():
        stored = store.load()
    if stored is None:
        raise VaultNotFoundError(f"{store.location}: no vault found", path=store.location)
    check_size(store, len(stored.reveal()))
    return stored


def overview(store: Store, stored: Stored) -> Overview:
    """What these bytes and the store say, as nobody vouches for it."""
    if isinstance(store, FileStore):
        return Overview("file", report.describe(store, stored), None)
    header = report.parsed(store.location, stored).header
    # Of what `store_of` gives, all others keep records.
    keeper = cast("RecordStore", store)
    with without_repairs():
        sizes = [len(sealed.data) for sealed in keeper.load_records(header.id)]
    records = Records(len(sizes), min(sizes, default=0), max(sizes, default=0), sum(sizes))
    file = file_of(store)
    details = None if file is None else file.details()
    found = report.Report(
        path=store.location,
        id=header.id.hex(),
        generation=header.generation,
        created_at=report.from_epoch(header.created_at),
        updated_at=report.from_epoch(header.updated_at),
        slots=tuple(report.slot_report(slot) for slot in header.slots),
        size=records.total + len(stored.reveal()) if details is None else details.size,
        mode=0 if details is None else stat.S_IMODE(details.mode),
        uid=os.geteuid() if details is None else details.uid,
    )
    return Overview("redis" if details is None else "sqlite", found, records)


def write_new_file(target: str, data: Hidden[bytes]) -> str:
    """Put *data* into a new private file, whole or not at all; its path.

    Raises `VaultExistsError` where something is there already, `VaultIOError` and its kind.
    """
    path = FileStore(target).path
    with Folder.open(os.path.dirname(path)) as folder:
        if not folder.create(os.path.basename(path), data):
            raise errors.exists(shown(path))
    return shown(path)

"""Verbs that take sessions in and out: `import`, `export`."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from interpal._hidden import Hidden
from interpal.exceptions import (
    ValidationError,
    VaultExistsError,
    VaultFormatError,
    VaultNotFoundError,
)
from interpal.vault.cli import completion, errors, formatting, opening, output, stores
from interpal.vault.cli.accounts import name_of
from interpal.vault.cli.app import (
    cli,
    file_option,
    json_option,
    profile_option,
    target_option,
    user_option,
)
from interpal.vault.core.record_views import thaw
from interpal.vault.files.private_files import Folder
from interpal.vault.format import jwe, legacy_file
from interpal.vault.format.header import MAX_FILE_BYTES
from interpal.vault.format.payload import MAX_RECORD_DEPTH
from interpal.vault.health import report
from interpal.vault.keys import sources
from interpal.vault.stores.base import keeps_records
from interpal.vault.stores.file import FileStore
from interpal.vault.stores.memory import Memory
from interpal.vault.stores.opening import kind_of_place
from interpal.vault.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interpal.vault.stores.base import Store, Stored

Record = dict[str, Any]

Reader = Callable[[Hidden[bytes], "str | None"], "Hidden[dict[str, Record]] | None"]

READERS: list[Reader] = []
"""What reads files that are neither vaults nor those of interpal 1.x, for the account `--user`.

Each gives the records in a file by name, None for a file that is not its own. Raises
`VaultFormatError`. Whoever has such files adds to the list.
"""


class Source(NamedTuple):
    """A file that was read: what it is, and the records in it by name."""

    store: FileStore
    stored: Stored
    kind: str
    records: Hidden[dict[str, Record]]


@cli.command("import", short_help="Encrypt plain session files and cookies, or a backup.")
@click.argument(
    "files", metavar="FILES...", nargs=-1, required=True, type=click.Path(readable=False)
)
@file_option
@user_option("The account, for a file that names none.")
@click.option("--replace", is_flag=True, help="Replace sessions that are already there.")
@click.option(
    "--remove-source", is_flag=True, help="Remove the plain files after everything is saved."
)
@click.option("--passphrase", "ask", is_flag=True, help="Ask for the passphrase of a new vault.")
@click.option(
    "--secret-file",
    metavar="FILE",
    type=click.Path(readable=False),
    help="The passphrase or key of a backup.",
)
@json_option
def import_verb(
    files: tuple[str, ...],
    path: str,
    user: str | None,
    replace: bool,
    remove_source: bool,
    ask: bool,
    secret_file: str | None,
    as_json: bool,
) -> int:
    """Encrypt the sessions of plain files into the vault, which is created if needed.

    FILES are session files of interpal 1.x, what `export --plaintext` wrote, other vaults, such
    as a backup, or what a browser and its extensions write: cookies.txt, JSON with cookies, HAR.
    Either all are saved, or none. Without --replace, a session that already
    exists is kept, and the exit code is 73. A file at the path of the vault itself is encrypted
    in place.

    \b
    Example:
      interpal-vault import old/*_session.json --remove-source
    """
    target = stores.store_of(path)
    sources: list[Source] = []
    typed: list[str] = []
    with output.progress("Reading", len(files)) as step:
        for name in files:
            sources.append(_read_source(name, target, user, secret_file, typed))
            step()
    records: dict[str, Record] = {}
    for source in sources:
        for name, record in source.records.reveal().items():
            records[name] = _newer(records.get(name), record)
    in_place = next((source for source in sources if stores.same_place(source.store, target)), None)
    kept = _save(target, records, in_place, ask=ask, replace=replace)
    removed = []
    if remove_source:
        for source in sources:
            if source is in_place or source.kind != "plain" or kept & set(source.records.reveal()):
                continue
            if _remove(source):
                removed.append(source.store.location)
            else:
                message = f"{source.store.location}: it has changed since it was read, and was kept"
                output.warn(message, as_json=as_json)
    imported = sorted(set(records) - kept)
    if as_json:
        output.put_json(
            {
                "path": target.location,
                "imported": imported,
                "kept": sorted(kept),
                "removed_files": removed,
            }
        )
    else:
        output.say(f"{target.location}: {formatting.plural(len(imported), 'session')} encrypted")
        if any(source.kind == "plain" for source in sources):
            for location in _left_in_plain(sources, in_place, removed):
                output.say(
                    f"{location}: still there, in plain text; remove it (--remove-source does)"
                )
            output.say(
                "Old disk blocks, backups and git history may still hold the plain text. Log in "
                "again to make it worthless."
            )
    if kept:
        raise VaultExistsError(
            f"{target.location}: the sessions of {formatting.listed(sorted(kept))} already exist "
            "and were kept; --replace overwrites them with the imported ones",
            path=target.location,
        )
    return errors.OK


def _left_in_plain(sources: list[Source], in_place: Source | None, removed: list[str]) -> list[str]:
    """The plain files that still lie there, with the mode that lets others read them."""
    left = []
    for source in sources:
        if source is in_place or source.kind != "plain" or source.store.location in removed:
            continue
        details = source.store.details()
        if details is not None:
            left.append(f"{source.store.location} (mode {stat.S_IMODE(details.mode):04o})")
    return left


def _read_source(
    path: str, target: Store, user: str | None, secret_file: str | None, typed: list[str]
) -> Source:
    # A vault among them has the bound of every vault; a HAR may have some hundred MiB.
    store = FileStore(path, max_size=MAX_FILE_BYTES)
    try:
        stored = report.load(store)
    except VaultNotFoundError:
        raise VaultNotFoundError(f"{store.location}: no such file", path=store.location) from None
    kind = legacy_file.classify(stored.reveal())
    if kind == "vault":
        if stores.same_place(store, target):
            raise ValidationError(
                f"{store.location} is the vault itself; name the one to import into with -f"
            )
        with opening.open_copy(
            store.location, stored, secret_file=secret_file, typed=typed
        ) as vault:
            found = Hidden({n: thaw(record) for n, record in vault.snapshot().items()})
        return Source(store, stored, kind, found)
    exported = _exported(stored.reveal()) if kind == "foreign" else None
    if exported is not None:
        return Source(store, stored, "plain", exported)
    if kind in ("foreign", "truncated"):
        # A list may look like the beginning of something.
        for reader in READERS:
            try:
                read = reader(stored, user)
            except VaultFormatError as error:
                raise VaultFormatError(f"{store.location}: {error}", path=store.location) from None
            if read is not None:
                return Source(store, stored, "plain", read)
    if kind != "plain":
        what = report.what_instead(stored.reveal())
        if kind == "foreign":
            what = (
                "neither a session file of interpal 1.x, nor a vault, nor cookies of a browser; "
                "it was left unchanged"
                if READERS
                else "neither a session file of interpal 1.x nor a vault; it was left unchanged"
            )
        raise VaultFormatError(f"{store.location}: {what}", path=store.location)
    try:
        name, record = legacy_file.parse(
            stored.reveal(),
            default_name=user,
            local=None,
            now=formatting.utc_now(),
        )
    except VaultFormatError as error:
        raise VaultFormatError(f"{store.location}: {error}", path=store.location) from None
    return Source(store, stored, kind, Hidden({name: record.reveal()}))


def _exported(data: bytes) -> Hidden[dict[str, Record]] | None:
    """The records of what `export --plaintext` wrote for a whole vault."""
    try:
        value = jwe.parse_json(data, max_depth=MAX_RECORD_DEPTH + 2, allow_float=True)
    except ValueError:
        return None
    records = value.get("records") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(records, dict) or not all(isinstance(r, dict) for r in records.values()):
        return None
    return Hidden(records)


def _newer(one: Record | None, other: Record) -> Record:
    """Of two sessions of an account the one that was made later."""
    if one is None:
        return other
    made, made_other = (report.to_time(record.get("created_at")) for record in (one, other))
    return one if made and made_other and made > made_other else other


def _save(
    target: Store,
    records: Mapping[str, Record],
    in_place: Source | None,
    *,
    ask: bool,
    replace: bool,
) -> set[str]:
    """Put the records into the vault in one save; the names of those that were kept as is."""
    saving = _saving(records)
    apart = keeps_records(target)
    if in_place is not None or not stores.exists(target):
        source = opening.source_for_new_vault(target.location, ask=ask)
        replacing = None if in_place is None else in_place.stored
        # Records that are kept apart come second, one by one, so that they can be counted.
        first = {} if apart else records
        asks = source.name.endswith(completion.ASKING)
        shows = nullcontext() if apart or asks else output.status(saving)
        with Vault(target, source) as vault:
            with shows:
                made = vault.start(create=True, records=first, replacing=replacing)
            if made and not apart:
                return set()
            # Or somebody else has made one since it was looked for, and it opens the same way.
            return _save_into(vault, records, replace=replace, counted=apart)
    with opening.open_vault(target) as vault:
        return _save_into(vault, records, replace=replace, counted=apart)


def _save_into(
    vault: Vault, records: Mapping[str, Record], *, replace: bool, counted: bool
) -> set[str]:
    """The same for a vault that is there; *counted* where it saves them one by one."""
    kept = set()
    with (
        output.progress(_saving(records), len(records), passes=2) as step,
        nullcontext() if counted else output.status(_saving(records)),
        vault.transaction(progress=lambda done: step.reach(len(records) + done)) as transaction,
    ):
        for name, record in records.items():
            if not replace and name in transaction and not _same_record(transaction[name], record):
                kept.add(name)
            else:
                transaction[name] = record
            if counted:
                step()
    return kept


def _saving(records: Mapping[str, Record]) -> str:
    return f"Saving {formatting.plural(len(records), 'session')}"


def _same_record(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _remove(source: Source) -> bool:
    """Take a plain file away, unless it is another one by now; whether it was taken."""
    if source.store.load(foreign=True) != source.stored:
        return False
    folder, name = os.path.split(source.store.path)
    with Folder.open(folder) as opened:
        opened.remove(name)
    return True


@cli.command("export", short_help="Write a copy with a passphrase of its own.")
@file_option
@target_option
@user_option("Only the session of this account.")
@click.option("--plaintext", is_flag=True, help="Do not encrypt the copy.")
@click.option("--ci", is_flag=True, help="Write one session as a line, for a secret variable.")
@click.option(
    "--key-file", metavar="FILE", type=click.Path(), help="With --ci: the key that opens the line."
)
@profile_option
@json_option
def export_verb(
    path: str,
    target: str | None,
    user: str | None,
    plaintext: bool,
    ci: bool,
    key_file: str | None,
    profile: str | None,
    as_json: bool,
) -> None:
    """Write a copy of the vault, encrypted with a passphrase of its own.

    The passphrase of the copy comes from SESSION_VAULT_NEW_PASSPHRASE_FILE or
    SESSION_VAULT_NEW_PASSPHRASE; otherwise you are asked for it, twice. The copy is a vault
    like any other: move it into place, or `import` it. With --plaintext it is plain JSON that
    anyone who can read it can use. It is never written to a terminal, and has mode 0600.

    With --ci it is one session as an encrypted line, for the secret variable INTERPALS_SESSION
    of a CI job. It opens with the raw key in the FILE of --key-file, or that of the vault; the
    job needs the same key as INTERPALS_VAULT_KEY. A client there uses the session by itself.

    \b
    Example:
      interpal-vault export -o backup.json
      interpal-vault export --ci --user maple_ink --key-file ci.key
    """
    if ci:
        _export_line(path, target, user, key_file, as_json=as_json, other=plaintext or profile)
        return
    if key_file is not None:
        raise ValidationError("--key-file is for --ci")
    if plaintext and profile is not None:
        raise ValidationError("--profile is for an encrypted copy; leave out --plaintext")
    if target is None:
        _check_stdout(plaintext=plaintext)
    elif kind_of_place(target) != "path":
        raise ValidationError("export writes a file; `interpal-vault copy` writes into a store")
    elif FileStore(target).details() is not None:
        where = FileStore(target).location
        raise VaultExistsError(
            f"{where}: it already exists and was left unchanged; choose another path",
            path=where,
        )
    with opening.open_vault(path) as vault:
        if user is None:
            records = {name: thaw(record) for name, record in vault.snapshot().items()}
        else:
            name = name_of(vault, user)
            records = {name: thaw(vault[name])}
    if plaintext:
        bare = records if user is None else next(iter(records.values()))
        value = {"records": bare} if user is None else bare
        data = Hidden((json.dumps(value, indent=2) + "\n").encode("ascii"))
    else:
        data = Hidden(_sealed(records, target, profile))
    if target is None:
        output.put_bytes(data.reveal())
        return
    where = stores.write_new_file(target, data)
    if as_json:
        output.put_json({"path": where, "accounts": sorted(records), "encrypted": not plaintext})
        return
    what = "a PLAIN copy" if plaintext else "an encrypted copy"
    output.say(f"{where}: {what} of {formatting.plural(len(records), 'session')}")


def _export_line(
    path: str,
    target: str | None,
    user: str | None,
    key_file: str | None,
    *,
    as_json: bool,
    other: object,
) -> None:
    """Write one session as a line."""
    from interpal.vault import one_line

    if other:
        raise ValidationError("--ci writes an encrypted line: leave out --plaintext and --profile")
    own = None
    if key_file is not None:
        own = sources.explicit_source(key=opening.key_from_file(key_file).reveal())
    with opening.open_vault(path) as vault:
        name = name_of(vault, user)
        records = {name: thaw(vault[name])}
        source, where = vault.source, vault.path
    if own is None and source.kind != "key":
        raise ValidationError(
            f"{where} opens with a passphrase, and the line with a raw key only: make one with "
            "`interpal-vault keygen -o ci.key`, and give --key-file ci.key"
        )
    line = Hidden(one_line.sealed(records, own or source, "the line"))
    if target is None:
        output.put(line.reveal())
        return
    written = stores.write_new_file(target, Hidden(f"{line.reveal()}\n".encode("ascii")))
    if as_json:
        output.put_json({"path": written, "accounts": [name], "encrypted": True})
        return
    output.say(f"{written}: the session of {formatting.clean(name)} as an encrypted line")


def _sealed(records: Mapping[str, Record], target: str | None, profile: str | None) -> bytes:
    """A new vault with these records, for a secret of its own."""
    where = "the copy" if target is None else FileStore(target).location
    store = Memory(where, max_size=stores.max_size())
    with Vault(store, opening.new_source(where)) as copy:
        copy.start(create=True, records=records, kdf=opening.profile(profile))
        return stores.load(store).reveal()


def _check_stdout(*, plaintext: bool) -> None:
    """Refuse to write the copy where it has no business."""
    if sys.stdout.isatty():
        raise ValidationError("a copy is not written to a terminal; use -o FILE")
    if plaintext:
        output.check_private_stdout()

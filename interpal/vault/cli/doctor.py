"""The verb `doctor`: what is less safe than it could be, and the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from interpal.exceptions import (
    KeySourceError,
    StoreUnavailableError,
    VaultError,
    VaultNotFoundError,
)
from interpal.vault.cli import errors, output, stores
from interpal.vault.cli.app import cli, file_option, json_option
from interpal.vault.cli.formatting import Cell
from interpal.vault.cli.git import run_git
from interpal.vault.files.permissions import quoted, shown
from interpal.vault.health import doctor, guessing, surroundings
from interpal.vault.health.surroundings import Finding
from interpal.vault.keys.sources import find_source
from interpal.vault.stores.file import FileStore

if TYPE_CHECKING:
    from interpal.vault.format.key_slots import KdfParameters
    from interpal.vault.stores.base import Store


@cli.command("doctor")
@file_option
@click.option("--fix", is_flag=True, help="Fix what can be fixed safely.")
@json_option
def doctor_verb(path: str, fix: bool, as_json: bool) -> int:
    """Find security problems around the vault. Needs no key.

    It checks modes, owners, the folder, key files beside the vault, git, leftovers, weak slots,
    ambiguous sources, plain session files of 1.x nearby, the clock, and network file systems,
    and says how to fix what it finds. With --fix it removes the access of other users and
    clears leftovers, and nothing else. Exit code 1 means that problems remain.

    For an SQLite database it says the version of SQLite too.

    \b
    Example:
      interpal-vault doctor --fix
    """
    store = stores.store_of(path)
    findings = _examine(store, path)
    mended: list[Finding] = []
    if fix and any(finding.fix for finding in findings):
        before = findings
        for finding in before:
            _mend(finding, as_json=as_json)
        findings = _examine(store, path)
        left = {(finding.code, finding.path) for finding in findings}
        mended = [finding for finding in before if (finding.code, finding.path) not in left]
    missing = not stores.exists(store)
    passphrases = {} if missing else _passphrases(store)
    sqlite = _sqlite_version(store)
    if as_json:
        output.put_json(
            {
                "path": store.location,
                "findings": [_members(finding, mended=False) for finding in findings],
                "mended": [_members(finding, mended=True) for finding in mended],
                "passphrases": [
                    {
                        "slot": kid,
                        "bits": guessing.bits_needed(kdf),
                        "words": guessing.words_needed(kdf),
                    }
                    for kid, kdf in passphrases.items()
                ],
                **({} if sqlite is None else {"sqlite": sqlite}),
            }
        )
    else:
        for finding in mended:
            _put(finding._replace(remedy=""), Cell("fixed", "green"))
        for finding in findings:
            _put(finding, Cell(finding.code, "yellow"))
        if not findings and not missing:
            output.put(f"{store.location}: no problems found.")
        for kid, kdf in passphrases.items():
            output.say(f"Slot {kid}: to withstand guessing, {guessing.advice(kdf)}.")
        without = _missing_key_file()
        if not missing and not passphrases and without is not None:
            output.say(
                f"Here no key is set, and there is no key file {without}: only a program that "
                "passes the key itself opens this vault."
            )
        if sqlite is not None:
            old = " (up to 3.51.2 it has a rare fault: docs/scaling.md)"
            output.put(f"SQLite {sqlite}{old if _has_log_fault(sqlite) else ''}")
    if missing:
        raise errors.no_vault(store.location)
    return errors.FOUND if findings else errors.OK


def _sqlite_version(store: Store) -> str | None:
    """The version of the library that reads the database; None for another store."""
    if isinstance(store, FileStore) or stores.file_of(store) is None:
        return None
    from sqlite3 import sqlite_version

    return sqlite_version


def _has_log_fault(version: str) -> bool:
    """Whether a log may be begun anew beside a checkpoint (https://www.sqlite.org/wal.html)."""
    return tuple(int(part) for part in version.split(".") if part.isdigit()) < (3, 51, 3)


def _examine(store: Store, place: str) -> list[Finding]:
    """The problems found: of a database its file too, of Redis the keys' sources and slots.

    *place* is how the person has named the store.
    """
    if isinstance(store, FileStore):
        return doctor.examine(store.path, git=run_git, max_size=store.max_size)
    file = stores.file_of(store)
    if file is None:
        findings = list(surroundings.of_sources("", None))
    else:
        found = doctor.examine(file.path, git=run_git)
        # For a database is no vault in one file.
        findings = [finding for finding in found if finding.code != "unreadable"]
    try:
        slots = stores.overview(store, stores.load(store)).report.slots
    except VaultNotFoundError:
        return findings
    except VaultError as error:
        if isinstance(error, StoreUnavailableError):
            raise
        message = str(error).removeprefix(f"{store.location}: ")
        remedy = (
            "restore a good copy, or move it away and import a backup with `interpal-vault import`"
        )
        return [*findings, Finding("unreadable", store.location, message, remedy)]
    for slot in slots:
        if slot.kdf is not None and slot.kdf.is_weak:
            message = (
                f"slot {slot.kid} has weak Argon2id settings: its passphrase can be guessed quickly"
            )
            remedy = f"interpal-vault passwd -f {quoted(place)} --slot {slot.kid}"
            findings.append(Finding("weak-slot", store.location, message, remedy))
    return findings


def _passphrases(store: Store) -> dict[str, KdfParameters]:
    """The settings of each slot that a passphrase opens; none where it cannot be read."""
    try:
        slots = stores.overview(store, stores.load(store)).report.slots
    except VaultError:
        return {}
    return {slot.kid: slot.kdf for slot in slots if slot.kdf is not None}


def _missing_key_file() -> str | None:
    """The path of the user's key file, where nothing else is set and it is not there."""
    try:
        source = find_source()
    except KeySourceError:
        return None
    return shown(source.users_file) if source.is_missing and source.users_file else None


def _mend(finding: Finding, *, as_json: bool) -> None:
    if finding.fix is None:
        return
    try:
        finding.fix()
    except VaultError as error:
        output.warn(str(error), as_json=as_json)
    except OSError as error:
        output.warn(f"{finding.path}: cannot fix it: {error.strerror}", as_json=as_json)


def _members(finding: Finding, *, mended: bool) -> dict[str, Any]:
    return {
        "code": finding.code,
        "path": finding.path,
        "message": finding.message,
        "remedy": finding.remedy,
        "fixable": finding.fix is not None,
        "mended": mended,
    }


def _put(finding: Finding, label: Cell) -> None:
    output.put_finding(label, finding.path, finding.message, finding.remedy)

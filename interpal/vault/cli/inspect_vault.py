"""The verb `inspect`: what a vault is and, with its key, what is in it."""

from __future__ import annotations

import pwd
from typing import TYPE_CHECKING, Any

import click

from interpal.exceptions import VaultError, VaultPermissionError
from interpal.vault.cli import errors, formatting, opening, output, stores, tables
from interpal.vault.cli.app import cli, json_option, optional_file_option
from interpal.vault.cli.formatting import Cell, clean
from interpal.vault.health import report
from interpal.vault.stores.file import FileStore, absolute
from interpal.vault.stores.memory import Memory

if TYPE_CHECKING:
    from datetime import datetime

    from interpal.vault.cli.stores import Overview, Records
    from interpal.vault.health.report import Account
    from interpal.vault.stores.base import Store, Stored
    from interpal.vault.vault import Vault


_MOST_ROWS = 20


@cli.command("inspect", short_help="Show a vault and, with its key, the accounts in it.")
@click.argument("vault", metavar="[FILE]", required=False, type=click.Path(readable=False))
@optional_file_option
@json_option
@click.option("--no-key", is_flag=True, help="Show only what needs no key, and ask for none.")
def inspect_verb(vault: str | None, path: str | None, as_json: bool, no_key: bool) -> int:
    """Show a vault and, with its key, the accounts in it. Never a secret.

    Without a key: format, generation, times, key slots, size, mode and owner, as the file
    claims them. With a key all of it is authenticated, and the accounts are shown. With a
    wrong key it shows what needs none, and exits 77.

    \b
    Example:
      interpal-vault inspect team.json
    """
    store = stores.store_of(_one_path(vault, path))
    if not stores.exists(store):
        raise errors.no_vault(store.location)
    stored = stores.load(store)
    found = stores.overview(store, stored)
    problem: VaultError | None = None
    opened: Vault | None = None
    accounts: list[Account] | None = None
    if not no_key and not found.report.foreign:
        try:
            opened = _open_as_read(store, stored)
            accounts = None if opened is None else tables.accounts_of(opened)
        except VaultError as error:
            problem = error
    now = formatting.utc_now()
    source = None if opened is None or accounts is None else opened.key_source
    if as_json:
        output.put_json(
            {
                **_report_json(found),
                "authenticated": accounts is not None,
                "key_source": source,
                "accounts": None if accounts is None else tables.accounts_json(accounts, now),
            }
        )
    else:
        _put_report(found, source, problem, now)
        if accounts is not None:
            output.put()
            tables.put_accounts(accounts[:_MOST_ROWS], now)
            if len(accounts) > _MOST_ROWS:
                output.put(
                    f"and {len(accounts) - _MOST_ROWS:,} more; "
                    f"{errors.command('list', store.location)} shows all"
                )
                output.put(tables.totals(accounts, now))
    if opened is not None:
        opened.close()
    if problem is not None:
        failure = errors.failure_of(problem)
        output.fail(failure, as_json=as_json)
        return failure.exit_code
    return errors.OK


def _open_as_read(store: Store, stored: Stored) -> Vault | None:
    """The vault over the very bytes that are shown; None where no key is available."""
    if not isinstance(store, FileStore):
        return opening.peek(store)
    vault = opening.peek(Memory(store.location, stored, max_size=store.max_size))
    if vault is not None:
        store.load()  # with every check of a vault that is to be trusted
    return vault


def _report_json(look: Overview) -> dict[str, Any]:
    found = look.report
    in_file = look.kind != "redis"
    return {
        "path": found.path,
        "store": look.kind,
        "format": report.FORMAT,
        "version": report.VERSION,
        "id": found.id,
        "generation": found.generation,
        "created_at": formatting.iso(found.created_at),
        "updated_at": formatting.iso(found.updated_at),
        "size": found.size,
        "mode": f"{found.mode:04o}" if in_file else None,
        "owner": {"uid": found.uid, "name": _user(found.uid)} if in_file else None,
        "records": None if look.records is None else look.records._asdict(),
        "slots": tables.slots_json(found.slots),
    }


def _put_report(
    look: Overview, source: str | None, problem: VaultError | None, now: datetime
) -> None:
    found = look.report
    authentic = source is not None
    if authentic:
        trust = Cell(f"authenticated with the {_kind(source)}", "green")
    elif isinstance(problem, VaultPermissionError) or problem is None:
        trust = Cell("unauthenticated: read without a key", "yellow")
    else:
        trust = Cell("unauthenticated: see the message", "red")
    output.put_title(found.path)
    facts: list[tuple[str, Cell | str]] = [
        ("Format", f"{report.FORMAT} {report.VERSION}"),
        ("Content", trust),
        ("Generation", str(found.generation)),
        ("Created", formatting.long_time(found.created_at)),
        ("Updated", formatting.long_time(found.updated_at)),
        ("Size", formatting.size(found.size)),
    ]
    if look.kind != "redis":
        owner = clean(_user(found.uid) or str(found.uid))
        facts += [
            ("Mode", Cell(f"{found.mode:04o}", "red" if found.mode & 0o077 else "")),
            ("Owner", f"{owner} (another user)" if found.foreign else owner),
        ]
    if look.records is not None:
        facts.append(("Records", _seen_of(look.records)))
    output.put_facts(facts)
    output.put()
    tables.put_slots(found.slots, now)


def _seen_of(records: Records) -> str:
    if not records.number:
        return "none"
    sizes = f"{formatting.size(records.smallest)} to {formatting.size(records.largest)} each"
    return f"{records.number}, {sizes}; number, sizes and expiry can be seen without a key"


def _kind(source: str | None) -> str:
    if source == "prompt":
        return "passphrase that was typed"
    return source if source and source.startswith("key file") else f"key from {source}"


def _user(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _one_path(argument: str | None, option: str | None) -> str:
    """FILE as the argument or as the option, not as both."""
    if argument is not None and option is not None and absolute(argument) != absolute(option):
        raise click.UsageError("FILE and -f name different vaults; give one")
    named = option if argument is None else argument
    return stores.default_place() if named is None else named

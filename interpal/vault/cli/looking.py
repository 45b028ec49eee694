"""Verbs that only look: `inspect`, `list`, `verify`."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from interpal.exceptions import VaultCorruptError, VaultError, VaultPermissionError
from interpal.vault.cli import errors, opening, output, places
from interpal.vault.cli.app import cli, file_option, json_option
from interpal.vault.cli.output import Cell, clean
from interpal.vault.health import report
from interpal.vault.stores.file import FileStore

if TYPE_CHECKING:
    from datetime import datetime

    from interpal.vault.cli.places import Look, Records
    from interpal.vault.format.key_slots import KdfParameters
    from interpal.vault.health.report import Account, SlotReport
    from interpal.vault.stores.base import Store, Stored
    from interpal.vault.vault import Vault

_STATE_STYLES = {"valid": "green", "ends soon": "yellow", "expired": "red"}


@cli.command("inspect", short_help="Show what a vault is and, with its key, what is in it.")
@click.argument("vault", metavar="[FILE]", required=False, type=click.Path())
@file_option
@json_option
@click.option("--no-key", is_flag=True, help="Look at what needs no key, and ask for none.")
@click.pass_context
def inspect_verb(
    context: click.Context, vault: str | None, path: str, as_json: bool, no_key: bool
) -> int:
    """Show what a vault is and, with its key, what is in it. Never a secret.

    Without a key: format, generation, times, key slots, size, mode and owner, as the file
    claims them. With a key all of it is authenticated, and the accounts are shown. With a
    wrong key it shows what needs none, and exits 77.

    \b
    Example:
      interpal-vault inspect team.json
    """
    path = _one_path(context, vault, path)
    store = places.store_of(path)
    if not places.exists(store):
        raise errors.no_vault(store.location)
    stored = places.load(store)
    found = places.look(store, stored)
    problem: VaultError | None = None
    opened: Vault | None = None
    accounts: list[Account] | None = None
    if not no_key and not found.report.foreign:
        try:
            opened = _open_as_read(store, stored)
            accounts = None if opened is None else _accounts(opened)
        except VaultError as error:
            problem = error
    now = output.utc_now()
    source = None if opened is None or accounts is None else opened.key_source
    if as_json:
        output.put_json(
            {
                **_report_json(found),
                "authenticated": accounts is not None,
                "key_source": source,
                "accounts": None if accounts is None else _accounts_json(accounts, now),
            }
        )
    else:
        _put_report(found, source, problem, now)
        if accounts is not None:
            output.put()
            put_accounts(accounts, now)
    if opened is not None:
        opened.close()
    if problem is not None:
        failure = errors.failure_of(problem)
        output.fail(failure, as_json=as_json)
        return failure.exit_code
    return errors.OK


def _open_as_read(store: Store, stored: Stored) -> Vault | None:
    """The vault over the very bytes that are shown; None where there is no key at hand."""
    if not isinstance(store, FileStore):
        return opening.peek(store)
    vault = opening.peek(opening.Memory(store.location, stored))
    if vault is not None:
        store.load()  # with every check of a vault that is to be trusted
    return vault


@cli.command("list", short_help="List the accounts and how long they last.")
@file_option
@json_option
def list_verb(path: str, as_json: bool) -> None:
    """List the accounts: when their sessions were made, and how long they last.

    \b
    Example:
      interpal-vault list -f team.json
    """
    with opening.open_vault(path) as vault:
        accounts = _accounts(vault)
        where = vault.path
    now = output.utc_now()
    if as_json:
        output.put_json({"path": where, "accounts": _accounts_json(accounts, now)})
    else:
        put_accounts(accounts, now)


@cli.command("verify", short_help="Authenticate everything in one vault, or in many.")
@click.argument("vaults", metavar="[FILES]...", nargs=-1, type=click.Path())
@file_option
@json_option
def verify_verb(vaults: tuple[str, ...], path: str, as_json: bool) -> int:
    """Authenticate everything in a vault, or in many; the exit code says how it went.

    The files are read and nothing is changed. With several faults the exit code is that of
    the first, but 65 where one of them is damage.

    \b
    Example:
      interpal-vault verify team.json backups/*.json
    """
    paths = vaults or (path,)
    stores = [places.store_of(one) for one in paths]
    verdicts: list[_Verdict] = []
    typed: list[str] = []
    if len(stores) == 1:
        verdicts.append(_verdict(stores[0], typed, counted=True))
    else:
        with output.progress("Verifying", len(stores)) as step:
            for store in stores:
                verdicts.append(_verdict(store, typed, counted=False))
                step()
    if as_json:
        output.put_json({"vaults": [verdict.told() for verdict in verdicts]})
    else:
        for verdict in verdicts:
            output.put(verdict.line())
    codes = [verdict.failure.exit_code for verdict in verdicts if verdict.failure is not None]
    return errors.DATA if errors.DATA in codes else (codes or [errors.OK])[0]


class _Verdict(NamedTuple):
    """What was found of one vault; `generation` and `accounts` are None where it did not open."""

    path: str
    generation: int | None
    accounts: int | None
    failure: errors.Failure | None

    def told(self) -> dict[str, Any]:
        """For programs."""
        told: dict[str, Any] = {"path": self.path, "ok": self.failure is None}
        if self.accounts is not None:
            told.update(generation=self.generation, accounts=self.accounts)
        if self.failure is not None:
            told["error"] = self.failure.told()
        return told

    def line(self) -> str:
        """For people."""
        if self.failure is not None:
            return f"FAILED  {self.failure.message}"
        accounts = output.plural(self.accounts or 0, "account")
        return f"ok      {self.path}: generation {self.generation}, {accounts}"


def _verdict(store: Store, typed: list[str], *, counted: bool) -> _Verdict:
    """Authenticate everything in one vault; *counted* shows how many of its records are done."""
    generation: int | None = None
    accounts: int | None = None
    failure: errors.Failure | None = None
    try:
        with opening.open_vault(store, typed=typed) as vault:
            generation, accounts = vault.generation, len(vault)
            with output.progress("Verifying", accounts) as step:
                damaged = vault.damaged(progress=step.reach if counted else None)
            if damaged:
                raise VaultCorruptError(
                    f"{vault.path}: {damaged} of {output.plural(accounts, 'record')} can be opened "
                    "no more; the others can. `interpal-vault prune --damaged` removes what is "
                    "damaged",
                    path=vault.path,
                )
    except VaultError as error:
        failure = errors.failure_of(error)
    return _Verdict(store.location, generation, accounts, failure)


def _accounts(vault: Vault) -> list[Account]:
    records = vault.snapshot()
    return [report.account(name, records[name]) for name in sorted(records)]


def _accounts_json(accounts: list[Account], now: datetime) -> list[dict[str, Any]]:
    told = []
    for account in accounts:
        left = account.time_left(now)
        told.append(
            {
                "name": account.name,
                "username": account.username,
                "created_at": output.iso(account.created_at),
                "expires_at": output.iso(account.expires_at),
                "seconds_left": None if left is None else int(left.total_seconds()),
                "state": account.state(now),
            }
        )
    return told


def put_accounts(accounts: list[Account], now: datetime) -> None:
    """The table of the accounts, 80 columns for names of up to 20."""
    if not accounts:
        output.say("There is no account in it yet.")
        return
    rows: list[list[Cell | str]] = []
    for account in accounts:
        left = account.time_left(now)
        state = account.state(now)
        bar = output.bar(account.share_left(now))
        words = "-" if left is None else output.duration(left)
        rows.append(
            [
                _shown_name(account),
                output.short_time(account.created_at, now),
                output.short_time(account.expires_at, now),
                Cell(f"{bar.text} {words}", bar.style),
                Cell(state, _STATE_STYLES.get(state, "")),
            ]
        )
    output.put_table(("Account", "Created UTC", "Expires UTC", "Time left", "State"), rows)


def _shown_name(account: Account) -> str:
    """The name of the record; in brackets the username where it is another one."""
    username = account.username
    if username is None or username.casefold() == account.name.casefold():
        return clean(account.name)
    return f"{clean(account.name)} ({clean(username)})"


def _report_json(look: Look) -> dict[str, Any]:
    found = look.report
    in_file = look.kind != "redis"
    return {
        "path": found.path,
        "store": look.kind,
        "format": report.FORMAT,
        "version": report.VERSION,
        "id": found.id,
        "generation": found.generation,
        "created_at": output.iso(found.created_at),
        "updated_at": output.iso(found.updated_at),
        "size": found.size,
        "mode": f"{found.mode:04o}" if in_file else None,
        "owner": {"uid": found.uid, "name": _user(found.uid)} if in_file else None,
        "records": None if look.records is None else look.records._asdict(),
        "slots": slots_json(found.slots),
    }


def slots_json(slots: tuple[SlotReport, ...]) -> list[dict[str, Any]]:
    """The key slots for programs."""
    return [
        {
            "kid": slot.kid,
            "kind": slot.kind,
            "created_at": output.iso(slot.made_at),
            "kdf": None if slot.kdf is None else {"name": "argon2id", **slot.kdf._asdict()},
        }
        for slot in slots
    ]


def put_slots(slots: tuple[SlotReport, ...], now: datetime) -> None:
    """The table of the key slots."""
    output.put_table(
        ("Slot", "Opens with", "Made UTC", "Argon2id"),
        [
            [
                Cell(slot.kid, "bold"),
                slot.kind,
                output.short_time(slot.made_at, now),
                _cost(slot.kdf),
            ]
            for slot in slots
        ],
    )


def _cost(kdf: KdfParameters | None) -> Cell:
    if kdf is None:
        return Cell("-")
    memory, passes, lanes = kdf
    amount = f"{memory // 1024} MiB" if memory % 1024 == 0 else f"{memory} KiB"
    words = (
        f"{amount}, {passes} {'pass' if passes == 1 else 'passes'}, {output.plural(lanes, 'lane')}"
    )
    return Cell(f"{words} (weak)", "red") if kdf.is_weak else Cell(words)


def _put_report(look: Look, source: str | None, problem: VaultError | None, now: datetime) -> None:
    found = look.report
    authentic = source is not None
    if authentic:
        trust = Cell(f"authenticated with the {_kind(source)}", "green")
    elif isinstance(problem, VaultPermissionError) or problem is None:
        trust = Cell("unauthenticated: looked at without a key", "yellow")
    else:
        trust = Cell("unauthenticated: see the message", "red")
    output.put_title(found.path)
    facts: list[tuple[str, Cell | str]] = [
        ("Format", f"{report.FORMAT} {report.VERSION}"),
        ("Content", trust),
        ("Generation", str(found.generation)),
        ("Created", output.long_time(found.created_at)),
        ("Updated", output.long_time(found.updated_at)),
        ("Size", output.size(found.size)),
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
    put_slots(found.slots, now)


def _seen_of(records: Records) -> str:
    if not records.number:
        return "none"
    sizes = f"{output.size(records.smallest)} to {output.size(records.largest)} each"
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


def _one_path(context: click.Context, argument: str | None, option: str) -> str:
    """FILE as the argument or as the option, not as both."""
    if argument is None:
        return option
    given = context.get_parameter_source("path")
    named = given is click.core.ParameterSource.COMMANDLINE
    if named and os.path.abspath(argument) != os.path.abspath(option):
        raise click.UsageError("FILE and -f name two vaults: give one")
    return argument

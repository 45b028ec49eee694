"""Verbs for the accounts in a vault: `remove` one, `prune` the expired."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from interpal.exceptions import AmbiguousAccountError
from interpal.vault.cli import errors, opening, output
from interpal.vault.cli.app import cli, file_option, json_option, yes_option
from interpal.vault.cli.output import clean
from interpal.vault.format import legacy_file
from interpal.vault.health import report

if TYPE_CHECKING:
    from interpal.vault.vault import Vault


@cli.command("remove")
@click.argument("user")
@file_option
@yes_option
@json_option
def remove_verb(user: str, path: str, yes: bool, as_json: bool) -> None:
    """Forget the session of USER. The other accounts stay; the server is not told.

    \b
    Example:
      interpal-vault remove maple_ink
    """
    with opening.open_vault(path) as vault:
        name = name_of(vault, user)
        opening.confirm(
            f"Forget the session of {clean(name)} in {vault.path}?", yes=yes, only_if_asked=True
        )
        with vault.transaction() as records:
            removed = records.pop(name, None) is not None
        where = vault.path
    if not removed:
        raise errors.no_account(clean(name), where)
    if as_json:
        output.put_json({"path": where, "removed": [name]})
    else:
        output.say(f"{where}: the session of {clean(name)} was removed")


@cli.command("prune")
@file_option
@click.option("--damaged", is_flag=True, help="Drop records that do not open any more, too.")
@json_option
def prune_verb(path: str, damaged: bool, as_json: bool) -> None:
    """Drop the sessions that have expired. One that names no expiry stays.

    \b
    Example:
      interpal-vault prune -f team.json
    """
    now = output.utc_now()
    with opening.open_vault(path) as vault:
        unreadable = vault.drop_damaged() if damaged else 0
        with vault.transaction() as records:
            expired = [
                name
                for name in sorted(records)
                if report.account(name, records[name]).state(now) == "expired"
            ]
            for name in expired:
                del records[name]
        where = vault.path
    if as_json:
        output.put_json({"path": where, "removed": expired, "damaged": unreadable})
        return
    for name in expired:
        output.put(clean(name))
    output.say(f"{where}: {output.plural(len(expired), 'expired session')} dropped")
    if unreadable:
        output.say(f"{where}: {output.plural(unreadable, 'damaged record')} dropped")


def name_of(vault: Vault, user: str | None) -> str:
    """The name of a user's record; of the only one there is where no user is named.

    Raises `NotFound`, and `AmbiguousAccountError` where there are several to choose from.
    """
    if user is not None:
        for name in (user, legacy_file.record_name(user)):
            if name in vault:
                return name
        raise errors.no_account(clean(user), vault.path)
    names = sorted(vault)
    if len(names) > 1:
        raise AmbiguousAccountError(
            f"{vault.path}: there are several accounts ({output.listed(names)}); say which with "
            "--user",
            accounts=names,
        )
    if not names:
        raise errors.NotFound(
            "no-such-account",
            f"{vault.path}: there is no account in it yet; log in, or `interpal-vault import`",
            path=vault.path,
        )
    return names[0]

"""The verb `prune`: drop the sessions that have expired."""

from __future__ import annotations

import click

from interpal.vault.cli import formatting, opening, output
from interpal.vault.cli.app import cli, file_option, json_option
from interpal.vault.cli.formatting import clean
from interpal.vault.health import report


@cli.command("prune")
@file_option
@click.option("--damaged", is_flag=True, help="Also drop records that can no longer be decrypted.")
@json_option
def prune_verb(path: str, damaged: bool, as_json: bool) -> None:
    """Drop the sessions that have expired. One that names no expiry stays.

    \b
    Example:
      interpal-vault prune -f team.json
    """
    now = formatting.utc_now()
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
    output.say(f"{where}: {formatting.plural(len(expired), 'expired session')} dropped")
    if unreadable:
        output.say(f"{where}: {formatting.plural(unreadable, 'damaged record')} dropped")

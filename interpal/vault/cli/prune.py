"""The verb `prune`: drop the sessions that have expired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from interpal.vault.cli import formatting, opening, output
from interpal.vault.cli.app import cli, file_option, json_option
from interpal.vault.cli.formatting import clean
from interpal.vault.health import report

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@cli.command("prune")
@file_option
@click.option("--damaged", is_flag=True, help="Also drop records that can no longer be decrypted.")
@click.option("-n", "--dry-run", is_flag=True, help="Only show what would be dropped.")
@json_option
def prune_verb(path: str, damaged: bool, dry_run: bool, as_json: bool) -> None:
    """Drop the sessions that have expired. One that names no expiry stays.

    \b
    Example:
      interpal-vault prune -f team.json --dry-run
    """
    now = formatting.utc_now()
    with opening.open_vault(path) as vault:
        if dry_run:
            unreadable = vault.damaged() if damaged else 0
            expired = _expired(vault.snapshot(), now)
        else:
            unreadable = vault.drop_damaged() if damaged else 0
            with vault.transaction() as records:
                expired = _expired(records, now)
                for name in expired:
                    del records[name]
        where = vault.path
    if as_json:
        found = {"path": where, "removed": expired, "damaged": unreadable}
        output.put_json({**found, "dry_run": True} if dry_run else found)
        return
    for name in expired:
        output.put(clean(name))
    done = "would be dropped" if dry_run else "dropped"
    output.say(f"{where}: {formatting.plural(len(expired), 'expired session')} {done}")
    if unreadable:
        output.say(f"{where}: {formatting.plural(unreadable, 'damaged record')} {done}")


def _expired(records: Mapping[str, Mapping[str, Any]], now: datetime) -> list[str]:
    return [
        name
        for name in sorted(records)
        if report.account(name, records[name]).state(now) == "expired"
    ]

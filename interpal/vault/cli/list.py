"""The verb `list`: the accounts in a vault, and how long their sessions last."""

from __future__ import annotations

from interpal.vault.cli import formatting, opening, output, tables
from interpal.vault.cli.app import cli, file_option, json_option


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
        accounts = tables.accounts_of(vault)
        where = vault.path
    now = formatting.utc_now()
    if as_json:
        output.put_json({"path": where, "accounts": tables.accounts_json(accounts, now)})
    else:
        tables.put_accounts(accounts, now)

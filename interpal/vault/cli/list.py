"""The verb `list`: the accounts in a vault, and how long their sessions last."""

from __future__ import annotations

from datetime import datetime, timezone
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click

from interpal.vault.cli import formatting, opening, output, tables
from interpal.vault.cli.app import cli, file_option, json_option

if TYPE_CHECKING:
    from interpal.vault.health.report import Account

_MANY = 20
STATES = ("not expired", "ends soon", "expired", "no expiry")
_NEVER = datetime.max.replace(tzinfo=timezone.utc)
_LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)


@cli.command("list", short_help="List the accounts and how long they last.")
@file_option
@click.option("--match", metavar="PATTERN", help="Only accounts like this: 'bot-*'.")
@click.option(
    "--state",
    "states",
    type=click.Choice([state.replace(" ", "-") for state in STATES]),
    multiple=True,
    help="Only accounts in this state; may be given several times.",
)
@click.option("--expired", is_flag=True, help="The same as --state expired.")
@click.option(
    "--sort",
    type=click.Choice(["name", "expires", "created"]),
    default="name",
    show_default=True,
    help="The order.",
)
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="Show at most so many.")
@json_option
def list_verb(
    path: str,
    match: str | None,
    states: tuple[str, ...],
    expired: bool,
    sort: str,
    limit: int | None,
    as_json: bool,
) -> None:
    """List the accounts: when their sessions were made, and how long they last.

    "not expired" is by the clock: whether the site still takes a session, only the site can
    say.

    \b
    Example:
      interpal-vault list -f team.json --expired --sort expires
    """
    with opening.open_vault(path) as vault:
        accounts = everyone = tables.accounts_of(vault)
        where = vault.path
    now = formatting.utc_now()
    if match is not None:
        pattern = match.casefold()
        accounts = [one for one in accounts if fnmatchcase(one.name.casefold(), pattern)]
    wanted = {state.replace("-", " ") for state in states} | ({"expired"} if expired else set())
    if wanted:
        accounts = [one for one in accounts if one.state(now) in wanted]
    accounts.sort(key=lambda one: _order(one, sort))
    shown = accounts[:limit]
    if as_json:
        output.put_json({"path": where, "accounts": tables.accounts_json(shown, now)})
        return
    if everyone and not accounts:
        output.say(f"No account matches, of {len(everyone):,} in the vault.")
        return
    tables.put_accounts(shown, now)
    chosen = match is not None or bool(wanted) or len(shown) < len(accounts)
    if len(accounts) > _MANY or (chosen and accounts):
        more = f"; {len(shown):,} shown" if len(shown) < len(accounts) else ""
        output.say(tables.totals(accounts, now) + more)


def _order(account: Account, by: str) -> tuple[datetime, str]:
    time = {"expires": account.expires_at or _NEVER, "created": account.created_at or _LONG_AGO}
    return time.get(by, _NEVER), account.name

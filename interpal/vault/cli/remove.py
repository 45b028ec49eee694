"""The verb `remove`: forget the session of one account."""

from __future__ import annotations

import click

from interpal.vault.cli import completion, errors, opening, output
from interpal.vault.cli.accounts import name_of
from interpal.vault.cli.app import cli, file_option, json_option, yes_option
from interpal.vault.cli.formatting import clean


@cli.command("remove")
@click.argument("user", shell_complete=completion.accounts)
@file_option
@yes_option
@json_option
def remove_verb(user: str, path: str, yes: bool, as_json: bool) -> None:
    """Forget the session of USER. The other accounts stay; nothing is sent to the server.

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

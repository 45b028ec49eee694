"""The verb `init`: make an empty vault."""

from __future__ import annotations

import click

from interpal.exceptions import WrongKeyError
from interpal.vault.cli import errors, opening, output, stores
from interpal.vault.cli.app import cli, file_option, json_option, profile_option
from interpal.vault.vault import Vault


@cli.command("init")
@file_option
@click.option("--passphrase", "ask", is_flag=True, help="Ask for a passphrase for this vault.")
@profile_option
@json_option
def init_verb(path: str, ask: bool, profile: str | None, as_json: bool) -> None:
    """Create an empty vault.

    Its key comes from the configured source. If there is none, your key file is used, and
    created if needed, so programs can open the vault without any setting. With --passphrase
    you are asked for a passphrase, twice. An existing file is never overwritten (73).

    \b
    Example:
      interpal-vault init -f team.json --passphrase --profile strong
    """
    store = stores.store_of(path)
    if stores.exists(store):
        raise errors.exists(store.location)
    source = opening.source_for_new_vault(store.location, ask=ask)
    kdf = opening.profile_for(source, profile)
    with Vault(store, source) as vault:
        try:
            made = vault.start(create=True, kdf=kdf)
        except WrongKeyError:
            made = False
        if not made:
            # Somebody else has made one since it was looked for, maybe for another key.
            raise errors.exists(store.location)
        source_name = vault.key_source
    if as_json:
        output.put_json({"path": store.location, "created": True, "key_source": source_name})
    else:
        output.say(f"{store.location}: created an empty vault; it opens with {_with(source_name)}")


def _with(source: str) -> str:
    if source == "prompt":
        return "the passphrase that you typed"
    return f"the {source}" if source.startswith("key file") else f"the key from {source}"

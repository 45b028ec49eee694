"""The verbs `slot add`, `slot list` and `slot remove`: the secrets that open a vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from interpal.exceptions import ValidationError
from interpal.vault.cli import completion, errors, formatting, opening, output, stores, tables
from interpal.vault.cli.app import cli, file_option, json_option, profile_option, yes_option

if TYPE_CHECKING:
    from interpal.vault.format.key_slots import Slot
    from interpal.vault.vault import Vault


@cli.group(
    "slot",
    short_help="Add, list and remove the secrets that open the vault.",
    invoke_without_command=True,
)
@click.pass_context
def slot_group(context: click.Context) -> None:
    """Manage key slots. Each opens the vault with a secret of its own; there are up to eight.

    \b
    Example:
      interpal-vault slot add --kid laptop
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@slot_group.command("list")
@file_option
@json_option
def slot_list_verb(path: str, as_json: bool) -> None:
    """List the key slots. Needs no key; what is shown is what the file claims.

    \b
    Example:
      interpal-vault slot list -f team.json
    """
    store = stores.store_of(path)
    if not stores.exists(store):
        raise errors.no_vault(store.location)
    found = stores.overview(store, stores.load(store)).report
    if as_json:
        slots = tables.slots_json(found.slots)
        output.put_json({"path": found.path, "authenticated": False, "slots": slots})
    else:
        tables.put_slots(found.slots, formatting.utc_now())


@slot_group.command("add")
@file_option
@click.option("--kid", metavar="KID", help="Its name: 1 to 64 of A-Z a-z 0-9 . _ -")
@click.option(
    "--key-file",
    metavar="FILE",
    type=click.Path(readable=False),
    help="Open it with the raw key in FILE.",
)
@profile_option
@json_option
def slot_add_verb(
    path: str, kid: str | None, key_file: str | None, profile: str | None, as_json: bool
) -> None:
    """Add a key slot: one more secret that opens the vault.

    A passphrase comes from SESSION_VAULT_NEW_PASSPHRASE_FILE or
    SESSION_VAULT_NEW_PASSPHRASE; otherwise you are asked for it, twice. A raw key comes from
    a file; `keygen -o FILE` creates one.

    \b
    Example:
      interpal-vault slot add --kid server --key-file server.key
    """
    if key_file is not None and profile is not None:
        raise click.UsageError("--profile is for passphrases, not for the raw key of --key-file")
    with opening.open_vault(path) as vault:
        # Before a passphrase is asked for, twice.
        if kid is not None and kid in {slot.kid for slot in vault.slots}:
            raise ValidationError(
                f"--kid: {vault.path} has a slot {kid} already; choose another name"
            )
        if key_file is not None:
            slot = vault.add_slot(key=opening.key_from_file(key_file).reveal(), kid=kid)
        else:
            source = opening.new_source(f"a new slot of {vault.path}")
            passphrase = source.read().reveal().decode()
            slot = vault.add_slot(passphrase=passphrase, kid=kid, kdf=opening.profile(profile))
        where = vault.path
    if as_json:
        output.put_json({"path": where, "added": slot.kid})
    else:
        output.say(f"{where}: slot {slot.kid} was added; it opens with a {slot.kind}")


@slot_group.command("remove")
@click.argument("kid", shell_complete=completion.slots)
@file_option
@yes_option
@json_option
def slot_remove_verb(kid: str, path: str, yes: bool, as_json: bool) -> None:
    """Remove a key slot. The last one cannot be removed.

    Anyone with its secret and an old copy of the file can still open that copy, and get the
    vault key from it. Run `rotate` to protect what is saved from now on.

    \b
    Example:
      interpal-vault slot remove laptop
    """
    with opening.open_vault(path) as vault:
        slot = slot_of(vault, kid)
        if len(vault.slots) > 1:
            opening.confirm(
                f"Remove slot {slot.kid} of {vault.path}? Its {slot.kind} will no longer open it.",
                yes=yes,
            )
        vault.remove_slot(slot.kid)
        where = vault.path
    if as_json:
        output.put_json({"path": where, "removed": slot.kid})
    else:
        output.say(f"{where}: slot {slot.kid} was removed")
        output.say(
            f"Its old secret still opens old copies. Run {errors.command('rotate', where)} to "
            "protect what is saved from now on."
        )


def slot_of(vault: Vault, kid: str) -> Slot:
    """The slot of that name. Raises `NotFound`."""
    for slot in vault.slots:
        if slot.kid == kid:
            return slot
    raise errors.NotFound(
        "no-such-slot",
        f"{vault.path}: no slot {formatting.clean(kid)}; the slots are: "
        + ", ".join(slot.kid for slot in vault.slots),
        path=vault.path,
    )

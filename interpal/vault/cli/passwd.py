"""The verb `passwd`: change a passphrase."""

from __future__ import annotations

import click

from interpal.exceptions import ValidationError
from interpal.vault.cli import opening, output
from interpal.vault.cli.app import cli, file_option, json_option, profile_option
from interpal.vault.cli.slot import slot_of


@cli.command("passwd")
@file_option
@click.option("--slot", "kid", metavar="KID", help="The slot; else the one that opened.")
@profile_option
@json_option
def passwd_verb(path: str, kid: str | None, profile: str | None, as_json: bool) -> None:
    """Change a passphrase; no record is touched.

    The new one comes from INTERPALS_VAULT_NEW_PASSPHRASE_FILE or
    INTERPALS_VAULT_NEW_PASSPHRASE, else the terminal is asked for it, twice. This is no
    revocation: whoever knew the old passphrase and has an old copy of the file can still open
    that copy. `rotate` is the remedy for the future.

    \b
    Example:
      interpal-vault passwd --slot laptop
    """
    with opening.open_vault(path) as vault:
        slot = vault.opened_slot if kid is None else slot_of(vault, kid)
        if kid is None and slot.kind == "key":
            raise ValidationError(
                f"{vault.path} was opened with a raw key, which has no passphrase to change; "
                "say which with --slot KID, or make one with `interpal-vault slot add`"
            )
        source = opening.new_source(f"{vault.path}, slot {slot.kid}")
        vault.change_slot(
            slot.kid, passphrase=source.read().reveal().decode(), kdf=opening.profile(profile)
        )
        where = vault.path
    if as_json:
        output.put_json({"path": where, "changed": slot.kid})
        return
    output.say(f"{where}: slot {slot.kid} opens with the new passphrase now")
    output.say(
        "Whoever knew the old one and has an old copy of the file can still open that copy; "
        "`interpal-vault rotate` keeps what comes from now on out of their reach."
    )

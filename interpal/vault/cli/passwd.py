"""The verb `passwd`: change a passphrase."""

from __future__ import annotations

import click

from interpal.exceptions import ValidationError
from interpal.vault.cli import completion, errors, opening, output
from interpal.vault.cli.app import cli, file_option, json_option, profile_option
from interpal.vault.cli.slot import slot_of
from interpal.vault.health import guessing


@cli.command("passwd")
@file_option
@click.option(
    "--slot",
    "kid",
    shell_complete=completion.slots,
    metavar="KID",
    help="The slot to change; by default the one that opened the vault.",
)
@profile_option
@json_option
def passwd_verb(path: str, kid: str | None, profile: str | None, as_json: bool) -> None:
    """Change a passphrase; no record is touched.

    The new one comes from SESSION_VAULT_NEW_PASSPHRASE_FILE or
    SESSION_VAULT_NEW_PASSPHRASE; otherwise you are asked for it, twice. This does not revoke
    the old passphrase: anyone who knew it and has an old copy of the file can still open that
    copy. Run `rotate` to protect what is saved from now on.

    \b
    Example:
      interpal-vault passwd --slot laptop
    """
    with opening.open_vault(path) as vault:
        where = vault.path
        slot = vault.opened_slot if kid is None else slot_of(vault, kid)
        if kid is None and slot.kind == "key":
            raise ValidationError(
                f"{where} was opened with a raw key, which has no passphrase to change; choose a "
                f"slot with --slot KID, or add one with {errors.command('slot add', where)}"
            )
        source = opening.new_source(f"{vault.path}, slot {slot.kid}")
        vault.change_slot(
            slot.kid, passphrase=source.read().reveal().decode(), kdf=opening.profile(profile)
        )
        kdf = slot_of(vault, slot.kid).kdf
    if as_json:
        output.put_json(
            {
                "path": where,
                "changed": slot.kid,
                "bits": None if kdf is None else guessing.bits_needed(kdf),
                "words": None if kdf is None else guessing.words_needed(kdf),
            }
        )
        return
    output.say(f"{where}: slot {slot.kid} now opens with the new passphrase")
    if kdf is not None:
        output.say(f"To withstand guessing, {guessing.advice(kdf)}.")
    output.say(
        "Anyone who knew the old one and has an old copy of the file can still open that copy. "
        f"Run {errors.command('rotate', where)} to protect what is saved from now on."
    )

"""Verbs for keys: `passwd`, `slot add`, `slot list`, `slot remove`, `rotate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from interpal.exceptions import ValidationError
from interpal.vault.cli import errors, opening, output, places
from interpal.vault.cli.app import cli, file_option, json_option, profile_option, yes_option
from interpal.vault.cli.looking import put_slots, slots_json
from interpal.vault.cli.terminal import Terminal
from interpal.vault.stores.base import keeps_records

if TYPE_CHECKING:
    from interpal.vault.format.key_slots import Slot
    from interpal.vault.vault import Vault


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


@cli.group(
    "slot", short_help="Add, list and remove the secrets that open it.", invoke_without_command=True
)
@click.pass_context
def slot_group(context: click.Context) -> None:
    """Key slots: every one opens the vault, with a secret of its own. Eight at most.

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
    store = places.store_of(path)
    if not places.exists(store):
        raise errors.no_vault(store.location)
    found = places.look(store, places.load(store)).report
    if as_json:
        slots = slots_json(found.slots)
        output.put_json({"path": found.path, "authenticated": False, "slots": slots})
    else:
        put_slots(found.slots, output.utc_now())


@slot_group.command("add")
@file_option
@click.option("--kid", metavar="KID", help="Its name: 1 to 64 of A-Z a-z 0-9 . _ -")
@click.option(
    "--key-file", metavar="FILE", type=click.Path(), help="Open it with the raw key in FILE."
)
@profile_option
@json_option
def slot_add_verb(
    path: str, kid: str | None, key_file: str | None, profile: str | None, as_json: bool
) -> None:
    """Add a key slot: one more secret that opens the vault.

    A passphrase comes from INTERPALS_VAULT_NEW_PASSPHRASE_FILE or
    INTERPALS_VAULT_NEW_PASSPHRASE, else the terminal is asked for it, twice. A raw key comes
    from a file, which `keygen -o FILE` makes.

    \b
    Example:
      interpal-vault slot add --kid server --key-file server.key
    """
    if key_file is not None and profile is not None:
        raise click.UsageError("--profile is for passphrases, and --key-file gives a raw key")
    with opening.open_vault(path) as vault:
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
@click.argument("kid")
@file_option
@yes_option
@json_option
def slot_remove_verb(kid: str, path: str, yes: bool, as_json: bool) -> None:
    """Remove a key slot. The last one cannot be removed.

    Whoever has its secret and an old copy of the file can still open that copy, and the vault
    key in it; `rotate` is the remedy for the future.

    \b
    Example:
      interpal-vault slot remove laptop
    """
    with opening.open_vault(path) as vault:
        slot = slot_of(vault, kid)
        if len(vault.slots) > 1:
            opening.confirm(
                f"Remove slot {slot.kid} of {vault.path}? Its {slot.kind} will open it no more.",
                yes=yes,
            )
        vault.remove_slot(slot.kid)
        where = vault.path
    if as_json:
        output.put_json({"path": where, "removed": slot.kid})
    else:
        output.say(f"{where}: slot {slot.kid} was removed")
        output.say("Its old secret still opens old copies; `interpal-vault rotate` is the remedy.")


@cli.command("rotate", short_help="Draw a new vault key and encrypt everything anew.")
@file_option
@click.option("--drop-slots", is_flag=True, help="Drop every slot whose secret is not at hand.")
@click.option(
    "--secret-file",
    "secret_files",
    metavar="KID=FILE",
    multiple=True,
    help="The passphrase or key of a slot that is to stay. May be repeated.",
)
@yes_option
@json_option
def rotate_verb(
    path: str, drop_slots: bool, secret_files: tuple[str, ...], yes: bool, as_json: bool
) -> None:
    """Draw a new vault key and encrypt everything anew.

    What was revoked stays out of everything that is saved from now on. A slot can be kept only
    with its secret: that of the slot that opened is at hand, the others are read with
    --secret-file or asked for at the terminal. The sessions themselves stay what they were: if
    one may have leaked, log in again.

    \b
    Example:
      interpal-vault rotate --secret-file server=server.key
    """
    files = _pairs(secret_files)
    store = places.store_of(path)
    with opening.open_vault(store) as vault:
        own = vault.opened_slot.kid
        before = [slot.kid for slot in vault.slots]
        secrets: dict[str, str | bytes] = {
            kid: opening.secret_from_file(name, slot_of(vault, kid).kind)
            for kid, name in files.items()
        }
        missing = [slot for slot in vault.slots if slot.kid not in secrets and slot.kid != own]
        if missing and not drop_slots:
            # Without a terminal the rotation itself names what is missing.
            told = _ask_for(missing, vault.path)
            if told is not None:
                secrets.update(told)
                missing = [slot for slot in missing if slot.kid not in secrets]
                drop_slots = True
        if missing and drop_slots:
            named = ", ".join(slot.kid for slot in missing)
            opening.confirm(
                f"Drop {'the slot' if len(missing) == 1 else 'the slots'} {named} of {vault.path}?",
                yes=yes,
            )
        if keeps_records(store):
            with output.progress("Encrypting", len(vault)) as step:
                vault.rotate(secrets, drop_slots=drop_slots, progress=step.reach)
        else:
            with output.status(f"Encrypting {output.plural(len(vault), 'session')}"):
                vault.rotate(secrets, drop_slots=drop_slots)
        after = [slot.kid for slot in vault.slots]
        where = vault.path
        generation = vault.generation
    dropped = [kid for kid in before if kid not in after]
    if as_json:
        output.put_json(
            {"path": where, "generation": generation, "slots": after, "dropped": dropped}
        )
        return
    output.say(f"{where}: a new vault key, generation {generation}; slots: {', '.join(after)}")
    if dropped:
        output.say(f"Dropped: {', '.join(dropped)}.")


def slot_of(vault: Vault, kid: str) -> Slot:
    """The slot of that name. Raises `NotFound`."""
    for slot in vault.slots:
        if slot.kid == kid:
            return slot
    raise errors.NotFound(
        "no-such-slot",
        f"{vault.path}: there is no slot {output.clean(kid)}; there are: "
        + ", ".join(slot.kid for slot in vault.slots),
        path=vault.path,
    )


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        kid, equals, name = text.partition("=")
        if not (kid and equals and name):
            raise click.UsageError("--secret-file: expected KID=FILE")
        pairs[kid] = name
    return pairs


def _ask_for(slots: list[Slot], path: str) -> dict[str, str] | None:
    """The passphrases of these slots, as far as the person knows them; None without a terminal."""
    terminal = Terminal.open()
    if terminal is None:
        return None
    known = {}
    with terminal:
        for slot in slots:
            if slot.kind == "passphrase":
                text = terminal.ask_passphrase(
                    f"Passphrase of slot {slot.kid} of {path} (Enter to drop the slot): "
                )
                if text is not None:
                    known[slot.kid] = text
    return known

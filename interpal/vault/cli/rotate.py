"""The verb `rotate`: a new vault key, with everything encrypted anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from interpal.exceptions import KeyRequiredError, WrongKeyError
from interpal.vault.cli import errors, formatting, opening, output, stores
from interpal.vault.cli.app import cli, file_option, json_option, yes_option
from interpal.vault.cli.slot import slot_of
from interpal.vault.cli.terminal import TRIES, Terminal
from interpal.vault.keys.unlock import opens
from interpal.vault.stores.base import keeps_records

if TYPE_CHECKING:
    from interpal.vault.format.key_slots import Slot


@cli.command("rotate", short_help="Create a new vault key and re-encrypt everything.")
@file_option
@click.option("--drop-slots", is_flag=True, help="Drop every slot whose secret is not available.")
@click.option(
    "--secret-file",
    "secret_files",
    metavar="KID=FILE",
    multiple=True,
    help="The passphrase or key of a slot to keep. May be repeated.",
)
@yes_option
@json_option
def rotate_verb(
    path: str, drop_slots: bool, secret_files: tuple[str, ...], yes: bool, as_json: bool
) -> None:
    """Create a new vault key and re-encrypt everything.

    Removed slots and old passphrases do not open anything that is saved from now on. To keep
    a slot, its secret is needed: the one that opened the vault is known, others are read with
    --secret-file, or you are asked for them. The sessions themselves do not change: if one may
    have leaked, log in again.

    \b
    Example:
      interpal-vault rotate --secret-file server=server.key
    """
    files = _pairs(secret_files)
    store = stores.store_of(path)
    with opening.open_vault(store) as vault:
        own = vault.opened_slot.kid
        before = [slot.kid for slot in vault.slots]
        secrets: dict[str, str | bytes] = {
            kid: opening.secret_from_file(name, slot_of(vault, kid).kind)
            for kid, name in files.items()
        }
        missing = [slot for slot in vault.slots if slot.kid not in secrets and slot.kid != own]
        if missing and not drop_slots:
            answered = _ask_for(missing, vault.path)
            if answered is None:
                keep = " ".join(f"--secret-file {slot.kid}=FILE" for slot in missing)
                raise KeyRequiredError(
                    f"{vault.path}: there is no terminal to ask for the secrets of the other "
                    f"slots: keep them with {keep}, or drop them with --drop-slots; nothing was "
                    "changed",
                    path=vault.path,
                )
            secrets.update(answered)
            missing = [slot for slot in missing if slot.kid not in secrets]
            drop_slots = True
        if missing and drop_slots:
            named = ", ".join(slot.kid for slot in missing)
            opening.confirm(
                f"Drop {'the slot' if len(missing) == 1 else 'the slots'} {named} of {vault.path}? "
                f"(--secret-file {missing[0].kid}=FILE keeps it.)",
                yes=yes,
            )
        if keeps_records(store):
            with output.progress("Encrypting", len(vault)) as step:
                try:
                    vault.rotate(secrets, drop_slots=drop_slots, progress=step.reach)
                except KeyboardInterrupt:
                    raise errors.Interrupted(
                        f"interrupted with {step.done:,} of {step.total:,} sessions encrypted; a "
                        "rotation counts when it is whole: run the same command again"
                    ) from None
        else:
            with output.status(f"Encrypting {formatting.plural(len(vault), 'session')}"):
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
                text = _ask_for_one(terminal, slot, path)
                if text is not None:
                    known[slot.kid] = text
    return known


def _ask_for_one(terminal: Terminal, slot: Slot, path: str) -> str | None:
    """The passphrase of a slot, None for none. Raises `WrongKeyError` after three wrong ones."""
    with terminal.quiet():
        for _ in range(TRIES):
            text = terminal.ask_passphrase(
                f"Passphrase of slot {slot.kid} of {path} (Enter to drop the slot): "
            )
            if text is None or opens(slot, text):
                return text
            terminal.tell("Wrong passphrase.")
    raise WrongKeyError(
        f"{path}: none of the {TRIES} passphrases opens slot {slot.kid}; nothing was changed",
        path=path,
    )

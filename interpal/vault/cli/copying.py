"""The verb `copy`: all sessions of one vault into another one, of whatever store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from interpal.exceptions import (
    KeyRequiredError,
    ValidationError,
    VaultExistsError,
    WrongKeyError,
)
from interpal.vault import copying
from interpal.vault.cli import errors, formatting, opening, output, stores
from interpal.vault.cli.app import cli, json_option, max_size_option, profile_option
from interpal.vault.cli.terminal import Terminal
from interpal.vault.keys import sources
from interpal.vault.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from interpal.vault.copying import Copied
    from interpal.vault.core.record_views import Record
    from interpal.vault.keys.sources import KeySource
    from interpal.vault.stores.base import Store


@cli.command("copy", short_help="Copy all sessions into a vault in another store.")
@click.argument("source", metavar="SOURCE", type=click.Path(readable=False))
@click.argument("target", metavar="DEST", type=click.Path(readable=False))
@click.option("--passphrase", "ask", is_flag=True, help="Ask for a separate passphrase for DEST.")
@click.option("--replace", is_flag=True, help="Also overwrite sessions that are newer in DEST.")
@profile_option
@max_size_option
@json_option
def copy_verb(
    source: str, target: str, ask: bool, replace: bool, profile: str | None, as_json: bool
) -> None:
    """Copy all sessions of SOURCE into DEST, which is created if needed.

    Each is a path, sqlite:PATH, redis://HOST or rediss://HOST, or @FILE, where the private
    file FILE holds the URL. A URL with a password has to be given as @FILE. SOURCE is not
    changed.

    The key of SOURCE comes from the usual sources. DEST opens with the same key, so programs
    only need the new address. For a separate passphrase, set
    SESSION_VAULT_NEW_PASSPHRASE_FILE or SESSION_VAULT_NEW_PASSPHRASE, or use --passphrase
    to be asked for it. DEST has a vault key of its own. Other key slots are not copied.

    An interrupted copy continues where it stopped: run it again. Without --replace, a session
    that is newer in DEST is kept (73). At the end every record is read back and compared.

    \b
    Example:
      interpal-vault copy team.json sqlite:/srv/bot/team.db
    """
    pair = stores.store_of(source), stores.store_of(target)
    if stores.same_place(*pair):
        raise ValidationError(f"{pair[0].location}: SOURCE and DEST are the same place")
    with opening.open_vault(pair[0]) as vault:
        copy, make = _open_target(vault, pair[1], ask=ask, profile=profile)
        with copy:
            with output.progress("Copying", len(vault), passes=2) as step:
                try:
                    done = copying.copy(vault, copy, pair[1], replace=replace, step=step, make=make)
                except KeyboardInterrupt:
                    raise errors.Interrupted(
                        f"interrupted after {step.done:,} of {step.total:,} sessions; the same "
                        "command goes on from there"
                    ) from None
            where, key_source, slots = copy.path, copy.key_source, copy.slots
        left_out = sorted({slot.kid for slot in vault.slots} - {slot.kid for slot in slots})
        said = vault.path
    if as_json:
        output.put_json({"source": said, "path": where, "key_source": key_source, **done._asdict()})
    else:
        output.say(_summary(done, said, where))
        if left_out:
            add = errors.command("slot add", where)
            output.say(f"Key slots that were not copied: {', '.join(left_out)}; see {add}")
    if done.kept:
        raise VaultExistsError(
            f"{where}: the sessions of {formatting.listed(done.kept)} were not copied, because "
            "those in DEST are newer or have no time; --replace overwrites them",
            path=where,
        )


def _summary(done: Copied, source: str, target: str) -> str:
    parts = [f"{formatting.plural(done.copied, 'session')} copied from {source}"]
    if done.same:
        parts.append(f"{done.same} {'was' if done.same == 1 else 'were'} there already")
    return f"{target}: {', '.join(parts)}; {done.verified} read back and compared"


def _open_target(
    source: Vault, store: Store, *, ask: bool, profile: str | None
) -> tuple[Vault, Callable[[Mapping[str, Record]], bool] | None]:
    """The vault to copy into, open; or what makes it with the key and records it is to have."""
    given = sources.new_secret_source()
    if given is not None and ask:
        raise ValidationError(f"--passphrase and {given.name} are both given; use only one of them")
    own = given if given is not None else source.source
    if stores.exists(store):
        return _open(store, own, ask=ask), None
    if ask:
        own = sources.passphrase_argument(opening.new_passphrase(store.location), "prompt")
    kdf = opening.profile_for(own, profile)
    vault = Vault(store, own)
    return vault, lambda records: vault.start(create=True, kdf=kdf, records=records)


def _open(store: Store, own: KeySource, *, ask: bool) -> Vault:
    """The vault that is in DEST already, by the key that it would have if it were made."""
    start = opening.starter(store)
    kind: type[KeyRequiredError | WrongKeyError] = KeyRequiredError
    what = "there is no terminal to ask for its passphrase"
    if not ask:
        try:
            return start(own)
        except (KeyRequiredError, WrongKeyError) as error:
            kind, what = type(error), f"{own.described} does not open it"
    terminal = None
    remedy = "choose another DEST"
    if opening.takes_passphrase(store):
        terminal = Terminal.open()
        remedy = f"give its passphrase with SESSION_VAULT_NEW_PASSPHRASE_FILE, or {remedy}"
    elif ask:
        what = "no passphrase opens it, only a raw key"
    if terminal is None:
        raise kind(
            f"{store.location}: a vault already exists, and {what}; {remedy}",
            path=store.location,
        )
    with terminal:
        return opening.ask_and_start(terminal, store.location, start)

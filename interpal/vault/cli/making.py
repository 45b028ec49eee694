"""Verbs that make something new: `init` a vault, `keygen` a key."""

from __future__ import annotations

import os

import click

from interpal._hidden import Hidden
from interpal.exceptions import VaultExistsError, WrongKeyError
from interpal.vault.cli import opening, output, places
from interpal.vault.cli.app import cli, file_option, json_option, profile_option
from interpal.vault.files.permissions import quoted, shown
from interpal.vault.files.private_files import Folder
from interpal.vault.format.jwe import b64encode
from interpal.vault.keys.sources import KEY_BYTES
from interpal.vault.stores.file import FileStore
from interpal.vault.vault import Vault


@cli.command("init")
@file_option
@click.option("--passphrase", "ask", is_flag=True, help="Ask for a passphrase of its own.")
@profile_option
@json_option
def init_verb(path: str, ask: bool, profile: str | None, as_json: bool) -> None:
    """Make an empty vault.

    Its key is the one that a source names; with none it is your key file, which is made if
    need be, so that programs open the vault without being told anything. With --passphrase
    the terminal is asked for one, twice. What is there already is never overwritten (73).

    \b
    Example:
      interpal-vault init -f team.json --passphrase --profile strong
    """
    store = places.store_of(path)
    if places.exists(store):
        raise _exists(store.location)
    source = opening.source_for_new_vault(store.location, ask=ask)
    kdf = opening.profile_for(source, profile)
    with Vault(store, source) as vault:
        try:
            made = vault.start(create=True, kdf=kdf)
        except WrongKeyError:
            made = False
        if not made:
            # Somebody else has made one since it was looked for, maybe for another key.
            raise _exists(store.location)
        source_name = vault.key_source
    if as_json:
        output.put_json({"path": store.location, "created": True, "key_source": source_name})
    else:
        output.say(f"{store.location}: an empty vault was made; it opens with {_with(source_name)}")


def _with(source: str) -> str:
    if source == "prompt":
        return "the passphrase that you typed"
    return f"the {source}" if source.startswith("key file") else f"the key from {source}"


@cli.command("keygen")
@click.option("-o", "--output", "target", metavar="FILE", type=click.Path(), help="Write it here.")
@json_option
def keygen_verb(target: str | None, as_json: bool) -> None:
    """Make a random 32-byte key: one line of base64url.

    It is printed, which is the purpose; with -o it is written to a new file of mode 0600
    instead. Use it as INTERPALS_VAULT_KEY_FILE or INTERPALS_VAULT_KEY, and keep a copy of it
    apart from the vault.

    \b
    Example:
      interpal-vault keygen -o ~/.config/interpal/team.key
    """
    key = Hidden(b64encode(os.urandom(KEY_BYTES)).encode())
    if target is None:
        if as_json:
            output.put_json({"key": key.reveal().decode()})
        else:
            output.put(key.reveal().decode())
        return
    path = write_new_file(target, Hidden(key.reveal() + b"\n"))
    if as_json:
        output.put_json({"path": path})
    else:
        output.say(f"{path}: a new key was made; INTERPALS_VAULT_KEY_FILE={quoted(path)} uses it")


def write_new_file(target: str, data: Hidden[bytes]) -> str:
    """Put *data* into a new private file, whole or not at all; its path.

    Raises `VaultExistsError` where something is there already, `VaultIOError` and its kind.
    """
    path = FileStore(target).path
    with Folder.open(os.path.dirname(path)) as folder:
        if not folder.create(os.path.basename(path), data):
            raise _exists(shown(path))
    return shown(path)


def _exists(path: str) -> VaultExistsError:
    return VaultExistsError(
        f"{path}: there is something already, and it was left alone; name another path, or move "
        "it away",
        path=path,
    )

"""The verb `keygen`: make a random key."""

from __future__ import annotations

import os

from interpal._hidden import Hidden
from interpal.vault.cli import output, stores
from interpal.vault.cli.app import cli, json_option, target_option
from interpal.vault.files.permissions import quoted
from interpal.vault.format.jwe import b64encode
from interpal.vault.keys.sources import KEY_BYTES


@cli.command("keygen")
@target_option
@json_option
def keygen_verb(target: str | None, as_json: bool) -> None:
    """Make a random 32-byte key: one line of base64url.

    The key is printed, or with -o written to a new file of mode 0600. It is not printed into a
    file that others may read, as a shell makes one with `>`. Use it as SESSION_VAULT_KEY_FILE
    or SESSION_VAULT_KEY, and keep a copy of it away from the vault.

    \b
    Example:
      interpal-vault keygen -o ~/.config/interpal/team.key
    """
    if target is None:
        output.check_private_stdout()
    key = Hidden(b64encode(os.urandom(KEY_BYTES)).encode())
    if target is None:
        if as_json:
            output.put_json({"key": key.reveal().decode()})
        else:
            output.put(key.reveal().decode())
        return
    path = stores.write_new_file(target, Hidden(key.reveal() + b"\n"))
    if as_json:
        output.put_json({"path": path})
    else:
        output.say(f"{path}: created a new key; use it with SESSION_VAULT_KEY_FILE={quoted(path)}")

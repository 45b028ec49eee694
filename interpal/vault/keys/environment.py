"""The sources of a key that are configured outside the program: variables and credentials.

A new source is one function that turns its setting into a secret, and one line in `SOURCES`.
Each has a second name that says nothing of Interpals: `SESSION_VAULT_KEY` is as good as
`INTERPALS_VAULT_KEY`. Where both are set, they have to say the same.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from interpal._hidden import Hidden
from interpal._tuples import NamedTuple
from interpal.exceptions import KeySourceError, VaultError
from interpal.vault.files.permissions import shown
from interpal.vault.files.private_files import read_secret_file
from interpal.vault.keys.encoding import (
    KEY_FILE_LIMIT,
    parse_key_file,
    parse_key_text,
    parse_passphrase,
    without_newline,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Kind = Literal["passphrase", "key"]

# A passphrase has 4,096 bytes at most, and its file a newline after it.
_PASSPHRASE_FILE_LIMIT = 4098


def passphrase_in_value(setting: Hidden[bytes], name: str) -> Hidden[bytes]:
    """The setting itself."""
    return parse_passphrase(setting, name)


def passphrase_in_file(setting: Hidden[bytes], name: str) -> Hidden[bytes]:
    """The content of the file at this path, less one newline at its end."""
    content = _read(setting, name, _PASSPHRASE_FILE_LIMIT)
    return parse_passphrase(without_newline(content), _with_path(name, setting))


def passphrase_of_command(setting: Hidden[bytes], name: str) -> Hidden[bytes]:
    """What this command prints, less one newline at its end."""
    from interpal.vault.keys.command import output_of

    return parse_passphrase(without_newline(output_of(setting, name)), name)


def passphrase_in_keyring(setting: Hidden[bytes], name: str) -> Hidden[bytes]:
    """The password of `service/username` in the keyring of the operating system.

    The service ends at the last slash. Needs the extra `interpal-vault[keyring]`.
    """
    service, _, username = os.fsdecode(setting.reveal()).rpartition("/")
    if not service or not username:
        raise KeySourceError(f"{name}: expected service/username")
    from interpal.vault.keys.system_keyring import password_of

    return parse_passphrase(password_of(service, username, name), name)


def key_in_value(setting: Hidden[bytes], name: str) -> Hidden[bytes]:
    """The setting itself, as base64, base64url or hex."""
    return parse_key_text(setting, name)


def key_in_file(setting: Hidden[bytes], name: str) -> Hidden[bytes]:
    """The content of the file at this path: 32 bytes, or their text."""
    return parse_key_file(_read(setting, name, KEY_FILE_LIMIT), _with_path(name, setting))


def _with_path(name: str, path: Hidden[bytes]) -> str:
    return f"{name}: {shown(os.fsdecode(path.reveal()))}"


def _read(path: Hidden[bytes], name: str, limit: int) -> Hidden[bytes]:
    """The content of a file; an error has the source's *name* before it."""
    try:
        return read_secret_file(os.fsdecode(path.reveal()), limit)
    except VaultError as error:
        error.args = (f"{name}: {error}",)
        raise


def _variable(name: str, environ: Mapping[str, str]) -> str | None:
    return environ.get(name)


def _credential(name: str, environ: Mapping[str, str]) -> str | None:
    """The path of a systemd credential, if this service was given it (systemd.exec(5))."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return None
    path = os.path.join(folder, name)
    return path if os.path.lexists(path) else None


class Source(NamedTuple):
    """One line of the table: `read` makes the secret from the setting that `find` found."""

    name: str
    kind: Kind
    read: Callable[[Hidden[bytes], str], Hidden[bytes]]
    find: Callable[[str, Mapping[str, str]], str | None] = _variable


SOURCES = (
    Source("INTERPALS_VAULT_PASSPHRASE", "passphrase", passphrase_in_value),
    Source("INTERPALS_VAULT_PASSPHRASE_FILE", "passphrase", passphrase_in_file),
    Source("INTERPALS_VAULT_PASSPHRASE_COMMAND", "passphrase", passphrase_of_command),
    Source("INTERPALS_VAULT_KEYRING", "passphrase", passphrase_in_keyring),
    Source("INTERPALS_VAULT_KEY", "key", key_in_value),
    Source("INTERPALS_VAULT_KEY_FILE", "key", key_in_file),
    Source("interpals-vault-passphrase", "passphrase", passphrase_in_file, _credential),
    Source("interpals-vault-key", "key", key_in_file, _credential),
)
"""Where the key of a vault may come from."""

NEW_SOURCES = (
    Source("INTERPALS_VAULT_NEW_PASSPHRASE", "passphrase", passphrase_in_value),
    Source("INTERPALS_VAULT_NEW_PASSPHRASE_FILE", "passphrase", passphrase_in_file),
)
"""Where a new passphrase may come from, for a change of it without a terminal."""


PREFIXES = ("SESSION_VAULT_", "INTERPALS_VAULT_")
"""What the names of all variables that open a vault start with."""


def general_name(name: str) -> str:
    """The name of a source that says nothing of Interpals."""
    return name.replace("INTERPALS_", "SESSION_", 1).replace("interpals-", "session-", 1)


class ConfiguredSource(NamedTuple):
    """A source that is set. `setting` is a value, a path or a command, as it is."""

    source: Source
    setting: Hidden[bytes]

    @property
    def name(self) -> str:
        """What messages call it: the variable or the credential."""
        prefix = "" if self.source.find is _variable else "systemd credential "
        return prefix + self.source.name

    def read(self) -> Hidden[bytes]:
        """The passphrase as normalised UTF-8, or the 32 bytes of the key.

        Raises `KeySourceError`, or what a file raises: `VaultPermissionError`, `VaultIOError`.
        """
        # Set but empty is a mistake in somebody's configuration, never "unset".
        if not self.setting.reveal():
            raise KeySourceError(f"{self.name} is set but empty: give it a value, or unset it")
        return self.source.read(self.setting, self.name)


def sources_set(
    environ: Mapping[str, str] | None = None, table: Iterable[Source] = SOURCES
) -> list[ConfiguredSource]:
    """Every source of *table* that is set, in its order; nothing is read but the environment."""
    found: list[ConfiguredSource] = []
    for source in table:
        settings: set[str] = set()
        for name in (source.name, general_name(source.name)):
            setting = source.find(name, os.environ if environ is None else environ)
            if setting is not None and setting not in settings:
                settings.add(setting)
                found.append(ConfiguredSource(source._replace(name=name), _encoded(setting)))
    return found


def _encoded(setting: str) -> Hidden[bytes]:
    try:
        return Hidden(os.fsencode(setting))
    except UnicodeEncodeError:
        # What the environment of a process cannot hold; refused where it is read, as no UTF-8.
        return Hidden(setting.encode("utf-8", "surrogatepass"))

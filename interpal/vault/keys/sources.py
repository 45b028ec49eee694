"""Where the key of a vault comes from: an argument, the environment, or the user's key file.

An explicit argument wins and nothing else is looked at. Without one, exactly one of the
sources of `environment.py` may be set; two of them are an error that names both. With none,
it is the key file of the user, made when a vault is first created.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from interpal._hidden import Hidden
from interpal._lazy import LateModule
from interpal.exceptions import (
    AmbiguousKeyError,
    KeyRequiredError,
    KeySourceError,
    ValidationError,
    VaultIOError,
    VaultPermissionError,
)
from interpal.vault.files.permissions import reported, shown
from interpal.vault.files.private_files import Folder, read_secret_file
from interpal.vault.format.jwe import b64encode
from interpal.vault.keys.encoding import (
    KEY_BYTES,
    KEY_FILE_LIMIT,
    checked_passphrase,
    parse_key,
    parse_key_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from interpal.vault.keys import environment
    from interpal.vault.keys.environment import Kind, Source
else:
    environment = LateModule("interpal.vault.keys.environment")

__all__ = [
    "KEY_BYTES",
    "KEY_FILE_NAME",
    "KeySource",
    "default_key_file",
    "default_key_path",
    "explicit_source",
    "find_source",
    "new_secret_source",
    "parse_key",
    "passphrase_argument",
]

KEY_FILE_NAME = "vault.key"
# As `environment.PREFIXES`, which is not loaded for an argument.
_PREFIXES = ("SESSION_VAULT_", "INTERPALS_VAULT_")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_REMEDY = (
    "set HOME or XDG_CONFIG_HOME to the absolute path of a folder of this user, or give the key of "
    "the vault, for example with SESSION_VAULT_KEY_FILE"
)


class KeySource:
    """One source of a secret: its kind, its name for messages, and a way to read it.

    The secret is read when it is first needed and not before: a passphrase that is asked for
    or fetched by a command costs nothing where no vault is opened.
    """

    __slots__ = ("_make", "_read", "kind", "name", "users_file")

    def __init__(
        self,
        kind: Kind,
        name: str,
        read: Callable[[], Hidden[bytes]],
        make: Callable[[], Hidden[bytes]] | None = None,
        *,
        users_file: str | None = None,
    ) -> None:
        self.kind: Kind = kind
        self.name = name
        self._read = read
        self._make = make
        # The path of the user's key file, where it is that.
        self.users_file = users_file

    def __repr__(self) -> str:
        return f"<KeySource: {self.kind} from {self.name}>"

    @property
    def is_missing(self) -> bool:
        """Whether it is the user's key file, and there is none."""
        return self.users_file is not None and not _is_there(self.users_file)

    @property
    def described(self) -> str:
        """The secret in a sentence: "the key from INTERPALS_VAULT_KEY"."""
        article = "" if self.name.startswith(_PREFIXES) else "the "
        return f"the {self.kind} from {article}{self.name}"

    def read(self) -> Hidden[bytes]:
        """The passphrase as normalised UTF-8, or the 32 bytes of the key.

        Raises `KeySourceError` or `KeyRequiredError`, and `ValidationError` for an argument
        that is no passphrase.
        """
        return self._read()

    def read_for_new_vault(self) -> Hidden[bytes]:
        """As `read`, but where the source may be made for a first vault, it is made."""
        return self._make() if self._make is not None else self._read()

    def asked_once(self) -> KeySource:
        """The same secret, read now: whoever is asked for it is asked once."""
        secret = self.read()
        return KeySource(self.kind, self.name, lambda: secret)


def find_source(
    passphrase: str | Callable[[], str] | None = None,
    key: bytes | str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> KeySource:
    """The one source that counts (an argument, else one in the environment, else the file).

    Nothing is read yet but the environment. Raises `AmbiguousKeyError` where two are set.
    """
    if passphrase is not None or key is not None:
        try:
            return explicit_source(passphrase, key)
        finally:
            # Whoever reports an error with local variables is to report no secret.
            del passphrase, key
    return _the_one_set(environment.SOURCES, environ) or default_key_file()


def explicit_source(
    passphrase: str | Callable[[], str] | None = None, key: bytes | str | None = None
) -> KeySource:
    """The passphrase or the key that was handed over; nothing else is looked at.

    Raises `AmbiguousKeyError` for both, `ValidationError` for neither or for what is no
    passphrase, `KeySourceError` for what is no key.
    """
    try:
        if passphrase is not None and key is not None:
            raise AmbiguousKeyError(
                "both a vault passphrase and a vault key were given: use only one of them"
            )
        if passphrase is not None:
            return passphrase_argument(passphrase)
        if key is None:
            raise ValidationError("passphrase, key: neither was given; give one of them")
        secret = parse_key(key, "the key argument")
    finally:
        del passphrase, key
    return KeySource("key", "argument", lambda: secret)


def passphrase_argument(passphrase: str | Callable[[], str], name: str = "argument") -> KeySource:
    """A passphrase that was handed over, or a callable that returns it when it is needed."""
    if callable(passphrase):
        ask = passphrase
        return KeySource("passphrase", name, lambda: _check_passphrase(ask()))
    try:
        secret = _check_passphrase(passphrase)
    finally:
        del passphrase
    return KeySource("passphrase", name, lambda: secret)


def new_secret_source(environ: Mapping[str, str] | None = None) -> KeySource | None:
    """The source of a *new* passphrase, for a change without a terminal; None where none is set.

    Raises `AmbiguousKeyError` where `SESSION_VAULT_NEW_PASSPHRASE` and its `_FILE` are.
    """
    return _the_one_set(environment.NEW_SOURCES, environ)


def _the_one_set(
    table: Iterable[Source], environ: Mapping[str, str] | None = None
) -> KeySource | None:
    found = environment.sources_set(environ, table)
    if len(found) > 1:
        names = " and ".join(source.name for source in found)
        raise AmbiguousKeyError(f"two sources of the vault key are set: {names}; unset all but one")
    return KeySource(found[0].source.kind, found[0].name, found[0].read) if found else None


def _check_passphrase(passphrase: object) -> Hidden[bytes]:
    fault = f"expected text, or a callable for it, not {type(passphrase).__name__}"
    if isinstance(passphrase, str):
        try:
            return checked_passphrase(passphrase)
        except ValidationError as error:
            fault = str(error)
    # Outside the handler, as the frames of that error hold the passphrase.
    del passphrase
    raise ValidationError(f"vault_passphrase: {fault}")


def default_key_path() -> str:
    """Path of the user's key file: `vault.key` in the configuration folder of `interpal`."""
    import platformdirs

    try:
        folder = platformdirs.user_config_dir("interpal", appauthor=False)
    except (RuntimeError, OSError):
        # No HOME and no such user, or no working directory.
        raise _no_place(_why_no_home()) from None
    return os.path.join(folder, KEY_FILE_NAME)


def _why_no_home() -> str:
    home = os.environ.get("HOME")
    if home is None:
        return "HOME is not set"
    if not home:
        return "HOME is empty"
    if home == "/":
        return "HOME is /"
    return (
        "the home directory is not known" if os.path.isabs(home) else "HOME is not an absolute path"
    )


def _no_place(why: str) -> KeySourceError:
    return KeySourceError(f"there is no place for the user's key file: {why}; {_REMEDY}")


def default_key_file() -> KeySource:
    """The key file of the user, as a source that can be made."""
    try:
        path = default_key_path()
    except KeySourceError as error:
        fault = str(error)

        def refuse() -> Hidden[bytes]:
            raise KeySourceError(fault)

        # What is done may need no key: it is an error where one is needed.
        return KeySource("key", "key file of the user", refuse)

    def read() -> Hidden[bytes]:
        if not _is_there(path):
            raise KeyRequiredError(
                f"no key for the vault: no key file at {shown(path)}; restore it, set "
                "SESSION_VAULT_PASSPHRASE, SESSION_VAULT_KEY or the _FILE form of one of "
                "them, or pass a passphrase or key in the program"
            )
        return parse_key_file(read_secret_file(path, KEY_FILE_LIMIT), path)

    def make() -> Hidden[bytes]:
        if not _is_there(path):
            _check_home(path)
            try:
                with Folder.open(os.path.dirname(path), create=True) as folder:
                    # Where another process was first, its key is the one that counts.
                    folder.create(KEY_FILE_NAME, _new_key_line())
            except (VaultPermissionError, VaultIOError) as error:
                if isinstance(error, VaultIOError) and error.errno in _FULL:
                    raise
                # A fault of the set-up, and raised before a login: it would cost one each time.
                raise KeySourceError(
                    f"the key file of the user cannot be made: {str(error).rstrip('.')}. Or "
                    f"{_REMEDY}"
                ) from None
        return parse_key_file(read_secret_file(path, KEY_FILE_LIMIT), path)

    return KeySource("key", f"key file {shown(path)}", read, make, users_file=path)


def _is_there(path: str) -> bool:
    if not os.path.isabs(path):
        # Without HOME and a passwd entry it would be made in the working directory, under "~".
        raise _no_place(_why_no_home())
    return os.path.lexists(path)


def _check_home(path: str) -> None:
    """Refuse to make anything in a HOME that is nobody's, or in that of another user.

    Under `sudo -E`, root would leave a folder there that its user cannot use.
    """
    if path.startswith("/.config/") and not os.environ.get("XDG_CONFIG_HOME"):
        raise _no_place(_why_no_home())
    above = os.path.dirname(path)
    while not os.path.lexists(above) and above != os.path.dirname(above):
        above = os.path.dirname(above)
    with reported(above, "look at the folder"):
        owner = os.stat(above).st_uid
    if owner not in (0, os.geteuid()):
        raise KeySourceError(
            f"{shown(above)} belongs to user {owner}, and this process runs as user "
            f"{os.geteuid()} (sudo -E?), so no key file is made at {shown(path)}; {_REMEDY}"
        )


def _new_key_line() -> Hidden[bytes]:
    return Hidden(b64encode(os.urandom(KEY_BYTES)).encode() + b"\n")

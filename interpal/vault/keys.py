"""Where the key of a vault comes from: an argument, the environment, or the user's key file.

An explicit argument wins and nothing else is looked at. Without one, exactly one of the
sources in the environment may be set; two of them are an error that names both. With none,
it is the key file of the user, made when a vault is first created.
"""

from __future__ import annotations

import binascii
import os
from typing import TYPE_CHECKING, Literal

from interpal._secret import Secret
from interpal.exceptions import (
    AmbiguousKeyError,
    KeyRequiredError,
    KeySourceError,
    ValidationError,
)
from interpal.vault.files import Folder, read_secret_file
from interpal.vault.jwe import b64encode
from interpal.vault.slots import normalise_passphrase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Kind = Literal["passphrase", "key"]

KEY_BYTES = 32
KEY_FILE_NAME = "vault.key"
_KEY_FILE_LIMIT = 4096

PASSPHRASE_VARIABLE = "INTERPALS_VAULT_PASSPHRASE"
KEY_VARIABLE = "INTERPALS_VAULT_KEY"


class KeySource:
    """One source of a secret: its kind, its name for messages, and a way to read it.

    The secret is read when it is first needed and not before: a passphrase that is asked for
    or fetched by a command costs nothing where no vault is opened.
    """

    __slots__ = ("_make", "_read", "kind", "name")

    def __init__(
        self,
        kind: Kind,
        name: str,
        read: Callable[[], Secret],
        make: Callable[[], Secret] | None = None,
    ) -> None:
        self.kind: Kind = kind
        self.name = name
        self._read = read
        self._make = make

    def __repr__(self) -> str:
        return f"<KeySource: {self.kind} from {self.name}>"

    def read(self) -> Secret:
        """The passphrase as normalised UTF-8, or the 32 bytes of the key.

        Raises `KeySourceError` or `KeyRequiredError`, and `ValidationError` for an argument
        that is no passphrase.
        """
        return self._read()

    def read_for_new_vault(self) -> Secret:
        """As `read`, but where the source may be made for a first vault, it is made."""
        return self._make() if self._make is not None else self._read()


def find_source(
    passphrase: str | Callable[[], str] | None = None,
    key: bytes | str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> KeySource:
    """The one source that counts (DESIGN: an argument, else one in the environment, else the file).

    Nothing is read yet but the environment. Raises `AmbiguousKeyError` where two are set.
    """
    if passphrase is not None and key is not None:
        raise AmbiguousKeyError(
            "both a vault passphrase and a vault key were given: give one of them"
        )
    if passphrase is not None:
        return passphrase_argument(passphrase)
    if key is not None:
        secret = parse_key(key, "the vault_key argument")
        return KeySource("key", "argument", lambda: secret)
    found = _environment_sources(os.environ if environ is None else environ)
    if len(found) > 1:
        names = " and ".join(source.name for source in found)
        raise AmbiguousKeyError(f"two sources of the vault key are set: {names}; unset all but one")
    return found[0] if found else default_key_file()


def passphrase_argument(passphrase: str | Callable[[], str], name: str = "argument") -> KeySource:
    """A passphrase that was handed over, or a callable that returns it when it is needed."""
    if callable(passphrase):
        ask = passphrase
        return KeySource("passphrase", name, lambda: _check_passphrase(ask()))
    secret = _check_passphrase(passphrase)
    return KeySource("passphrase", name, lambda: secret)


def _check_passphrase(passphrase: object) -> Secret:
    if not isinstance(passphrase, str):
        kind = type(passphrase).__name__
        raise ValidationError(f"vault_passphrase: expected text, or a callable for it, not {kind}")
    return normalise_passphrase(passphrase)


def _environment_sources(environ: Mapping[str, str]) -> list[KeySource]:
    readers: dict[str, tuple[Kind, Callable[[str, str], Secret]]] = {
        PASSPHRASE_VARIABLE: ("passphrase", _passphrase_from_variable),
        KEY_VARIABLE: ("key", _key_from_variable),
    }
    sources = []
    for variable, (kind, reader) in readers.items():
        # Set but empty is a mistake in somebody's configuration, never "unset".
        if variable in environ:
            value = Secret(os.fsencode(environ[variable]))
            sources.append(_variable_source(kind, variable, value, reader))
    return sources


def _variable_source(
    kind: Kind, variable: str, value: Secret, reader: Callable[[str, str], Secret]
) -> KeySource:
    def read() -> Secret:
        if not value:
            raise KeySourceError(f"{variable} is set but empty: set it to the {kind}, or unset it")
        try:
            return reader(value.text, variable)
        except UnicodeDecodeError:
            pass  # The error would carry the value.
        raise KeySourceError(f"{variable} is not valid UTF-8")

    return KeySource(kind, variable, read)


def _passphrase_from_variable(text: str, variable: str) -> Secret:
    reason = ""
    try:
        return normalise_passphrase(text)
    except ValidationError as error:
        reason = str(error)
    raise KeySourceError(f"{variable}: {reason}")


def _key_from_variable(text: str, variable: str) -> Secret:
    return parse_key(text, variable)


def parse_key(key: object, name: str) -> Secret:
    """32 bytes, or their base64, base64url or hex text, as a key. *name* is for the message.

    Raises `KeySourceError`; blanks around a text are allowed, inside it they are not.
    """
    if isinstance(key, (bytes, bytearray, memoryview)):
        secret = Secret(key)
        if len(secret) == KEY_BYTES:
            return secret
        raise KeySourceError(f"{name}: a key has {KEY_BYTES} bytes, not {len(secret)}")
    if not isinstance(key, str):
        raise KeySourceError(f"{name}: expected 32 bytes or their text, not {type(key).__name__}")
    decoded = _decode_key(key.strip(" \t\r\n"))
    if decoded is None:
        raise KeySourceError(
            f"{name}: this is no key; a key is {KEY_BYTES} bytes as base64, base64url or hex"
        )
    return decoded


def _decode_key(text: str) -> Secret | None:
    if not text.isascii():
        return None
    if len(text) == 2 * KEY_BYTES:
        try:
            return Secret(binascii.unhexlify(text))
        except binascii.Error:
            return None
    if "+" in text or "/" in text:
        if "-" in text or "_" in text:
            return None
        text = text.replace("+", "-").replace("/", "_")
    bare = text.removesuffix("=")
    if len(bare) != (4 * KEY_BYTES + 2) // 3:
        return None
    try:
        decoded = Secret(binascii.a2b_base64(bare.replace("-", "+").replace("_", "/") + "="))
    except binascii.Error:
        return None
    # The decoder skips what it does not know; the text of a key has one form only.
    return decoded if b64encode(decoded) == bare else None


def default_key_path() -> str:
    """Path of the user's key file: `vault.key` in the configuration folder of `interpal`."""
    import platformdirs

    return os.path.join(platformdirs.user_config_dir("interpal", appauthor=False), KEY_FILE_NAME)


def default_key_file() -> KeySource:
    """The key file of the user, as a source that can be made."""
    path = default_key_path()

    def read() -> Secret:
        if not os.path.lexists(path):
            raise KeyRequiredError(
                f"no key for the vault: there is no key file at {path}; give vault_passphrase= or "
                f"vault_key=, set {PASSPHRASE_VARIABLE} or {KEY_VARIABLE}, or put the key file back"
            )
        return _key_from_file(path)

    def make() -> Secret:
        if not os.path.lexists(path):
            with Folder.open(os.path.dirname(path), create=True) as folder:
                # Where another process was first, its key is the one that counts.
                folder.create(KEY_FILE_NAME, b64encode(os.urandom(KEY_BYTES)).encode() + b"\n")
        return _key_from_file(path)

    return KeySource("key", f"key file {path}", read, make)


def _key_from_file(path: str) -> Secret:
    content = Secret(read_secret_file(path, _KEY_FILE_LIMIT))
    if len(content) == KEY_BYTES:
        return content
    if not content.strip():
        raise KeySourceError(f"{path}: the key file is empty; put the key back, or remove the file")
    try:
        return parse_key(content.text, path)
    except UnicodeDecodeError:
        pass  # The error would carry the content.
    raise KeySourceError(f"{path}: this is no key; a key file has 32 bytes, or one line of text")

"""How a passphrase or a key is written down: text and file content to secret bytes.

docs/keys.md. Whatever is wrong is a `KeySourceError` that names where the text
came from and shows none of it; the errors of the decoders carry their input, so none of them
is a cause or a context here.
"""

from __future__ import annotations

import binascii

from interpal._secret import Secret
from interpal.exceptions import KeySourceError, ValidationError
from interpal.vault.format.jwe import b64encode
from interpal.vault.format.key_slots import normalise_passphrase

KEY_BYTES = 32

_BLANKS = b" \t\r\n"
_NO_KEY = f"this is no key; a key is {KEY_BYTES} bytes as base64, base64url or hex"


def parse_passphrase(content: Secret, name: str) -> Secret:
    """The normalised passphrase in UTF-8 *content*. Raises `KeySourceError` naming *name*."""
    reason = "this is not valid UTF-8"
    try:
        return normalise_passphrase(content.text)
    except ValidationError as error:
        reason = str(error)
    except UnicodeDecodeError:
        pass
    raise KeySourceError(f"{name}: {reason}")


def parse_key(key: object, name: str) -> Secret:
    """32 bytes, or their base64, base64url or hex text, as a key. *name* is for the message.

    Raises `KeySourceError`; blanks around a text are allowed, inside it they are not.
    """
    found, fault = _read_key(key)
    del key
    if found is None:
        raise KeySourceError(f"{name}: {fault}")
    return found


def parse_key_text(content: Secret, name: str) -> Secret:
    """The key in a text, given as its bytes. Raises `KeySourceError` naming *name*."""
    found = _decode(Secret(content.strip(_BLANKS)))
    if found is None:
        raise KeySourceError(f"{name}: {_NO_KEY}")
    return found


def parse_key_file(content: Secret, name: str) -> Secret:
    """The key in a file: exactly 32 bytes are the key itself, else it is text.

    Raises `KeySourceError` naming *name*.
    """
    if len(content) == KEY_BYTES:
        return content
    if not content.strip(_BLANKS):
        raise KeySourceError(f"{name}: the key file is empty; put the key back, or remove the file")
    return parse_key_text(content, name)


def without_newline(content: Secret) -> Secret:
    """*content* less the one newline (`\\n` or `\\r\\n`) that editors and commands add."""
    for newline in (b"\r\n", b"\n"):
        if content.endswith(newline):
            return Secret(content[: -len(newline)])
    return content


def _read_key(key: object) -> tuple[Secret | None, str]:
    """The key, or None and what is wrong with it."""
    if isinstance(key, (bytes, bytearray, memoryview)):
        secret = Secret(key)
        good = len(secret) == KEY_BYTES
        return secret if good else None, f"a key has {KEY_BYTES} bytes, not {len(secret)}"
    if isinstance(key, str):
        # Never fails, unlike the codec of ASCII, whose error would carry the key.
        text = Secret(key.encode("utf-8", "surrogatepass"))
        return _decode(Secret(text.strip(_BLANKS))), _NO_KEY
    return None, f"expected {KEY_BYTES} bytes or their text, not {type(key).__name__}"


def _decode(text: Secret) -> Secret | None:
    try:
        if len(text) == 2 * KEY_BYTES:
            return Secret(binascii.unhexlify(text))
        if any(map(text.count, (b"+", b"/"))) and any(map(text.count, (b"-", b"_"))):
            return None
        bare = Secret(text.removesuffix(b"=").replace(b"-", b"+").replace(b"_", b"/"))
        if len(bare) != (4 * KEY_BYTES + 2) // 3:
            return None
        decoded = Secret(binascii.a2b_base64(bare + b"="))
    except ValueError:
        return None
    # The decoder skips what it does not know; the text of a key has one form only.
    canonical = b64encode(decoded).encode("ascii").replace(b"-", b"+").replace(b"_", b"/")
    return decoded if canonical == bare else None

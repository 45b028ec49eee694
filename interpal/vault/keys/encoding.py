"""How a passphrase or a key is written down: text and file content to secret bytes.

docs/keys.md. Whatever is wrong is a `KeySourceError` that names where the text
came from and shows none of it; the errors of the decoders carry their input, so none of them
is a cause or a context here.
"""

from __future__ import annotations

import binascii

from interpal._hidden import Hidden
from interpal.exceptions import KeySourceError, ValidationError
from interpal.vault.format.jwe import b64encode
from interpal.vault.format.key_slots import normalise_passphrase

KEY_BYTES = 32
KEY_FILE_LIMIT = 4096
"""Bytes of a file with a key in it, at most."""

_NO_PASSPHRASE = (
    ("\ufeff", "has a byte order mark; save it as UTF-8 without one"),
    ("\0", "holds a NUL, as text in UTF-16 does; save it as UTF-8"),
)
_BLANKS = b" \t\r\n"
_AROUND = _BLANKS + b"\"'`"
_NO_KEY = f"not a key; a key is {KEY_BYTES} bytes as base64, base64url or hex"


def parse_passphrase(content: Hidden[bytes], name: str) -> Hidden[bytes]:
    """The normalised passphrase in UTF-8 *content*. Raises `KeySourceError` naming *name*."""
    reason = "the passphrase is not UTF-8; save it as UTF-8"
    try:
        return checked_passphrase(content.reveal().decode())
    except ValidationError as error:
        reason = str(error)
    except UnicodeDecodeError:
        pass
    raise KeySourceError(f"{name}: {reason}")


def checked_passphrase(text: str) -> Hidden[bytes]:
    """The bytes of a passphrase that somebody can mean. Raises `ValidationError`.

    A vault could be made with the others, and opened by nobody who types what an editor shows.
    """
    found = next((fault for mark, fault in _NO_PASSPHRASE if mark in text), None)
    if found is None and any(mark in text.rstrip("\r\n") for mark in "\r\n"):
        found = "has more than one line; give one line"
    elif found is None and text.endswith(("\r", "\n")):
        found = "ends with a newline or a CR (a file with Windows line ends has CRs); remove it"
    given = Hidden(text)
    # A traceback may show the variables of this frame.
    del text
    if found is not None:
        raise ValidationError(f"the passphrase {found}")
    return normalise_passphrase(given.reveal())


def parse_key(key: object, name: str) -> Hidden[bytes]:
    """32 bytes, or their base64, base64url or hex text, as a key. *name* is for the message.

    Raises `KeySourceError`; blanks around a text are allowed, inside it they are not.
    """
    found, fault = _read_key(key)
    del key
    if found is None:
        raise KeySourceError(f"{name}: {fault}")
    return found


def parse_key_text(content: Hidden[bytes], name: str) -> Hidden[bytes]:
    """The key in a text, given as its bytes. Raises `KeySourceError` naming *name*."""
    bare = Hidden(content.reveal().strip(_BLANKS))
    found = _decode(bare)
    if found is None:
        raise KeySourceError(f"{name}: {_NO_KEY}{_why_no_key(bare)}")
    return found


def _why_no_key(text: Hidden[bytes]) -> str:
    """What people set in the place of a key, as far as can be said without showing it."""
    bare = text.reveal()
    if bare != bare.strip(_AROUND):
        return ". It has quotes around it: an env file of docker keeps them; remove them"
    if bare.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return ". It has a byte order mark: save it as UTF-8 without one"
    if bare.startswith((b"/", b"~", b"./")) and len(bare) < 2 * KEY_BYTES:
        return ". It looks like a path: set SESSION_VAULT_KEY_FILE to it instead"
    if b"\n" in bare:
        return ". It has more than one line: keep only the key"
    return ""


def parse_key_file(content: Hidden[bytes], name: str) -> Hidden[bytes]:
    """The key in a file: exactly 32 bytes are the key itself, else it is text.

    Raises `KeySourceError` naming *name*.
    """
    if len(content.reveal()) == KEY_BYTES:
        return content
    if not content.reveal().strip(_BLANKS):
        raise KeySourceError(f"{name}: the key file is empty; restore the key, or remove the file")
    return parse_key_text(content, name)


def without_newline(content: Hidden[bytes]) -> Hidden[bytes]:
    """*content* less the one newline (`\\n` or `\\r\\n`) that editors and commands add."""
    for newline in (b"\r\n", b"\n"):
        if content.reveal().endswith(newline):
            return Hidden(content.reveal()[: -len(newline)])
    return content


def doubt_about(kind: str, secret: Hidden[bytes]) -> str:
    """What a wrong passphrase has that nobody may have meant; else nothing.

    `docker --env-file` and systemd keep quotes and blanks that a shell would remove; a program
    that prints it may colour it.
    """
    text = secret.reveal()
    if kind != "passphrase":
        return ""
    if not text.decode().isprintable():
        return (
            ". It has a character that does not print, such as the colour codes of a program: if "
            "that is not part of it, have it printed plainly"
        )
    if text == text.strip(_AROUND):
        return ""
    return (
        ". It has a blank or a quote at its beginning or end: if that is not part of it, remove "
        "it (an env file of docker keeps quotes)"
    )


def _read_key(key: object) -> tuple[Hidden[bytes] | None, str]:
    """The key, or None and what is wrong with it."""
    if isinstance(key, (bytes, bytearray, memoryview)):
        secret = Hidden(bytes(key))
        size = len(secret.reveal())
        good = size == KEY_BYTES
        return secret if good else None, f"a key has {KEY_BYTES} bytes, not {size}"
    if isinstance(key, str):
        # Never fails, unlike the codec of ASCII, whose error would carry the key.
        return _decode(Hidden(key.encode("utf-8", "surrogatepass").strip(_BLANKS))), _NO_KEY
    return None, f"expected {KEY_BYTES} bytes or their text, not {type(key).__name__}"


def _decode(text: Hidden[bytes]) -> Hidden[bytes] | None:
    try:
        if len(text.reveal()) == 2 * KEY_BYTES:
            return Hidden(binascii.unhexlify(text.reveal()))
        if _mixes_alphabets(text.reveal()):
            return None
        bare = Hidden(_as_base64(text.reveal().removesuffix(b"=")))
        if len(bare.reveal()) != (4 * KEY_BYTES + 2) // 3:
            return None
        decoded = Hidden(binascii.a2b_base64(bare.reveal() + b"="))
    except ValueError:
        return None
    # The decoder skips what it does not know; the text of a key has one form only.
    canonical = Hidden(_as_base64(b64encode(decoded.reveal()).encode()))
    return decoded if canonical == bare else None


def _mixes_alphabets(text: bytes) -> bool:
    return any(map(text.count, (b"+", b"/"))) and any(map(text.count, (b"-", b"_")))


def _as_base64(text: bytes) -> bytes:
    return text.replace(b"-", b"+").replace(b"_", b"/")

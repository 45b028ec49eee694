"""One record as a line of text, for a secret variable of a CI: a vault in base64url.

The line opens with a raw key only. A passphrase that is short enough to be typed is no match for
whoever reads the logs of a CI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interpal.exceptions import VaultFormatError, VaultLimitError
from interpal.vault.core.record_views import thaw
from interpal.vault.format.jwe import b64decode_ascii, b64encode
from interpal.vault.stores.base import Stored
from interpal.vault.stores.memory import Memory
from interpal.vault.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interpal._hidden import Hidden
    from interpal.vault.keys.sources import KeySource

PREFIX = "interpals1."
# What GitHub takes as a secret (48 KB); others take more.
LONGEST_LINE = 48 * 1000


def sealed(records: Mapping[str, dict[str, Any]], source: KeySource, name: str) -> str:
    """The records, encrypted for the key of *source*. *name* is what messages call the line.

    Raises `VaultLimitError` where the line would be longer than a secret variable may be.
    """
    store = Memory(name)
    with Vault(store, source) as vault:
        vault.start(create=True, records=records)
    line = PREFIX + b64encode(store.data)
    if len(line) > LONGEST_LINE:
        raise VaultLimitError(
            f"{name}: the line has {len(line)} characters, and a secret variable takes "
            f"{LONGEST_LINE}; log in anew, which leaves other cookies behind",
            path=None,
        )
    return line


def opened(line: Hidden[bytes], source: KeySource, name: str) -> dict[str, dict[str, Any]]:
    """The records in a line.

    Raises `VaultFormatError` for what is none, and what opening a vault raises.
    """
    data = _decoded(line)
    if data is None:
        raise VaultFormatError(
            f"{name}: not what `interpal-vault export --ci` writes; it begins with {PREFIX} and is "
            "one line"
        )
    with Vault(Memory(name, Stored(data, None)), source) as vault:
        vault.start()
        return {record: thaw(value) for record, value in vault.snapshot().items()}


def _decoded(line: Hidden[bytes]) -> bytes | None:
    text = line.reveal().strip()
    if not text.startswith(PREFIX.encode()):
        return None
    try:
        return b64decode_ascii(text[len(PREFIX) :])
    except ValueError:
        return None

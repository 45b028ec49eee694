"""What is said of vaults that are too large, and of sizes that are none."""

from __future__ import annotations

from interpal.exceptions import ValidationError, VaultLimitError
from interpal.vault.format.header import MAX_FILE_BYTES

_ALLOW_MORE = (
    f"allow more, up to {MAX_FILE_BYTES // 2**20} MiB: open_store(…, max_size=…) in Python, as the "
    "store of a client, of keep() or of Vault.open(); --max-size on the command line"
)


def checked(size: int) -> int:
    """*size*, if it is one in bytes that a vault may have. Raises `ValidationError`."""
    if type(size) is int and 0 < size <= MAX_FILE_BYTES:
        return size
    raise ValidationError(
        f"max_size: expected a number of bytes, at most {_in_bytes(MAX_FILE_BYTES)}, not {size!r}"
    )


def too_large(
    location: str, size: int, most: int, *, written: bool = False, apart: bool = False
) -> VaultLimitError:
    """The error for a vault of *size* bytes where at most *most* are read, or are *written*.

    *apart*: without its records, which the store keeps each on its own.
    """
    allowed, is_bounded = f"at most {_in_bytes(most)} are", most < MAX_FILE_BYTES
    if written:
        what, fewer = "the vault", "Keep fewer records in it (`interpal-vault prune`)"
        more = "keep them in SQLite (`interpal-vault copy`)"
        if apart:
            what = "what the vault has beside its records, key slots and refused logins,"
            fewer = "Remove key slots (`interpal-vault slot remove`)"
            more = "try again in a day, when refused logins are forgotten"
        text = (
            f"{what} would have {size:,} bytes, and {allowed} written. Nothing was changed. "
            f"{fewer}, or {_ALLOW_MORE if is_bounded else more}."
        )
    else:
        remedy = f"If this is the right one, {_ALLOW_MORE}" if is_bounded else "Check the path"
        text = f"this has {size:,} bytes, and {allowed} read. {remedy}."
    return VaultLimitError(f"{location}: {text}", path=location)


def _in_bytes(size: int) -> str:
    mib, rest = divmod(size, 2**20)
    return f"{size:,}" if rest else f"{size:,} ({mib} MiB)"

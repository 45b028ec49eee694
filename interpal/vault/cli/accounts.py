"""Which account a verb is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interpal.exceptions import AmbiguousAccountError
from interpal.vault.cli import errors, formatting
from interpal.vault.cli.formatting import clean
from interpal.vault.format.session_record import record_name

if TYPE_CHECKING:
    from interpal.vault.vault import Vault


def name_of(vault: Vault, user: str | None) -> str:
    """The name of a user's record; of the only one there is where no user is named.

    Raises `NotFound`, and `AmbiguousAccountError` where there are several to choose from.
    """
    if user is not None:
        for name in (user, record_name(user)):
            if name in vault:
                return name
        raise errors.no_account(clean(user), vault.path)
    names = sorted(vault)
    if len(names) > 1:
        raise AmbiguousAccountError(
            f"{vault.path}: there are several accounts ({formatting.listed(names)}); choose one "
            "with --user",
            accounts=names,
        )
    if not names:
        raise errors.NotFound(
            "no-such-account",
            f"{vault.path}: there are no accounts in it yet; log in, or use "
            f"{errors.command('import FILES', vault.path)}",
            path=vault.path,
        )
    return names[0]

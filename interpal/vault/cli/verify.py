"""The verb `verify`: authenticate everything in one vault, or in many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from interpal.exceptions import VaultCorruptError, VaultError
from interpal.vault.cli import errors, formatting, opening, output, stores
from interpal.vault.cli.app import cli, json_option, optional_file_option

if TYPE_CHECKING:
    from interpal.vault.stores.base import Store


@cli.command("verify", short_help="Authenticate everything in one vault, or in many.")
@click.argument("vaults", metavar="[FILES]...", nargs=-1, type=click.Path(readable=False))
@optional_file_option
@json_option
def verify_verb(vaults: tuple[str, ...], path: str | None, as_json: bool) -> int:
    """Authenticate everything in one vault, or in many.

    The files are only read. The exit code is that of the first failure, or 65 if one of the
    vaults is damaged.

    \b
    Example:
      interpal-vault verify team.json backups/*.json
    """
    paths = vaults if path is None else (path, *vaults)
    named = [stores.store_of(one) for one in paths or (stores.default_place(),)]
    results: list[_Verified] = []
    typed: list[str] = []
    if len(named) == 1:
        results.append(_verified(named[0], typed, counted=True))
    else:
        with output.progress("Verifying", len(named)) as step:
            for store in named:
                results.append(_verified(store, typed, counted=False))
                step()
    if as_json:
        output.put_json({"vaults": [result.as_json() for result in results]})
    else:
        for result in results:
            output.put(result.line())
    codes = [result.failure.exit_code for result in results if result.failure is not None]
    return errors.DATA if errors.DATA in codes else (codes or [errors.OK])[0]


class _Verified(NamedTuple):
    """What was found of one vault; `generation` and `accounts` are None where it did not open."""

    path: str
    generation: int | None
    accounts: int | None
    failure: errors.Failure | None

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        facts: dict[str, Any] = {"path": self.path, "ok": self.failure is None}
        if self.accounts is not None:
            facts.update(generation=self.generation, accounts=self.accounts)
        if self.failure is not None:
            facts["error"] = self.failure.as_json()
        return facts

    def line(self) -> str:
        """For people."""
        if self.failure is not None:
            return f"FAILED  {self.failure.message}"
        accounts = formatting.plural(self.accounts or 0, "account")
        return f"ok      {self.path}: generation {self.generation}, {accounts}"


def _verified(store: Store, typed: list[str], *, counted: bool) -> _Verified:
    """Authenticate everything in one vault; *counted* shows how many of its records are done."""
    generation: int | None = None
    accounts: int | None = None
    failure: errors.Failure | None = None
    try:
        with opening.open_vault(store, typed=typed) as vault:
            generation, accounts = vault.generation, len(vault)
            with output.progress("Verifying", accounts) as step:
                damaged = vault.damaged(progress=step.reach if counted else None)
            if damaged:
                raise VaultCorruptError(
                    f"{vault.path}: {damaged} of {formatting.plural(accounts, 'record')} can no "
                    "longer be opened; the others can. "
                    f"{errors.command('prune --damaged', vault.path)} removes the damaged ones",
                    path=vault.path,
                )
    except VaultError as error:
        failure = errors.failure_of(error)
    return _Verified(store.location, generation, accounts, failure)

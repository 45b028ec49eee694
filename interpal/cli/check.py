"""The verb `check`: ask the server whether a session is alive."""

from __future__ import annotations

from interpal.cli.clients import Place
from interpal.exceptions import (
    AccountMismatchError,
    AuthenticationError,
    InterpalException,
    VaultError,
)
from interpal.vault.cli import errors, formatting, output
from interpal.vault.cli.app import cli, file_option, json_option, user_option
from interpal.vault.cli.formatting import Cell, clean

_STYLES = {"alive": "green", "ended": "red", "unknown": "yellow"}


@cli.command("check", short_help="Ask the server whether a session is alive.")
@file_option
@user_option("Only the session of this account.")
@json_option
def check_verb(path: str, user: str | None, as_json: bool) -> int:
    """Ask the server whether the sessions in the vault are alive. It never logs in.

    The exit code is 0 if all are alive, 1 if one has ended, and 69 if one could not be asked
    about. A session that has been in use stays saved whatever the server says; the next login
    replaces it. One that was never validated (an import, say) is removed where it has ended.

    \b
    Example:
      interpal-vault check --user maple_ink || interpal-vault login --user maple_ink
    """
    place = Place(path)
    found: list[tuple[str, str, str]] = []
    names = place.accounts(user)
    with output.progress("Asking", len(names)) as step:
        for name in names:
            found.append((name, *_state_of(place, name)))
            step()
    if as_json:
        accounts = [{"name": n, "state": state, "reason": why or None} for n, state, why in found]
        output.put_json({"path": place.location, "accounts": accounts})
    else:
        rows: list[list[Cell | str]] = [
            [clean(n), Cell(state, _STYLES[state]), clean(why)] for n, state, why in found
        ]
        output.put_table(("Account", "Session", "Why"), rows)
    states = {state for _, state, _ in found}
    if "ended" in states:
        return errors.FOUND
    return errors.SOURCE if "unknown" in states else errors.OK


def _state_of(place: Place, name: str) -> tuple[str, str]:
    """`alive`, `ended` or `unknown`, and why."""
    try:
        with place.client(name) as client:
            info = client.get_session_info()
            if info is not None and info.is_expired:
                end = info.expires_at
                return "ended", "" if end is None else f"it expired on {formatting.iso(end)}"
            alive = client.validate_session()
    except (AccountMismatchError, VaultError):
        raise
    except AuthenticationError as error:
        return "ended", str(error)
    except InterpalException as error:
        return "unknown", str(error)
    return ("alive", "") if alive else ("ended", "the server answered 401")

"""The verb `exec`: run a command with the session in its environment."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any, NoReturn

import click

from interpal.exceptions import VaultCorruptError
from interpal.vault.cli import coredump, errors, formatting, opening, output
from interpal.vault.cli.accounts import name_of
from interpal.vault.cli.app import cli, file_option, user_option
from interpal.vault.cli.formatting import clean
from interpal.vault.health import report
from interpal.vault.keys.environment import PREFIXES

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEMBERS = {
    "INTERPALS_SESSION_COOKIE": "session_cookie",
    "INTERPALS_AUTH_TOKEN": "auth_token",
    "INTERPALS_USERNAME": "username",
    "INTERPALS_SESSION_ORIGIN": "origin",
}
_CREDENTIALS = "CREDENTIALS_DIRECTORY"
_KEYS = (
    *("interpals-vault-key", "interpals-vault-passphrase"),
    *("session-vault-key", "session-vault-passphrase"),
)
# An encrypted session in the same environment, which would be another one.
_LINE = "INTERPALS_SESSION"


@cli.command("exec", context_settings={"allow_interspersed_args": False})
@file_option
@user_option("Whose session to use, if there are several.")
@click.option(
    "--keep-credentials",
    is_flag=True,
    help="Hand on $CREDENTIALS_DIRECTORY with the vault's key in it.",
)
@click.argument("command", metavar="-- CMD [ARGS]...", nargs=-1, required=True)
def exec_verb(path: str, user: str | None, keep_credentials: bool, command: tuple[str, ...]) -> int:
    """Run CMD with the session in its environment.

    CMD gets INTERPALS_SESSION_COOKIE, INTERPALS_AUTH_TOKEN, INTERPALS_USERNAME and
    INTERPALS_SESSION_ORIGIN, where a client of this package finds the session by itself, and no
    variable that opens a vault; nor CREDENTIALS_DIRECTORY (systemd) where the key of the vault
    is in it, unless --keep-credentials is given. CMD replaces this program, so signals reach it
    and its exit code is returned. The exit code is 127 if there is no such command, 126 if it
    cannot be run.

    \b
    Example:
      interpal-vault exec --user maple_ink -- node bot.js
    """
    with opening.open_vault(path) as vault:
        name = name_of(vault, user)
        record = dict(vault[name])
        where = vault.path
    if report.account(name, record).state(formatting.utc_now()) == "expired":
        output.warn(f"{where}: the session of {clean(name)} has expired", as_json=False)
    environment = child_environment(os.environ, name, record, where)
    if not keep_credentials and _opens_a_vault(environment.get(_CREDENTIALS)):
        del environment[_CREDENTIALS]
    try:
        _become(command, environment)
    except FileNotFoundError:
        output.say(f"{output.PROGRAM}: {clean(command[0])}: command not found.")
        return errors.NO_COMMAND
    except OSError as error:
        output.say(f"{output.PROGRAM}: {clean(command[0])}: it cannot be run: {error.strerror}.")
        return errors.NOT_EXECUTABLE


def child_environment(
    environ: Mapping[str, str], name: str, record: Mapping[str, Any], where: str
) -> dict[str, str]:
    """The environment of the command: the session in it, and nothing that opens the vault."""
    # A token of another session, inherited, must not go with this cookie.
    environment = {
        variable: value
        for variable, value in environ.items()
        if not variable.startswith(PREFIXES) and variable not in (*_MEMBERS, _LINE)
    }
    for variable, member in _MEMBERS.items():
        value = record.get(member)
        if value is None and member == "username":
            value = name
        if value is None:
            continue
        if not isinstance(value, str) or "\0" in value:
            raise VaultCorruptError(
                f"{where}: the {member} of {clean(name)} cannot be put into an environment "
                "variable",
                path=where,
            )
        environment[variable] = value
    if "INTERPALS_SESSION_COOKIE" not in environment:
        raise errors.NotFound(
            "no-such-account", f"{where}: {clean(name)} has no session cookie", path=where
        )
    return environment


def _opens_a_vault(folder: str | None) -> bool:
    """Whether the folder of systemd credentials has a key or passphrase of a vault in it."""
    return bool(folder) and any(os.path.lexists(os.path.join(folder or "", key)) for key in _KEYS)


def _become(command: tuple[str, ...], environment: dict[str, str]) -> NoReturn:
    # Python ignores these for itself, and a program that is started would inherit that.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    coredump.allow_again()
    os.execvpe(command[0], command, environment)  # noqa: S606  (what the verb is for)
